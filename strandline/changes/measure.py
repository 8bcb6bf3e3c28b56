"""What a rebuild would change, measured: lines judged otherwise, rows and windows that differ, and what it would cost.

It is the rebuild's own computation, left uncommitted, so what is named here is what a rebuild then changes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

from strandline.changes.cost import Cost, cost
from strandline.changes.windows import TableChange, aware, windows
from strandline.errors import UsageError
from strandline.lake import paths
from strandline.plan import schemas
from strandline.runtime import Runtime
from strandline.spec.model import Stream
from strandline.stages.bronze import Line
from strandline.stages.rejudge import AFTER, BEFORE, REFUSED_AFTER, REFUSED_BEFORE, Rejudged, Scope, Tables, rejudge

if TYPE_CHECKING:
    from strandline.engines.duckdb import DuckEngine, DuckSession

_SAME = "o._landing_start = l._landing_start AND o._line = l._line"
_RAW = 160


@dataclass(frozen=True, slots=True)
class Judged:
    """Lines that are judged otherwise for one reason: `reason` with its `field` or `rule`, how many, and some of them (where
    they stand in the source, and their bytes as text; `raw` is None for a sealed line).
    """

    reason: str
    field: str | None
    rule: str | None
    detail: str | None
    lines: int
    examples: tuple[Mapping[str, Any], ...]

    @property
    def label(self) -> str:
        """What the reason is about, in a word or two."""
        about = self.rule or self.field
        return f"{self.reason} {about}" if about else self.reason


@dataclass(frozen=True, slots=True)
class RowChange:
    """One row of silver that appears, goes or changes: its key, and where its line stands."""

    change: str
    event_date: date
    key: Mapping[str, Any]
    landing_start: datetime
    line: int


@dataclass(frozen=True, slots=True)
class Measured:
    """What a rebuild of the scope would do. `rows` names at most as many rows of silver as asked for, `row_counts` counts all
    of them by kind (`appears`, `goes`, `changes`). `partitions` are the days it would write, by table.
    """

    scope: Scope
    lines: int
    refused: tuple[Judged, ...]
    accepted: tuple[Judged, ...]
    other_reason: int
    row_counts: Mapping[str, int]
    rows: tuple[RowChange, ...]
    tables: tuple[TableChange, ...]
    partitions: Mapping[str, tuple[date, ...]]
    cost: Cost
    above_line: int
    notes: tuple[str, ...] = ()

    @property
    def needs_rebuild(self) -> bool:
        """Whether anything that was computed would come out otherwise."""
        return any(self.partitions.values())


def measure(runtime: Runtime, stream: Stream, start: date | None, shown: int) -> Measured | None:
    """What a rebuild of the event dates from `start` on (None: all) would do; None where no batch has judged anything yet.

    Changes nothing. `shown` bounds rows, windows and examples. Raises `DataError` when a `fail` rule would stop the rebuild.
    """
    tables = Tables.of(runtime, stream)
    if tables.silver is None or not tables.taken:
        return None
    engine, scope, notes = runtime.engine, Scope("rebuild", start), []
    with engine.session() as session:
        try:
            found = rejudge(runtime, engine, session, stream, tables, scope)
        except UsageError as error:
            notes.append(str(error))
            scope = Scope("rebuild")
            found = rejudge(runtime, engine, session, stream, tables, scope)
        counts, rows = _rows(engine, session, stream, shown)
        changed = windows(runtime, engine, session, stream, tables, scope, found.days, shown)
        partitions = _partitions(stream, found, changed)
        refused, accepted = (
            _otherwise(session, *pair, shown) for pair in ((REFUSED_AFTER, REFUSED_BEFORE), (REFUSED_BEFORE, REFUSED_AFTER))
        )
        return Measured(
            scope,
            found.judged.counts.lines,
            refused,
            accepted,
            _other_reason(session),
            counts,
            rows,
            changed,
            partitions,
            cost(runtime, stream, tables, partitions),
            _above_line(runtime, stream, tables),
            tuple(notes),
        )


def _otherwise(session: DuckSession, one: str, other: str, shown: int) -> tuple[Judged, ...]:
    """The lines refused in `one` and not in `other`, by why, most frequent first."""
    only = f"SELECT * FROM {one} l WHERE NOT EXISTS (SELECT 1 FROM {other} o WHERE {_SAME})"
    session.materialise("otherwise", only)
    names = ("_reason", "_field", "_rule", "_detail")
    grouped = session.rows(f"SELECT {', '.join(names)}, COUNT(*) AS n FROM otherwise GROUP BY ALL ORDER BY n DESC, 1, 2, 3")
    found = []
    for row in grouped:
        same = " AND ".join(f"{name} IS NOT DISTINCT FROM {_literal(row[name])}" for name in names)
        place = "_source, _source_line, _landing_start, CASE WHEN NOT _sealed THEN _raw END AS raw"
        some = session.rows(f"SELECT {place} FROM otherwise WHERE {same} ORDER BY _landing_start, _line LIMIT {shown}")
        examples = tuple(_example(each) for each in some)
        found.append(Judged(row["_reason"], row["_field"], row["_rule"], row["_detail"], row["n"], examples))
    return tuple(found)


def _literal(text: str | None) -> str:
    return "NULL" if text is None else "'" + text.replace("'", "''") + "'"


def _example(row: Mapping[str, Any]) -> dict[str, Any]:
    raw = row["raw"]
    text = raw.decode(errors="backslashreplace") if raw is not None else None
    return {
        "source": row["_source"],
        "source_line": row["_source_line"],
        "landing_start": aware(row["_landing_start"]),
        "raw": text if text is None or len(text) <= _RAW else text[: _RAW - 1] + "…",
    }


def _other_reason(session: DuckSession) -> int:
    different = " OR ".join(f"o.{name} IS DISTINCT FROM l.{name}" for name in ("_reason", "_field", "_rule"))
    sql = f"SELECT COUNT(*) AS n FROM {REFUSED_AFTER} l JOIN {REFUSED_BEFORE} o ON {_SAME} WHERE {different}"
    return int(session.rows(sql)[0]["n"])


def _rows(engine: DuckEngine, session: DuckSession, stream: Stream, shown: int) -> tuple[dict[str, int], tuple[RowChange, ...]]:
    """Rows of silver by the event they tell of: which appear, go, or say something else."""
    quote = engine.dialect.quote
    key = [*stream.primary_key, schemas.EVENT_DATE]
    names = [n for n in schemas.silver(stream).names if n != "_contract_version"]
    listed = ", ".join(quote(name) for name in names)
    for name, one, other in (("now", AFTER, BEFORE), ("then_", BEFORE, AFTER)):
        session.materialise(name, f"SELECT {listed} FROM {one} EXCEPT ALL SELECT {listed} FROM {other}")
    same = " AND ".join(f"a.{quote(name)} IS NOT DISTINCT FROM b.{quote(name)}" for name in key)
    chosen = ", ".join(f"COALESCE(a.{quote(n)}, b.{quote(n)}) AS {quote(n)}" for n in [*key, "_landing_start", "_line"])
    kind = "CASE WHEN b._line IS NULL THEN 'appears' WHEN a._line IS NULL THEN 'goes' ELSE 'changes' END AS _change"
    session.materialise("row_changes", f"SELECT {kind}, {chosen} FROM now a FULL JOIN then_ b ON {same}")
    counted = session.rows("SELECT _change, COUNT(*) AS n FROM row_changes GROUP BY 1 ORDER BY 1")
    some = session.rows(f"SELECT * FROM row_changes ORDER BY event_date, _landing_start, _line LIMIT {shown}")
    rows = tuple(
        RowChange(
            row["_change"],
            row["event_date"],
            {n: aware(row[n]) for n in stream.primary_key},
            aware(row["_landing_start"]),
            row["_line"],
        )
        for row in some
    )
    return {row["_change"]: row["n"] for row in counted}, rows


def _partitions(stream: Stream, found: Rejudged, changed: tuple[TableChange, ...]) -> dict[str, tuple[date, ...]]:
    written = {paths.silver(stream.name): found.days, paths.quarantine(stream.name): found.landing_days}
    written |= {paths.gold(stream.name, table.name): table.days for table in changed}
    written[paths.unified(stream.name)] = found.days
    written |= {paths.analytics(stream.name, table.name): table.days for table in changed}
    return {path: days for path, days in written.items() if days}


def _above_line(runtime: Runtime, stream: Stream, tables: Tables) -> int:
    realtime, line = runtime.lake.table(paths.realtime(stream.name)).snapshot(), Line.of(tables.silver)
    files = [f for f in realtime.files if line.is_above(f)] if realtime else []
    return sum(f.rows for f in files) - len({f.minimum["_landing_start"] for f in files})
