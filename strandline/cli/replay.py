"""`strandline replay`: refused lines judged again under the contract of today."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from functools import partial
from typing import Annotated

import typer
from rich.markup import escape

from strandline.cli.console import count, grid, output
from strandline.cli.moments import moment
from strandline.cli.options import DEFAULT_CONFIG, Config, Json, Lake, Memory, Threads, chosen_streams, place
from strandline.units import ENGINE_MEMORY

COLUMNS = ("judged", "replayed", "still_refused", "good", "duplicates", "days", "gold_rows", "served_rows")


def replay(
    names: Annotated[list[str], typer.Argument(metavar="STREAM", help="The streams.")],
    reasons: Annotated[
        list[str] | None, typer.Option("--reason", "-r", metavar="REASON", help="Only lines refused for this; may be repeated.")
    ] = None,
    start: Annotated[
        str | None, typer.Option("--from", metavar="WHEN", help="The first day of landing, UTC: 2026-11-26, -7d. Default: all.")
    ] = None,
    end: Annotated[str | None, typer.Option("--to", metavar="WHEN", help="The day of landing before which to end.")] = None,
    lake: Lake = None,
    config: Config = DEFAULT_CONFIG,
    memory: Memory = ENGINE_MEMORY,
    threads: Threads = 2,
    as_json: Json = False,
) -> None:
    """Judge lines in quarantine again; what is good now flows in as if it had always been, the rest stays with its new reason.

    Whole days of landing. Safe to repeat and to stop; the ledger gets one row for what changed.

    [bold]Examples[/bold]

      strandline replay api_logs
      strandline replay api_logs --reason choice --reason range --from -7d
    """
    from strandline.cli.progress import Display
    from strandline.run import whole_days
    from strandline.stages.merge import merge
    from strandline.stages.replay import replay as replay_stream

    now = datetime.now(UTC)
    first, last = whole_days(moment(start, now) if start else None, moment(end, now) if end else None)
    streams = chosen_streams(config, names)
    where, done = place(config, lake, memory, threads, must_exist=True), {}
    with Display.on(streams) as display:
        for name, stream in streams.items():
            runtime = where.open(partial(display.progress, name))
            counts = replay_stream(runtime, stream, reasons or (), first, last)
            done[name] = {**counts, "served_rows": merge(runtime, stream)["restated"]}
    if as_json:
        typer.echo(json.dumps(done, indent=2))
        return
    table = grid("replay", left=("stream",), right=tuple(name.replace("_", " ") for name in COLUMNS))
    for name, counts in done.items():
        table.add_row(escape(name), *(count(counts.get(column, 0)) for column in COLUMNS))
    output().print(table)
