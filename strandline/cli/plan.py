"""`strandline plan`: what a change of YAML would do, before it does it."""

from __future__ import annotations

import json
from functools import partial
from typing import Annotated

import typer

from strandline.cli.console import output
from strandline.cli.options import DEFAULT_CONFIG, Config, Json, Lake, Memory, Threads, good_streams, place
from strandline.units import ENGINE_MEMORY

NEEDED = 3
"""The exit code that says that a rebuild is needed."""


def plan(
    names: Annotated[list[str] | None, typer.Argument(metavar="STREAM", help="Only these streams.")] = None,
    against: Annotated[
        str, typer.Option("--against", metavar="WHAT", help="`deployed`: what the last batch judged by; or git:REV.")
    ] = "deployed",
    days: Annotated[
        int | None, typer.Option("--days", min=1, metavar="N", help="Measure the newest N event dates; default: all.")
    ] = None,
    shown: Annotated[int, typer.Option("--rows", min=1, metavar="N", help="How many rows, windows and examples to name.")] = 5,
    as_markdown: Annotated[bool, typer.Option("--markdown", help="Markdown for a pull request; quotes no data.")] = False,
    lake: Lake = None,
    config: Config = DEFAULT_CONFIG,
    memory: Memory = ENGINE_MEMORY,
    threads: Threads = 2,
    as_json: Json = False,
) -> None:
    """Say what a change of the YAML would do to the lake: definitions, lines judged otherwise, rows and windows, cost, version.

    It computes what a rebuild would, and writes nothing. Exit code 0: nothing to rebuild; 3: a rebuild is needed.

    [bold]Examples[/bold]

      strandline plan
      strandline plan api_logs --against git:main --days 7
      strandline plan --markdown >> "$GITHUB_STEP_SUMMARY"
    """
    from strandline.changes.plan import plan as plan_stream
    from strandline.changes.text import markdown
    from strandline.cli.progress import Display

    streams = good_streams(config, names or [])
    where, plans = place(config, lake, memory, threads, must_exist=True), []
    with Display.on(streams) as display:
        for name, stream in streams.items():
            plans.append(plan_stream(where.open(partial(display.progress, name)), stream, against, days, shown))
    if as_json:
        typer.echo(json.dumps({each.stream: each.as_dict() for each in plans}, indent=2, ensure_ascii=False))
    elif as_markdown:
        typer.echo(markdown(plans, shown), nl=False)
    else:
        from rich.markdown import Markdown

        console = output()
        text = markdown(plans, shown, samples=True)
        if console.is_terminal:
            console.print(Markdown(text))
        else:
            typer.echo(text, nl=False)
    if any(each.needs_rebuild for each in plans):
        raise typer.Exit(NEEDED)
