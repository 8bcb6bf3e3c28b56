"""From good rows to a gold table: the closed vocabulary of metrics as SQL, for batch and serving alike."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from sqlglot import exp

from strandline.plan.dialect import Dialect
from strandline.plan.expressions import parse_expression
from strandline.plan.judge import Columns, column_scales, column_types, event_moment
from strandline.plan.schemas import FINAL, PROVISIONAL
from strandline.spec.model import FieldType, GoldTable, Metric, Stream

PLACES = 12
"""Decimal places in which numbers are summed."""
_OVER_METRICS = ("ratio", "expression")


def aggregate(stream: Stream, table: GoldTable, dialect: Dialect, relation: str, *, served: bool = False) -> str:
    """The SQL of one gold table over good rows: one row a window and combination of dimensions.

    With `served`, `relation` has `_status` and the result says `provisional` where any contributing row still is.
    """
    quote, columns = dialect.quote, Columns.of(stream, dialect)
    window = dialect.window_start(event_moment(stream, dialect), table.grain)
    dimensions = [quote(name) for name in table.dimensions]
    parts = [f"{window} AS window_start", *dimensions]
    later = [m for m in table.metrics if m.kind in _OVER_METRICS]
    parts += [f"{_measured(m, stream, dialect, columns)} AS {quote(m.name)}" for m in table.metrics if m not in later]
    parts.append("MAX(_landing_end) AS _as_of")
    if served:
        undecided = f"SUM(CASE WHEN _status = '{PROVISIONAL}' THEN 1 ELSE 0 END) > 0"
        parts.append(f"CASE WHEN {undecided} THEN '{PROVISIONAL}' ELSE '{FINAL}' END AS _status")
    where = f" WHERE COALESCE({columns.sql(table.where)}, FALSE)" if table.where else ""
    groups = ", ".join(str(n) for n in range(1, len(dimensions) + 2))
    grouped = f"SELECT {', '.join(parts)} FROM {relation}{where} GROUP BY {groups}"
    known = [m for m in table.metrics if m not in later]
    for metric in later:
        grouped = f"SELECT *, {_computed(metric, dialect, known)} AS {quote(metric.name)} FROM ({grouped}) AS g"
        known.append(metric)
    return f"SELECT *, CAST(window_start AS DATE) AS event_date FROM ({grouped}) AS g"


def columns_read(stream: Stream, table: GoldTable, *, served: bool = False) -> set[str]:
    """The columns of good rows that `aggregate` reads."""
    types, scales = column_types(stream), column_scales(stream)
    of_rows = [m for m in table.metrics if m.kind not in _OVER_METRICS]
    texts = [table.where, *(m.expression for m in of_rows), *(m.where for m in of_rows)]
    trees = [parse_expression(text, types, scales=scales).tree for text in texts if text]
    named = {column.name for tree in trees for column in tree.find_all(exp.Column)} - {"now"}
    own = {"_landing_start", "_landing_end", "_line"} | ({"_status"} if served else set())
    return named | own | {stream.event_time, *table.dimensions}


def _measured(metric: Metric, stream: Stream, dialect: Dialect, columns: Columns) -> str:
    """A metric that is an aggregate of rows."""
    value = columns.sql(metric.expression) if metric.expression else None
    only = columns.sql(metric.where) if metric.where else None
    if metric.kind == "count":
        conditions = [f"COALESCE({condition}, FALSE)" for condition in (value, only) if condition]
        return f"COUNT(CASE WHEN {' AND '.join(conditions)} THEN 1 END)" if conditions else "COUNT(*)"
    assert value is not None, f"the metric {metric.name} has an expression"
    typed = columns.typed(metric.expression or "")
    type_ = cast("FieldType", typed.type)
    places = {"integer": 0, "decimal": typed.scale or 0}.get(type_, PLACES)
    if only:
        value = f"CASE WHEN {only} THEN {value} END"
    if metric.kind == "sum":
        return dialect.sum(value, type_, places)
    if metric.kind == "avg":
        return dialect.average(value, type_, places)
    if metric.kind == "quantile":
        return dialect.quantile(value, metric.q if metric.q is not None else 0.5)
    if metric.kind == "count_distinct":
        return f"COUNT(DISTINCT {value})"
    order = [event_moment(stream, dialect), "_landing_start", "_line"]
    if metric.kind in ("first", "last"):
        chosen = (dialect.first if metric.kind == "first" else dialect.last)(value, order)
    else:
        chosen = f"{metric.kind.upper()}({value})"
    return f"CAST({chosen} AS {dialect.type_name(metric.type, metric.scale, 38)})"


def _computed(metric: Metric, dialect: Dialect, known: Sequence[Metric]) -> str:
    """A metric over other metrics of its table, at read-out of their exact values."""
    if metric.kind == "ratio":
        assert metric.parts is not None, f"the ratio {metric.name} has its parts"
        above, below = (dialect.quote(part) for part in metric.parts)
        return f"CASE WHEN {below} <> 0 THEN CAST({above} AS DOUBLE) / CAST({below} AS DOUBLE) END"
    scales = {m.name: m.scale for m in known if m.scale is not None}
    tree = parse_expression(metric.expression or "", {m.name: m.type for m in known}, scales=scales, now=False).tree
    return f"CAST({dialect.expression(tree)} AS {dialect.type_name(metric.type, metric.scale, 38)})"
