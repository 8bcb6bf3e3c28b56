"""`strandline run …`: the steps without Airflow."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from strandline.cli.console import count, errors, grid, output
from strandline.cli.moments import moment
from strandline.cli.options import DEFAULT_CONFIG, Config, Json, Lake, Memory, Threads, chosen_streams, place
from strandline.errors import UsageError
from strandline.units import ENGINE_MEMORY

if TYPE_CHECKING:
    from strandline.run import Done, Order, Outcome, Place, Step
    from strandline.spec.model import Stream

app = typer.Typer(
    no_args_is_help=True,
    help="Run the steps here, without Airflow: ingest, batch, merge, publish, or all of them in that order. "
    "Each may be stopped anywhere and run again; nothing is done twice.",
)

Streams = Annotated[list[str] | None, typer.Option("--stream", "-s", metavar="NAME", help="Only this stream; may be repeated.")]
From = Annotated[
    str | None,
    typer.Option("--from", metavar="WHEN", help="Start, UTC: 2026-11-26T05:00, today, -26h. Default: what is due."),
]
To = Annotated[str | None, typer.Option("--to", metavar="WHEN", help="End (not in it), UTC; default: now.")]
Until = Annotated[str | None, typer.Option("--to", metavar="WHEN", help="Where to draw the line, UTC; default: now.")]
Rebuild = Annotated[bool, typer.Option("--rebuild", help="Judge what batch has again, from the raw bytes.")]
RebuildFrom = Annotated[
    str | None, typer.Option("--from", metavar="WHEN", help="With --rebuild: the first day of the events, UTC; default: all.")
]
Jobs = Annotated[int, typer.Option("--jobs", "-j", min=1, help="Streams side by side, a process each.")]


@app.command()
def ingest(
    streams: Streams = None,
    start: From = None,
    end: To = None,
    lake: Lake = None,
    config: Config = DEFAULT_CONFIG,
    memory: Memory = ENGINE_MEMORY,
    threads: Threads = 2,
    jobs: Jobs = 1,
    as_json: Json = False,
) -> None:
    """Generate and land every landing interval from --from to --to; by default what is due and what was missed.

    [bold]Examples[/bold]

      strandline run ingest
      strandline run ingest --from -26h --jobs 2
      strandline run ingest -s api_logs --from 2026-11-26T05:00 --to 2026-11-26T06:00
    """
    _run(["ingest"], streams, start, end, place(config, lake, memory, threads), jobs, as_json)


@app.command()
def batch(
    streams: Streams = None,
    rebuild: Rebuild = False,
    start: RebuildFrom = None,
    end: Until = None,
    lake: Lake = None,
    config: Config = DEFAULT_CONFIG,
    memory: Memory = ENGINE_MEMORY,
    threads: Threads = 2,
    jobs: Jobs = 1,
    as_json: Json = False,
) -> None:
    """Bronze, silver, gold: batch takes over every landed interval before --to and judges it.

    With --rebuild it takes nothing new: what it has is judged again from the raw bytes, under the contract of today, and
    what is served follows. --from and --to are days of the events then; without them everything is rebuilt.

    [bold]Examples[/bold]

      strandline run batch
      strandline run batch --to today
      strandline run batch -s api_logs --to 2026-11-26T02:00
      strandline run batch -s api_logs --rebuild --from 2026-11-01
    """
    where = place(config, lake, memory, threads)
    if start and not rebuild:
        raise UsageError("--from goes with --rebuild; batch takes every landed interval before --to")
    if not rebuild:
        _run(["batch"], streams, None, end, where, jobs, as_json)
        return
    from strandline.run import Order

    now = datetime.now(UTC)
    order = Order.to_rebuild(now, moment(start, now) if start else None, moment(end, now) if end else None)
    _run_order(order, streams, where, jobs, as_json)


@app.command()
def merge(
    streams: Streams = None,
    lake: Lake = None,
    config: Config = DEFAULT_CONFIG,
    memory: Memory = ENGINE_MEMORY,
    threads: Threads = 2,
    jobs: Jobs = 1,
    as_json: Json = False,
) -> None:
    """Bring unified and analytics up to everything landed so far, both sides of the line as one.

    [bold]Examples[/bold]

      strandline run merge
      strandline run merge -s api_logs --json
    """
    _run(["merge"], streams, None, None, place(config, lake, memory, threads), jobs, as_json)


@app.command()
def publish(
    streams: Streams = None,
    lake: Lake = None,
    config: Config = DEFAULT_CONFIG,
    memory: Memory = ENGINE_MEMORY,
    threads: Threads = 2,
    jobs: Jobs = 1,
    as_json: Json = False,
) -> None:
    """Write dashboards and evaluate alerts; each episode is told once, as a line on stderr.

    [bold]Examples[/bold]

      strandline run publish
      strandline run publish -s api_logs -s iot_sensors
    """
    _run(["publish"], streams, None, None, place(config, lake, memory, threads), jobs, as_json)


@app.command(name="all")
def all_steps(
    streams: Streams = None,
    start: From = None,
    end: To = None,
    lake: Lake = None,
    config: Config = DEFAULT_CONFIG,
    memory: Memory = ENGINE_MEMORY,
    threads: Threads = 2,
    jobs: Jobs = 1,
    as_json: Json = False,
) -> None:
    """Ingest, batch, merge, publish, stream by stream; a stream that fails leaves the others running.

    [bold]Examples[/bold]

      strandline run all --from -26h --lake ./lake
      strandline run all -s api_logs --from 2026-11-25 --to 2026-11-26 --jobs 2
    """
    _run(["ingest", "batch", "merge", "publish"], streams, start, end, place(config, lake, memory, threads), jobs, as_json)


@app.command()
def bootstrap(lake: Lake = None, as_json: Json = False) -> None:
    """Make the bucket of an S3 lake and harden it; says what the endpoint does not support. Safe to repeat.

    [bold]Examples[/bold]

      strandline run bootstrap --lake s3://events
    """
    where = place(DEFAULT_CONFIG, lake)
    from botocore.exceptions import BotoCoreError

    from strandline.lake.s3 import classified
    from strandline.runtime import silent
    from strandline.stages.bootstrap import bootstrap as make

    try:
        done = make(where.open(silent).lake)
    except BotoCoreError as error:
        raise classified(error, f"make {where.lake}") from error
    if as_json:
        typer.echo(json.dumps(done, indent=2))
        return
    for name, state in done.items():
        typer.echo(f"{name.replace('_', ' ')}: {state}")


def _run(
    steps: Sequence[Step], names: list[str] | None, start: str | None, end: str | None, where: Place, jobs: int, as_json: bool
) -> None:
    """Run, show, and leave with the exit code of the worst outcome."""
    from strandline.run import Order

    now = datetime.now(UTC)
    order = Order.of(steps, now, moment(start, now) if start else None, moment(end, now) if end else None)
    _run_order(order, names, where, jobs, as_json)


def _run_order(order: Order, names: list[str] | None, where: Place, jobs: int, as_json: bool) -> None:
    streams = chosen_streams(where.config, names or [])
    try:
        outcomes = _outcomes(where, streams, order, jobs)
    except KeyboardInterrupt:
        errors().print("\nWhat was committed stays; the same command goes on from there.")
        raise
    if as_json:
        typer.echo(json.dumps({outcome.stream: _as_json(outcome) for outcome in outcomes}, indent=2))
    else:
        _print_counts(order, outcomes)
    codes = {outcome.code for outcome in outcomes} - {0}
    if codes:
        raise typer.Exit(min(codes))


def _outcomes(where: Place, streams: dict[str, Stream], order: Order, jobs: int) -> list[Outcome]:
    from strandline.cli.progress import Display
    from strandline.run import run_stream
    from strandline.workers import run_side_by_side

    with Display.on(streams) as display:
        if jobs > 1 and len(streams) > 1:
            return run_side_by_side(where, list(streams), order, display, jobs)
        return [run_stream(where, stream, order, display) for stream in streams.values()]


def _as_json(outcome: Outcome) -> dict[str, object]:
    steps = {done.step: {**done.counts, "seconds": done.seconds} for done in outcome.done}
    return {"ok": not outcome.error, "steps": steps, "failed": outcome.failed, "error": outcome.error or None}


def _print_counts(order: Order, outcomes: Sequence[Outcome]) -> None:
    """A table a step: a row a stream, and their sums."""
    for step in order.steps:
        rows = {outcome.stream: done for outcome in outcomes for done in outcome.done if done.step == step}
        if not rows:
            continue
        names = list(dict.fromkeys(name for done in rows.values() for name in done.counts))
        table = grid(step, left=("stream",), right=(*(name.replace("_", " ") for name in names), "seconds"))
        for stream, done in rows.items():
            table.add_row(stream, *(count(done.counts.get(name)) for name in names), f"{done.seconds:.1f}")
        if len(rows) > 1:
            table.add_section()
            table.add_row("all", *(_sum(rows.values(), name) for name in names), f"{sum(d.seconds for d in rows.values()):.1f}")
        output().print(table)


def _sum(done: Iterable[Done], name: str) -> str:
    numbers = [value for each in done if isinstance(value := each.counts.get(name), int)]
    return count(sum(numbers)) if numbers else ""
