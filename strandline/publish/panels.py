"""What a dashboard panel shows: the newest windows of a served aggregate, combined, ranked and limited, as plain values.

Everything here is a function of rows and `as_of`; no wall clock. A limit that cuts something off is said in `notes`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from strandline.intervals import GRAINS
from strandline.publish.combine import ADDITIVE, combine, leading
from strandline.spec.model import GoldTable, Grain, Metric, Panel, Stream

if TYPE_CHECKING:
    import pyarrow as pa

WINDOWS: Mapping[Grain, int] = {"5 minutes": 144, "15 minutes": 96, "hour": 48, "day": 14, "week": 12, "month": 12}
"""How many windows of a grain a panel reaches back."""
TOP = 8
BARS = 12
_NOUNS: Mapping[Grain, str] = {
    "5 minutes": "5-minute windows",
    "15 minutes": "15-minute windows",
    "hour": "hours",
    "day": "days",
    "week": "weeks",
    "month": "months",
}


@dataclass(frozen=True, slots=True)
class Point:
    """The value of one series in one window; None where the window has no value. `provisional`: above the watermark."""

    at: datetime
    series: str
    value: float | None
    provisional: bool


@dataclass(frozen=True, slots=True)
class Stat:
    """One number and what it is compared with. `change` is relative (0.1: ten percent more), None when nothing compares."""

    value: float | None
    at: datetime
    provisional: bool
    complete: bool
    change: float | None
    against: str
    history: tuple[float | None, ...]


@dataclass(frozen=True, slots=True)
class Unit:
    """How values of a metric read: `percent` of a share, otherwise a number with a unit text (may be empty)."""

    text: str = ""
    percent: bool = False
    whole: bool = False


@dataclass(frozen=True, slots=True)
class PanelData:
    """One panel, ready to draw. `series` in the order of the legend; table panels have `columns` and `rows` instead of
    points.
    """

    slug: str
    panel: Panel
    grain: Grain
    unit: Unit
    points: tuple[Point, ...] = ()
    series: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    units: Mapping[str, Unit] = field(default_factory=dict)
    rows: tuple[Mapping[str, Any], ...] = ()
    stat: Stat | None = None
    notes: tuple[str, ...] = ()
    additive: bool = False

    @property
    def empty(self) -> bool:
        """There is nothing to draw."""
        return not self.points and not self.rows


def window_end(start: datetime, grain: Grain) -> datetime:
    """Where the window that starts there ends."""
    if grain == "month":
        return start.replace(year=start.year + start.month // 12, month=start.month % 12 + 1)
    return start + GRAINS[grain]


def window_before(start: datetime, grain: Grain, count: int) -> datetime:
    """The start of the window `count` windows earlier; of the first there is, where the calendar begins after it."""
    if grain == "month":
        months = max(12, start.year * 12 + start.month - 1 - count)
        return start.replace(year=months // 12, month=months % 12 + 1)
    first = datetime.min.replace(tzinfo=start.tzinfo)
    return first if start - first < GRAINS[grain] * count else start - GRAINS[grain] * count


def unit_of(table: GoldTable, metric: Metric) -> Unit:
    """A ratio of two counts without a unit of its own is a share, shown in percent."""
    kinds = {m.name: m.kind for m in table.metrics}
    share = metric.kind == "ratio" and metric.parts is not None and all(kinds.get(p) == "count" for p in metric.parts)
    return Unit(metric.unit, share and not metric.unit, metric.type == "integer")


def slugs(titles: Iterable[str]) -> list[str]:
    """File names for the titles, in order, without doubles: `Error rate` → `error-rate`, a second one → `error-rate-2`."""
    taken: set[str] = set()
    found = []
    for title in titles:
        stem = re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")[:60].strip("-") or "panel"
        slug, number = stem, 2
        while slug in taken:
            slug, number = f"{stem}-{number}", number + 1
        taken.add(slug)
        found.append(slug)
    return found


def newest(rows: pa.Table, grain: Grain, as_of: datetime) -> tuple[pa.Table, datetime | None, int]:
    """(rows of the newest windows up to `as_of`, start of the last one or None, how many rows lie in windows after it)."""
    import pyarrow as pa
    import pyarrow.compute as pc

    starts = rows["window_start"].cast(pa.timestamp("us", "UTC"))
    due = rows.filter(pc.less_equal(starts, pa.scalar(as_of, pa.timestamp("us", "UTC"))))
    last = pc.max(due["window_start"]).as_py() if due.num_rows else None
    if last is None:
        return due, None, rows.num_rows
    last = _utc(last)
    first = window_before(last, grain, WINDOWS[grain] - 1)
    inside = pc.greater_equal(due["window_start"].cast(pa.timestamp("us", "UTC")), pa.scalar(first, pa.timestamp("us", "UTC")))
    return due.filter(inside), last, rows.num_rows - due.num_rows


def panel_data(stream: Stream, panel: Panel, slug: str, rows: pa.Table, as_of: datetime, ahead: int = 0) -> PanelData:
    """The panel over `rows` of its served table (at least its newest windows); `ahead` rows of later windows were left
    unread.
    """
    table = stream.gold_named(panel.table)
    if absent := _absent(panel, table, rows):
        unit = unit_of(table, next((m for m in table.metrics if m.name == panel.metric), table.metrics[0]))
        return PanelData(slug, panel, table.grain, unit, notes=(f"{absent} is not in the served table yet",))
    shown, last, later = newest(rows, table.grain, as_of)
    ahead += later
    notes = [f"{ahead:,} rows of windows after {as_of:%Y-%m-%d %H:%M} UTC are not shown"] if ahead else []
    if panel.kind == "table" or panel.metric is None:
        return _table_panel(panel, slug, table, shown, notes)
    metric = next(m for m in table.metrics if m.name == panel.metric)
    unit = unit_of(table, metric)
    additive = metric.kind in ADDITIVE
    if last is None:
        return PanelData(slug, panel, table.grain, unit, notes=tuple(notes), additive=additive)
    by = None if panel.kind == "stat" else panel.by
    across = panel.kind == "bar" and by is not None
    series: tuple[str, ...] = ("",)
    notes = [_reach(table.grain, shown, last), *notes]
    if by is not None:
        most = min(panel.limit, BARS if across else TOP)
        shown, series, count = leading(shown, metric, by, most)
        notes += [_cut(most, count, by, additive)] if count > most else []
    combined = combine(shown, table, metric, by, over_windows=across)
    notes += [combined.how] if combined.how else []
    order = {name: index for index, name in enumerate(series)}
    points = [Point(at, name, value, open_) for at, name, value, open_ in combined.rows]
    points.sort(key=lambda p: (order[p.series], p.at, p.provisional))
    if additive and not across:
        points = _filled(points, series, table.grain)
    stat = _stat(points, table.grain, as_of) if panel.kind == "stat" else None
    return PanelData(slug, panel, table.grain, unit, tuple(points), series, stat=stat, notes=tuple(notes), additive=additive)


def _absent(panel: Panel, table: GoldTable, rows: pa.Table) -> str:
    """The first column the panel needs and the rows lack; empty when there is none."""
    metric = next((m for m in table.metrics if m.name == panel.metric), None)
    needed = [*table.dimensions, *(m.name for m in table.metrics)] if metric is None else [metric.name, *(metric.parts or ())]
    needed += [panel.by] if panel.by else []
    return next((name for name in needed if name not in rows.schema.names), "")


def _reach(grain: Grain, shown: pa.Table, last: datetime) -> str:
    import pyarrow.compute as pc

    first = _utc(pc.min(shown["window_start"]).as_py())
    pattern = "%Y-%m-%d %H:%M" if grain in ("hour", "5 minutes", "15 minutes") else "%Y-%m-%d"
    if first == last:
        return f"{first:{pattern}} UTC, the only window so far"
    return f"Last {WINDOWS[grain]} {_NOUNS[grain]}: {first:{pattern}} to {last:{pattern}} UTC"


def _cut(most: int, count: int, by: str, additive: bool) -> str:
    greatest = f"the {most} greatest of {count:,} values of {by}"
    return (
        f"{greatest}, the others added up"
        if additive
        else f"{greatest}; the others are left out, as their values do not add up"
    )


def _filled(points: Sequence[Point], series: Sequence[str], grain: Grain) -> list[Point]:
    """The points with a zero for each window between the first and the last in which a series has no row: nothing happened."""
    if not points:
        return []
    have = {(p.series, p.at): p for p in points}
    provisional = {p.at for p in points if p.provisional}
    first, last = min(p.at for p in points), max(p.at for p in points)
    windows = [last]
    while windows[-1] > first:
        windows.append(window_before(windows[-1], grain, 1))
    return [have.get((name, at)) or Point(at, name, 0.0, at in provisional) for name in series for at in reversed(windows)]


def _stat(points: Sequence[Point], grain: Grain, as_of: datetime) -> Stat | None:
    """The last complete window, compared with the same window a day before (grains below a day) or the window before."""
    if not points:
        return None
    by_time = {p.at: p for p in points}
    complete = [at for at in by_time if window_end(at, grain) <= as_of]
    at = max(complete) if complete else max(by_time)
    latest = by_time[at]
    before = window_before(at, "day" if GRAINS.get(grain, timedelta.max) < timedelta(days=1) else grain, 1)
    against = {"day": "the day before", "week": "the week before", "month": "the month before"}.get(grain, "24 h before")
    if before not in by_time and grain not in ("day", "week", "month"):
        before, against = window_before(at, grain, 1), "the window before"
    earlier = by_time[before].value if before in by_time and before < at else None
    change = None
    if earlier and latest.value is not None:
        change = (latest.value - earlier) / abs(earlier)
    history = tuple(by_time[moment].value for moment in sorted(by_time) if moment <= at)
    return Stat(latest.value, at, latest.provisional, bool(complete), change, against if change is not None else "", history)


def _table_panel(panel: Panel, slug: str, table: GoldTable, shown: pa.Table, notes: list[str]) -> PanelData:
    """The rows of the newest windows, as many windows as it takes to fill `limit` rows, sorted as asked."""
    import pyarrow as pa
    import pyarrow.compute as pc

    metrics = {m.name: unit_of(table, m) for m in table.metrics}
    columns = ("window_start", *table.dimensions, *metrics)
    chosen = shown.slice(0, 0)
    used = 0
    for start in sorted(pc.unique(shown["window_start"]).to_pylist(), reverse=True):
        if chosen.num_rows >= panel.limit:
            break
        window = shown.filter(pc.equal(shown["window_start"], pa.scalar(start, shown["window_start"].type)))
        chosen, used = pa.concat_tables([chosen, window]), used + 1
    sort = (panel.sort or "-window_start").removeprefix("-")
    descending = (panel.sort or "-window_start").startswith("-")
    ties = [(name, "ascending") for name in table.dimensions if name != sort]
    keys = [(sort, "descending" if descending else "ascending"), ("window_start", "descending"), *ties]
    ordered = chosen.sort_by(list(dict(keys).items())) if used else chosen
    if used:
        span = f"{used} {_NOUNS[table.grain]}" if used > 1 else _NOUNS[table.grain].removesuffix("s")
        direction = "greatest first" if descending else "smallest first"
        cut = f", {panel.limit} of {ordered.num_rows} rows" if ordered.num_rows > panel.limit else ""
        notes = [f"Newest {span}, sorted by {sort}, {direction}{cut}", *notes]
    top = [{name: clean(row[name]) for name in (*columns, "_status")} for row in ordered.slice(0, panel.limit).to_pylist()]
    return PanelData(slug, panel, table.grain, Unit(), columns=columns, units=metrics, rows=tuple(top), notes=tuple(notes))


def clean(value: Any) -> Any:
    """The value without what JSON and charts cannot hold: decimals as floats, NaN and infinities as None, times in UTC."""
    from decimal import Decimal

    if isinstance(value, Decimal):
        value = float(value)
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, datetime):
        return _utc(value)
    return value


def _utc(moment: datetime) -> datetime:
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
