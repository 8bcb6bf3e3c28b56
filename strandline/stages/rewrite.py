"""Files of unified written again: what of their rows still counts, or small files as one.

Each file is in order of event time, and so is what is written. One process copies a file and only leaves rows out, and orders
what small files hold in memory; more than that, or rows on many machines, the engine orders.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain
from operator import attrgetter
from typing import TYPE_CHECKING

import pyarrow as pa

from strandline.engines.datasets import a_few_at_a_time, up_to
from strandline.engines.port import BATCH_ROWS
from strandline.lake.parquet import PartitionedWriter
from strandline.lake.snapshot import DataFile, Snapshot, reading
from strandline.memory import give_arrows_memory_back
from strandline.plan import schemas
from strandline.spec.model import Stream
from strandline.stages.places import Places

if TYPE_CHECKING:
    from strandline.engines.port import Session

_HELD = 32 << 20  # bytes of rows that are ordered in memory, at most


def write_again(
    session: Session, snapshot: Snapshot, stream: Stream, files: Sequence[DataFile], gone: str, writer: PartitionedWriter
) -> None:
    """Write what stays of some files when the rows that the relation `gone` names, by `_file` and place, are left out; small
    files become one.

    Raises `StorageError` for a damaged file.
    """
    if session.rows_at_once is None:
        _by_the_engine(session, snapshot, stream, files, writer, gone)
        return
    held: list[pa.RecordBatch] = []
    room = _HELD
    for file in sorted(files, key=attrgetter("size")):
        places = session.table(f"SELECT _landing_start, _line FROM {gone} WHERE _file = {session.dialect.literal(file.path)}")
        rows = Places.of(places).elsewhere(_rows(snapshot, stream, file))
        first, size = up_to(rows, _HELD)
        if size > _HELD:
            writer.write_all(chain(first, rows))
            writer.end_file()
            continue
        if size > room:
            _write_ordered(stream, held, writer)
            held, room = [], _HELD
        held += first
        room -= size
    _write_ordered(stream, held, writer)
    give_arrows_memory_back()


def write_as_one(
    session: Session, snapshot: Snapshot, stream: Stream, files: Sequence[DataFile], writer: PartitionedWriter
) -> None:
    """Write the rows of some files as one.

    Raises `StorageError` for a damaged file.
    """
    if session.rows_at_once is None or sum(file.size for file in files) > _HELD:
        _by_the_engine(session, snapshot, stream, files, writer)
        return
    rows, size = up_to(chain.from_iterable(_rows(snapshot, stream, file) for file in files), _HELD)
    if size > _HELD:
        _by_the_engine(session, snapshot, stream, files, writer)
    else:
        _write_ordered(stream, rows, writer)
    give_arrows_memory_back()


def _by_the_engine(
    session: Session,
    snapshot: Snapshot,
    stream: Stream,
    files: Sequence[DataFile],
    writer: PartitionedWriter,
    gone: str | None = None,
) -> None:
    names, dialect = schemas.unified(stream).names, session.dialect
    session.register("stored", snapshot.scan_with_files(files, names))
    same = "g._file = r._file AND g._landing_start = r._landing_start AND g._line = r._line"
    where = f" WHERE NOT EXISTS (SELECT 1 FROM {gone} AS g WHERE {same})" if gone else ""
    listed = ", ".join(dialect.quote(name) for name in names)
    session.write(f"SELECT {listed} FROM stored AS r{where} ORDER BY event_date, {dialect.quote(stream.event_time)}", writer)
    writer.end_file()


def _rows(snapshot: Snapshot, stream: Stream, file: DataFile) -> Iterator[pa.RecordBatch]:
    with reading(snapshot.path):
        names = schemas.unified(stream).names
        yield from a_few_at_a_time(snapshot.dataset(files=[file]), columns=names, batch_size=BATCH_ROWS)


def _write_ordered(stream: Stream, rows: Sequence[pa.RecordBatch], writer: PartitionedWriter) -> None:
    if rows:
        writer.write_all(pa.Table.from_batches(rows).sort_by(stream.event_time).to_batches(max_chunksize=BATCH_ROWS))
        writer.end_file()
