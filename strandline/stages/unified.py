"""Unified: one row an event, from both sides of the line, kept up to date by what is new.

New realtime commits are judged and deduplicated like silver's, so the table is always a function of all lines landed so far.
When batch has moved the line, the touched days are computed again from silver and what is above the line, compared, and
rewritten where they differ: rows turn from provisional to final, and anything else that differs is counted as drift.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as pads

from strandline.contracts import digest_number, is_reused
from strandline.lake.parquet import WrittenFile
from strandline.lake.paths import realtime as realtime_path
from strandline.lake.paths import silver as silver_path
from strandline.lake.paths import unified as unified_path
from strandline.lake.snapshot import DataFile, Snapshot
from strandline.lake.tables import Commit, SupersededError, Table
from strandline.plan import schemas
from strandline.plan.judge import event_moment
from strandline.runtime import Runtime
from strandline.spec.model import Stream
from strandline.stages.again import with_columns
from strandline.stages.bronze import Line
from strandline.stages.gather import gather, unified_statistics
from strandline.stages.rewrite import write_again
from strandline.stages.rows import JUDGED, Judged, check_budgets, judge_files, repeats, without_repeats
from strandline.stages.silver import CONTRACT, RESTATEMENTS
from strandline.stages.slices import write_by_time
from strandline.stages.touched import Touched, bucket

if TYPE_CHECKING:
    from strandline.engines.port import Engine, Session


def refresh_unified(runtime: Runtime, stream: Stream, counts: dict[str, int]) -> None:
    """Bring unified up to everything that has landed and been settled; what was done is added to `counts` (as `merge` names
    them).
    """
    lake = runtime.lake
    table = lake.table(unified_path(stream.name))
    current = table.snapshot()
    silver = lake.table(silver_path(stream.name)).snapshot()
    realtime = lake.table(realtime_path(stream.name)).snapshot()
    if realtime is None:
        return
    position = current.position("realtime") if current else 0
    settled = silver is not None and silver.ordinal > 0
    new = realtime.ordinal > position and (bool(position) or not settled)
    retyped = current is not None and bool(current.retyped(schemas.unified(stream)))
    if silver is not None and settled:
        lake.table(silver_path(stream.name)).check_types(silver, schemas.silver(stream))
    if new and not (retyped and settled):
        _take_new(runtime, stream, table, realtime, counts)
        current = table.snapshot()
    if silver is not None and (
        silver.ordinal > (current.position("silver") if current else 0) or _is_judged_otherwise(stream, silver, current)
    ):
        _reconcile(runtime, stream, table, realtime, silver, counts)
    if new and retyped and settled:
        _take_new(runtime, stream, table, realtime, counts)


def _is_judged_otherwise(stream: Stream, silver: Snapshot, current: Snapshot | None) -> bool:
    """Whether silver was rebuilt under the contract of today, but lines above the line were judged by another one since."""
    return current is not None and current.position(CONTRACT) != silver.position(CONTRACT) == digest_number(stream)


def _take_new(runtime: Runtime, stream: Stream, table: Table, realtime: Snapshot, counts: dict[str, int]) -> None:
    """Add what the realtime commits since the last position bring. New events go into a file of their own; only files holding
    an event that a new line is another version of are written again, each by itself.
    """
    schema, engine = schemas.unified(stream), runtime.engine_of(stream)
    anew = is_reused(runtime.lake.objects, stream)

    def decide(snapshot: Snapshot) -> Commit | None:
        base = snapshot.position("realtime")
        if base >= realtime.ordinal:
            return None
        with engine.session() as session:
            runtime.progress(f"merge {stream.name}: judge", 0, None)
            judged = judge_files(engine, session, stream, realtime, realtime.files_since(base), anew=anew)
            holding = _holding_same_events(engine, session, stream, snapshot, judged.dates)
            outranked = _outranked(engine, session, stream, holding)
            duplicates = sum(outranked.values())
            added = judged.counts.lines - judged.counts.quarantined - duplicates
            check_budgets(engine, session, stream, judged.counts, duplicates)
            replaced = [f for f in holding if f.path in outranked]
            written = _write_new(engine, table, snapshot, session, stream, replaced)
            merged = gather(table, snapshot, session, stream, {w.partition for w in written if w.partition}, replaced)
        counts.update(lines=judged.counts.lines, added=added, duplicates=duplicates, quarantined=judged.counts.quarantined)
        positions = {"realtime": realtime.ordinal}
        if snapshot.position(CONTRACT) not in (0, digest_number(stream)):
            positions[CONTRACT] = 0  # no longer as the rebuild left it
        return Commit([*written, *merged.written], [*replaced, *merged.files], positions)

    table.commit(schema, decide, schemas.EVENT_DATE)


def _holding_same_events(
    engine: Engine, session: Session, stream: Stream, snapshot: Snapshot, dates: Collection[date]
) -> list[DataFile]:
    """The files of unified that hold an event of which `judged` has another line, and in the relation `held` what ranks those
    rows. Of the other rows no more than the key columns is read.
    """
    dialect, key = engine.dialect, list(stream.primary_key)
    if stream.deduplicate_within == "event_date":
        candidates = snapshot.files_of(dates)
        key.append(schemas.EVENT_DATE)
    else:
        candidates = snapshot.files
    if not candidates:
        return []
    session.materialise("new_keys", f"SELECT DISTINCT {_listed(engine, key)} FROM {JUDGED} WHERE _verdict IS NULL")
    first = session.table(f"SELECT DISTINCT {dialect.quote(key[0])} FROM new_keys")[key[0]].combine_chunks()
    may_be = _one_of(key[0], first)
    same = " AND ".join(f"h.{dialect.quote(name)} = n.{dialect.quote(name)}" for name in key)
    session.register("held_keys", snapshot.scan_with_files(candidates, key, may_be))
    found = {row["_file"] for row in session.rows(f"SELECT DISTINCT h._file FROM held_keys h JOIN new_keys n ON {same}")}
    holding = [file for file in candidates if file.path in found]
    if holding:
        session.register("held_rows", snapshot.scan_with_files(holding, _ranking(stream), may_be))
        session.materialise("held", f"SELECT h.* FROM held_rows h JOIN new_keys n ON {same}")
    return holding


def _one_of(column: str, values: pa.Array) -> pads.Expression | None:
    """Where a column may have one of the values, so that most rows need not reach the engine. Keys often grow with time: row
    groups whose bounds lie beside those of the values are not read.
    """
    if not (pa.types.is_string(values.type) or pa.types.is_int64(values.type)):
        return None
    low, high = pc.min_max(values).values()
    field = pads.field(column)
    return (field >= low) & (field <= high) & field.isin(values)


def _ranking(stream: Stream) -> list[str]:
    """The columns that say which row of an event counts, and which window it is in."""
    own = (schemas.EVENT_DATE, stream.event_time, "_landing_start", "_line")
    return list(dict.fromkeys([*stream.primary_key, *stream.sequence_by, *own]))


def _outranked(engine: Engine, session: Session, stream: Stream, holding: Sequence[DataFile]) -> dict[str | None, int]:
    """How many rows of each file (None: of the new ones) another row of the same event outranks: those of the relation
    `outranked`, where `_file` says whose they are.
    """
    listed = _listed(engine, _ranking(stream))
    relation = f"SELECT {listed}, CAST(NULL AS STRING) AS _file FROM {JUDGED} WHERE _verdict IS NULL"
    if holding:
        relation += f" UNION ALL SELECT {listed}, _file FROM held"
    told = ["_file", schemas.EVENT_DATE, engine.dialect.quote(stream.event_time)]
    session.materialise("outranked", repeats(stream, engine.dialect, f"({relation})", told))
    return {row["_file"]: row["n"] for row in session.rows("SELECT _file, COUNT(*) AS n FROM outranked GROUP BY 1")}


def _write_new(
    engine: Engine, table: Table, snapshot: Snapshot, session: Session, stream: Stream, replaced: Sequence[DataFile]
) -> list[WrittenFile]:
    """The files of what is not `outranked`: what stays of the replaced ones, and apart from it the new rows; each says which
    windows the commit touched.
    """
    schema, dialect = schemas.unified(stream), engine.dialect
    same = "o._landing_start = r._landing_start AND o._line = r._line"
    served = _served(engine, schema, schemas.PROVISIONAL)
    new = f"{JUDGED} AS r WHERE _verdict IS NULL AND NOT EXISTS (SELECT 1 FROM outranked o WHERE o._file IS NULL AND {same})"
    writer = table.writer(snapshot, schema, unified_statistics(stream))
    if replaced:
        write_again(session, snapshot, stream, replaced, "outranked", writer)
    session.write(f"SELECT {served} FROM {new} ORDER BY event_date, {dialect.quote(stream.event_time)}", writer)
    window = dialect.window_start(event_moment(stream, dialect), "5 minutes")
    windows = f"event_date, {window} AS window_start"
    touched = f"SELECT {windows} FROM {new} UNION SELECT {windows} FROM outranked WHERE _file IS NOT NULL"
    buckets: dict[date | None, set[int | None]] = {}
    for row in session.rows(touched):
        start = row["window_start"]  # None: the contract took another field for the event time since the row was served
        buckets.setdefault(row["event_date"], set()).add(bucket(start.replace(tzinfo=UTC)) if start else None)
    for day in buckets:
        writer.touch(day)
    carried = {}
    for written in {w.partition for w in writer.close()}:
        before = [f for f in replaced if f.partition == written]
        carried[written] = Touched.over(before, snapshot.ordinal + 1, buckets.get(written, ())).tags()
    return [replace(w, tags=carried[w.partition]) for w in writer.close()]


def _reconcile(
    runtime: Runtime, stream: Stream, table: Table, realtime: Snapshot, silver: Snapshot, counts: dict[str, int]
) -> None:
    """Compute the days that batch touched from silver and the lines above the line; compare; rewrite the days that differ.

    After a rebuild also the days of the lines above the line, which the contract of today judges otherwise; what differs then,
    or after a replay, is `restated`, not drift.
    """
    schema, engine = schemas.unified(stream), runtime.engine_of(stream)
    line, anew = Line.of(silver), is_reused(runtime.lake.objects, stream)
    rebuilt = silver.position(CONTRACT)
    mark = rebuilt if rebuilt == digest_number(stream) else 0

    def decide(snapshot: Snapshot) -> Commit | None:
        base = snapshot.position("silver")
        if base > silver.ordinal or (base == silver.ordinal and not _is_judged_otherwise(stream, silver, snapshot)):
            return None
        first = snapshot.position("realtime") == 0
        seen = realtime.ordinal if first else snapshot.position("realtime")
        if seen > realtime.ordinal:
            raise SupersededError(f"unified of {stream.name} has seen a newer realtime table")
        above = [f for f in realtime.files if line.is_above(f) and f.ordinal <= seen]
        with engine.session() as session:
            runtime.progress(f"merge {stream.name}: reconcile", 0, None)
            judged = judge_files(engine, session, stream, realtime, above, anew=anew)
            retyped = bool(snapshot.retyped(schema))
            days = {f.partition for f in silver.files_since(base) if f.partition} | (set(judged.dates) if first else set())
            if snapshot.position(CONTRACT) != rebuilt and not retyped:
                days |= set(judged.dates) | _provisional_dates(snapshot)
            if stream.deduplicate_within == "stream" or retyped:
                days |= {f.partition for f in (*silver.files, *snapshot.files) if f.partition} | set(judged.dates)
            changed = _differing(engine, session, stream, snapshot, silver, judged, days, retyped)
            written = _write(table, snapshot, session, stream, changed)
        restated = snapshot.position(RESTATEMENTS) != silver.position(RESTATEMENTS)
        restated = restated or _is_judged_otherwise(stream, silver, snapshot)
        found = 0 if first else changed.drift
        counts.update(
            reconciled=sum(w.rows for w in written), drift=0 if restated else found, restated=found if restated else 0
        )
        positions = {"realtime": seen, "silver": silver.ordinal, "watermark": silver.position("watermark")}
        positions |= {RESTATEMENTS: silver.position(RESTATEMENTS), CONTRACT: mark}
        note = {"drift": counts["drift"]}
        return Commit(written, snapshot.files_of(changed.days), positions, note, schema if retyped else None)

    table.commit(schema, decide, schemas.EVENT_DATE, may_retype=True)


def _provisional_dates(snapshot: Snapshot) -> set[date]:
    """The days that show an event from above the line."""
    found = snapshot.arrow([schemas.EVENT_DATE], pads.field("_status") == schemas.PROVISIONAL)
    return set(pc.unique(found[schemas.EVENT_DATE]).to_pylist())


@dataclass(frozen=True, slots=True)
class _Changed:
    """The days whose served rows differ from the recomputed ones (`expected`, a query of the session); `drift` counts rows that
    differ in more than their status and the contract version that judged them; `expected` has at most `rows`.
    """

    days: tuple[date, ...]
    drift: int
    expected: str
    rows: int


def _differing(
    engine: Engine,
    session: Session,
    stream: Stream,
    snapshot: Snapshot,
    silver: Snapshot,
    judged: Judged,
    days: Collection[date],
    retyped: bool,
) -> _Changed:
    schema, dialect = schemas.unified(stream), engine.dialect
    names = _listed(engine, schema.names)
    above = _served(engine, schema, schemas.PROVISIONAL)
    parts = [f"SELECT {above}, FALSE AS _held FROM {JUDGED} WHERE _verdict IS NULL AND event_date IN ({_dates(days)})"]
    if held := silver.files_of(days):
        session.register("settled", with_columns(silver.dataset(files=held), schemas.silver(stream)))
        parts.append(f"SELECT {_served(engine, schema, schemas.FINAL)}, TRUE AS _held FROM settled")
    relation = f"({' UNION ALL '.join(parts)})"
    expected, _ = without_repeats(session, stream, relation, names)
    rows = judged.counts.lines + sum(f.rows for f in held)
    if retyped:
        return _Changed(tuple(sorted(days)), 0, expected, rows)
    session.register("served", with_columns(snapshot.dataset(files=snapshot.files_of(days)), schema))
    values = [dialect.quote(name) for name in schema.names if name not in ("_status", "_contract_version")]
    both = f"SELECT *, 1 AS _side FROM ({expected}) AS e UNION ALL SELECT {names}, -1 AS _side FROM served"
    everything = [dialect.quote(name) for name in schema.names]
    hashed = f"event_date, {dialect.hash(everything)} AS _whole, {dialect.hash(values)} AS _told"
    session.materialise("compared", f"SELECT {hashed}, _side FROM ({both}) AS b")

    def differences(column: str) -> str:
        either = f"SELECT event_date, ABS(SUM(_side)) AS n FROM compared GROUP BY event_date, {column}"
        return f"{either} HAVING SUM(_side) <> 0"

    changed = session.rows(f"SELECT DISTINCT event_date FROM ({differences('_whole')}) AS c ORDER BY 1")
    drift = session.rows(f"SELECT CAST(COALESCE(SUM(n), 0) AS BIGINT) AS n FROM ({differences('_told')}) AS c")[0]["n"]
    return _Changed(tuple(row["event_date"] for row in changed), drift, expected, rows)


def _write(table: Table, snapshot: Snapshot, session: Session, stream: Stream, changed: _Changed) -> list[WrittenFile]:
    """The files of the days that changed; one that has no row left gets an empty file, so that the analytics hear of it."""
    writer = table.writer(snapshot, schemas.unified(stream), unified_statistics(stream))
    if changed.days:
        rows = f"(SELECT * FROM ({changed.expected}) AS e WHERE event_date IN ({_dates(changed.days)}))"
        write_by_time(session, stream, rows, changed.rows, writer)
    for day in changed.days:
        writer.touch(day)
    return writer.close()


def _served(engine: Engine, schema: pa.Schema, status: str) -> str:
    """The select list that makes silver columns into unified's."""
    own = {"_as_of": "_landing_end AS _as_of", "_status": f"'{status}' AS _status"}
    return ", ".join(own.get(name, engine.dialect.quote(name)) for name in schema.names)


def _listed(engine: Engine, names: Sequence[str]) -> str:
    return ", ".join(engine.dialect.quote(name) for name in names)


def _dates(days: Collection[date]) -> str:
    return ", ".join(f"DATE '{day.isoformat()}'" for day in sorted(days)) or "NULL"
