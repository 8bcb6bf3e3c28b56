"""What a lake holds, as tables for a reader: layout, ledger, alerts; and the dashboards as local files."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.box import SIMPLE_HEAD
from rich.table import Table

from strandline.lake import paths
from strandline.spec.model import Stream

if TYPE_CHECKING:
    from strandline.lake.lake import Lake

_LAYERS = ("realtime", "bronze", "silver", "quarantine", "gold", "unified", "analytics")
_COUNTS = ("lines", "good", "duplicates", "quarantined")
_REASONS_SHOWN = 4


@dataclass(frozen=True, slots=True)
class Size:
    """Rows and bytes of live table files."""

    rows: int = 0
    bytes: int = 0

    def __add__(self, other: Size) -> Size:
        return Size(self.rows + other.rows, self.bytes + other.bytes)

    def __str__(self) -> str:
        return f"{self.rows:,}\n[dim]{readable(self.bytes)}[/dim]" if self.rows or self.bytes else "–"


@dataclass(frozen=True, slots=True)
class Account:
    """The ledger of one stream, summed over its batches, and the lines that bronze really holds."""

    lines: int
    good: int
    duplicates: int
    quarantined: int
    reasons: Mapping[str, int]
    bronze_lines: int

    @property
    def balances(self) -> bool:
        """lines = good + duplicates + quarantined, and as many lines as were taken over."""
        return self.lines == self.good + self.duplicates + self.quarantined == self.bronze_lines


def readable(size: float) -> str:
    """A number of bytes in powers of 1000: `1.2 MB`."""
    for unit in ("B", "kB", "MB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} GB"


def sizes(lake: Lake, stream: Stream) -> dict[str, Size]:
    """Rows and bytes by layer; a micro-batch's own row is not counted. Layers that do not exist yet are empty."""
    tables: dict[str, list[str]] = {
        "realtime": [paths.realtime(stream.name)],
        "bronze": [paths.bronze(stream.name)],
        "silver": [paths.silver(stream.name)],
        "quarantine": [paths.quarantine(stream.name)],
        "gold": [paths.gold(stream.name, table.name) for table in stream.gold],
        "unified": [paths.unified(stream.name)],
        "analytics": [paths.analytics(stream.name, table.name) for table in stream.gold],
    }
    return {layer: sum((_size(lake, path) for path in tables[layer]), Size()) for layer in _LAYERS}


def accounts(lake: Lake, streams: Sequence[Stream]) -> dict[str, Account]:
    """The ledger by stream; streams that no batch has seen are left out."""
    snapshot = lake.table(paths.LEDGER).snapshot()
    rows: list[dict[str, Any]] = snapshot.arrow().to_pylist() if snapshot else []
    found = {}
    for stream in streams:
        own = [row for row in rows if row["stream"] == stream.name]
        if own:
            lines, good, duplicates, quarantined = (sum(row[name] for row in own) for name in _COUNTS)
            reasons: dict[str, int] = {}
            for row in own:
                for reason, count in json.loads(row["reasons"] or "{}").items():
                    reasons[reason] = reasons.get(reason, 0) + count
            found[stream.name] = Account(
                lines, good, duplicates, quarantined, reasons, _size(lake, paths.bronze(stream.name)).rows
            )
    return found


def layout_table(measured: Mapping[str, Mapping[str, Size]]) -> Table:
    """Rows and bytes, one row a stream and one column a layer, with totals."""
    table = _table("The lake: rows and bytes")
    table.add_column("stream", overflow="fold")
    for layer in _LAYERS:
        table.add_column(layer, justify="right", no_wrap=True)
    for name, by_layer in measured.items():
        table.add_row(name, *(str(by_layer[layer]) for layer in _LAYERS))
    totals = [sum((by_layer[layer] for by_layer in measured.values()), Size()) for layer in _LAYERS]
    table.add_section()
    table.add_row("all", *(str(total) for total in totals))
    return table


def ledger_table(found: Mapping[str, Account]) -> Table:
    """lines = good + duplicates + quarantined, by stream and in all."""
    table = _table("The ledger: lines = good + duplicates + quarantined")
    for column in ("stream", *_COUNTS):
        table.add_column(column, justify="left" if column == "stream" else "right", no_wrap=True)
    table.add_column("balances", justify="center")
    table.add_column("quarantined because of")
    for name, account in found.items():
        table.add_row(name, *_numbers(account), _mark(account.balances), _reasons(account.reasons))
    if found:
        table.add_section()
        table.add_row("all", *_numbers(_total(found)), _mark(all(a.balances for a in found.values())), "")
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


def _size(lake: Lake, path: str) -> Size:
    import pyarrow.dataset as pads

    snapshot = lake.table(path).snapshot()
    if snapshot is None:
        return Size()
    rows = snapshot.rows
    if "_line" in snapshot.schema.names and "_position" in snapshot.schema.names:
        rows = snapshot.dataset().count_rows(filter=pads.field("_line") > 0)
    return Size(rows, sum(file.size for file in snapshot.files))


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


def _total(found: Mapping[str, Account]) -> Account:
    values = found.values()
    return Account(
        sum(a.lines for a in values),
        sum(a.good for a in values),
        sum(a.duplicates for a in values),
        sum(a.quarantined for a in values),
        {},
        sum(a.bronze_lines for a in values),
    )


def _numbers(account: Account) -> list[str]:
    return [f"{number:,}" for number in (account.lines, account.good, account.duplicates, account.quarantined)]


def _mark(balances: bool) -> str:
    return "[green]✓[/green]" if balances else "[bold red]✗[/bold red]"


def _reasons(reasons: Mapping[str, int]) -> str:
    ordered = sorted(reasons.items(), key=lambda item: -item[1])
    shown = ", ".join(f"{reason} {count:,}" for reason, count in ordered[:_REASONS_SHOWN])
    rest = len(ordered) - _REASONS_SHOWN
    return f"{shown}, {rest} more" if rest > 0 else shown
