"""Files of unified written again, in order of event time: what of their rows still counts, or small files as one.

Each is in that order already. So one process copies a file and only leaves rows out, and orders what small files hold in
memory; more than that, or rows on many machines, the engine orders.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain
from operator import attrgetter
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from strandline.engines.datasets import a_few_at_a_time, packed
from strandline.lake.parquet import PartitionedWriter
from strandline.lake.snapshot import DataFile, Snapshot, reading
from strandline.memory import give_arrows_memory_back
from strandline.plan import schemas
from strandline.spec.model import Stream
from strandline.stages.places import Places

if TYPE_CHECKING:
    from strandline.engines.port import Session

_IN_MEMORY = 4 << 20  # bytes of files, whose rows take some twenty times as much
_PLACE = ("_file", "_landing_start", "_line")


def write_again(
    session: Session, snapshot: Snapshot, stream: Stream, files: Sequence[DataFile], gone: str, writer: PartitionedWriter
) -> None:
    """Write what stays of some files when the rows that the relation `gone` names, by `_file` and place, are left out; small
    files become one.

    Raises `StorageError` for a damaged file.
    """
    spread = session.rows_at_once is None
    for some in [files] if spread else packed(sorted(files, key=attrgetter("size")), attrgetter("size"), _IN_MEMORY):
        write_in_order(session, snapshot, stream, some, writer, gone)
        writer.end_file()


def write_in_order(
    session: Session,
    snapshot: Snapshot,
    stream: Stream,
    files: Sequence[DataFile],
    writer: PartitionedWriter,
    gone: str | None = None,
) -> None:
    """Write the rows of some files together, but for those that the relation `gone` names.

    Raises `StorageError` for a damaged file.
    """
    if session.rows_at_once is None or (len(files) > 1 and sum(file.size for file in files) > _IN_MEMORY):
        _ordered(session, snapshot, stream, files, writer, gone)
        return
    outranked = session.table(f"SELECT {', '.join(_PLACE)} FROM {gone} WHERE _file IS NOT NULL") if gone else None
    with reading(snapshot.path):
        rows = chain.from_iterable(_staying(snapshot, stream, file, outranked) for file in files)
        if len(files) > 1:
            rows = iter(pa.Table.from_batches(rows).sort_by(stream.event_time).to_batches())
        writer.write_all(rows)
    give_arrows_memory_back()


def _ordered(
    session: Session, snapshot: Snapshot, stream: Stream, files: Sequence[DataFile], writer: PartitionedWriter, gone: str | None
) -> None:
    names, dialect = schemas.unified(stream).names, session.dialect
    session.register("before", snapshot.scan_with_files(files, names))
    same = " AND ".join(f"g.{name} = r.{name}" for name in _PLACE)
    where = f" WHERE NOT EXISTS (SELECT 1 FROM {gone} AS g WHERE {same})" if gone else ""
    listed = ", ".join(dialect.quote(name) for name in names)
    session.write(f"SELECT {listed} FROM before AS r{where} ORDER BY event_date, {dialect.quote(stream.event_time)}", writer)


def _staying(snapshot: Snapshot, stream: Stream, file: DataFile, outranked: pa.Table | None) -> Iterator[pa.RecordBatch]:
    rows = a_few_at_a_time(snapshot.dataset(files=[file]), columns=schemas.unified(stream).names)
    if outranked is None:
        return rows
    return Places.of(outranked.filter(pc.equal(outranked["_file"], file.path))).elsewhere(rows)
