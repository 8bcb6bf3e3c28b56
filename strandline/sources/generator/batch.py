"""A micro-batch as it arrives: good events, copies of some, lines that must be refused, in the order of their arrival."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from strandline.intervals import Interval
from strandline.sources.generator.columns import Array, is_null
from strandline.sources.generator.events import EventModel, Events
from strandline.sources.generator.faults import bad_lines
from strandline.sources.generator.truth import Injected, Truth

_REACH = 12  # a copy may come up to this many intervals after its event


@dataclass(slots=True)
class _Arrivals:
    """Lines as they are made, each with its offset into the interval (ms) and what was injected into it, if anything."""

    lines: list[bytes] = field(default_factory=list)
    offsets: list[float] = field(default_factory=list)
    notes: list[tuple[int, Injected]] = field(default_factory=list)

    def add(self, lines: Sequence[bytes], offsets: Sequence[float], notes: Iterable[tuple[int, Injected]]) -> None:
        """Adds lines; the index of a note counts from the first of them."""
        first = len(self.lines)
        self.lines.extend(lines)
        self.offsets.extend(offsets)
        self.notes.extend((first + index, note) for index, note in notes)

    def in_order(self) -> tuple[list[bytes], tuple[Injected, ...]]:
        """The lines by offset, and the notes with the 1-based number of their line."""
        order = np.argsort(self.offsets, kind="stable")
        place = np.empty_like(order)
        place[order] = np.arange(1, len(order) + 1)
        placed = [replace(note, line=int(place[index])) for index, note in self.notes]
        return [self.lines[i] for i in order.tolist()], tuple(sorted(placed, key=lambda note: note.line))


def micro_batch(model: EventModel, interval: Interval) -> tuple[list[bytes], Truth]:
    """The lines of `interval` in order of arrival, and what is in them.

    A function of the declaration and the interval alone: copies of events of an earlier interval are made by drawing that
    interval's events again, at most one earlier interval for a micro-batch.
    """
    events = model.events(interval)
    arrivals = _Arrivals()
    arrivals.add(model.lines(events, np.arange(len(events))), events.arrival.tolist(), _notes(events))
    _copies_within(model, events, arrivals)
    _copies_from_before(model, events, arrivals)
    bad = bad_lines(model, events)
    offsets = model.random(interval, "arrival").random(len(bad)) * _length(interval)
    arrivals.add([raw for raw, _ in bad], offsets.tolist(), enumerate(note for _, note in bad))
    lines, injected = arrivals.in_order()
    return lines, _truth(interval, len(lines), injected)


def _length(interval: Interval) -> float:
    return (interval.end - interval.start).total_seconds() * 1000


def _notes(events: Events) -> Iterator[tuple[int, Injected]]:
    for kind, touched in (("late", events.late), ("unknown_field", ~is_null(events.extra))):
        for i in np.flatnonzero(touched).tolist():
            yield i, Injected(0, kind, origin=(events.interval.key, i))


def _copied(model: EventModel, interval: Interval, count: int, share: str) -> tuple[np.random.Generator, int]:
    random = model.random(interval, "duplicate", share)
    return random, int(random.binomial(count, float(model.faults.get("duplicate", 0)) / 2))


def _copies_within(model: EventModel, events: Events, arrivals: _Arrivals) -> None:
    """Copies of this interval's own events that come a little after them: a producer that sends again."""
    random, count = _copied(model, events.interval, len(events), "same")
    if not count:
        return
    index: Array = random.integers(0, len(events), count)
    offsets = np.minimum(events.arrival[index] + random.exponential(8000, count), _length(events.interval) - 1)
    lines = [arrivals.lines[i] for i in index.tolist()]
    arrivals.add(lines, offsets.tolist(), _copy_notes("duplicate_same_interval", events.interval, index))


def _copies_from_before(model: EventModel, events: Events, arrivals: _Arrivals) -> None:
    """Copies of events that an earlier interval has landed: a queue that delivers at least once."""
    interval = events.interval
    random, count = _copied(model, interval, len(events), "earlier")
    if not count:
        return
    back = (interval.end - interval.start) * int(random.integers(1, _REACH + 1))
    before = model.events(Interval(interval.start - back, interval.end - back))
    if not len(before):
        return
    index: Array = random.integers(0, len(before), count)
    offsets = random.random(count) * _length(interval)
    notes = _copy_notes("duplicate_earlier_interval", before.interval, index)
    arrivals.add(model.lines(before, index), offsets.tolist(), notes)


def _copy_notes(kind: str, interval: Interval, index: Array) -> Iterator[tuple[int, Injected]]:
    return ((copy, Injected(0, kind, origin=(interval.key, i))) for copy, i in enumerate(index.tolist()))


def _truth(interval: Interval, lines: int, injected: tuple[Injected, ...]) -> Truth:
    kinds = Counter(note.kind for note in injected)
    duplicates = {kind: kinds[kind] for kind in ("duplicate_same_interval", "duplicate_earlier_interval")}
    bad = Counter(note.kind for note in injected if note.reason is not None)
    reasons = Counter(note.reason for note in injected if note.reason is not None)
    good = lines - sum(duplicates.values()) - sum(bad.values())
    return Truth(interval, lines, good, kinds["late"], kinds["unknown_field"], duplicates, dict(bad), dict(reasons), injected)
