"""The windows of the gold tables that a rebuild would change, with their values before and after."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from strandline.lake import paths
from strandline.lake.snapshot import Snapshot
from strandline.plan import schemas
from strandline.plan.aggregate import aggregate
from strandline.runtime import Runtime
from strandline.spec.model import GoldTable, Stream
from strandline.stages.again import with_columns
from strandline.stages.gold import DEFINITION, definition_of, source_dates, window_dates
from strandline.stages.rejudge import AFTER, Scope, Tables

if TYPE_CHECKING:
    from strandline.engines.duckdb import DuckEngine, DuckSession


@dataclass(frozen=True, slots=True)
class Window:
    """One window: its `dimensions`, and its metrics `before` and `after` (None where the window is not there)."""

    window_start: datetime
    dimensions: Mapping[str, Any]
    before: Mapping[str, Any] | None
    after: Mapping[str, Any] | None


@dataclass(frozen=True, slots=True)
class TableChange:
    """A gold table: how many windows would change (`changed` in all, `appear` and `go` among them), the days (partitions) that
    would be written, and the windows that change most. `redefined` tables are computed anew whatever their rows are.
    """

    name: str
    changed: int
    appear: int
    go: int
    days: tuple[date, ...]
    redefined: bool
    windows: tuple[Window, ...]


def windows(
    runtime: Runtime,
    engine: DuckEngine,
    session: DuckSession,
    stream: Stream,
    tables: Tables,
    scope: Scope,
    days: Collection[date],
    shown: int,
) -> tuple[TableChange, ...]:
    """The gold tables that would change, after `rejudge` in the same session."""
    found = []
    for declared in stream.gold:
        held = runtime.lake.table(paths.gold(stream.name, declared.name)).snapshot()
        definition = definition_of(engine.dialect, stream, declared, served=False)
        redefined = held is not None and held.position(DEFINITION) != definition
        touched = set(days)
        if redefined and tables.silver is not None:
            touched |= {f.partition for f in tables.silver.files if f.partition and f.rows}
        starts = window_dates(touched, declared.grain)
        if starts:
            needed = source_dates(starts, declared.grain)
            _new_windows(engine, session, stream, tables, scope, declared, needed, starts)
            change = _compare(engine, session, stream, declared, held, starts, redefined, shown)
            if change.changed or change.redefined:
                found.append(change)
    return tuple(found)


def _new_windows(
    engine: DuckEngine,
    session: DuckSession,
    stream: Stream,
    tables: Tables,
    scope: Scope,
    declared: GoldTable,
    needed: Collection[date],
    starts: Collection[date],
) -> None:
    """The relation `new_windows`: the table as it would be, on the partitions `starts`."""
    schema = schemas.silver(stream)
    names = ", ".join(engine.dialect.quote(name) for name in schema.names)
    judged = [day for day in needed if scope.holds(day)]
    sql = f"SELECT {names} FROM {AFTER} WHERE event_date IN ({listed(judged)})"
    if tables.silver is not None:
        outside = tables.silver.files_of([day for day in needed if not scope.holds(day)])
        if outside:
            session.register("outside_rows", with_columns(tables.silver.dataset(files=outside), schema))
            sql += f" UNION ALL SELECT {names} FROM outside_rows"
    session.materialise("source_rows", sql)
    made = aggregate(stream, declared, engine.dialect, "source_rows")
    session.materialise("new_windows", f"SELECT * FROM ({made}) AS a WHERE event_date IN ({listed(starts)})")


def _compare(
    engine: DuckEngine,
    session: DuckSession,
    stream: Stream,
    declared: GoldTable,
    held: Snapshot | None,
    starts: Collection[date],
    redefined: bool,
    shown: int,
) -> TableChange:
    quote, schema = engine.dialect.quote, schemas.gold(stream, declared)
    names = schema.names
    _old_windows(engine, session, stream, declared, held, starts, redefined)
    listed_names = ", ".join(quote(name) for name in names)
    for relation, one, other in (("won", "new_windows", "old_windows"), ("lost", "old_windows", "new_windows")):
        session.materialise(relation, f"SELECT {listed_names} FROM {one} EXCEPT ALL SELECT {listed_names} FROM {other}")
    key = ["window_start", *declared.dimensions]
    same = " AND ".join(f"a.{quote(name)} IS NOT DISTINCT FROM b.{quote(name)}" for name in key)
    either = [f"COALESCE(a.{quote(name)}, b.{quote(name)}) AS {quote(name)}" for name in [*key, "event_date"]]
    metrics = [m.name for m in declared.metrics]
    sides = [
        f"{side}.{quote(m)} AS {quote(f'{word}__{m}')}" for side, word in (("b", "before"), ("a", "after")) for m in metrics
    ]
    kinds = ["a._as_of IS NOT NULL AS _now", "b._as_of IS NOT NULL AS _then", f"{_score(engine, declared, schema)} AS _score"]
    session.materialise("windows", f"SELECT {', '.join([*either, *sides, *kinds])} FROM won a FULL JOIN lost b ON {same}")
    counts = session.rows(
        "SELECT COUNT(*) AS n, COUNT(*) FILTER (WHERE NOT _then) AS appear, COUNT(*) FILTER (WHERE NOT _now) AS go FROM windows"
    )[0]
    changed_days = [row["d"] for row in session.rows("SELECT DISTINCT event_date AS d FROM windows ORDER BY 1")]
    most = session.rows(f"SELECT * FROM windows ORDER BY _score DESC, {', '.join(quote(k) for k in key)} LIMIT {shown}")
    return TableChange(
        declared.name,
        counts["n"],
        counts["appear"],
        counts["go"],
        tuple(sorted(starts)) if redefined else tuple(changed_days),
        redefined,
        tuple(_window(row, declared, metrics) for row in most),
    )


def _old_windows(
    engine: DuckEngine,
    session: DuckSession,
    stream: Stream,
    declared: GoldTable,
    held: Snapshot | None,
    starts: Collection[date],
    redefined: bool,
) -> None:
    schema, quote = schemas.gold(stream, declared), engine.dialect.quote
    files = (held.files if redefined else held.files_of(starts)) if held else ()
    if held is None or not files:
        session.materialise("old_windows", "SELECT * FROM new_windows WHERE FALSE")
        return
    session.register("held_windows", with_columns(held.dataset(files=files), schema))
    session.materialise("empty_windows", "SELECT * FROM new_windows WHERE FALSE")
    names = ", ".join(quote(name) for name in schema.names)
    other = set(held.retyped(schema))
    types = {row["column_name"]: row["column_type"] for row in session.rows("DESCRIBE new_windows")} if other else {}
    chosen = ", ".join(f"TRY_CAST({quote(n)} AS {types[n]}) AS {quote(n)}" if n in other else quote(n) for n in schema.names)
    session.materialise("old_windows", f"SELECT {names} FROM (SELECT {chosen} FROM held_windows) AS h")


def _score(engine: DuckEngine, declared: GoldTable, schema: pa.Schema) -> str:
    """How much a window changes: the sum over its numbers of |after − before| / (|after| + |before|); others count 1."""
    parts = []
    for metric in declared.metrics:
        a, b = (f"{side}.{engine.dialect.quote(metric.name)}" for side in ("a", "b"))
        if metric.type in ("integer", "number", "decimal"):
            x, y = f"CAST({a} AS DOUBLE)", f"CAST({b} AS DOUBLE)"
            share = f"CASE WHEN {a} = {b} THEN 0 ELSE abs({x} - {y}) / (abs({x}) + abs({y})) END"
            parts.append(f"CASE WHEN {a} IS NULL AND {b} IS NULL THEN 0 ELSE COALESCE({share}, 1) END")
        else:
            parts.append(f"CASE WHEN {a} IS DISTINCT FROM {b} THEN 1 ELSE 0 END")
    return " + ".join(parts) or "0"


def _window(row: Mapping[str, Any], declared: GoldTable, metrics: list[str]) -> Window:
    sides = [
        {name: aware(row[f"{word}__{name}"]) for name in metrics} if row[there] else None
        for word, there in (("before", "_then"), ("after", "_now"))
    ]
    dimensions = {name: aware(row[name]) for name in declared.dimensions}
    return Window(aware(row["window_start"]), dimensions, sides[0], sides[1])


def aware(value: Any) -> Any:
    """The value; a moment as the engine gives it, without a zone, as one in UTC."""
    return value.replace(tzinfo=UTC) if isinstance(value, datetime) and value.tzinfo is None else value


def listed(days: Collection[date]) -> str:
    """The days as a list in SQL, never empty."""
    return ", ".join(f"DATE '{day}'" for day in sorted(days)) or "NULL"
