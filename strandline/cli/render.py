"""`strandline render`: the DAGs as dag-factory reads them, for review."""

from __future__ import annotations

from difflib import get_close_matches
from pathlib import Path
from typing import Annotated

import typer

from strandline.cli.options import DEFAULT_CONFIG, Config, unknown_stream
from strandline.errors import StorageError, UsageError


def render(
    config: Config = DEFAULT_CONFIG,
    dag: Annotated[str | None, typer.Option("--dag", metavar="ID", help="Only this DAG.")] = None,
    stream: Annotated[
        str | None,
        typer.Option("--resolved", metavar="STREAM", help="This stream with all defaults, and where each value is from."),
    ] = None,
    folder: Annotated[Path | None, typer.Option("--output", "-o", metavar="DIR", help="Write a file a DAG there.")] = None,
) -> None:
    """Print the DAGs in dag-factory's own YAML: what Airflow is given, placeholders and repetition written out.

    With --resolved: a stream's YAML with the defaults of config/defaults.yaml and the built-in ones, each line with its origin.

    [bold]Examples[/bold]

      strandline render | less
      strandline render --dag 3-batch_etl_all_streams
      strandline render --output rendered/
      strandline render --resolved api_logs
    """
    from strandline.render import as_yaml
    from strandline.render import render as render_all

    if stream is not None:
        _print_resolved(config, stream)
        return
    dags = render_all(config)
    if dag is not None:
        if dag not in dags:
            close = get_close_matches(dag, dags, 1, 0.4)
            hint = f"; did you mean {close[0]}?" if close else f" (there are: {', '.join(dags)})"
            raise UsageError(f"no DAG {dag}{hint}")
        dags = {dag: dags[dag]}
    if folder is None:
        typer.echo(as_yaml(dags), nl=False)
        return
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, body in dags.items():
            (folder / f"{name}.yaml").write_text(as_yaml({name: body}), encoding="utf-8")
    except OSError as error:
        raise StorageError(f"cannot write to {folder}: {error.strerror}") from error
    typer.echo(f"{len(dags)} DAG{'' if len(dags) == 1 else 's'} written to {folder}", err=True)


def _print_resolved(config: Path, name: str) -> None:
    from strandline.spec.load import stream_files
    from strandline.spec.resolved import resolved

    folder = config / "streams"
    if not (folder / f"{name}.yaml").is_file():
        raise unknown_stream(config, name, [path.stem for path in stream_files(folder)] if folder.is_dir() else [])
    typer.echo(resolved(config, name), nl=False)
