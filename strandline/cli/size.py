"""`strandline size`: what a load needs, from measured figures."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from strandline.cli.console import grid, output
from strandline.cli.options import Json

if TYPE_CHECKING:
    from strandline.sizing.sizing import Sizing


def size(
    events_a_day: Annotated[
        str, typer.Option("--events-per-day", "-e", metavar="NUMBER", help="Of all streams together, as 500k, 20M or 1B.")
    ],
    streams: Annotated[int, typer.Option("--streams", "-s", metavar="NUMBER", help="Of equal size.")] = 5,
    event_bytes: Annotated[
        float, typer.Option("--event-bytes", metavar="BYTES", help="Raw bytes of an event, its line end included.")
    ] = 500,
    interval: Annotated[str, typer.Option("--interval", metavar="LENGTH", help="Of a landing interval.")] = "5m",
    serve_every: Annotated[str, typer.Option("--serve-every", metavar="LENGTH", help="Between two merges.")] = "10m",
    batch_window: Annotated[str, typer.Option("--batch-window", metavar="LENGTH", help="That the batch may take.")] = "4h",
    audit_every: Annotated[
        str, typer.Option("--audit-every", metavar="LENGTH", help="Of the whole lake; other nights what is new. Or never.")
    ] = "7d",
    engine: Annotated[Literal["duckdb", "spark"], typer.Option("--engine", help="That computes the streams.")] = "duckdb",
    retention: Annotated[
        list[str] | None,
        typer.Option("--retention", metavar="[WHAT=]LENGTH", help="365d: of the lake; realtime=14d, quarantine=90d: of these."),
    ] = None,
    figures_file: Annotated[
        Path | None, typer.Option("--figures", metavar="FILE", help="Figures and prices of yours, in place of ours.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Say what a load needs: CPU by step, one machine or a cluster, memory, S3 requests and storage with their cost, Airflow.

    Nothing is read but the figures, each of which names its source (docs/scaling.md). Prices must be checked.

    [bold]Examples[/bold]

      strandline size --events-per-day 5M --streams 5
      strandline size -e 1B -s 100 --engine spark --retention 90d
      strandline size -e 20M -s 1000 --interval 15m --json | jq .one_machine.cores
    """
    from strandline.sizing import load as given
    from strandline.sizing.figures import figures
    from strandline.sizing.sizing import size as size_of

    load = given.Load(
        events=given.count(events_a_day),
        streams=streams,
        event_bytes=event_bytes,
        interval=given.seconds(interval),
        serve_every=given.seconds(serve_every),
        batch_window=given.seconds(batch_window),
        audit_every=None if audit_every == "never" else given.seconds(audit_every),
        engine=engine,
        kept=given.retention(retention or []),
    )
    found = size_of(load, figures(figures_file))
    if as_json:
        typer.echo(json.dumps(found.as_dict(), indent=2, ensure_ascii=False))
        return
    console = output()
    for part in (_load, _machine, _cpu, _machines, _requests, _storage, _airflow, _sources):
        console.print(part(found))


def _load(found: Sizing) -> str:
    load = found.load
    kept = ", ".join(f"{name} {days:g} d" for name, days in load.kept.items())
    return (
        f"[bold]{_number(load.events)} events a day[/bold] of {load.event_bytes:g} bytes in {load.streams:,} stream(s): "
        f"{_number(load.of_a_stream)} each, {_number(load.of_a_stream / load.landings)} a micro-batch, landing every "
        f"{_length(load.interval)}, served every {_length(load.serve_every)}; kept: {kept}\n"
    )


def _machine(found: Sizing) -> str:
    from strandline.sizing.machine import STARTS

    spark = found.cluster
    cluster = (
        f"{spark.executors:,} Spark executor(s) of {spark.executor_cores} cores and {spark.executor_gb:g} GB "
        f"({spark.cores:,} cores, {spark.memory_gb:,.0f} GB), and {spark.worker_cores:,} core(s) for landing and Airflow"
    )
    if found.load.engine == "spark":
        return f"[bold]Cluster:[/bold] {cluster}; {_number(spark.cpu_s)} CPU seconds of Spark a day\n"
    if found.cores is None:
        worst = max(found.needs, key=lambda need: need.used)
        if worst.name == STARTS:
            rate = f"{found.airflow.starts_a_minute:,.0f} task starts a minute"
            return f"[bold]One scheduler is not enough:[/bold] {rate}; see Airflow below. For the data alone: {cluster}\n"
        return f"[bold]One machine is not enough:[/bold] {worst.name}. With `--engine spark`: {cluster}\n"
    most = max(found.needs, key=lambda need: need.used)
    return (
        f"[bold]One machine is enough:[/bold] {found.cores:,} core(s), {found.memory_gb:.0f} GB; most used: {most.name}, "
        f"{most.used:.0%}. In place of it: {cluster}\n"
    )


def _cpu(found: Sizing) -> Any:
    table = grid("CPU seconds a day, embedded engine", left=("step", "of"), right=("runs", "CPU s", "share"))
    for step in found.steps:
        table.add_row(step.name, step.group, _number(step.runs), _number(step.cpu_s), f"{step.cpu_s / found.cpu_s:.0%}")
    table.add_section()
    table.add_row("all", "", "", _number(found.cpu_s), f"{found.cpu_s / 86_400:.2f} cores all day")
    return table


def _machines(found: Sizing) -> Any:
    title = f"How far one machine goes, batch within {_length(found.load.batch_window)}"
    table = grid(title, left=("cores",), right=("events a day", "memory"))
    table.add_column("more is held up by", overflow="fold")
    for machine in found.machines:
        most = _number(machine.most_events) if machine.most_events else "none"
        table.add_row(str(machine.cores), most, f"{machine.memory_gb:.0f} GB", machine.held_by)
    return table


def _requests(found: Sizing) -> Any:
    kinds = tuple(found.requests[0].kinds)
    table = grid("S3 requests a day", left=("step",), right=(*(kind.upper() for kind in kinds), "all"))
    for asked in found.requests:
        table.add_row(asked.step, *(_number(asked.kinds[kind]) for kind in kinds), _number(asked.all))
    table.add_section()
    sums = {kind: sum(asked.kinds[kind] for asked in found.requests) for kind in kinds}
    table.add_row("all", *(_number(value) for value in sums.values()), _number(sum(sums.values())))
    table.caption = f"${found.requests_usd:,.2f} a month; at most {_rates(found)}"
    table.caption_justify = "left"
    return table


def _rates(found: Sizing) -> str:
    put, get = found.figures("s3.put_a_second"), found.figures("s3.get_a_second")
    busy = found.busiest
    return (
        f"{busy['prefix_put']:.1f} PUT/s of {put:,.0f} and {busy['prefix_get']:.1f} GET/s of {get:,.0f} on a stream's prefix, "
        f"{busy['bucket_put']:,.0f} and {busy['bucket_get']:,.0f} on the bucket"
    )


def _storage(found: Sizing) -> Any:
    table = grid("Storage", left=("layer",), right=("GB a day", "days kept", "GB kept"))
    for layer in found.layers:
        days = f"{layer.days:g}" if layer.days else "–"
        table.add_row(layer.name, f"{layer.gb_a_day:,.2f}", days, f"{layer.gb_kept:,.1f}" if layer.days else "–")
    table.add_section()
    table.add_row("all", "", "", f"{found.storage_gb:,.1f}")
    table.caption = f"${found.storage_usd:,.2f} a month once as much goes as comes; gzip: the source's files, not in the lake"
    table.caption_justify = "left"
    return table


def _airflow(found: Sizing) -> Any:
    flow = found.airflow
    table = grid("Airflow", left=("limit",), right=("needs", "has", "used"))
    table.add_column("when it is not enough", overflow="fold")
    for limit in sorted(flow.limits, key=lambda each: -each.share):
        needs, has = (f"{value:,.1f} {limit.unit}" for value in (limit.needs, limit.has))
        table.add_row(limit.name, needs, has, f"{limit.share:.0%}", limit.then)
    table.caption = (
        f"{_number(flow.tasks_a_day)} tasks a day, {flow.starts_a_minute:,.1f} starts a minute; {_number(flow.burst)} due at "
        f"once take {_length(flow.burst_s)}; DAGs parse in {flow.parse_s:.1f} CPU s ({flow.first_parse_s:.1f} the first time), "
        f"{flow.serialised_mb:.1f} MB serialised. First gives: {flow.first.name}"
    )
    table.caption_justify = "left"
    return table


def _sources(found: Sizing) -> str:
    told = [f"  {source.name}: {source.how} ({source.machine}, {source.date})" for source in found.figures.sources()]
    prices = found.figures.prices_source
    check = (
        f"[yellow]Prices are list prices as of {prices.date} ({prices.machine}); check them before you rely on them.[/yellow]"
    )
    return "\n".join(("[bold]Where the figures come from[/bold]", *told, check))


def _number(value: float) -> str:
    """Three digits that count: 12, 3,450, 1.2M, 1B."""
    for unit, size in (("B", 1e9), ("M", 1e6)):
        if value >= size * 0.9995:
            return f"{value / size:.3g}{unit}" if value < 1000 * size else f"{value / size:,.0f}{unit}"
    return f"{value:,.0f}" if value >= 100 or value == int(value) else f"{value:.3g}"


def _length(seconds: float) -> str:
    for unit, size in (("d", 86_400), ("h", 3600), ("m", 60)):
        if seconds >= size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds:.3g} s"
