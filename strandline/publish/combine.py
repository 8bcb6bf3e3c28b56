"""A metric over fewer dimensions than its table has: added up where that is exact, otherwise said how.

Counts and sums add up, minima and maxima combine, a ratio is formed anew from its parts, an average is weighted by the table's
plain count. What cannot be combined from finished windows (quantiles, distinct counts) shows its highest value, and says so.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from strandline.spec.model import GoldTable, Metric

if TYPE_CHECKING:
    import pyarrow as pa

ADDITIVE = frozenset({"count", "sum"})
NOTHING = "(none)"


@dataclass(frozen=True, slots=True)
class Combined:
    """Rows of (window start, series, value or None, provisional) in time order; `how` says what was done to combine, if
    anything.

    Without a dimension to split by the only series is "". Over windows the time is that of the last window.
    """

    rows: list[tuple[datetime, str, float | None, bool]]
    how: str = ""


def combine(rows: pa.Table, table: GoldTable, metric: Metric, by: str | None, over_windows: bool = False) -> Combined:
    """The metric per window and value of `by` (over_windows: per value of `by` alone, final and provisional apart)."""
    import pyarrow as pa
    import pyarrow.compute as pc

    counts = (m.name for m in table.metrics if m.kind == "count" and not m.expression and not m.where)
    count = next((name for name in counts if name in rows.schema.names), None)
    parts = metric.parts if metric.kind == "ratio" and metric.parts and _all_additive(table, metric.parts) else None
    numbers = [metric.name, *(parts or ()), *([count] if count and metric.kind == "avg" else [])]
    columns: dict[str, Any] = {name: pc.cast(rows[name], pa.float64(), safe=False) for name in dict.fromkeys(numbers)}
    columns["window_start"] = rows["window_start"].cast(pa.timestamp("us"))
    columns["series"] = _text(rows[by]) if by else pa.chunked_array([pa.array([""] * rows.num_rows, pa.string())])
    columns["provisional"] = pc.equal(rows["_status"].cast(pa.string()), "provisional").cast(pa.int8())
    if metric.kind == "avg" and count:
        columns["weighted"] = pc.multiply(columns[metric.name], columns[count])
    keys = ["series", "provisional"] if over_windows else ["window_start", "series"]
    single = not over_windows and set(table.dimensions) <= ({by} if by else set())
    grouped = pa.table(columns).group_by(keys, use_threads=False)
    if metric.kind in ADDITIVE:
        value, how = _aggregate(grouped, [(metric.name, "sum")]), ""
    elif metric.kind == "min":
        value, how = _aggregate(grouped, [(metric.name, "min")]), ""
    elif parts and not single:
        value, how = _aggregate(grouped, [(parts[0], "sum"), (parts[1], "sum")], divide=True), ""
    elif metric.kind == "avg" and count and not single:
        value, how = _aggregate(grouped, [("weighted", "sum"), (count, "sum")], divide=True), f"averages weighted by {count}"
    else:
        rest = [name for name in table.dimensions if name != by] + (["window"] if over_windows else [])
        how = "" if single or metric.kind == "max" else f"the highest of each {' and '.join(rest)}"
        value = _aggregate(grouped, [(metric.name, "max")])
    return Combined(value, how)


def leading(rows: pa.Table, metric: Metric, by: str, most: int) -> tuple[pa.Table, tuple[str, ...], int]:
    """(rows with `by` as text, its values by size of the metric, how many values there are), for at most `most` values.

    The others are one more value, `other (n)`, where the metric adds up; else their rows are left out.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    names = _text(rows[by])
    size = pc.abs(pc.cast(rows[metric.name], pa.float64(), safe=False))
    size = pc.if_else(pc.fill_null(pc.is_finite(size), False), size, 0.0)
    sums = pa.table({"name": names, "size": size}).group_by("name", use_threads=False).aggregate([("size", "sum")]).to_pylist()
    ranked = [row["name"] for row in sorted(sums, key=lambda row: (-row["size_sum"], row["name"]))]
    top = ranked[:most]
    place = rows.schema.get_field_index(by)
    if len(ranked) > most:
        kept = pc.is_in(names, value_set=pa.array(top, pa.string()))
        if metric.kind in ADDITIVE:
            other = f"other ({len(ranked) - most})"
            names, top = pc.if_else(kept, names, other), [*top, other]
        else:
            rows, names = rows.filter(kept), names.filter(kept)
    return rows.set_column(place, by, names), tuple(top), len(ranked)


def _all_additive(table: GoldTable, names: tuple[str, ...]) -> bool:
    kinds = {m.name: m.kind for m in table.metrics}
    return all(kinds.get(name) in ADDITIVE for name in names)


def _text(column: pa.ChunkedArray) -> pa.ChunkedArray:
    import pyarrow as pa
    import pyarrow.compute as pc

    return pc.fill_null(column.cast(pa.string()), NOTHING)


def _aggregate(
    grouped: pa.TableGroupBy, wanted: list[tuple[str, str]], divide: bool = False
) -> list[tuple[datetime, str, float | None, bool]]:
    found = grouped.aggregate([*wanted, ("provisional", "max"), ("window_start", "max")]).to_pylist()
    result = []
    for row in found:
        value = row[f"{wanted[0][0]}_{wanted[0][1]}"]
        if divide:
            below = row[f"{wanted[1][0]}_{wanted[1][1]}"]
            value = value / below if value is not None and below else None
        at = row.get("window_start") or row["window_start_max"]
        provisional = bool(row["provisional"] if "provisional" in row else row["provisional_max"])
        finite = value if value is not None and math.isfinite(value) else None
        result.append((at.replace(tzinfo=UTC), row["series"], finite, provisional))
    return sorted(result, key=lambda r: (r[0], r[1], r[3]))
