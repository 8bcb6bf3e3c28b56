"""Land: lines, staged or just read, become rows of the realtime table, each parsed once; the position is committed with them.

One row a line, and one row of its own (`_line` 0) a micro-batch. Landing twice, or twice at once, changes nothing.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from functools import partial
from types import MappingProxyType
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from strandline.at_once import in_order
from strandline.errors import TransientError
from strandline.intervals import Interval
from strandline.lake.landings import STATISTICS, Landings
from strandline.lake.parquet import PartitionedWriter, WrittenFile
from strandline.lake.paths import bronze, realtime, staging
from strandline.lake.snapshot import Snapshot
from strandline.lake.tables import Commit
from strandline.memory import keep_freed_memory
from strandline.plan import schemas
from strandline.runtime import Runtime
from strandline.spec.model import Stream
from strandline.stages.again import parse_batch
from strandline.stages.generate import SourceLines, generate, landings, pending, unlanded
from strandline.stages.staged import Lines, StagedLines, staged_keys

INTERVALS_A_COMMIT = 48
NOTHING: Mapping[str, int] = MappingProxyType({"intervals": 0, "lines": 0, "unparsed": 0})


def land(runtime: Runtime, stream: Stream, interval: Interval) -> dict[str, int]:
    """Counts of what this call landed: `intervals`, `lines`, `unparsed`; zeros when `interval` had landed before.

    Lands the missed intervals before `interval` too, in order. Raises `ObjectMissing` when an interval was never staged.
    """
    landed = landings(runtime, stream)
    return _land_all(runtime, stream, landed, pending(landed, stream, interval), _staged(runtime, stream))


def ingest(runtime: Runtime, stream: Stream, interval: Interval) -> dict[str, int]:
    """`generate` and `land` in one call."""
    generate(runtime, stream, interval)
    return land(runtime, stream, interval)


def ingest_intervals(runtime: Runtime, stream: Stream, intervals: Iterable[Interval]) -> dict[str, int]:
    """Counts like `land`, of exactly the given intervals (those that had not landed yet). Raises like `generate`.

    `INTERVALS_A_COMMIT` are committed at a time: a long backfill that was killed goes on where it was. What is staged for an
    interval lands; of the others the source's lines land as they are read (see `SourceLines.take`). Unless the runtime has one
    thread, the next ones are read while some are written.
    """
    landed = landings(runtime, stream)
    try:
        return _land_all(runtime, stream, landed, unlanded(landed, intervals), _taken(runtime, stream))
    except _UnreadError as error:
        raise error.why from error


_Given: TypeAlias = Callable[[Landings, Sequence[Interval]], Iterator[tuple[Interval, Lines]]]
"""The lines of intervals, one after the other; the landings are those before the first."""


def _staged(runtime: Runtime, stream: Stream) -> _Given:
    def given(landed: Landings, intervals: Sequence[Interval]) -> Iterator[tuple[Interval, Lines]]:
        for each in intervals:
            yield each, StagedLines(runtime.lake.objects, stream.name, each, again)

    def again(names: Sequence[str]) -> Iterator[pa.RecordBatch]:
        return SourceLines(runtime, stream).again(names)

    return given


def _taken(runtime: Runtime, stream: Stream) -> _Given:
    source = SourceLines(runtime, stream)

    def given(landed: Landings, intervals: Sequence[Interval]) -> Iterator[tuple[Interval, Lines]]:
        source.go_on_after(landed)
        staged = staged_keys(runtime.lake.objects, stream.name)
        for each in intervals:
            yield each, source.staged(each) if staging(stream.name, each) in staged else taken(each)

    def taken(interval: Interval) -> Lines:
        try:
            return source.take(interval)
        except TransientError as error:
            raise _UnreadError(error) from error

    return given


class _UnreadError(Exception):
    """The source could not be read: the commit, which tries again what the lake has failed to do, must not ask it once more."""

    def __init__(self, why: TransientError) -> None:
        super().__init__(str(why))
        self.why = why


def _land_all(runtime: Runtime, stream: Stream, known: Landings, waiting: Sequence[Interval], given: _Given) -> dict[str, int]:
    counts = dict(NOTHING)

    def progress(before: int, done: int) -> None:
        runtime.progress(f"land {stream.name}, intervals", before + done, len(waiting))

    progress(0, 0)
    if not waiting:
        return counts
    with keep_freed_memory():
        for first in range(0, len(waiting), INTERVALS_A_COMMIT):
            group = waiting[first : first + INTERVALS_A_COMMIT]
            landed = _commit(runtime, stream, group, None if first else known.realtime, given, partial(progress, first))
            counts = _added(counts, landed)
    progress(0, len(waiting))
    return counts


def _added(counts: Mapping[str, int], more: Mapping[str, int]) -> dict[str, int]:
    return {name: counts[name] + more.get(name, 0) for name in counts}


def _commit(
    runtime: Runtime,
    stream: Stream,
    intervals: Sequence[Interval],
    known: Snapshot | None,
    given: _Given,
    progress: Callable[[int], None],
) -> dict[str, int]:
    schema = schemas.realtime(stream)
    table = runtime.lake.table(realtime(stream.name))
    archive = runtime.lake.table(bronze(stream.name)).snapshot
    counts = dict(NOTHING)

    def decide(snapshot: Snapshot) -> Commit | None:
        counts.update(NOTHING)
        landed = Landings(snapshot, archive)
        missing = [each for each in intervals if not landed.is_landed(each)]
        if not missing:
            return None

        def written(item: tuple[Interval, Lines, Collection[str]]) -> tuple[list[WrittenFile], dict[str, int]]:
            interval, lines, repeated = item

            def taken(name: str) -> bool:
                return name in repeated or landed.has_object(name)

            writer = table.writer(snapshot, schema, STATISTICS).lean()
            found = _write(stream, interval, lines, taken, writer)
            return writer.close(), found

        files: list[WrittenFile] = []
        threads = min(runtime.threads, len(missing))
        items = _repeated(stream, given(landed, missing), alone=len(missing) == 1)
        for done, (added, found) in enumerate(in_order(written, items, threads if threads > 1 else 0), start=1):
            files += added
            counts.update(_added(counts, found))
            progress(done)
        return Commit(add=files)

    return counts if table.commit(schema, decide, schemas.LANDING_DATE, known=known) else dict(NOTHING)


def _repeated(
    stream: Stream, given: Iterable[tuple[Interval, Lines]], *, alone: bool
) -> Iterator[tuple[Interval, Lines, Collection[str]]]:
    """The intervals' lines with those of their objects that an interval before, of the same commit, has too."""
    before: set[str] = set()
    for interval, lines in given:
        if stream.source.type != "files" or alone:
            yield interval, lines, ()
        else:
            held = lines.held() if isinstance(lines, StagedLines) else lines
            objects = set(held.position.get("objects", ()))
            yield interval, held, before & objects
            before |= objects
            del held
        del lines  # what is written by now need not wait in memory for the next one to be made


def _write(
    stream: Stream, interval: Interval, given: Lines, taken: Callable[[str], bool], writer: PartitionedWriter
) -> dict[str, int]:
    """One interval's rows, then its own row; counts like `land`. Objects that another interval has `taken` are left to it."""
    lines = unparsed = 0
    for batch in given:
        kept = _untaken(batch, taken) if stream.source.type == "files" else batch
        if not kept.num_rows:
            continue
        rows = landed_rows(stream, interval, kept, lines + 1)
        writer.write(rows)
        lines += rows.num_rows
        unparsed += rows.num_rows - rows["_reason"].null_count
    objects = [name for name in given.position.get("objects", ()) if stream.source.type != "files" or not taken(name)]
    writer.write(_own_row(stream, interval, {**given.position, "objects": objects, "lines": lines}))
    writer.widen("_source", objects)
    return {"intervals": 1, "lines": lines, "unparsed": unparsed}


def _untaken(batch: pa.RecordBatch, taken: Callable[[str], bool]) -> pa.RecordBatch:
    names = [name for name in pc.unique(batch["source"]).to_pylist() if taken(name)]
    return batch.filter(pc.invert(pc.is_in(batch["source"], pa.array(names, pa.string())))) if names else batch


def _own_row(stream: Stream, interval: Interval, position: Mapping[str, Any]) -> pa.Table:
    row = {
        schemas.LANDING_DATE: interval.landing_date,
        "_landing_start": interval.start,
        "_landing_end": interval.end,
        "_line": 0,
        "_contract_version": stream.version,
        "_position": json.dumps(dict(position), sort_keys=True),
    }
    return pa.Table.from_pylist([row], schema=schemas.realtime(stream))


def landed_rows(stream: Stream, interval: Interval, batch: pa.RecordBatch, first: int) -> pa.Table:
    """The realtime rows of staged lines; `first` is the number of the first one in its micro-batch."""
    size = batch.num_rows
    columns: dict[str, Any] = {
        schemas.LANDING_DATE: pa.repeat(pa.scalar(interval.landing_date, pa.date32()), size),
        "_landing_start": pa.repeat(pa.scalar(interval.start, schemas.MOMENT), size),
        "_landing_end": pa.repeat(pa.scalar(interval.end, schemas.MOMENT), size),
        "_line": pa.array(np.arange(first, first + size)),
        "_source": batch["source"],
        "_source_line": batch["source_line"],
        "_header": batch["header"],
        "_raw": batch["raw"],
        "_digest": batch["digest"],
        "_sealed": batch["sealed"],
        "_contract_version": pa.repeat(pa.scalar(stream.version), size),
        "_position": pa.nulls(size, pa.string()),
        **parse_batch(stream, batch).landed(),
    }
    schema = schemas.realtime(stream)
    return pa.table([columns[name] for name in schema.names], schema=schema)
