"""What `strandline status --timings` shows: the last run of each step beside what is usual."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import typer

from strandline.cli.console import errors, grid, output

if TYPE_CHECKING:
    from strandline.runtime import Runtime
    from strandline.spec.model import Stream
    from strandline.timings import StepTimings, Timing


def show_timings(runtime: Runtime, streams: Mapping[str, Stream], *, as_json: bool) -> None:
    """The timings of the streams as a table a stream, or as JSON with every run that is known."""
    from strandline.timings import timings

    with errors().status("Reading the logs"), ThreadPoolExecutor(2) as pool:
        found = dict(zip(streams, pool.map(lambda stream: timings(runtime, stream), streams.values()), strict=True))
    if as_json:
        told = {name: {each.step: _as_json(each) for each in steps} for name, steps in found.items()}
        typer.echo(json.dumps({"lake": runtime.lake.url, "streams": told}, indent=2))
        return
    for name, steps in found.items():
        if steps:
            output().print(_table(name, steps))
    silent = [name for name, steps in found.items() if not steps]
    if silent:
        output().print(f"[dim]Nothing has run yet, or its entries are gone from the logs: {', '.join(silent)}[/dim]")


def _table(stream: str, steps: Sequence[StepTimings]) -> Any:
    table = grid(
        stream, left=("step", "last run"), right=("rows", "seconds", "rows/s", "usual seconds", "usual rows/s", "runs", "")
    )
    for each in steps:
        last, usual, slower = each.last, each.usual, each.slower
        mark = f"[bold yellow]{slower:.1f}x slower[/bold yellow]" if slower else ""
        before = (f"{usual.seconds:,.1f}", f"{usual.rate:,.0f}") if usual else ("–", "–")
        now = (f"{last.rows:,}", f"{last.seconds:,.1f}", f"{last.rate:,.0f}")
        table.add_row(each.step, f"{last.at:%Y-%m-%d %H:%M:%SZ}", *now, *before, str(len(each.runs)), mark)
    return table


def _as_json(each: StepTimings) -> dict[str, Any]:
    usual = each.usual
    return {
        "slower": each.slower,
        "usual": {"seconds": usual.seconds, "rows": usual.rows} if usual else None,
        "runs": [_run(run) for run in each.runs],
    }


def _run(run: Timing) -> dict[str, Any]:
    return {"at": run.at.isoformat(), "seconds": run.seconds, "rows": run.rows}
