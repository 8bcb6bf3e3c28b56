"""The newest rows of served aggregates, read by partition: a page costs its windows, never the history."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING

from strandline.intervals import GRAINS
from strandline.publish.panels import WINDOWS, window_before
from strandline.spec.model import Stream

if TYPE_CHECKING:
    import pyarrow as pa

    from strandline.lake.snapshot import Snapshot


class Reader:
    """Reads each table once. `as_of` bounds what counts as newest: windows after it are not looked at."""

    def __init__(self, stream: Stream, tables: Mapping[str, Snapshot], as_of: datetime) -> None:
        self._stream, self._tables, self._as_of = stream, tables, as_of
        self._kept: dict[tuple[str, int], tuple[pa.Table, int]] = {}

    def has(self, name: str) -> bool:
        """Whether the table is among those published."""
        return name in self._tables

    def recent(self, name: str, windows: int | None = None) -> tuple[pa.Table, int]:
        """(rows of at least the newest `windows` of the table, how many rows lie in later partitions than that of `as_of`).

        A column that was declared after the table was last written is left out.
        """
        table = self._stream.gold_named(name)
        wanted = windows or WINDOWS[table.grain]
        if (name, wanted) not in self._kept:
            snapshot = self._tables[name]
            partitions = {f.partition for f in snapshot.files if f.partition is not None and f.rows}
            due = [day for day in partitions if day <= self._as_of.date()]
            chosen: set[date] = set()
            if due:
                reach = self._as_of - window_before(self._as_of.replace(day=1, hour=0, minute=0), table.grain, wanted)
                days = (
                    math.ceil(reach / timedelta(days=1)) + 1 if table.grain in ("month", "week") else _days(table.grain, wanted)
                )
                first = _before(max(due), days)
                chosen = {day for day in due if day >= first}
            declared = ["window_start", *table.dimensions, *(m.name for m in table.metrics), "_status"]
            columns = [name for name in declared if name in snapshot.schema.names]
            ahead = sum(f.rows for f in snapshot.files if f.partition is not None and f.partition > self._as_of.date())
            self._kept[(name, wanted)] = (snapshot.arrow(columns=columns, partitions=chosen), ahead)
        return self._kept[(name, wanted)]

    def events_by_hour(self) -> dict[datetime, int]:
        """Events of unified per hour over the newest three days up to `as_of`; reads the event time alone."""
        import pyarrow as pa
        import pyarrow.compute as pc

        snapshot = self._tables.get("rows")
        if snapshot is None:
            return {}
        due = {f.partition for f in snapshot.files if f.partition is not None and f.partition <= self._as_of.date() and f.rows}
        newest = {day for day in due if day >= _before(max(due), 2)}
        times = snapshot.arrow(columns=[self._stream.event_time], partitions=newest)[self._stream.event_time]
        hours = pc.floor_temporal(times.cast(pa.timestamp("us", "UTC")), unit="hour")
        return {pair["values"]: pair["counts"] for pair in pc.value_counts(hours).to_pylist() if pair["values"] is not None}


def _before(day: date, days: int) -> date:
    """The day so many days earlier; the first there is, where the calendar begins after it."""
    return date.fromordinal(max(1, day.toordinal() - days))


def _days(grain: str, windows: int) -> int:
    return math.ceil(windows * GRAINS[grain] / timedelta(days=1))
