"""From good rows to a gold table: the closed vocabulary of metrics as SQL, for batch and serving alike."""

from __future__ import annotations

from typing import cast

from sqlglot import exp

from strandline.plan.dialect import Dialect
from strandline.plan.expressions import parse_expression
from strandline.plan.judge import column_types, event_moment, row_expression
from strandline.plan.schemas import FINAL, PROVISIONAL, decimal_scale
from strandline.spec.model import FieldType, GoldTable, Metric, Stream


def aggregate(stream: Stream, table: GoldTable, dialect: Dialect, relation: str, *, served: bool = False) -> str:
    """The SQL of one gold table over good rows: one row a window and combination of dimensions.

    With `served`, `relation` has `_status` and the result says `provisional` where any contributing row still is.
    """
    quote, columns = dialect.quote, column_types(stream)
    window = dialect.window_start(event_moment(stream, dialect), table.grain)
    dimensions = [quote(name) for name in table.dimensions]
    parts = [f"{window} AS window_start", *dimensions]
    later = [m for m in table.metrics if m.kind in ("ratio", "expression")]
    parts += [f"{_measured(m, stream, dialect, columns)} AS {quote(m.name)}" for m in table.metrics if m not in later]
    parts.append("MAX(_landing_end) AS _as_of")
    if served:
        undecided = f"SUM(CASE WHEN _status = '{PROVISIONAL}' THEN 1 ELSE 0 END) > 0"
        parts.append(f"CASE WHEN {undecided} THEN '{PROVISIONAL}' ELSE '{FINAL}' END AS _status")
    where = f" WHERE COALESCE({row_expression(dialect, table.where, columns)}, FALSE)" if table.where else ""
    groups = ", ".join(str(n) for n in range(1, len(dimensions) + 2))
    grouped = f"SELECT {', '.join(parts)} FROM {relation}{where} GROUP BY {groups}"
    known = {m.name: m.type for m in table.metrics if m not in later}
    for metric in later:
        grouped = f"SELECT *, {_computed(metric, stream, dialect, known)} AS {quote(metric.name)} FROM ({grouped}) AS g"
        known[metric.name] = metric.type
    return f"SELECT *, CAST(window_start AS DATE) AS event_date FROM ({grouped}) AS g"


def _measured(metric: Metric, stream: Stream, dialect: Dialect, columns: dict[str, FieldType]) -> str:
    """A metric that is an aggregate of rows."""
    value = row_expression(dialect, metric.expression, columns) if metric.expression else None
    only = row_expression(dialect, metric.where, columns) if metric.where else None
    if metric.kind == "count":
        conditions = [f"COALESCE({condition}, FALSE)" for condition in (value, only) if condition]
        return f"COUNT(CASE WHEN {' AND '.join(conditions)} THEN 1 END)" if conditions else "COUNT(*)"
    assert value is not None, f"the metric {metric.name} has an expression"
    scale = decimal_scale(stream)
    typed = cast("FieldType", parse_expression(metric.expression or "", columns).type)
    if only:
        value = f"CASE WHEN {only} THEN {value} END"
    if metric.kind == "sum":
        return dialect.sum(value, typed, scale)
    if metric.kind == "avg":
        return dialect.average(value, {"integer": 0, "decimal": scale}.get(typed, 12))
    if metric.kind == "quantile":
        return dialect.quantile(value, metric.q if metric.q is not None else 0.5)
    if metric.kind == "count_distinct":
        return f"COUNT(DISTINCT {value})"
    order = [event_moment(stream, dialect), "_landing_start", "_line"]
    if metric.kind == "first":
        return dialect.first(value, order)
    if metric.kind == "last":
        return dialect.last(value, order)
    return f"CAST({metric.kind.upper()}({value}) AS {dialect.type_name(metric.type, scale, 38)})"


def _computed(metric: Metric, stream: Stream, dialect: Dialect, known: dict[str, FieldType]) -> str:
    """A metric over other metrics of its table, at read-out of their exact values."""
    if metric.kind == "ratio":
        assert metric.parts is not None, f"the ratio {metric.name} has its parts"
        above, below = (dialect.quote(part) for part in metric.parts)
        return f"CASE WHEN {below} <> 0 THEN CAST({above} AS DOUBLE) / CAST({below} AS DOUBLE) END"
    tree = parse_expression(metric.expression or "", known).tree.copy()
    tree = tree.transform(lambda n: exp.column(exp.to_identifier(n.name, quoted=True)) if isinstance(n, exp.Column) else n)
    return f"CAST({dialect.expression(tree)} AS {dialect.type_name(metric.type, decimal_scale(stream), 38)})"
