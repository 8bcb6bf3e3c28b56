"""Merge: the served view, both sides of the line as one.

Unified takes the new realtime commits as they come (judged and deduplicated like silver's), so it is always a function of
all lines landed so far. When batch has moved the line, the touched days are computed again from silver and what is above
the line, compared, and rewritten where they differ: rows turn from provisional to final, and anything else that differs is
counted as drift. Then the analytics follow, and last one pointer names the versions that belong together.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as pads

from strandline.contracts import is_reused
from strandline.errors import StorageError
from strandline.lake.objects import ObjectMissing
from strandline.lake.parquet import WrittenFile
from strandline.lake.paths import analytics, published
from strandline.lake.paths import realtime as realtime_path
from strandline.lake.paths import silver as silver_path
from strandline.lake.paths import unified as unified_path
from strandline.lake.tables import Commit, DataFile, Snapshot, SupersededError, Table
from strandline.plan import schemas
from strandline.plan.judge import deduplicate
from strandline.runtime import Runtime
from strandline.spec.model import Stream
from strandline.stages.again import with_columns
from strandline.stages.bronze import Line
from strandline.stages.gold import refresh
from strandline.stages.rows import JUDGED, Judged, check_budgets, judge_files
from strandline.stages.silver import CONTRACT, RESTATEMENTS

if TYPE_CHECKING:
    from strandline.engines.duckdb import DuckEngine, DuckSession

_TRIES = 5


@dataclass(frozen=True, slots=True)
class Pointer:
    """The table versions that belong together: `unified`, and `analytics` by table.

    `realtime` and `silver` are the commits they have taken; `watermark` and `as_of` are ISO 8601 in UTC, None before the
    first batch or event.
    """

    unified: int
    analytics: Mapping[str, int]
    realtime: int
    silver: int
    watermark: str | None
    as_of: str | None


def merge(runtime: Runtime, stream: Stream) -> dict[str, int]:
    """Counts: new `lines`, rows `added`, `duplicates`, `quarantined`; `reconciled` rows, their `drift`, and how many a rebuild
    or replay has `restated`; `analytics` rows written.

    Raises `DataError` when a `fail` rule or budget is broken; then the published versions stay as they were.
    """
    counts = dict.fromkeys(("lines", "added", "duplicates", "quarantined", "reconciled", "drift", "restated", "analytics"), 0)
    for attempt in range(_TRIES):
        try:
            _refresh_unified(runtime, stream, counts)
            break
        except SupersededError:
            if attempt + 1 == _TRIES:
                raise
    unified = runtime.lake.table(unified_path(stream.name)).snapshot()
    if unified is None:
        return counts
    tables = {}
    for done, declared in enumerate(stream.gold):
        runtime.progress(f"analytics {stream.name}", done, len(stream.gold))
        table = runtime.lake.table(analytics(stream.name, declared.name))
        counts["analytics"] += refresh(runtime, stream, declared, unified, table, "unified", served=True)
        tables[declared.name] = table
    _publish(runtime, stream, unified, tables)
    return counts


def _refresh_unified(runtime: Runtime, stream: Stream, counts: dict[str, int]) -> None:
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
    if silver is not None and silver.ordinal > (current.position("silver") if current else 0):
        _reconcile(runtime, stream, table, realtime, silver, counts)
    if new and retyped and settled:
        _take_new(runtime, stream, table, realtime, counts)


def _take_new(runtime: Runtime, stream: Stream, table: Table, realtime: Snapshot, counts: dict[str, int]) -> None:
    """Add what the realtime commits since the last position bring. New events are appended; only files holding an event
    that a new line is another version of are written again.
    """
    schema, engine = schemas.unified(stream), runtime.engine
    anew = is_reused(runtime.lake.objects, stream)

    def decide(snapshot: Snapshot) -> Commit | None:
        base = snapshot.position("realtime")
        if base >= realtime.ordinal:
            return None
        with engine.session() as session:
            runtime.progress(f"merge {stream.name}: judge", 0, None)
            judged = judge_files(engine, session, stream, realtime, realtime.files_since(base), anew=anew)
            touched = _holding_same_events(engine, session, stream, snapshot, judged.dates)
            names = _names(engine, schema)
            fresh = f"SELECT {_served(engine, schema, schemas.PROVISIONAL)} FROM {JUDGED} WHERE _verdict IS NULL"
            relation = f"({fresh})"
            if touched:
                session.register("existing", with_columns(snapshot.dataset(files=touched), schema))
                relation = f"({fresh} UNION ALL SELECT {names} FROM existing)"
            session.materialise("merged", deduplicate(stream, engine.dialect, f"{relation} AS r", schema.names))
            kept = session.rows("SELECT COUNT(*) AS n FROM merged")[0]["n"]
            added = kept - sum(f.rows for f in touched)
            good = judged.counts.lines - judged.counts.quarantined
            check_budgets(engine, session, stream, judged.counts, good - added)
            written = _write(table, snapshot, session, stream, schema)
        counts.update(lines=judged.counts.lines, added=added, duplicates=good - added, quarantined=judged.counts.quarantined)
        return Commit(add=written, remove=touched, positions={"realtime": realtime.ordinal})

    table.commit(schema, decide, schemas.EVENT_DATE)


def _holding_same_events(
    engine: DuckEngine, session: DuckSession, stream: Stream, snapshot: Snapshot, dates: Collection[date]
) -> list[DataFile]:
    """The files of unified that hold an event of which `judged` has another line; reads the key columns only."""
    key = list(stream.primary_key)
    if stream.deduplicate_within == "event_date":
        candidates = snapshot.files_of(dates)
        key.append("event_date")
    else:
        candidates = snapshot.files
    if not candidates:
        return []
    session.materialise("new_keys", f"SELECT DISTINCT {_listed(engine, key)} FROM {JUDGED} WHERE _verdict IS NULL")
    session.register("held", snapshot.rows_with_files(candidates, key))
    same = " AND ".join(f"h.{engine.dialect.quote(name)} = n.{engine.dialect.quote(name)}" for name in key)
    found = {row["_file"] for row in session.rows(f"SELECT DISTINCT h._file FROM held h JOIN new_keys n ON {same}")}
    return [file for file in candidates if file.path in found]


def _reconcile(
    runtime: Runtime, stream: Stream, table: Table, realtime: Snapshot, silver: Snapshot, counts: dict[str, int]
) -> None:
    """Compute the days that batch touched from silver and the lines above the line; compare; rewrite the days that differ.

    After a rebuild also the days of the lines above the line, which the contract of today judges otherwise; what differs then,
    or after a replay, is `restated`, not drift.
    """
    schema, engine = schemas.unified(stream), runtime.engine
    line, anew = Line.of(silver), is_reused(runtime.lake.objects, stream)
    marks = {name: silver.position(name) for name in (CONTRACT, RESTATEMENTS)}

    def decide(snapshot: Snapshot) -> Commit | None:
        base = snapshot.position("silver")
        if base >= silver.ordinal:
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
            if snapshot.position(CONTRACT) != marks[CONTRACT] and not retyped:
                days |= set(judged.dates) | _provisional_dates(snapshot)
            if stream.deduplicate_within == "stream" or retyped:
                days |= {f.partition for f in (*silver.files, *snapshot.files) if f.partition} | set(judged.dates)
            changed = _differing(engine, session, stream, snapshot, silver, judged, days, retyped)
            session.materialise("merged", f"SELECT * FROM expected WHERE event_date IN ({_dates(changed.days)})")
            written = _write(table, snapshot, session, stream, schema, changed.days)
        restated = snapshot.position(RESTATEMENTS) != marks[RESTATEMENTS]
        found = 0 if first else changed.drift
        counts.update(
            reconciled=sum(w.rows for w in written), drift=0 if restated else found, restated=found if restated else 0
        )
        positions = {"realtime": seen, "silver": silver.ordinal, "watermark": silver.position("watermark"), **marks}
        note = {"drift": counts["drift"]}
        return Commit(written, snapshot.files_of(changed.days), positions, note, schema if retyped else None)

    table.commit(schema, decide, schemas.EVENT_DATE, may_retype=True)


def _provisional_dates(snapshot: Snapshot) -> set[date]:
    """The days that show an event from above the line."""
    found = snapshot.arrow([schemas.EVENT_DATE], pads.field("_status") == schemas.PROVISIONAL)
    return set(pc.unique(found[schemas.EVENT_DATE]).to_pylist())


@dataclass(frozen=True, slots=True)
class _Changed:
    """The days whose served rows differ from the recomputed ones; `drift` counts rows that differ in more than their status
    and the contract version that judged them.
    """

    days: tuple[date, ...]
    drift: int


def _differing(
    engine: DuckEngine,
    session: DuckSession,
    stream: Stream,
    snapshot: Snapshot,
    silver: Snapshot,
    judged: Judged,
    days: Collection[date],
    retyped: bool,
) -> _Changed:
    schema = schemas.unified(stream)
    chosen = _dates(days)
    above = _served(engine, schema, schemas.PROVISIONAL)
    parts = [f"SELECT {above} FROM {JUDGED} WHERE _verdict IS NULL AND event_date IN ({chosen})"]
    if held := silver.files_of(days):
        session.register("settled", with_columns(silver.dataset(files=held), schemas.silver(stream)))
        parts.append(f"SELECT {_served(engine, schema, schemas.FINAL)} FROM settled")
    relation = f"({' UNION ALL '.join(parts)}) AS r"
    session.materialise("expected", deduplicate(stream, engine.dialect, relation, schema.names))
    if retyped:
        return _Changed(tuple(sorted(days)), 0)
    session.register("served", with_columns(snapshot.dataset(files=snapshot.files_of(days)), schema))
    names, values = _names(engine, schema), _names(engine, schema, without=("_status", "_contract_version"))
    session.materialise("shown", f"SELECT {names} FROM served")

    def differences(columns: str) -> str:
        one = f"(SELECT {columns} FROM expected EXCEPT ALL SELECT {columns} FROM shown)"
        other = f"(SELECT {columns} FROM shown EXCEPT ALL SELECT {columns} FROM expected)"
        return f"SELECT event_date FROM (SELECT * FROM {one} AS a UNION ALL SELECT * FROM {other} AS b) AS d"

    changed = session.rows(f"SELECT DISTINCT event_date FROM ({differences(names)}) AS c ORDER BY 1")
    drift = session.rows(f"SELECT COUNT(*) AS n FROM ({differences(values)}) AS c")[0]["n"]
    return _Changed(tuple(row["event_date"] for row in changed), drift)


def _write(
    table: Table, snapshot: Snapshot, session: DuckSession, stream: Stream, schema: pa.Schema, days: Collection[date] = ()
) -> list[WrittenFile]:
    """The files of `merged`; one of `days` that has no row left gets an empty file, so that the analytics hear of it."""
    writer = table.writer(snapshot, schema, (stream.event_time, "_as_of"))
    writer.write_all(session.batches(f'SELECT * FROM merged ORDER BY event_date, "{stream.event_time}"'))
    for day in days:
        writer.touch(day)
    return writer.close()


def _served(engine: DuckEngine, schema: pa.Schema, status: str) -> str:
    """The select list that makes silver columns into unified's."""
    own = {"_as_of": "_landing_end AS _as_of", "_status": f"'{status}' AS _status"}
    return ", ".join(own.get(name, engine.dialect.quote(name)) for name in schema.names)


def _names(engine: DuckEngine, schema: pa.Schema, without: Collection[str] = ()) -> str:
    return _listed(engine, [name for name in schema.names if name not in without])


def _listed(engine: DuckEngine, names: Sequence[str]) -> str:
    return ", ".join(engine.dialect.quote(name) for name in names)


def _dates(days: Collection[date]) -> str:
    return ", ".join(f"DATE '{day.isoformat()}'" for day in sorted(days)) or "NULL"


def _publish(runtime: Runtime, stream: Stream, unified: Snapshot, tables: dict[str, Table]) -> None:
    """Name the versions that belong together, in one object that appears at once."""
    versions = {}
    for name, table in tables.items():
        snapshot = table.snapshot()
        if snapshot is None or snapshot.position("unified") != unified.ordinal:
            return
        versions[name] = snapshot.version
    watermark = Line.of(unified).watermark
    as_of = max((f.maximum["_as_of"] for f in unified.files if "_as_of" in f.maximum), default=None)
    pointer = Pointer(
        unified=unified.version,
        analytics=versions,
        realtime=unified.position("realtime"),
        silver=unified.position("silver"),
        watermark=watermark.isoformat() if watermark else None,
        as_of=as_of.isoformat() if as_of else None,
    )
    shown = read_pointer(runtime, stream.name)
    if shown is None or (shown.unified <= pointer.unified and shown != pointer):
        data = json.dumps(asdict(pointer), indent=1).encode()
        runtime.lake.objects.put(published(stream.name), data, content_type="application/json")
        newest = runtime.lake.table(unified_path(stream.name)).snapshot()
        if newest is not None and newest.version > unified.version:  # whose pointer this one may have replaced
            _publish(runtime, stream, newest, tables)


def read_pointer(runtime: Runtime, stream: str) -> Pointer | None:
    """The published versions of a stream; None before the first merge."""
    objects = runtime.lake.objects
    try:
        return Pointer(**json.loads(objects.get(published(stream))))
    except ObjectMissing:
        return None
    except (TypeError, ValueError) as error:
        raise StorageError(f"{published(stream)} is not a pointer: {error}") from error
