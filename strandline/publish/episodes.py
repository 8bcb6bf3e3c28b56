"""Alert episodes from day summaries: pure values, no I/O.

An alert *evaluates* a key once per window, or per instant that has good rows; an evaluation fires when any window or row of
it does. Consecutive firing evaluations of a key are an *island*; an island of at least `for` evaluations is an *episode*.
Islands are found inside one `event_date` (see `conditions`) and stitched across days here from the day summaries, so that
late data re-reads only the days it touched.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from typing import Any, Literal

Direction = Literal["max", "min"]
Key = tuple[str, str]  # (alert name, key as JSON)


@dataclass(frozen=True, slots=True)
class Island:
    """Firing evaluations one after another inside one day, `firings` windows or rows in all.

    `next_at` is the first evaluation after them that does not fire, if the same day has one.
    """

    start: datetime
    end: datetime
    evaluations: int
    firings: int
    peaks: Mapping[str, Any]
    next_at: datetime | None


@dataclass(frozen=True, slots=True)
class Day:
    """What one (alert, key) did on one `event_date`: one row of the day summaries; `first_at` is its first evaluation, UTC."""

    alert: str
    key: str
    event_date: date
    first_at: datetime
    first_fires: bool
    last_fires: bool
    islands: tuple[Island, ...] = ()

    @property
    def all_fire(self) -> bool:
        """Every evaluation of the day fires."""
        return self.first_fires and self.last_fires and len(self.islands) == 1


@dataclass(frozen=True, slots=True)
class Run:
    """Firing evaluations one after another, over any number of days; `resolved_at` is the first that does not fire after
    them.
    """

    start: datetime
    end: datetime
    evaluations: int
    firings: int
    peaks: Mapping[str, Any]
    resolved_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Episode:
    """One row of the episodes table.

    `state` is `open` until an evaluation of the same key after it does not fire, then `resolved`. `withdrawn` is an episode
    that was told as opened and that late data has undone: it is told once as resolved and is otherwise no episode any more.
    The two `notified_*` marks are wall-clock times, UTC, null until the notification was handed over.
    """

    id: str
    alert: str
    severity: str
    key: str
    started_at: datetime
    last_fired_at: datetime
    resolved_at: datetime | None
    firings: int
    peaks: Mapping[str, Any]
    state: Literal["open", "resolved", "withdrawn"]
    notified_opened_at: datetime | None = None
    notified_resolved_at: datetime | None = None

    @property
    def event_date(self) -> date:
        """The UTC day the episode started: the partition it is stored in."""
        return self.started_at.date()


@dataclass(frozen=True, slots=True)
class Rule:
    """What stitching needs to know of an alert: how long an island must be and which way its values peak."""

    name: str
    severity: str
    for_: int = 1
    directions: Mapping[str, Direction] = field(default_factory=dict)


def merge_peaks(one: Mapping[str, Any], other: Mapping[str, Any], directions: Mapping[str, Direction]) -> dict[str, Any]:
    """The more extreme of both for each column; a column without a direction counts upward, nulls give way."""
    merged = dict(one)
    for name, value in other.items():
        seen = merged.get(name)
        if seen is None or value is None:
            merged[name] = value if seen is None else seen
        else:
            merged[name] = min(seen, value) if directions.get(name) == "min" else max(seen, value)
    return merged


def stitch(days: Iterable[Day], directions: Mapping[str, Direction], resolver: datetime | None = None) -> list[Run]:
    """The runs of one (alert, key) over `days` in date order; a run still firing at the end is resolved at `resolver` (or
    open).
    """
    runs: list[Run] = []
    current: Run | None = None
    for day in days:
        if current is not None and not day.first_fires:
            runs.append(replace(current, resolved_at=day.first_at))
            current = None
        for island in day.islands:
            if current is None:
                current = Run(island.start, island.end, island.evaluations, island.firings, island.peaks)
            else:
                peaks = merge_peaks(current.peaks, island.peaks, directions)
                evaluations, firings = current.evaluations + island.evaluations, current.firings + island.firings
                current = Run(current.start, island.end, evaluations, firings, peaks)
            if island.next_at is not None:
                runs.append(replace(current, resolved_at=island.next_at))
                current = None
    if current is not None:
        runs.append(replace(current, resolved_at=resolver))
    return runs
