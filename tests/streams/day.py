"""26 hours of a declared stream as its generator gives them, in DuckDB, with what the declaration says computed by plain SQL.

This is written from the declaration alone and shares nothing with the pipeline: no parser, no planner, no engine.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import duckdb
import orjson
import pyarrow as pa

from strandline.intervals import intervals_between
from strandline.sources.generator import EventModel, Truth, micro_batch
from strandline.spec.model import Alert, GoldTable, Metric, Stream

BEGIN = datetime(2026, 11, 25, 3, tzinfo=UTC)
HOURS = 26

_SQL_TYPES = {
    "string": "VARCHAR",
    "integer": "BIGINT",
    "number": "DOUBLE",
    "boolean": "BOOLEAN",
    "timestamp": "TIMESTAMPTZ",
    "date": "DATE",
    "json": "VARCHAR",
}
_WINDOWS = {"5 minutes": "5 minutes", "15 minutes": "15 minutes", "hour": "1 hour", "day": "1 day", "week": "7 days"}
_AGGREGATES = {
    "count": "count(*) filter (where {e})",
    "sum": "sum({e})",
    "min": "min({e})",
    "max": "max({e})",
    "avg": "avg({e})",
    "count_distinct": "count(distinct {e})",
    "quantile": "quantile_cont({e}, {q})",
    "first": "arg_min({e}, {time})",
    "last": "arg_max({e}, {time})",
}


@dataclass(frozen=True)
class Day:
    """What 26 hours of a stream hold.

    `good` and `silver` are tables of `sql`, and so are each gold table under its name and `broken_<rule>`, the events made
    to fail the rules in `broken`.
    """

    stream: Stream
    truths: tuple[Truth, ...]
    broken: frozenset[str]
    sql: duckdb.DuckDBPyConnection

    def count(self, query: str) -> int:
        """The one number that `query` answers."""
        answer = self.sql.execute(query).fetchone()
        assert answer is not None
        return int(answer[0])


def simulate(stream: Stream, begin: datetime = BEGIN) -> Day:
    """`HOURS` hours of the stream from `begin` on."""
    model = EventModel(stream)
    truths: list[Truth] = []
    good: list[dict[str, Any]] = []
    broken: list[tuple[str, dict[str, Any]]] = []
    for interval in intervals_between(begin, begin + timedelta(hours=HOURS), stream.interval):
        lines, truth = micro_batch(model, interval)
        truths.append(truth)
        refused = {entry.line for entry in truth.injected if entry.reason is not None or entry.kind in truth.duplicates}
        good.extend(orjson.loads(raw) for number, raw in enumerate(lines, 1) if number not in refused)
        broken.extend((entry.rule, orjson.loads(lines[entry.line - 1])) for entry in truth.injected if entry.rule is not None)
    sql = duckdb.connect()
    sql.execute("set timezone = 'UTC'")
    _insert(sql, stream, "good", good)
    for rule in {name for name, _ in broken}:
        _insert(sql, stream, f"broken_{rule}", [event for name, event in broken if name == rule])
    derived = "".join(f', ({d.expression}) as "{d.name}"' for d in stream.derived)
    sql.execute(f"create table silver as select *{derived} from good")
    for table in stream.gold:
        sql.execute(f"create table {table.name} as {_gold(stream, table)}")
    return Day(stream, tuple(truths), frozenset(name for name, _ in broken), sql)


def _sql_type(kind: str, scale: int | None) -> str:
    return f"DECIMAL(18, {scale})" if kind == "decimal" else _SQL_TYPES[kind]


def _insert(sql: duckdb.DuckDBPyConnection, stream: Stream, table: str, events: Sequence[dict[str, Any]]) -> None:
    texts = {f.name: pa.array([_text(event.get(f.source_name)) for event in events], pa.string()) for f in stream.fields}
    sql.register("texts", pa.table(texts))
    selected = ", ".join(f'"{f.name}"::{_sql_type(f.type, f.scale)} as "{f.name}"' for f in stream.fields)
    sql.execute(f"create table {table} as select {selected} from texts")
    sql.unregister("texts")


def _text(value: Any) -> str | None:
    return value if value is None or isinstance(value, str) else orjson.dumps(value).decode()


def _gold(stream: Stream, table: GoldTable) -> str:
    time = f'"{stream.event_time}"'
    inner = [_aggregate(metric, time) for metric in table.metrics if metric.kind not in ("ratio", "expression")]
    outer = [_combined(metric) for metric in table.metrics if metric.kind in ("ratio", "expression")]
    where = f"where {table.where}" if table.where else ""
    window = f"time_bucket(interval '{_WINDOWS[table.grain]}', {time}) as window_start"
    rows = f"select {', '.join([window, *table.dimensions, *inner])} from silver {where} group by all"
    return f"select {', '.join(['*', *outer])} from ({rows})"


def _aggregate(metric: Metric, time: str) -> str:
    if metric.kind == "count" and metric.expression is None:
        text = "count(*)"
    else:
        text = _AGGREGATES[metric.kind].format(e=metric.expression, q=metric.q, time=time)
    chosen = f" filter (where {metric.where})" if metric.where else ""
    return f"{text}{chosen} as {metric.name}"


def _combined(metric: Metric) -> str:
    if metric.parts is not None:
        return f"{metric.parts[0]} / nullif({metric.parts[1]}, 0) as {metric.name}"
    return f"({metric.expression}) as {metric.name}"


@dataclass
class Watch:
    """How an alert fares: episodes opened and resolved, and the share of its windows or rows that fire."""

    opened: int
    resolved: int
    share: float


def watch(day: Day, alert: Alert) -> Watch:
    """Follows an alert over the day's windows or rows in order of time, one episode at a time for each key."""
    opened = resolved = fired = total = 0
    for hits in _by_key(day, alert):
        streak, is_open = 0, False
        for hit in hits:
            total, fired = total + 1, fired + hit
            streak = streak + 1 if hit else 0
            if streak == alert.for_:
                opened, is_open = opened + 1, True
            elif is_open and not hit:
                resolved, is_open = resolved + 1, False
    return Watch(opened, resolved, fired / total)


def _by_key(day: Day, alert: Alert) -> Iterator[list[bool]]:
    rows = alert.on == "rows"
    key = alert.key or (() if rows else day.stream.gold_named(alert.on).dimensions)
    time = f'"{day.stream.event_time}"' if rows else "window_start"
    hits = f"list(coalesce({alert.when}, false) order by {time})"
    group = f"group by {', '.join(key)}" if key else ""
    for (found,) in day.sql.execute(f"select {hits} from {'silver' if rows else alert.on} {group}").fetchall():
        yield found
