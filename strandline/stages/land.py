"""Land: staged lines become rows of the realtime table, each parsed once; the position is committed with them.

One row a line, and one row of its own (`_line` 0) a micro-batch. Landing twice, or twice at once, changes nothing.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from itertools import islice
from types import MappingProxyType
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from strandline.intervals import Interval
from strandline.lake.landings import STATISTICS, Landings
from strandline.lake.parquet import PartitionedWriter, WrittenFile
from strandline.lake.paths import bronze, realtime
from strandline.lake.snapshot import Snapshot
from strandline.lake.tables import Commit
from strandline.plan import schemas
from strandline.runtime import Runtime, silent
from strandline.spec.model import Stream
from strandline.stages.again import parse_batch
from strandline.stages.at_once import in_order
from strandline.stages.generate import generate, landings, pending, stage_each, unlanded
from strandline.stages.staged import StagedLines, keep_freed_memory

INTERVALS_A_COMMIT = 48
NOTHING: Mapping[str, int] = MappingProxyType({"intervals": 0, "lines": 0, "unparsed": 0})


def land(runtime: Runtime, stream: Stream, interval: Interval) -> dict[str, int]:
    """Counts of what this call landed: `intervals`, `lines`, `unparsed`; zeros when `interval` had landed before.

    Lands the missed intervals before `interval` too, in order. Raises `ObjectMissing` when an interval was never staged.
    """
    landed = landings(runtime, stream)
    return _land_all(runtime, stream, landed, pending(landed, stream, interval))


def land_intervals(runtime: Runtime, stream: Stream, intervals: Iterable[Interval]) -> dict[str, int]:
    """Counts like `land`, of exactly the given intervals (those that had not landed yet); nothing else is caught up."""
    landed = landings(runtime, stream)
    return _land_all(runtime, stream, landed, unlanded(landed, intervals))


def _land_all(runtime: Runtime, stream: Stream, known: Landings, waiting: Sequence[Interval]) -> dict[str, int]:
    keep_freed_memory()
    counts = dict(NOTHING)
    for first in range(0, len(waiting), INTERVALS_A_COMMIT):
        runtime.progress(f"land {stream.name}, intervals", first, len(waiting))
        group = waiting[first : first + INTERVALS_A_COMMIT]
        counts = _added(counts, _commit(runtime, stream, group, None if first else known.realtime))
    runtime.progress(f"land {stream.name}, intervals", len(waiting), len(waiting))
    return counts


def ingest(runtime: Runtime, stream: Stream, interval: Interval) -> dict[str, int]:
    """`generate` and `land` in one call."""
    generate(runtime, stream, interval)
    return land(runtime, stream, interval)


def ingest_intervals(runtime: Runtime, stream: Stream, intervals: Iterable[Interval]) -> dict[str, int]:
    """Counts like `land`, of exactly the given intervals (those that had not landed yet), generated and landed
    `INTERVALS_A_COMMIT` at a time: a long backfill that was killed goes on where it was. Unless the runtime has one thread, the
    next ones are generated while some land. Progress is told in intervals.
    """
    landed = landings(runtime, stream)
    waiting = unlanded(landed, intervals)
    quiet = replace(runtime, progress=silent)

    def groups() -> Iterator[list[Interval]]:
        staged = stage_each(runtime, stream, landed, waiting)
        for first in range(0, len(waiting), INTERVALS_A_COMMIT):
            group = []
            for each in islice(staged, INTERVALS_A_COMMIT):
                group.append(each)
                runtime.progress(f"ingest {stream.name}, intervals", first + len(group), len(waiting))
            yield group

    counts = dict(NOTHING)
    for done in in_order(partial(land_intervals, quiet, stream), groups(), 1 if runtime.threads > 1 else 0):
        counts = _added(counts, done)
    return counts


def _added(counts: Mapping[str, int], more: Mapping[str, int]) -> dict[str, int]:
    return {name: counts[name] + more.get(name, 0) for name in counts}


def _commit(runtime: Runtime, stream: Stream, intervals: Sequence[Interval], known: Snapshot | None) -> dict[str, int]:
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

        def written(interval: Interval) -> tuple[list[WrittenFile], dict[str, int]]:
            writer = table.writer(snapshot, schema, STATISTICS).lean()
            found = _write(runtime, stream, interval, landed, writer)
            return writer.close(), found

        files: list[WrittenFile] = []
        threads = min(runtime.threads, len(missing))
        for added, found in in_order(written, missing, threads if threads > 1 else 0):
            files += added
            counts.update(_added(counts, found))
        return Commit(add=files)

    return counts if table.commit(schema, decide, schemas.LANDING_DATE, known=known) else dict(NOTHING)


def _write(runtime: Runtime, stream: Stream, interval: Interval, landed: Landings, writer: PartitionedWriter) -> dict[str, int]:
    """One interval's rows, then its own row; counts like `land`."""
    staged = StagedLines(runtime.lake.objects, stream.name, interval)
    lines = unparsed = 0
    for batch in staged:
        kept = _untaken(stream, batch, landed)
        if not kept.num_rows:
            continue
        rows = landed_rows(stream, interval, kept, lines + 1)
        writer.write(rows)
        lines += rows.num_rows
        unparsed += rows.num_rows - rows["_reason"].null_count
    objects = [name for name in staged.position.get("objects", ()) if not _is_taken(stream, name, landed)]
    writer.write(_own_row(stream, interval, {**staged.position, "objects": objects, "lines": lines}))
    writer.widen("_source", objects)
    return {"intervals": 1, "lines": lines, "unparsed": unparsed}


def _untaken(stream: Stream, batch: pa.RecordBatch, landed: Landings) -> pa.RecordBatch:
    """The lines of objects that no other interval landed meanwhile: those of the others are left to it."""
    if stream.source.type != "files":
        return batch
    taken = [name for name in pc.unique(batch["source"]).to_pylist() if _is_taken(stream, name, landed)]
    return batch.filter(pc.invert(pc.is_in(batch["source"], pa.array(taken, pa.string())))) if taken else batch


def _is_taken(stream: Stream, name: str, landed: Landings) -> bool:
    return stream.source.type == "files" and landed.has_object(name)


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
        "_line": pa.array(range(first, first + size), pa.int64()),
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
