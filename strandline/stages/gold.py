"""Gold: the windows that silver's new rows touch, computed anew; serving's analytics are made by the same code from unified."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, get_args

from strandline.engines.port import Scan
from strandline.intervals import GRAINS
from strandline.lake.parquet import PartitionedWriter
from strandline.lake.paths import gold as gold_path
from strandline.lake.paths import silver as silver_path
from strandline.lake.snapshot import DataFile, Snapshot
from strandline.lake.tables import Commit, Table
from strandline.plan import schemas
from strandline.plan.aggregate import aggregate
from strandline.plan.dialect import Dialect
from strandline.plan.judge import event_moment, moment_literal
from strandline.runtime import Runtime
from strandline.spec.model import GoldTable, Grain, Stream
from strandline.stages.slices import slices
from strandline.stages.source_rows import SourceRows
from strandline.stages.touched import moment_of, touched_since

if TYPE_CHECKING:
    from strandline.engines.port import Session

_NARROW = 4
"""How many times as many rows an engine may aggregate at once as it may order: of most columns it holds nothing."""
_SMALL = 256 << 10  # bytes of files, as they are stored
_COARSE_FIRST: tuple[Grain, ...] = get_args(Grain)[::-1]
DEFINITION = "definition"
"""The position of an aggregate that changes with its declaration."""


def gold(runtime: Runtime, stream: Stream) -> dict[str, int]:
    """Rows written by table; a table that was up to date counts 0. Grain and columns as the stream's `gold:` declares."""
    source = runtime.lake.table(silver_path(stream.name)).snapshot()
    if source is None:
        return dict.fromkeys((declared.name for declared in stream.gold), 0)
    tables = {declared.name: runtime.lake.table(gold_path(stream.name, declared.name)) for declared in stream.gold}
    return refresh(runtime, stream, source, tables, "silver", served=False)


def refresh(
    runtime: Runtime, stream: Stream, source: Snapshot, tables: Mapping[str, Table], application: str, *, served: bool
) -> dict[str, int]:
    """How many rows were written to bring each aggregate (`tables`, by name) up to `source`; only windows that changed are
    computed, or their days where the source says no more.

    All are, when a table is defined otherwise than when it was last computed.
    """
    counts = dict.fromkeys((declared.name for declared in stream.gold), 0)
    doing, rows = f"{'analytics' if served else 'gold'} {stream.name}", SourceRows(stream, source, served)
    for done, declared in enumerate(sorted(stream.gold, key=lambda table: _COARSE_FIRST.index(table.grain))):
        runtime.progress(doing, done, len(counts))
        counts[declared.name] = _refresh_one(runtime, declared, rows, tables[declared.name], application)
    runtime.progress(doing, len(counts), len(counts))
    return counts


def _refresh_one(runtime: Runtime, declared: GoldTable, source: SourceRows, table: Table, application: str) -> int:
    stream, ordinal = source.stream, source.snapshot.ordinal
    schema = schemas.gold(stream, declared, served=source.served)
    definition = definition_of(runtime.engine.dialect, stream, declared, served=source.served)
    written = 0

    def decide(snapshot: Snapshot) -> Commit | None:
        nonlocal written
        written = 0
        anew = snapshot.position(DEFINITION) != definition
        reached = snapshot.position(application)
        if reached > ordinal or (reached == ordinal and not anew):
            return None
        touched = _touched(stream, declared, source.snapshot, None if anew else reached)
        writer = table.writer(snapshot, schema, ("window_start", "_as_of"))
        with runtime.engine_of(stream).session() as session:
            removed = snapshot.files if anew else snapshot.files_of(touched)
            if isinstance(touched, dict):
                _write_windows(session, declared, source, snapshot, removed, touched, writer)
            else:
                _write_days(session, declared, source, touched, writer)
        for day in sorted({f.partition for f in removed if f.partition}):
            writer.touch(day)  # who follows the table hears of windows that are gone
        added = writer.close()
        written = sum(w.rows for w in added)
        positions = {application: ordinal, DEFINITION: definition}
        return Commit(added, removed, positions, schema=schema if snapshot.retyped(schema) else None)

    table.commit(schema, decide, schemas.EVENT_DATE, may_retype=True)
    return written


def _touched(
    stream: Stream, declared: GoldTable, source: Snapshot, reached: int | None
) -> dict[date, set[datetime]] | set[date]:
    """What to compute again after the source's commit `reached` (None: everything): windows by the day they start on, or
    days.
    """
    everything = {f.partition: None for f in source.files if f.partition}
    since = everything if reached is None else touched_since(source.files, reached)
    precise: dict[date, set[datetime]] = {}
    for day, buckets in since.items():
        if buckets is None or declared.grain in ("week", "month") or stream.field_named(stream.event_time).type != "timestamp":
            return window_dates(since, declared.grain)
        if buckets:
            precise[day] = {window_of(moment_of(number), declared.grain) for number in buckets}
    return precise


def _write_days(
    session: Session, declared: GoldTable, source: SourceRows, starts: Collection[date], writer: PartitionedWriter
) -> None:
    """The windows that start on some days, whole."""
    stream, files = source.stream, source.snapshot.files_of(source_dates(starts, declared.grain))
    if files:
        session.register("rows", source.of_files(files))
        rows, most = sum(f.rows for f in files), session.rows_at_once and session.rows_at_once * _NARROW
        for chosen in slices(session, stream, "rows", rows, most, declared.grain):
            relation = f"(SELECT * FROM rows WHERE {chosen}) AS rows"
            sql = aggregate(stream, declared, session.dialect, relation, served=source.served)
            session.write(f"SELECT * FROM ({sql}) AS a ORDER BY event_date, window_start", writer)


def _write_windows(
    session: Session,
    declared: GoldTable,
    source: SourceRows,
    snapshot: Snapshot,
    removed: Sequence[DataFile],
    touched: Mapping[date, Collection[datetime]],
    writer: PartitionedWriter,
) -> None:
    """The touched windows computed again, and the rest of their days as they are in the files that are `removed`."""
    if not touched:
        return
    stream, dialect = source.stream, session.dialect
    windows = ", ".join(moment_literal(start) for starts in touched.values() for start in sorted(starts))
    columns = schemas.gold(stream, declared, served=source.served).names
    names = ", ".join(dialect.quote(name) for name in columns)
    if session.rows_at_once is not None and sum(file.size for file in removed) <= _SMALL:
        session.register("before", snapshot.arrow(columns, files=removed))
    else:
        session.register("before", Scan(snapshot.dataset(files=removed), columns))
    parts = [f"SELECT {names} FROM before WHERE window_start NOT IN ({windows})"]
    if (rows := source.of_windows(session, touched, declared.grain)) is not None:
        session.register("source_rows", rows)
        window = dialect.window_start(event_moment(stream, dialect), declared.grain)
        chosen = f"(SELECT * FROM source_rows WHERE {window} IN ({windows})) AS rows"
        parts.append(f"SELECT {names} FROM ({aggregate(stream, declared, dialect, chosen, served=source.served)}) AS a")
    session.write(f"SELECT * FROM ({' UNION ALL '.join(parts)}) AS u ORDER BY event_date, window_start", writer)


def definition_of(dialect: Dialect, stream: Stream, declared: GoldTable, *, served: bool) -> int:
    """A positive number that changes with what an aggregate computes, told in one dialect whatever the engine."""
    schema = schemas.gold(stream, declared, served=served)
    text = f"{aggregate(stream, declared, dialect, 'rows', served=served)}\n{schema.to_string()}"
    return int(hashlib.sha256(text.encode()).hexdigest()[:12], 16) + 1


def window_of(moment: datetime, grain: Grain) -> datetime:
    """The start of the window within a day that holds a moment (UTC)."""
    midnight = moment.replace(hour=0, minute=0, second=0, microsecond=0)
    return midnight + (moment - midnight) // GRAINS[grain] * GRAINS[grain]


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
        return {day for start in starts for day in _days_from(start, 7)}
    if grain == "month":
        return {day for start in starts for day in _days_from(start, 31) if day.replace(day=1) in starts}
    return set(starts)


def _days_from(start: date, most: int) -> list[date]:
    """`start` and the days after it, `most` in all; fewer where the calendar ends (9999-12-31)."""
    return [start + timedelta(days=n) for n in range(min(most, (date.max - start).days + 1))]
