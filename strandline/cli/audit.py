"""`strandline audit`: everything recomputed from the raw bytes, and held against what is stored and served."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from strandline.cli.console import grid, output
from strandline.cli.failures import fail
from strandline.cli.options import DEFAULT_CONFIG, Config, Json, Lake, Memory, Threads, good_streams, place
from strandline.units import ENGINE_MEMORY

if TYPE_CHECKING:
    from strandline.audit.audit import Audit


def audit(
    names: Annotated[list[str] | None, typer.Argument(metavar="STREAM", help="Only these streams.")] = None,
    fast: Annotated[bool, typer.Option("--fast", help="Compare digests by partition; do not look for the keys.")] = False,
    new: Annotated[bool, typer.Option("--new", help="Recompute what is new since the last audit that agreed.")] = False,
    lake: Lake = None,
    config: Config = DEFAULT_CONFIG,
    memory: Memory = ENGINE_MEMORY,
    threads: Threads = 2,
    as_json: Json = False,
) -> None:
    """Prove that what is stored and served equals a recompute from the raw bytes, and that every line is accounted for.

    Exits with 1 when anything differs, naming the table, the partition and the keys. The result is kept in batch/audits. With
    --new the rows that the last audit found right stand for their lines, as long as files and contract are those of then;
    where there is none of the last six days, everything is recomputed.

    [bold]Examples[/bold]

      strandline audit
      strandline audit api_logs --fast
      strandline audit --new
      strandline audit --json | jq '.[] | select(.agrees | not)'
    """
    from strandline.audit.audit import audit as audit_stream
    from strandline.cli.progress import Display

    streams = good_streams(config, names or [])
    where, found = place(config, lake, memory, threads, must_exist=True), []
    whole_every = timedelta.max if new else None
    with Display.on(streams) as display:
        for name, stream in streams.items():
            runtime = where.open(partial(display.progress, name))
            found.append(audit_stream(runtime, stream, fast=fast, whole_every=whole_every))
    if as_json:
        told = [{**asdict(each), "agrees": each.agrees} for each in found]
        typer.echo(json.dumps(told, indent=2, ensure_ascii=False, default=str))
    else:
        _print(found)
    if not all(each.agrees for each in found):
        raise typer.Exit(1)


def _print(found: list[Audit]) -> None:
    table = grid(
        "Audit: stored and served = recomputed from raw", left=("stream",), right=("since", "lines", "rows", "tables", "agrees")
    )
    for each in found:
        mark = "[green]✓[/green]" if each.agrees else "[bold red]✗[/bold red]"
        since = f"{each.since:%Y-%m-%d %H:%M}" if each.since else "ever"
        table.add_row(escape(each.stream), since, f"{each.lines:,}", f"{each.rows:,}", str(len(each.versions)), mark)
    output().print(table)
    for each in found:
        for told in (*each.faults, *map(str, each.differences)):
            fail(f"{each.stream}: {told}")
