"""`strandline audit`: everything recomputed from the raw bytes, and held against what is stored and served."""

from __future__ import annotations

import json
from dataclasses import asdict
from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from strandline.cli.console import grid, output
from strandline.cli.failures import fail
from strandline.cli.options import DEFAULT_CONFIG, Config, Json, Lake, Memory, Threads, good_streams, place
from strandline.units import ENGINE_MEMORY

if TYPE_CHECKING:
    from strandline.audit import Audit


def audit(
    names: Annotated[list[str] | None, typer.Argument(metavar="STREAM", help="Only these streams.")] = None,
    fast: Annotated[bool, typer.Option("--fast", help="Compare digests by partition; do not look for the keys.")] = False,
    lake: Lake = None,
    config: Config = DEFAULT_CONFIG,
    memory: Memory = ENGINE_MEMORY,
    threads: Threads = 2,
    as_json: Json = False,
) -> None:
    """Prove that what is stored and served equals a recompute from the raw bytes, and that every line is accounted for.

    Exits with 1 when anything differs, naming the table, the partition and the keys. The result is kept in batch/audits.

    [bold]Examples[/bold]

      strandline audit
      strandline audit api_logs --fast
      strandline audit --json | jq '.[] | select(.agrees | not)'
    """
    from strandline.audit import audit as audit_stream
    from strandline.cli.progress import Display

    streams = good_streams(config, names or [])
    where, found = place(config, lake, memory, threads, must_exist=True), []
    with Display.on(streams) as display:
        for name, stream in streams.items():
            found.append(audit_stream(where.open(partial(display.progress, name)), stream, fast=fast))
    if as_json:
        typer.echo(json.dumps([{**asdict(each), "agrees": each.agrees} for each in found], indent=2, ensure_ascii=False))
    else:
        _print(found)
    if not all(each.agrees for each in found):
        raise typer.Exit(1)


def _print(found: list[Audit]) -> None:
    table = grid(
        "Audit: stored and served = recomputed from raw", left=("stream",), right=("lines", "rows", "tables", "agrees")
    )
    for each in found:
        mark = "[green]✓[/green]" if each.agrees else "[bold red]✗[/bold red]"
        table.add_row(escape(each.stream), f"{each.lines:,}", f"{each.rows:,}", str(len(each.versions)), mark)
    output().print(table)
    for each in found:
        for told in (*each.faults, *map(str, each.differences)):
            fail(f"{each.stream}: {told}")
