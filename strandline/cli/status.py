"""`strandline status`: how the lake stands, and whether every line is accounted for."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape

from strandline.cli.console import errors, grid, output, shown
from strandline.cli.failures import fail
from strandline.cli.options import DEFAULT_CONFIG, Config, Json, Lake, Memory, Threads, good_streams, place
from strandline.cli.timings import show_timings
from strandline.errors import DataError
from strandline.units import ENGINE_MEMORY, readable

if TYPE_CHECKING:
    from strandline.runtime import Runtime
    from strandline.spec.model import Stream
    from strandline.status import Balance, Size, Standing

_OPEN_SHOWN = 20


def status(
    names: Annotated[list[str] | None, typer.Argument(metavar="STREAM", help="Only these streams.")] = None,
    lake: Lake = None,
    config: Config = DEFAULT_CONFIG,
    memory: Memory = ENGINE_MEMORY,
    threads: Threads = 2,
    timings: Annotated[
        bool, typer.Option("--timings", help="Show instead how long each step took, beside what is usual.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Show how far each stream has come, that lines landed = good + duplicates + quarantined, open alerts, and sizes.

    Exits with 1 when a stream does not balance. Batch is read from the ledger; what is above the line is judged now.

    [bold]Examples[/bold]

      strandline status
      strandline status api_logs --lake s3://events
      strandline status --timings
      strandline status --json | jq '.streams | map_values(.balance.holds)'
    """
    from strandline.runtime import silent
    from strandline.status import layout

    streams = good_streams(config, names or [])
    runtime = place(config, lake, memory, threads, must_exist=True).open(silent)
    if timings:
        show_timings(runtime, streams, as_json=as_json)
        return
    with errors().status("Reading the lake"), ThreadPoolExecutor(2) as pool:
        reports = list(pool.map(lambda stream: _report(runtime, stream), streams.values()))
        sizes = layout(runtime, streams.values())
    if as_json:
        told = {
            "lake": runtime.lake.url,
            "streams": {report.stream: _as_json(report, sizes[report.stream]) for report in reports},
        }
        typer.echo(json.dumps(told, indent=2, ensure_ascii=False, default=str))
    else:
        output().print(f"[bold]{escape(runtime.lake.url)}[/bold]\n")
        _print(reports, sizes)
    if not all(report.holds for report in reports):
        raise typer.Exit(1)


@dataclass(frozen=True, slots=True)
class _Report:
    """One stream; `refusal` is why its lines could not be judged."""

    stream: str
    standing: Standing
    balance: Balance | None
    refusal: str = ""

    @property
    def holds(self) -> bool:
        return self.balance is not None and self.balance.holds


def _report(runtime: Runtime, stream: Stream) -> _Report:
    from strandline.status import balance, standing

    found = standing(runtime, stream)
    try:
        return _Report(stream.name, found, balance(runtime, stream))
    except DataError as error:
        return _Report(stream.name, found, None, str(error))


def _print(reports: Sequence[_Report], sizes: Mapping[str, Mapping[str, Size]]) -> None:
    console = output()
    table = grid(
        "Streams", left=("stream", "landed until", "watermark", "served as of"), right=("final", "provisional", "alerts")
    )
    for report in reports:
        at = report.standing
        moments = (_moment(at.landed_until), _moment(at.watermark), _moment(at.as_of))
        table.add_row(report.stream, *moments, f"{at.final:,}", f"{at.provisional:,}", str(len(at.open_alerts) or "–"))
    console.print(table)
    console.print(_accounts(reports))
    for report in reports:
        for text in (report.refusal, *(report.balance.faults if report.balance else ())):
            if text:
                fail(text if text.startswith(report.stream) else f"{report.stream}: {text}")
        for note in report.balance.notes if report.balance else ():
            console.print(f"[dim]note: {escape(report.stream)}: {escape(note)}[/dim]")
    _print_open(reports)
    layers = next(iter(sizes.values()), {})
    table = grid("Rows · bytes", left=("stream",), right=tuple(layers))
    for name, by_layer in sizes.items():
        table.add_row(name, *(_size(size) for size in by_layer.values()))
    if len(sizes) > 1:
        table.add_section()
        table.add_row("all", *(_size(_total([by_layer[layer] for by_layer in sizes.values()])) for layer in layers))
    console.print(table)


def _accounts(reports: Sequence[_Report]) -> Any:
    table = grid(
        "Lines: landed = good + duplicates + quarantined",
        left=("stream",),
        right=("landed", "good", "duplicates", "quarantined", "balances"),
    )
    table.add_column("quarantined because of", overflow="fold")
    for report in reports:
        if report.balance is None:
            table.add_row(report.stream, "", "", "", "", "[bold red]✗[/bold red]")
            continue
        total = report.balance.total
        numbers = (report.balance.landed or total.lines, total.good, total.duplicates, total.quarantined)
        mark = "[green]✓[/green]" if report.holds else "[bold red]✗[/bold red]"
        reasons = ", ".join(f"{reason} {count:,}" for reason, count in total.reasons.items())
        table.add_row(report.stream, *(f"{number:,}" for number in numbers), mark, reasons or "–")
    return table


def _print_open(reports: Sequence[_Report]) -> None:
    rows = [(report.stream, row) for report in reports for row in report.standing.open_alerts]
    if not rows:
        return
    rows.sort(key=lambda item: item[1]["started_at"], reverse=True)
    more = f" (the newest {_OPEN_SHOWN})" if len(rows) > _OPEN_SHOWN else ""
    table = grid(f"Open alerts: {len(rows)}{more}", left=("since", "stream", "alert", "severity", "key"), right=("firings",))
    for stream, row in rows[:_OPEN_SHOWN]:
        key = ", ".join(f"{name}={value}" for name, value in json.loads(row["key"]).items())
        table.add_row(_moment(row["started_at"]), stream, row["alert"], row["severity"], shown(key), f"{row['firings']:,}")
    output().print(table)


def _as_json(report: _Report, sizes: Mapping[str, Size]) -> dict[str, Any]:
    balance = report.balance
    told = {**asdict(balance), "total": asdict(balance.total), "holds": balance.holds} if balance else {"holds": False}
    at = report.standing
    return {
        "landed_until": _iso(at.landed_until),
        "watermark": _iso(at.watermark),
        "as_of": _iso(at.as_of),
        "unified": {"final": at.final, "provisional": at.provisional},
        "balance": told | ({"refusal": report.refusal} if report.refusal else {}),
        "open_alerts": [{**row, "key": json.loads(row["key"])} for row in at.open_alerts],
        "layers": {layer: asdict(size) for layer, size in sizes.items()},
    }


def _total(sizes: Sequence[Size]) -> Size:
    total = sizes[0]
    for size in sizes[1:]:
        total = total + size
    return total


def _size(size: Size) -> str:
    return f"{size.rows:,} · {readable(size.bytes)}" if size.rows or size.bytes else "–"


def _moment(moment: datetime | None) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%MZ}" if moment else "–"


def _iso(moment: datetime | None) -> str | None:
    return moment.astimezone(UTC).isoformat() if moment else None
