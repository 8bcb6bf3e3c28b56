"""What an alert's condition gives on the rows of some days: firings, islands and day summaries.

The SQL is plain but for the condition itself, which the engine's dialect renders from the checked tree; only what fires and
one row per key and day leave the engine.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Protocol

from strandline.publish.episodes import Day, Direction, Island, Rule
from strandline.spec.model import Alert, FieldType, Stream

if TYPE_CHECKING:
    import pyarrow as pa
    from sqlglot import exp

    from strandline.plan.dialect import Dialect


class Session(Protocol):
    """The part of an engine's session that evaluation needs."""

    def register(self, name: str, data: Any) -> None:
        """Make Arrow data readable as `name`."""
        ...

    def materialise(self, name: str, sql: str) -> None:
        """Keep the rows of a query as the temporary table `name`."""
        ...

    def table(self, sql: str) -> pa.Table:
        """A result in memory."""
        ...


SOURCE = "source"
_NUMERIC = frozenset({"integer", "number", "decimal"})


@dataclass(frozen=True, slots=True)
class Firing:
    """One window or row on which an alert fired: one row of the firings table. `row` is the primary key as JSON (rows only)."""

    alert: str
    key: str
    at: datetime
    values: str
    row: str | None
    event_date: date


@dataclass(frozen=True, slots=True)
class Condition:
    """An alert made ready to run: its columns, its checked expression and what stitching needs."""

    rule: Rule
    on: str
    at: str
    keys: tuple[str, ...]
    values: tuple[str, ...]
    peaks: tuple[str, ...]
    row: tuple[str, ...]
    tree: exp.Expression

    @property
    def columns(self) -> frozenset[str]:
        """The columns the evaluation reads."""
        return frozenset({"event_date", self.at, *self.keys, *self.values, *self.row})


def column_types(stream: Stream, on: str) -> dict[str, FieldType]:
    """The columns an alert may name, with their types: of the good rows (`rows`), or of the gold table `on`."""
    silver: dict[str, FieldType] = {f.name: f.type for f in stream.fields if f.protect != "drop"}
    silver |= {derived.name: derived.type for derived in stream.derived}
    if on == "rows":
        return silver
    table = stream.gold_named(on)
    types: dict[str, FieldType] = {"window_start": "timestamp"}
    return types | {name: silver[name] for name in table.dimensions} | {m.name: m.type for m in table.metrics}


def compile_condition(stream: Stream, alert: Alert) -> Condition:
    """The alert's condition; raises ExpressionError when `when` does not fit the columns it is on.

    On rows, `now` is the end of the landing interval that brought the row.
    """
    from sqlglot import exp

    from strandline.plan.expressions import parse_expression

    types = column_types(stream, alert.on)
    tree = parse_expression(alert.when, types).tree
    named = tuple(dict.fromkeys(column.name for column in tree.find_all(exp.Column) if column.name in types))
    rows = alert.on == "rows"
    tree = tree.transform(lambda node: _quoted("_landing_end") if isinstance(node, exp.Column) and node.name == "now" else node)
    keys = alert.key or (() if rows else stream.gold_named(alert.on).dimensions)
    peaks = tuple(name for name in named if types[name] in _NUMERIC)
    directions = {name: _direction(tree, name) for name in peaks}
    return Condition(
        rule=Rule(alert.name, alert.severity, alert.for_, directions),
        on=alert.on,
        at=stream.event_time if rows else "window_start",
        keys=keys,
        values=named,
        peaks=peaks,
        row=stream.primary_key if rows else (),
        tree=tree,
    )


def _direction(tree: exp.Expression, name: str) -> Direction:
    """Which way a column of the condition is bad: `min` when it is only compared as less than something."""
    from sqlglot import exp

    found: set[Direction] = set()
    for node in tree.find_all(exp.GT, exp.GTE, exp.LT, exp.LTE):
        for side, up in (
            (node.this, isinstance(node, exp.GT | exp.GTE)),
            (node.expression, isinstance(node, exp.LT | exp.LTE)),
        ):
            if any(column.name == name for column in side.find_all(exp.Column)):
                found.add("max" if up else "min")
    return "min" if found == {"min"} else "max"


def _quoted(name: str) -> exp.Column:
    from sqlglot import exp

    return exp.column(exp.to_identifier(name, quoted=True))


def _columns(condition: Condition, prefixes: str) -> list[tuple[str, str]]:
    """(column, alias) of the key (k0…), the values of the condition (v0…) and the row's own key (r0…), as the prefixes ask."""
    groups = {"k": condition.keys, "v": condition.values, "r": condition.row}
    return [(name, f"{prefix}{i}") for prefix in prefixes for i, name in enumerate(groups[prefix])]


def marked_sql(condition: Condition, dialect: Dialect) -> str:
    """Each row of the source that has a time: event_date, moment, fires (0 or 1), k…, v…, r…."""
    fires = f"CASE WHEN {dialect.expression(condition.tree)} THEN 1 ELSE 0 END AS fires"
    columns = [f"{dialect.quote(name)} AS {alias}" for name, alias in _columns(condition, "kvr")]
    moment = dialect.quote(condition.at)
    named = ", ".join([dialect.quote("event_date"), f"{moment} AS moment", fires, *columns])
    return f"SELECT {named} FROM {SOURCE} WHERE {moment} IS NOT NULL"


def _keys(condition: Condition) -> str:
    return ", ".join(["event_date", *(alias for _, alias in _columns(condition, "k"))])


def _peaks(condition: Condition, value: str) -> list[str]:
    """The most extreme value of each numeric column of the condition; `value` has `{}` where the column goes."""
    found = []
    for name in condition.peaks:
        function = "MIN" if condition.rule.directions[name] == "min" else "MAX"
        column = f"v{condition.values.index(name)}"
        found.append(f"{function}({value.format(column)}) AS {column}")
    return found


def numbered_sql(condition: Condition) -> str:
    """One row per evaluation (key and instant) with `gap`: how many evaluations of the key and day up to it did not fire."""
    keys = _keys(condition)
    columns = [
        keys,
        "moment",
        "MAX(fires) AS fires",
        "SUM(fires) AS firings",
        *_peaks(condition, "CASE WHEN fires = 1 THEN {} END"),
    ]
    evaluated = f"SELECT {', '.join(columns)} FROM marked GROUP BY {keys}, moment"
    window = f"PARTITION BY {keys} ORDER BY moment ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW"
    return f"SELECT evaluated.*, SUM(1 - fires) OVER ({window}) AS gap FROM ({evaluated}) AS evaluated"


def islands_sql(condition: Condition) -> str:
    """One row per island of a key and day: k…, first_at, last_at, next_at, evaluations, firings, v… (peaks)."""
    keys = _keys(condition)
    columns = [
        keys,
        "MIN(CASE WHEN fires = 1 THEN moment END) AS first_at",
        "MAX(CASE WHEN fires = 1 THEN moment END) AS last_at",
        "MIN(CASE WHEN fires = 0 THEN moment END) AS next_at",
        "SUM(fires) AS evaluations",
        "SUM(firings) AS firings",
        *_peaks(condition, "{}"),
    ]
    island = "CASE WHEN fires = 1 THEN gap ELSE gap - 1 END"
    return f"SELECT {', '.join(columns)} FROM numbered GROUP BY {keys}, {island} HAVING SUM(fires) > 0"


def days_sql(condition: Condition) -> str:
    """One row per key and day that has evaluations: k…, first_at, first_fires and last_fires (0 or 1)."""
    keys = _keys(condition)
    firing = "(CASE WHEN fires = 1 THEN moment END)"
    columns = [
        keys,
        "MIN(moment) AS first_at",
        f"CASE WHEN MIN(moment) = MIN{firing} THEN 1 ELSE 0 END AS first_fires",
        f"CASE WHEN MAX(moment) = MAX{firing} THEN 1 ELSE 0 END AS last_fires",
    ]
    return f"SELECT {', '.join(columns)} FROM numbered GROUP BY {keys}"


def firings_sql(condition: Condition) -> str:
    """One row per firing window or row: event_date, moment, k…, v…, r…."""
    names = ["event_date", "moment", *(alias for _, alias in _columns(condition, "kvr"))]
    return f"SELECT {', '.join(names)} FROM marked WHERE fires = 1"


def evaluate(condition: Condition, source: Any, session: Session, dialect: Dialect) -> tuple[list[Firing], list[Day]]:
    """The firings and day summaries of the rows of `source` (Arrow, holding whole days), in order of day, key and time."""
    session.register(SOURCE, source)
    session.materialise("marked", marked_sql(condition, dialect))
    session.materialise("numbered", numbered_sql(condition))
    firings = [_firing(condition, row) for row in session.table(firings_sql(condition)).to_pylist()]
    islands: dict[tuple[str, date], list[Island]] = {}
    for row in session.table(islands_sql(condition)).to_pylist():
        islands.setdefault((key_json(condition.keys, row), row["event_date"]), []).append(_island(condition, row))
    days = []
    for row in session.table(days_sql(condition)).to_pylist():
        key, day = key_json(condition.keys, row), row["event_date"]
        own = tuple(sorted(islands.get((key, day), ()), key=lambda island: island.start))
        fires = (row["first_fires"] == 1, row["last_fires"] == 1)
        days.append(Day(condition.rule.name, key, day, _utc(row["first_at"]), *fires, own))
    firings.sort(key=lambda f: (f.event_date, f.key, f.at, f.row or "", f.values))
    days.sort(key=lambda d: (d.event_date, d.key))
    return firings, days


def _firing(condition: Condition, row: Mapping[str, Any]) -> Firing:
    values = _json(dict(zip(condition.values, _take(row, "v", len(condition.values)), strict=True)))
    own = _json(dict(zip(condition.row, _take(row, "r", len(condition.row)), strict=True))) if condition.row else None
    return Firing(condition.rule.name, key_json(condition.keys, row), _utc(row["moment"]), values, own, row["event_date"])


def _island(condition: Condition, row: Mapping[str, Any]) -> Island:
    peaks = {name: plain(row[f"v{condition.values.index(name)}"]) for name in condition.peaks}
    following = None if row["next_at"] is None else _utc(row["next_at"])
    counts = (int(row["evaluations"]), int(row["firings"]))
    return Island(_utc(row["first_at"]), _utc(row["last_at"]), *counts, peaks, following)


def _take(row: Mapping[str, Any], prefix: str, count: int) -> list[Any]:
    return [row[f"{prefix}{i}"] for i in range(count)]


def key_json(names: tuple[str, ...], row: Mapping[str, Any]) -> str:
    """The key of a row as JSON, names in declared order: `{"endpoint": "/login"}`; `{}` when the whole stream is one key."""
    return _json(dict(zip(names, _take(row, "k", len(names)), strict=True)))


def _json(values: Mapping[str, Any]) -> str:
    return json.dumps({name: plain(value) for name, value in values.items()}, ensure_ascii=False)


def plain(value: Any) -> Any:
    """The value as JSON has it: times as ISO 8601 UTC, decimals as numbers, what is no finite number as null."""
    if isinstance(value, datetime):
        return _utc(value).isoformat().replace("+00:00", "Z")
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Decimal):
        return float(value) if value.is_finite() else None
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def _utc(moment: datetime) -> datetime:
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
