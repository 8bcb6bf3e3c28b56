"""`strandline preview`: a sample of a stream through every step, in memory."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

import typer

from strandline.cli.moments import moment
from strandline.cli.options import DEFAULT_CONFIG, Config, Json, chosen_streams


def preview(
    stream: Annotated[str, typer.Argument(metavar="STREAM", help="The stream.")],
    file: Annotated[
        str | None,
        typer.Option("--input", "-i", metavar="FILE", help="Lines to use: .ndjson or .csv, also .gz or .zst; - for stdin."),
    ] = None,
    rows: Annotated[
        int | None,
        typer.Option("--rows", "-n", min=1, help="Lines: about 500 of a generator, at most 10,000 of a file unless told."),
    ] = None,
    at: Annotated[
        str | None,
        typer.Option("--at", metavar="WHEN", help="When the lines have landed, UTC: 2026-11-26T05:00, -3h, yesterday, …"),
    ] = None,
    config: Config = DEFAULT_CONFIG,
    as_json: Json = False,
) -> None:
    """See what a stream's YAML makes of a sample: landed, good and refused lines, gold, alerts, dashboard. Nothing is written.

    The lines are those of the generator, or of --input, or the first that a `files` source has. Protected fields are shown as
    they will be stored. Lines of a file land when they happened unless --at says when.

    [bold]Examples[/bold]

      strandline preview api_logs
      strandline preview api_logs --rows 5000 --at 2026-11-26T12:00
      strandline preview orders --input sample.ndjson
      strandline preview orders --input export.csv.gz --at now     as if it landed now, late events included
      strandline preview api_logs --json | jq .counts
    """
    now = datetime.now(UTC)
    landed_at = moment(at, now) if at else None
    declared = chosen_streams(config, [stream])[stream]
    from strandline.engines.duckdb import DuckEngine
    from strandline.preview import preview as made

    found = made(DuckEngine("512MB", 2), declared, file=file, rows=rows, at=landed_at, now=now)
    if as_json:
        from strandline.cli.preview_document import as_json_text, document

        typer.echo(as_json_text(document(found)))
        return
    from strandline.cli.preview_text import print_preview

    print_preview(found)
