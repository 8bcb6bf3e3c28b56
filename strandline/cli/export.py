"""`strandline export`: a stream's contract for tools and people that know nothing of Strandline."""

from __future__ import annotations

import json
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from strandline.cli.options import DEFAULT_CONFIG, Config, chosen_streams
from strandline.errors import StorageError

if TYPE_CHECKING:
    from strandline.spec.model import Stream


class Format(StrEnum):
    """What a contract is written as."""

    odcs = "odcs"
    jsonschema = "jsonschema"
    markdown = "markdown"


def export(
    name: Annotated[str, typer.Argument(metavar="STREAM", help="The stream.")],
    format: Annotated[Format, typer.Option("--format", help="odcs: Open Data Contract Standard.")] = Format.odcs,  # noqa: A002
    output: Annotated[Path | None, typer.Option("--output", "-o", metavar="FILE", help="Write it there.")] = None,
    lake: Annotated[str | None, typer.Option("--lake", metavar="URL", help="odcs: name this lake as the server.")] = None,
    config: Config = DEFAULT_CONFIG,
) -> None:
    """Print a stream's contract: Open Data Contract Standard (YAML), JSON Schema of an event, or a page of Markdown.

    [bold]Examples[/bold]

      strandline export api_logs
      strandline export api_logs --format jsonschema --output api_logs.schema.json
      strandline export api_logs --format markdown
      strandline export api_logs --lake s3://events --output api_logs.odcs.yaml
    """
    text = _text(chosen_streams(config, [name])[name], format, lake)
    if output is None:
        typer.echo(text, nl=False)
        return
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        output.write_text(text, encoding="utf-8")
    except OSError as error:
        raise StorageError(f"cannot write {output}: {error.strerror}") from error
    typer.echo(f"{name}: {format.value} written to {output}", err=True)


def _text(stream: Stream, format_: Format, lake: str | None) -> str:
    if format_ is Format.odcs:
        from strandline.export.odcs import as_yaml, odcs

        return as_yaml(odcs(stream, lake))
    if format_ is Format.jsonschema:
        from strandline.export.json_schema import json_schema

        return json.dumps(json_schema(stream), indent=2, ensure_ascii=False) + "\n"
    from strandline.describe import stream_page

    return stream_page(stream) + "\n"
