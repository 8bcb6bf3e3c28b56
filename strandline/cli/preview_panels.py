"""Dashboard panels in text: sparklines, bars, numbers and rows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.text import Text

from strandline.cli.console import shown
from strandline.cli.preview_rows import print_rows
from strandline.cli.sparks import bar, spark
from strandline.publish.numbers import change, full

if TYPE_CHECKING:
    from rich.console import Console

    from strandline.publish.panels import PanelData, Point

_SERIES, _BARS, _ROWS = 6, 8, 5
_LABEL = 22


def print_panel(console: Console, data: PanelData) -> None:
    """The panel as its page will show it, made small."""
    panel = data.panel
    of = f"{panel.table}.{panel.metric}" if panel.metric else panel.table
    by = f" by {panel.by}" if panel.by and panel.kind != "stat" else ""
    _line(console, f"[bold]{shown(panel.title)}[/bold]  [dim]{panel.kind}: {of}{by}[/dim]")
    if data.empty:
        _line(console, "[dim]nothing to show[/dim]", 4)
    elif panel.kind == "table" or not data.points:
        print_rows(console, _columns(data), data.units, data.rows[:_ROWS])
    elif panel.kind == "stat":
        _stat(console, data)
    elif panel.kind == "bar" and panel.by:
        _bars(console, data)
    else:
        _series(console, data)


def _columns(data: PanelData) -> list[str]:
    """The columns of a table panel; the one it is sorted by comes first of the metrics, as not all may have room."""
    sort = (data.panel.sort or "").removeprefix("-")
    keys = [name for name in data.columns if name not in data.units]
    return [*keys, *sorted(data.units, key=lambda name: name != sort)]


def _line(console: Console, text: str, indent: int = 2) -> None:
    console.print(Text(" " * indent) + Text.from_markup(text), overflow="ellipsis", no_wrap=True)


def _stat(console: Console, data: PanelData) -> None:
    assert data.stat is not None
    against = f"  {change(data.stat.change)} against {data.stat.against}" if data.stat.against else ""
    _line(console, f"[bold]{full(data.stat.value, data.unit)}[/bold]{against}  {spark(data.stat.history, 40)}", 4)


def _bars(console: Console, data: PanelData) -> None:
    totals: dict[str, float | None] = {}
    for point in data.points:
        totals[point.series] = None if point.value is None else (totals.get(point.series) or 0.0) + point.value
    most = max((value for value in totals.values() if value is not None), default=0.0)
    for name in data.series[:_BARS]:
        value = totals.get(name)
        _line(console, f"{_label(name)} {bar(value, most):<30} {full(value, data.unit)}", 4)
    _left(console, len(data.series) - _BARS)


def _series(console: Console, data: PanelData) -> None:
    by_series: dict[str, list[Point]] = {name: [] for name in data.series}
    for point in data.points:
        by_series[point.series].append(point)
    windows = sorted({point.at for point in data.points})
    for name in data.series[:_SERIES]:
        values = {point.at: point.value for point in by_series[name]}
        drawn = spark([values.get(at) for at in windows], 40)
        last = next((values[at] for at in reversed(windows) if values.get(at) is not None), None)
        label = f"{_label(name)} " if data.panel.by else ""
        _line(console, f"{label}{drawn}  {full(last, data.unit)}", 4)
    _left(console, len(data.series) - _SERIES)


def _label(name: str) -> str:
    text = name if len(name) <= _LABEL else f"{name[: _LABEL - 1]}…"
    return shown(f"{text:<{_LABEL}}")


def _left(console: Console, count: int) -> None:
    if count > 0:
        _line(console, f"[dim]and {count} more[/dim]", 4)
