"""How many events came, per window, from the served aggregate that counts them all."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

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
    """Events per window over the newest 48 hours with data (days: 14 days); empty when no aggregate counts events."""
    found = counting_table(stream)
    if found is None:
        return Volume()
    table, name = found
    a_day = _PER_DAY[table.grain]
    windows = max(2 * a_day, 14)
    rows, _ = reader.recent(table.name, windows)
    starts = rows["window_start"].cast(pa.timestamp("us", "UTC"))
    due = pa.table({"at": starts, "n": rows[name].cast(pa.int64())}).filter(
        pc.less_equal(starts, pa.scalar(as_of, starts.type))
    )
    sums = {row["at"]: row["n_sum"] or 0 for row in due.group_by("at", use_threads=False).aggregate([("n", "sum")]).to_pylist()}
    if not sums:
        return Volume()
    last, first = max(sums), min(sums)
    step = timedelta(days=1) / a_day
    held = min(windows, (last - first) // step + 1)
    counts = tuple(sums.get(last - step * back, 0) for back in reversed(range(held)))
    return Volume(counts, window_end(last, table.grain), a_day)
