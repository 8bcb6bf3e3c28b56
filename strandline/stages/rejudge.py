"""Judging again: what silver and quarantine would hold if their lines had been judged by the contract of today.

Nothing is written here. A *rebuild* judges every line of some event dates again, from bronze's raw bytes; a *replay* only
those that are in quarantine. What comes out is compared with what the tables hold, so that only days that differ (in more
than the contract version that judged them) are written again.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from functools import partial
from typing import TYPE_CHECKING, Literal

import pyarrow as pa
import pyarrow.dataset as pads

from strandline.contracts import canonical, contracts_under, identity
from strandline.engines.port import Relation, Scan
from strandline.errors import UsageError
from strandline.lake import paths
from strandline.lake.snapshot import DataFile, Snapshot
from strandline.plan import schemas
from strandline.plan.judge import deduplicate
from strandline.runtime import Runtime
from strandline.spec.model import Stream
from strandline.stages.again import landed_lines, parsed_again, with_columns
from strandline.stages.bronze import Line
from strandline.stages.rows import JUDGED, Judged, check_fail_rules, counts_of, judge_lines, refused_rows
from strandline.stages.silver import dates_of_same_keys, ledger_total

if TYPE_CHECKING:
    from strandline.engines.port import Engine, Session

BEFORE, AFTER = "silver_before", "silver_after"
REFUSED_BEFORE, REFUSED_AFTER = "refused_before", "refused_after"
_UNCOMPARED = "_contract_version"


@dataclass(frozen=True, slots=True)
class Scope:
    """Which lines are judged again. A rebuild: those of the event dates in `[start, end)` (None: open). A replay: those in
    quarantine that landed on these days, refused for one of `reasons` (none: any).
    """

    kind: Literal["rebuild", "replay"]
    start: date | None = None
    end: date | None = None
    reasons: frozenset[str] = frozenset()

    @property
    def whole(self) -> bool:
        """Whether it is a rebuild of everything."""
        return self.kind == "rebuild" and self.start is None and self.end is None

    def holds(self, day: date | None) -> bool:
        """Whether the day is in the range."""
        return day is not None and (self.start is None or day >= self.start) and (self.end is None or day < self.end)

    def condition(self, column: str) -> str:
        """The same in SQL."""
        bounds = [f"{column} >= DATE '{self.start}'"] if self.start else []
        bounds += [f"{column} < DATE '{self.end}'"] if self.end else []
        return " AND ".join(bounds) or "TRUE"


@dataclass(frozen=True, slots=True)
class Tables:
    """The batch tables of a stream, as they stand."""

    bronze: Snapshot | None
    silver: Snapshot | None
    quarantine: Snapshot | None
    ledger: Snapshot | None

    @classmethod
    def of(cls, runtime: Runtime, stream: Stream) -> Tables:
        """The newest versions."""
        name = stream.name
        made = (paths.bronze(name), paths.silver(name), paths.quarantine(name), paths.LEDGER)
        return cls(*(runtime.lake.table(path).snapshot() for path in made))

    @property
    def taken(self) -> int:
        """The last bronze commit that silver has."""
        return self.silver.position("bronze") if self.silver else 0

    def silver_files(self, days: set[date]) -> tuple[DataFile, ...]:
        """Silver's files of some days."""
        return self.silver.files_of(days) if self.silver else ()


@dataclass(frozen=True, slots=True)
class Rejudged:
    """How the tables would change. `days` (event dates of silver) and `landing_days` (of quarantine) differ; silver grows by
    `good` rows, quarantine by `reasons`, by reason. `horizon` is the landing date before which quarantine lets go.

    The session holds `judged` (the lines), and the rows of the days at stake: `silver_before`, `silver_after`,
    `refused_before` and `refused_after`.
    """

    judged: Judged
    days: tuple[date, ...]
    landing_days: tuple[date, ...]
    good: int
    rows: int
    reasons: Mapping[str, int] = field(default_factory=dict)
    horizon: date | None = None
    retyped: bool = False


def rejudge(runtime: Runtime, engine: Engine, session: Session, stream: Stream, tables: Tables, scope: Scope) -> Rejudged:
    """Judges the scope's lines again and compares. Raises `DataError` for a broken `fail` rule, `UsageError` for a range that
    this change does not allow.
    """
    retyped = bool(tables.silver and tables.silver.retyped(schemas.silver(stream)))
    moved = _is_identity_changed(runtime, stream, tables.silver)
    horizon = _horizon(stream, tables)
    _check(stream, tables, scope, retyped or moved, horizon)
    runtime.progress(f"{scope.kind} {stream.name}: judge", 0, None)
    judged = _judge(engine, session, stream, tables, scope, horizon)
    runtime.progress(f"{scope.kind} {stream.name}: compare", 0, None)
    days, good, rows = _silver(engine, session, stream, tables, scope, judged, retyped or moved)
    landing_days, reasons = _quarantine(engine, session, stream, tables, judged, horizon)
    return Rejudged(judged, days, landing_days, good, rows, reasons, horizon, retyped)


def _is_identity_changed(runtime: Runtime, stream: Stream, silver: Snapshot | None) -> bool:
    """Whether silver holds rows judged by a contract under which other lines were the same event, or of another day."""
    if silver is None or not silver.files:
        return False
    found = silver.arrow([_UNCOMPARED])[_UNCOMPARED].unique().to_pylist()
    now = identity(canonical(stream))
    versions = [version for version in found if version and version != stream.version]
    return any(identity(each) != now for v in versions for each in contracts_under(runtime.lake.objects, stream.name, v))


def _horizon(stream: Stream, tables: Tables) -> date | None:
    watermark = Line.of(tables.silver).watermark
    keep = stream.retention.quarantine
    return (watermark - keep).date() if watermark and keep else None


def _check(stream: Stream, tables: Tables, scope: Scope, everything: bool, horizon: date | None) -> None:
    if scope.whole:
        return
    rebuild = f"`strandline run batch --rebuild --stream {stream.name}`"
    if everything:
        raise UsageError(
            f"{stream.name}: the contract changes a column's type, the primary key, the event time or what a duplicate is: "
            f"that touches every day; rebuild everything ({rebuild}, no range)"
        )
    if scope.kind == "replay":
        return
    if stream.deduplicate_within == "stream":
        raise UsageError(f"{stream.name}: keys are unique over the whole stream, so rebuild everything ({rebuild}, no range)")
    kept = tables.quarantine.rows if tables.quarantine else 0
    expired = ledger_total(tables.ledger, stream.name, "quarantined") - kept
    if horizon and expired > 0 and (scope.start is None or scope.start < horizon):
        raise UsageError(
            f"{stream.name}: quarantine has let go of {expired:,} line(s) that landed before {horizon}: rebuild from that day "
            f"on, or everything ({rebuild}, no range)"
        )


def _judge(engine: Engine, session: Session, stream: Stream, tables: Tables, scope: Scope, horizon: date | None) -> Judged:
    if scope.kind == "replay":
        judged = judge_lines(engine, session, stream, _quarantined(stream, tables, scope, horizon))
    elif tables.bronze is None or not tables.taken:
        judged = judge_lines(engine, session, stream, schemas.realtime(stream).empty_table())
    else:
        files = [f for f in tables.bronze.files if f.ordinal <= tables.taken]
        judged = judge_lines(engine, session, stream, landed_lines(stream, tables.bronze, files, anew=True))
    if scope.kind == "rebuild" and not scope.whole:
        judged = _narrowed(session, tables, scope, judged, horizon)
    check_fail_rules(stream, session, judged.judgement)
    return judged


def _narrowed(session: Session, tables: Tables, scope: Scope, judged: Judged, horizon: date | None) -> Judged:
    """Only the lines of the range's event dates, and those that have none and are not shown on another day."""
    undated = "j.event_date IS NULL"
    if horizon:
        undated += f" AND CAST(j._landing_start AS DATE) >= DATE '{horizon}'"
    if tables.silver is not None:
        session.register(
            "outside", tables.silver.dataset(files=[f for f in tables.silver.files if not scope.holds(f.partition)])
        )
        undated += " AND NOT EXISTS (SELECT 1 FROM outside o WHERE o._landing_start = j._landing_start AND o._line = j._line)"
    session.materialise("narrowed", f"SELECT * FROM {JUDGED} AS j WHERE ({scope.condition('j.event_date')}) OR ({undated})")
    session.materialise(JUDGED, "SELECT * FROM narrowed")
    dates = tuple(day for day in judged.dates if scope.holds(day))
    return Judged(judged.judgement, counts_of(session, judged.judgement), dates)


def _quarantined(stream: Stream, tables: Tables, scope: Scope, horizon: date | None) -> Relation:
    """The refused lines of the scope in the realtime schema, parsed again."""
    held = tables.quarantine.files if tables.quarantine else ()
    files = [f for f in held if scope.holds(f.partition) and (not horizon or _later(f, horizon))]
    if tables.quarantine is None or not files:
        return schemas.realtime(stream).empty_table()
    chosen = pads.field("_reason").isin(sorted(scope.reasons)) if scope.reasons else None
    through = partial(_refused_again, stream)
    return Scan(tables.quarantine.dataset(files=files), None, chosen, through, schemas.realtime(stream))


def _refused_again(stream: Stream, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    renamed = {"_field": "_reason_field", "_detail": "_reason_detail"}
    return parsed_again(stream, (rows.rename_columns([renamed.get(n, n) for n in rows.schema.names]) for rows in batches))


def _later(file: DataFile, horizon: date) -> bool:
    return file.partition is not None and file.partition >= horizon


def _silver(
    engine: Engine,
    session: Session,
    stream: Stream,
    tables: Tables,
    scope: Scope,
    judged: Judged,
    everything: bool,
) -> tuple[tuple[date, ...], int, int]:
    """The days that differ, by how many rows they grow, and how many rows there are after."""
    schema = schemas.silver(stream)
    names = ", ".join(engine.dialect.quote(name) for name in schema.names)
    good = f"SELECT {names} FROM {JUDGED} WHERE _verdict IS NULL"
    days = set(judged.dates)
    if scope.kind == "rebuild" and tables.silver:
        days |= {f.partition for f in tables.silver.files if f.partition and scope.holds(f.partition)}
    elif tables.silver:
        days |= set(dates_of_same_keys(session, stream, tables.silver, engine))
    held = tables.silver_files(days)
    if tables.silver and held:
        session.register("held_rows", with_columns(tables.silver.dataset(files=held), schema))
        session.materialise(BEFORE, f"SELECT {_as_typed(engine, stream, tables.silver)} FROM held_rows")
    else:
        session.materialise(BEFORE, f"{good} AND FALSE")
    source = f"({good})" if scope.kind == "rebuild" else f"({good} UNION ALL SELECT {names} FROM {BEFORE})"
    session.materialise(AFTER, deduplicate(stream, engine.dialect, f"{source} AS r", schema.names))
    changed = days if everything else set(differing(engine, session, BEFORE, AFTER, schema.names, schemas.EVENT_DATE))
    after = {r["day"]: r["n"] for r in session.rows(f"SELECT event_date AS day, COUNT(*) AS n FROM {AFTER} GROUP BY 1")}
    before = sum(f.rows for f in tables.silver_files(changed))
    return tuple(sorted(changed)), sum(after.get(day, 0) for day in changed) - before, sum(after.values())


def _as_typed(engine: Engine, stream: Stream, silver: Snapshot) -> str:
    """The select list of silver's columns in the types of today; NULL where a value cannot be one of these."""
    other = set(silver.retyped(schemas.silver(stream)))
    types = {f.name: engine.dialect.type_name(f.type, f.scale) for f in stream.fields}
    types |= {d.name: engine.dialect.type_name(d.type, d.scale, 38) for d in stream.derived}
    quoted = {name: engine.dialect.quote(name) for name in schemas.silver(stream).names}
    return ", ".join(f"TRY_CAST({q} AS {types[n]}) AS {q}" if n in other else q for n, q in quoted.items())


def differing(engine: Engine, session: Session, one: str, other: str, names: list[str], by: str) -> list[date]:
    """The days (column `by`) on which two relations differ in more than the contract version that judged the rows."""
    columns = ", ".join(engine.dialect.quote(name) for name in names if name != _UNCOMPARED)

    def only(left: str, right: str) -> str:
        return f"SELECT {by} AS day FROM (SELECT {columns} FROM {left} EXCEPT ALL SELECT {columns} FROM {right}) AS d"

    found = session.rows(f"SELECT DISTINCT day FROM ({only(one, other)} UNION ALL {only(other, one)}) AS u ORDER BY 1")
    return [row["day"] for row in found]


def _quarantine(
    engine: Engine, session: Session, stream: Stream, tables: Tables, judged: Judged, horizon: date | None
) -> tuple[tuple[date, ...], dict[str, int]]:
    """The landing dates whose refused lines differ, and by how many of each reason they grow."""
    names = schemas.quarantine().names
    listed = ", ".join(engine.dialect.quote(name) for name in names)
    within = f"landing_date >= DATE '{horizon}'" if horizon else "TRUE"
    session.materialise(REFUSED_AFTER, f"SELECT {listed} FROM ({refused_rows(judged.judgement)}) AS r WHERE {within}")
    if tables.quarantine is not None and tables.quarantine.files:
        session.register("held_refused", tables.quarantine.dataset())
        same = f"SELECT 1 FROM {JUDGED} j WHERE j._landing_start = q._landing_start AND j._line = q._line"
        held = f"SELECT {listed} FROM held_refused q WHERE {within} AND EXISTS ({same})"
        session.materialise(REFUSED_BEFORE, held)
    else:
        session.materialise(REFUSED_BEFORE, f"SELECT * FROM {REFUSED_AFTER} WHERE FALSE")
    counted = (
        f"SELECT _reason, CAST(SUM(n) AS BIGINT) AS n FROM (SELECT _reason, 1 AS n FROM {REFUSED_AFTER} "
        f"UNION ALL SELECT _reason, -1 FROM {REFUSED_BEFORE}) AS c GROUP BY 1 ORDER BY 1"
    )
    reasons = {row["_reason"]: row["n"] for row in session.rows(counted) if row["n"]}
    return tuple(differing(engine, session, REFUSED_BEFORE, REFUSED_AFTER, names, schemas.LANDING_DATE)), reasons
