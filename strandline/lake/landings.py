"""What has landed: which intervals, which objects, and where the source goes on; read from a realtime or bronze table's log.

Every micro-batch has a row of its own (`_line` 0) whose `_position` says how many lines it has and what of the source it
took. To find it, the row groups that have one are read, in these columns alone.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any

import pyarrow.dataset as pads

from strandline.intervals import Interval
from strandline.lake.snapshot import DataFile, Snapshot

EXPIRED = "expired"
"""The position of a realtime table from which retention has taken files: how many, in all."""
STATISTICS = ("_landing_start", "_landing_end", "_source", "_line", "_contract_version")


@dataclass(frozen=True, slots=True)
class MicroBatch:
    """One landed interval and its position: `lines` landed, the source's `cursor`, the `objects` taken."""

    start: datetime
    end: datetime
    lines: int
    cursor: Mapping[str, Any]
    objects: tuple[str, ...]


def micro_batches(snapshot: Snapshot, files: Iterable[DataFile]) -> list[MicroBatch]:
    """The micro-batches whose own row stands in `files`, by start."""
    chosen = [f for f in files if f.minimum.get("_line", 0) == 0]
    if not chosen:
        return []
    rows = snapshot.arrow(["_landing_start", "_landing_end", "_position"], pads.field("_line") == 0, files=chosen)
    found = []
    for row in rows.to_pylist():
        position = json.loads(row["_position"])
        objects = tuple(position.get("objects", ()))
        found.append(
            MicroBatch(row["_landing_start"], row["_landing_end"], position["lines"], position.get("cursor", {}), objects)
        )
    return sorted(found, key=lambda batch: batch.start)


class Landings:
    """What has landed by the log of a realtime table, and by bronze for what retention has taken from it.

    None stands for a table that is not there. `bronze` is opened only when a question reaches behind the realtime table.
    """

    def __init__(self, realtime: Snapshot | None, bronze: Callable[[], Snapshot | None] = lambda: None) -> None:
        self.realtime, self._open_bronze = realtime, bronze
        self._files = realtime.files if realtime else ()
        self._batches: dict[str, list[MicroBatch]] = {}

    @cached_property
    def starts(self) -> dict[datetime, list[DataFile]]:
        """The realtime files of each landed interval, by its start; a realtime file belongs to one interval."""
        found: dict[datetime, list[DataFile]] = {}
        for file in self._files:
            found.setdefault(file.minimum["_landing_start"], []).append(file)
        return found

    def is_landed(self, interval: Interval) -> bool:
        """Whether the interval landed (with lines or without)."""
        if interval.start in self.starts:
            return True
        if self.last_end is None or interval.start >= self.last_end:
            return False
        archived = self._archived("_landing_start", interval.start)
        return any(batch.start == interval.start for batch in archived)

    @property
    def last_end(self) -> datetime | None:
        """The end of the latest landed interval; None before the first."""
        return max((f.maximum["_landing_end"] for f in self._files), default=None)

    @property
    def cursor(self) -> Mapping[str, Any]:
        """Where the source goes on: the cursor of the latest micro-batch of the last commit."""
        if not self.realtime or not self._files:
            return {}
        newest = self._files[-1].ordinal
        last = micro_batches(self.realtime, [f for f in self._files if f.ordinal == newest])
        return last[-1].cursor if last else {}

    def has_object(self, name: str) -> bool:
        """Whether the source object `name` was landed; reads only files whose range of names holds it."""
        if self.realtime and name <= self._greatest_object:  # a new object mostly comes after all that landed
            for file in self._files:
                if _may_hold(file, "_source", name) and self._takes(self.realtime, file, name):
                    return True
        return any(name in batch.objects for batch in self._archived("_source", name))

    @cached_property
    def _greatest_object(self) -> str:
        return max((f.maximum["_source"] for f in self._files if f.maximum.get("_source") is not None), default="")

    def _takes(self, snapshot: Snapshot, file: DataFile, name: str) -> bool:
        if file.path not in self._batches:
            self._batches[file.path] = micro_batches(snapshot, [file])
        return any(name in batch.objects for batch in self._batches[file.path])

    @cached_property
    def _bronze(self) -> Snapshot | None:
        return self._open_bronze()

    @cached_property
    def _is_whole(self) -> bool:
        """Whether retention has taken nothing yet."""
        return self.realtime is None or not self.realtime.position(EXPIRED)

    def _archived(self, column: str, value: Any) -> list[MicroBatch]:
        if self._is_whole or not self._bronze:
            return []
        found = []
        for file in self._bronze.files:
            if _may_hold(file, column, value):
                if file.path not in self._batches:
                    self._batches[file.path] = micro_batches(self._bronze, [file])
                found += self._batches[file.path]
        return found


def _may_hold(file: DataFile, column: str, value: Any) -> bool:
    low, high = file.minimum.get(column), file.maximum.get(column)
    return low is not None and high is not None and low <= value <= high
