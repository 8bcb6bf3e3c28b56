"""What a lake has landed, counted without the steps: lines by interval, by object, and the order of commits."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from typing import Any

import pyarrow.dataset as pads

from strandline.intervals import Interval
from strandline.lake import paths
from strandline.lake.snapshot import Snapshot
from strandline.runtime import Runtime
from strandline.sources.source import open_source
from strandline.spec.model import Stream


@dataclass(frozen=True, slots=True)
class Landing:
    """One commit of the realtime table: the starts of its intervals, oldest first."""

    ordinal: int
    starts: tuple[datetime, ...]


class _Beginning:
    """The position of a source that has given nothing yet."""

    cursor: Mapping[str, Any] = {}

    def is_landed(self, source: str) -> bool:
        """Nothing is."""
        return False


def realtime(runtime: Runtime, stream: Stream) -> Snapshot:
    """The newest realtime table; it must be there."""
    snapshot = runtime.lake.table(paths.realtime(stream.name)).snapshot()
    assert snapshot is not None, f"{stream.name} has landed nothing"
    return snapshot


def commits(runtime: Runtime, stream: Stream) -> list[Landing]:
    """The commits of the realtime table in their order."""
    found: dict[int, set[datetime]] = {}
    for file in realtime(runtime, stream).files:
        found.setdefault(file.ordinal, set()).add(file.minimum["_landing_start"])
    return [Landing(ordinal, tuple(sorted(starts))) for ordinal, starts in sorted(found.items())]


def lines_by_interval(snapshot: Snapshot) -> Counter[datetime]:
    """How many lines each landed interval holds; one without lines counts 0."""
    rows = snapshot.arrow(["_landing_start", "_line"])
    found: Counter[datetime] = Counter()
    for start, line in zip(rows["_landing_start"].to_pylist(), rows["_line"].to_pylist(), strict=True):
        found[start] += line > 0
    return found


def lines_by_object(snapshot: Snapshot) -> Counter[tuple[str, int]]:
    """How often each line of each object landed."""
    rows = snapshot.arrow(["_source", "_source_line"], pads.field("_line") > 0)
    return Counter(zip(rows["_source"].to_pylist(), rows["_source_line"].to_pylist(), strict=True))


def given(runtime: Runtime, stream: Stream, start: datetime) -> int:
    """How many lines a simulated source gives for the interval that starts then; it always gives the same."""
    reader = open_source(stream, objects=runtime.source_objects)
    return sum(1 for _ in reader.read(Interval(start, start + stream.interval), _Beginning()).lines)


def miscounted(runtime: Runtime, stream: Stream) -> list[str]:
    """Intervals of a simulated stream that are missing between the first and the last, or hold other than the lines given."""
    held = lines_by_interval(realtime(runtime, stream))
    wrong = [f"nothing landed from {a:%H:%M} to {b:%H:%M}" for a, b in pairwise(sorted(held)) if b - a != stream.interval]
    for start, lines in held.items():
        if (wanted := given(runtime, stream, start)) != lines:
            wrong.append(f"{start:%Y-%m-%dT%H:%MZ} holds {lines} lines of the {wanted} given")
    return wrong
