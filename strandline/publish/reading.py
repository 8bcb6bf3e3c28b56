"""The newest rows of served aggregates, read by partition: a page costs its windows, never the history."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING

from strandline.publish.panels import WINDOWS, window_before
from strandline.spec.model import Stream

if TYPE_CHECKING:
    import pyarrow as pa

    from strandline.lake.tables import Snapshot


class Reader:
    """Reads each table once. `as_of` bounds what counts as newest: windows after it are not looked at."""

    def __init__(self, stream: Stream, tables: Mapping[str, Snapshot], as_of: datetime) -> None:
        self._stream, self._tables, self._as_of = stream, tables, as_of
        self._kept: dict[tuple[str, int], tuple[pa.Table, int]] = {}

    def recent(self, name: str, windows: int | None = None) -> tuple[pa.Table, int]:
        """(rows of at least the newest `windows` of the table, how many rows lie in later partitions than that of `as_of`)."""
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
                first = max(due) - timedelta(days=days)
                chosen = {day for day in due if day >= first}
            columns = ["window_start", *table.dimensions, *(m.name for m in table.metrics), "_status"]
            ahead = sum(f.rows for f in snapshot.files if f.partition is not None and f.partition > self._as_of.date())
            self._kept[(name, wanted)] = (snapshot.arrow(columns=columns, partitions=chosen), ahead)
        return self._kept[(name, wanted)]


def _days(grain: str, windows: int) -> int:
    minutes = {"5 minutes": 5, "15 minutes": 15, "hour": 60, "day": 1440}[grain]
    return math.ceil(windows * minutes / 1440)
