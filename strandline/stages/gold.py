"""Gold: the windows that silver's new rows touch, computed anew; serving's analytics are made by the same code from unified."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable
from datetime import date, timedelta
from typing import TYPE_CHECKING

from strandline.lake.paths import gold as gold_path
from strandline.lake.paths import silver as silver_path
from strandline.lake.tables import Commit, Snapshot, Table
from strandline.plan import schemas
from strandline.plan.aggregate import aggregate
from strandline.runtime import Runtime
from strandline.spec.model import GoldTable, Grain, Stream
from strandline.stages.again import with_columns

if TYPE_CHECKING:
    from strandline.engines.duckdb import DuckEngine

DEFINITION = "definition"
"""The position of an aggregate that changes with its declaration."""


def gold(runtime: Runtime, stream: Stream) -> dict[str, int]:
    """Rows written by table; a table that was up to date counts 0. Grain and columns as the stream's `gold:` declares."""
    source = runtime.lake.table(silver_path(stream.name)).snapshot()
    counts = {}
    for done, declared in enumerate(stream.gold):
        runtime.progress(f"gold {stream.name}", done, len(stream.gold))
        table = runtime.lake.table(gold_path(stream.name, declared.name))
        counts[declared.name] = refresh(runtime, stream, declared, source, table, "silver", served=False) if source else 0
    runtime.progress(f"gold {stream.name}", len(stream.gold), len(stream.gold))
    return counts


def refresh(
    runtime: Runtime, stream: Stream, declared: GoldTable, source: Snapshot, table: Table, application: str, *, served: bool
) -> int:
    """How many rows were written to bring an aggregate up to `source`; only partitions whose windows changed are computed.

    All are, when the table is defined otherwise than when it was last computed.
    """
    schema = schemas.gold(stream, declared, served=served)
    sql = aggregate(stream, declared, runtime.engine.dialect, "rows", served=served)
    definition = definition_of(runtime.engine, stream, declared, served=served)
    written = 0

    def decide(snapshot: Snapshot) -> Commit | None:
        nonlocal written
        written = 0
        anew = snapshot.position(DEFINITION) != definition
        reached = snapshot.position(application)
        if reached > source.ordinal or (reached == source.ordinal and not anew):
            return None
        changed = {f.partition for f in source.files if f.partition and (anew or f.ordinal > reached)}
        starts = window_dates(changed, declared.grain)
        needed = source_dates(starts, declared.grain)
        writer = table.writer(snapshot, schema, ("window_start", "_as_of"))
        files = source.files_of(needed)
        engine = runtime.engine
        if files:
            with engine.session() as session:
                rows = schemas.unified(stream) if served else schemas.silver(stream)
                session.register("rows", with_columns(source.dataset(files=files), rows))
                writer.write_all(session.batches(f"SELECT * FROM ({sql}) AS a ORDER BY event_date, window_start"))
        removed = snapshot.files if anew else snapshot.files_of(starts)
        for day in sorted({f.partition for f in removed if f.partition}):
            writer.touch(day)  # who follows the table hears of windows that are gone
        added = writer.close()
        written = sum(w.rows for w in added)
        positions = {application: source.ordinal, DEFINITION: definition}
        return Commit(added, removed, positions, schema=schema if snapshot.retyped(schema) else None)

    table.commit(schema, decide, schemas.EVENT_DATE, may_retype=True)
    return written


def definition_of(engine: DuckEngine, stream: Stream, declared: GoldTable, *, served: bool) -> int:
    """A positive number that changes with what an aggregate computes."""
    schema = schemas.gold(stream, declared, served=served)
    text = f"{aggregate(stream, declared, engine.dialect, 'rows', served=served)}\n{schema.to_string()}"
    return int(hashlib.sha256(text.encode()).hexdigest()[:12], 16) + 1


def window_dates(dates: Iterable[date], grain: Grain) -> set[date]:
    """The days on which the windows that hold `dates` start."""
    if grain == "week":
        return {day - timedelta(days=day.weekday()) for day in dates}
    if grain == "month":
        return {day.replace(day=1) for day in dates}
    return set(dates)


def source_dates(starts: Collection[date], grain: Grain) -> set[date]:
    """The days whose events the windows starting on `starts` hold."""
    if grain == "week":
        return {day + timedelta(days=n) for day in starts for n in range(7)}
    if grain == "month":
        days = {day + timedelta(days=n) for day in starts for n in range(31)}
        return {day for day in days if day.replace(day=1) in starts}
    return set(starts)
