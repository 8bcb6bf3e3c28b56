"""How many events came, per window, from the served aggregate that counts them all."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import pyarrow as pa

from strandline.publish.dashboards import Volume
from strandline.publish.panels import window_end
from strandline.spec.model import GoldTable, Grain, Stream

if TYPE_CHECKING:
    from strandline.publish.reading import Reader

_PER_DAY: dict[Grain, int] = {"hour": 24, "15 minutes": 96, "5 minutes": 288, "day": 1}


def counting_table(stream: Stream) -> tuple[GoldTable, str] | None:
    """The aggregate of the best grain that counts every event, with the name of that count; None when there is none."""
    for grain in _PER_DAY:
        for table in stream.gold:
            if table.grain == grain and table.where is None:
                for metric in table.metrics:
                    if metric.kind == "count" and not metric.expression and not metric.where:
                        return table, metric.name
    return None


def volume(stream: Stream, reader: Reader, as_of: datetime) -> Volume:
    """Events per window over the newest 48 hours with data (days: 14 days); hours of unified where no aggregate counts
    events.
    """
    found = counting_table(stream)
    if found is None or not reader.has(found[0].name):
        return _course(reader.events_by_hour(), "hour", as_of)
    table, name = found
    rows, _ = reader.recent(table.name, _reach(table.grain))
    if name not in rows.schema.names:
        return Volume()
    counts = pa.table({"at": rows["window_start"].cast(pa.timestamp("us", "UTC")), "n": rows[name].cast(pa.int64())})
    sums = counts.group_by("at", use_threads=False).aggregate([("n", "sum")]).to_pylist()
    return _course({row["at"]: row["n_sum"] or 0 for row in sums}, table.grain, as_of)


def _reach(grain: Grain) -> int:
    return max(2 * _PER_DAY[grain], 14)


def _course(sums: Mapping[datetime, int], grain: Grain, as_of: datetime) -> Volume:
    """The counts of the newest windows up to `as_of`, zero where a window has none."""
    due = [at for at in sums if at <= as_of]
    if not due:
        return Volume()
    last, first = max(due), min(due)
    step = timedelta(days=1) / _PER_DAY[grain]
    held = min(_reach(grain), (last - first) // step + 1)
    counts = tuple(sums.get(last - step * back, 0) for back in reversed(range(held)))
    return Volume(counts, window_end(last, grain), _PER_DAY[grain])
