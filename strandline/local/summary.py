"""What a lake holds, as tables for a reader: layout, ledger, alerts; and the dashboards as local files."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import reduce
from operator import add
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.box import SIMPLE_HEAD
from rich.table import Table

from strandline.lake import paths
from strandline.spec.model import Stream
from strandline.status import Account, Balance, Size
from strandline.units import readable

if TYPE_CHECKING:
    from strandline.lake.lake import Lake

_LAYERS = ("realtime", "bronze", "silver", "quarantine", "gold", "unified", "analytics")
_COUNTS = ("lines", "good", "duplicates", "quarantined")
_REASONS_SHOWN = 4


def layout_table(measured: Mapping[str, Mapping[str, Size]]) -> Table:
    """Rows and bytes, one row a stream and one column a layer, with totals."""
    table = _table("The lake: rows and bytes")
    table.add_column("stream", overflow="fold")
    for layer in _LAYERS:
        table.add_column(layer, justify="right", no_wrap=True)
    for name, by_layer in measured.items():
        table.add_row(name, *(_size(by_layer[layer]) for layer in _LAYERS))
    totals = [sum((by_layer[layer] for by_layer in measured.values()), Size()) for layer in _LAYERS]
    table.add_section()
    table.add_row("all", *(_size(total) for total in totals))
    return table


def ledger_table(found: Mapping[str, Balance]) -> Table:
    """lines = good + duplicates + quarantined, by stream and in all, on both sides of the line."""
    table = _table("Every line accounted for: lines = good + duplicates + quarantined")
    for column in ("stream", *_COUNTS):
        table.add_column(column, justify="left" if column == "stream" else "right", no_wrap=True)
    table.add_column("balances", justify="center")
    table.add_column("quarantined because of")
    for name, balance in found.items():
        table.add_row(name, *_numbers(balance.total), _mark(balance.holds), _reasons(balance.total.reasons))
    if found:
        total = reduce(add, (balance.total for balance in found.values()))
        table.add_section()
        table.add_row("all", *_numbers(total), _mark(all(balance.holds for balance in found.values())), "")
    return table


def alerts_table(lake: Lake, streams: Sequence[Stream]) -> Table:
    """How often each alert fired: one row an alert, the one with the newest episode first; times in UTC."""
    fired = [(stream, alert, _episodes_of(lake, stream, alert.name)) for stream in streams for alert in stream.alerts]
    rows = [(stream.name, alert, episodes) for stream, alert, episodes in fired if episodes]
    rows.sort(key=lambda row: row[2][-1]["started_at"], reverse=True)
    count, is_open = sum(len(episodes) for *_, episodes in rows), sum(_open(episodes) for *_, episodes in rows)
    table = _table(f"Alerts: {count:,} episodes, {is_open:,} open")
    for column in ("stream", "alert", "severity", "episodes", "open", "newest (UTC)", "of"):
        table.add_column(column, justify="right" if column in {"episodes", "open"} else "left", overflow="fold")
    for name, alert, episodes in rows:
        newest = episodes[-1]
        started = f"{newest['started_at']:%m-%d %H:%M}"
        numbers = (f"{len(episodes):,}", f"{_open(episodes):,}")
        table.add_row(name, alert.name, alert.severity, *numbers, started, _key(newest["key"]))
    return table


def export_dashboards(lake: Lake, folder: Path) -> Path:
    """Copies every file of the dashboards into `folder`, where they open without a server; the path of the first page."""
    for found in lake.objects.list(f"{paths.DASHBOARDS}/"):
        target = folder / found.key.removeprefix(f"{paths.DASHBOARDS}/")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(lake.objects.get(found.key))
    return folder / "index.html"


def _table(title: str) -> Table:
    return Table(title=title, title_justify="left", title_style="bold", box=SIMPLE_HEAD, pad_edge=False)


def _size(size: Size) -> str:
    return f"{size.rows:,}\n[dim]{readable(size.bytes)}[/dim]" if size.rows or size.bytes else "–"


def _episodes_of(lake: Lake, stream: Stream, alert: str) -> list[dict[str, Any]]:
    """The episodes of one alert, oldest first; withdrawn ones were none after all."""
    snapshot = lake.table(paths.episodes(stream.name)).snapshot()
    rows: list[dict[str, Any]] = snapshot.arrow().to_pylist() if snapshot else []
    own = [row for row in rows if row["alert"] == alert and row["state"] != "withdrawn"]
    return sorted(own, key=lambda row: (row["started_at"], row["key"]))


def _open(episodes: Sequence[Mapping[str, Any]]) -> int:
    return sum(row["state"] == "open" for row in episodes)


def _key(text: str) -> str:
    try:
        key = json.loads(text)
    except ValueError:
        return text
    return ", ".join(str(value) for value in key.values()) if isinstance(key, dict) else str(key)


def _numbers(account: Account) -> list[str]:
    return [f"{number:,}" for number in (account.lines, account.good, account.duplicates, account.quarantined)]


def _mark(balances: bool) -> str:
    return "[green]✓[/green]" if balances else "[bold red]✗[/bold red]"


def _reasons(reasons: Mapping[str, int]) -> str:
    ordered = sorted(reasons.items(), key=lambda item: -item[1])
    shown = ", ".join(f"{reason} {count:,}" for reason, count in ordered[:_REASONS_SHOWN])
    rest = len(ordered) - _REASONS_SHOWN
    return f"{shown}, {rest} more" if rest > 0 else shown
