"""Which episodes change when the summaries of some days change, and what becomes of their ids and notification marks."""

from __future__ import annotations

import hashlib
import itertools
import json
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from typing import Literal

from strandline.publish.episodes import Day, Episode, Key, Rule, Run, stitch


def episode_id(alert: str, key: str, started_at: datetime, taken: Collection[str] = ()) -> str:
    """A stable name for a new episode: 16 hex digits of what tells it apart when it is first seen, none of `taken`."""
    for salt in itertools.count():
        text = json.dumps([alert, key, started_at.astimezone(UTC).isoformat(), salt])
        name = hashlib.sha256(text.encode()).hexdigest()[:16]
        if name not in taken:
            return name
    raise AssertionError("unreachable")


def affected(
    before: Mapping[tuple[Key, date], Day],
    after: Mapping[tuple[Key, date], Day],
    episodes: Iterable[Episode],
    doubt: bool = False,
) -> dict[Key, set[date]]:
    """The keys, and their touched days, whose episodes may differ now that the summaries of the touched days went from
    `before` to `after`.

    A key that neither fired nor fires on such a day matters only where an episode reaches over the day or waits for a later
    evaluation to resolve it; that keeps the many quiet keys of a large stream out of the stitching. With `doubt` (a refresh
    died half-way, so that the episodes may be of another state of the days) equal summaries count as changed.
    """
    changed = {entry for entry in before.keys() | after.keys() if doubt or before.get(entry) != after.get(entry)}
    reaching: dict[Key, list[Episode]] = {}
    for episode in episodes:
        reaching.setdefault((episode.alert, episode.key), []).append(episode)
    found: dict[Key, set[date]] = {}
    for key, day in changed:
        old, new = before.get((key, day)), after.get((key, day))
        fires = any(summary is not None and summary.islands for summary in (old, new))
        if fires or new is None or any(_reaches(episode, day) for episode in reaching.get(key, ())):
            found.setdefault(key, set()).add(day)
    return found


def _reaches(episode: Episode, day: date) -> bool:
    return episode.started_at.date() <= day and (episode.resolved_at is None or episode.resolved_at.date() >= day)


ReadDays = Callable[[Collection[date], Collection[Key]], Iterable[Day]]


class DayReader:
    """The day summaries of some keys, read outward from the touched days in steps of 1, 2, 4, … stored days.

    `dates` are the days the summaries hold, `read` fetches those of some keys; nothing is read twice.
    """

    def __init__(self, dates: Iterable[date], read: ReadDays, keys: Collection[Key]) -> None:
        self._dates = sorted(dates)
        self._read = read
        self._keys = keys
        self._loaded: dict[date, dict[Key, Day]] = {}

    def _load(self, dates: Sequence[date]) -> None:
        missing = [day for day in dates if day not in self._loaded]
        if not missing:
            return
        for day in missing:
            self._loaded[day] = {}
        for summary in self._read(missing, self._keys):
            self._loaded[summary.event_date][(summary.alert, summary.key)] = summary

    def on(self, day: date, key: Key) -> Day | None:
        """The key's summary of that day, None when the key was not evaluated."""
        self._load([day] if day in self._dates else [])
        return self._loaded.get(day, {}).get(key)

    def nearest(self, day: date, key: Key, step: Literal[-1, 1]) -> Day | None:
        """The key's closest summary before (`-1`) or after (`1`) the day."""
        ahead = [d for d in self._dates if d > day] if step == 1 else [d for d in reversed(self._dates) if d < day]
        at, size = 0, 1
        while at < len(ahead):
            batch = ahead[at : at + size]
            self._load(batch)
            for candidate in batch:
                summary = self._loaded[candidate].get(key)
                if summary is not None:
                    return summary
            at, size = at + size, size * 2
        return None


@dataclass(frozen=True, slots=True)
class _Span:
    """The islands that those of a day join, and the times (both included) outside of which nothing changes with that day."""

    days: list[Day]
    floor: datetime
    ceiling: datetime
    resolver: datetime | None


def _span(reader: DayReader, key: Key, day: date) -> _Span:
    """The day with the last island of the days before and the first of those after, as far as they fire without a break."""
    here = reader.on(day, key)
    days = [here] if here is not None else []
    floor = datetime(day.year, day.month, day.day, tzinfo=UTC)
    ceiling = floor + (timedelta(days=1) - timedelta(microseconds=1))  # the last day there is has no next one
    at = day
    while (earlier := reader.nearest(at, key, -1)) is not None and earlier.last_fires:
        days.insert(0, replace(earlier, islands=earlier.islands[-1:]))
        floor = earlier.islands[-1].start
        if not earlier.all_fire:
            break
        at = earlier.event_date
    at = day
    while (later := reader.nearest(at, key, 1)) is not None:
        if not later.first_fires:
            return _Span(days, floor, ceiling, later.first_at)
        days.append(replace(later, islands=later.islands[:1]))
        ceiling = later.islands[0].end
        if not later.all_fire:
            break
        at = later.event_date
    return _Span(days, floor, ceiling, None)


def restitch(
    rule: Rule, key: str, touched: Collection[date], reader: DayReader, old: Iterable[Episode]
) -> tuple[list[Episode], list[Episode]]:
    """(episodes to remove, episodes to put in their place) of one key after its `touched` days changed."""
    spans = [_span(reader, (rule.name, key), day) for day in sorted(touched)]
    runs = {run.start: run for span in spans for run in stitch(span.days, rule.directions, span.resolver)}
    existing = list(old)
    removed = [e for e in existing if any(e.started_at <= span.ceiling and e.last_fired_at >= span.floor for span in spans)]
    kept = [runs[start] for start in sorted(runs) if runs[start].evaluations >= rule.for_]
    return removed, inherit(rule, key, kept, removed, {e.id for e in existing})


def inherit(rule: Rule, key: str, runs: Sequence[Run], old: Sequence[Episode], reserved: Collection[str] = ()) -> list[Episode]:
    """Episodes of `runs`, in time order, with the ids and notification marks of the old episodes they overlap.

    Merged: the earliest mark of opening; the mark of resolving only when every told part was told as resolved. Split: the
    last part keeps the id, each part the mark of opening, and only the last is still to be told as resolved. An old episode
    that was told as opened and whose id goes to no run is kept as `withdrawn`, so that what was told of it is not told again
    if late data brings it back. New ids avoid those of `reserved`.
    """
    fresh: list[Episode] = []
    taken: set[str] = set()
    parts: dict[str, list[int]] = {}
    for run in reversed(runs):
        overlapped = sorted((e for e in old if _overlap(e, run)), key=_untold)
        told = [e for e in overlapped if e.notified_opened_at is not None]
        name = next((e.id for e in overlapped if e.id not in taken), "")
        name = name or episode_id(rule.name, key, run.start, {*reserved, *taken})
        taken.add(name)
        for episode in told:
            parts.setdefault(episode.id, []).append(len(fresh))
        fresh.append(_episode(rule, key, run, name, told))
    for pieces in parts.values():
        for index in pieces[1:]:  # one opening was told, so one resolving will be: that of the last part
            if fresh[index].notified_resolved_at is None:
                fresh[index] = replace(fresh[index], notified_resolved_at=fresh[index].notified_opened_at)
    fresh.reverse()
    undone = [e for e in old if e.id not in taken and e.notified_opened_at is not None]
    return fresh + [replace(e, state="withdrawn", resolved_at=e.resolved_at or e.last_fired_at) for e in undone]


def _untold(episode: Episode) -> tuple[bool, bool, bool, datetime]:
    """Orders the episodes that a run could take its id from: one told as opened only comes first, withdrawn ones last."""
    withdrawn = episode.state == "withdrawn"
    return withdrawn, episode.notified_opened_at is None, episode.notified_resolved_at is not None, episode.started_at


def _overlap(episode: Episode, run: Run) -> bool:
    return episode.started_at <= run.end and episode.last_fired_at >= run.start


def _episode(rule: Rule, key: str, run: Run, name: str, told: Sequence[Episode]) -> Episode:
    """The episode of a run, with the marks of the told episodes it takes the place of."""
    resolved = [e.notified_resolved_at for e in told if e.notified_resolved_at is not None]
    return Episode(
        id=name,
        alert=rule.name,
        severity=rule.severity,
        key=key,
        started_at=run.start,
        last_fired_at=run.end,
        resolved_at=run.resolved_at,
        firings=run.firings,
        peaks=run.peaks,
        state="open" if run.resolved_at is None else "resolved",
        notified_opened_at=min((e.notified_opened_at for e in told if e.notified_opened_at is not None), default=None),
        notified_resolved_at=max(resolved) if told and len(resolved) == len(told) else None,
    )
