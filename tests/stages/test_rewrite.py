"""Files of unified written again: what stays of them, each new one in the order of its event times."""

from __future__ import annotations

import random
import struct
from collections import Counter
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from strandline.engines.duckdb import DuckSession
from strandline.engines.port import Session
from strandline.errors import StorageError
from strandline.lake import parquet, paths
from strandline.lake.parquet import PartitionedWriter
from strandline.lake.snapshot import Snapshot
from strandline.lake.tables import Table
from strandline.plan import schemas
from strandline.runtime import Runtime
from strandline.spec.model import Stream
from strandline.stages import rewrite
from strandline.stages.rewrite import write_again, write_as_one
from tests.stages.streams import landed, line

FILES = 4


@pytest.fixture
def table(tmp_path: Path, runtime: Runtime, stream: Stream) -> Table:
    """Unified in files of 40, 30, 20 and 10 events whose times overlap."""
    for number in range(FILES):
        lines = [line(100 * number + n, (7 * n) % 60, value=number) for n in range(10 * (FILES - number))]
        landed(tmp_path, runtime, stream, number, lines)
    return runtime.lake.table(paths.unified(stream.name))


def opened(table: Table) -> Snapshot:
    snapshot = table.snapshot()
    assert snapshot is not None
    assert [file.rows for file in snapshot.files] == [10 * (FILES - number) for number in range(FILES)]
    return snapshot


def written(
    runtime: Runtime, stream: Stream, table: Table, how: Callable[[Session, Snapshot, PartitionedWriter], None]
) -> list[pq.ParquetFile]:
    """The files that are there after `how`; in the relation `gone` every third row of each file, and all of the third."""
    snapshot = opened(table)
    writer = table.writer(snapshot, schemas.unified(stream), ())
    with runtime.engine_of(stream).session() as session:
        session.register("read", snapshot.scan_with_files(snapshot.files, ["_landing_start", "_line"]))
        session.materialise("held", "SELECT * FROM read")
        first, second, third, _ = (file.path for file in snapshot.files)
        parts = [
            f"SELECT * FROM held WHERE _line % 3 = 0 OR _file = '{third}'",
            f"SELECT _landing_start, _line, '{second}' AS _file FROM held WHERE _file = '{first}'",
            "SELECT _landing_start, _line, CAST(NULL AS STRING) AS _file FROM held",
        ]
        session.materialise("gone", " UNION ALL ".join(parts))
        how(session, snapshot, writer)
    return [pq.ParquetFile(Path(table.url) / file.path) for file in writer.close()]


def rows_of(files: list[pq.ParquetFile]) -> list[list[tuple[datetime, str]]]:
    """Times and keys, file by file."""
    read = [file.read(["at", "reading_id"]).to_pylist() for file in files]
    return [[(row["at"], row["reading_id"]) for row in rows] for rows in read]


@pytest.mark.parametrize(
    ("at_once", "held", "rows"),
    [(250_000, 1 << 30, [54]), (250_000, 1, [7, 20, 27]), (None, 1 << 30, [54])],
    ids=["small files as one", "each for itself", "by an engine of many machines"],
)
def test_what_stays_of_files_is_in_order_of_event_time(
    runtime: Runtime,
    stream: Stream,
    table: Table,
    monkeypatch: pytest.MonkeyPatch,
    at_once: int | None,
    held: int,
    rows: list[int],
) -> None:
    monkeypatch.setattr(DuckSession, "rows_at_once", at_once)
    monkeypatch.setattr(rewrite, "_HELD", held)
    found = rows_of(written(runtime, stream, table, lambda s, n, w: write_again(s, n, stream, n.files, "gone", w)))
    assert sorted(map(len, found)) == rows
    assert all([at for at, _ in file] == sorted(at for at, _ in file) for file in found)
    kept = {f"r{100 * number + n}" for number in (0, 1, 3) for n in range(10 * (FILES - number)) if (n + 1) % 3}
    assert sorted(key for file in found for _, key in file) == sorted(kept)


@pytest.mark.parametrize(("at_once", "held"), [(250_000, 1 << 30), (250_000, 10_000), (None, 1 << 30)])
def test_files_become_one_in_order_of_event_time(
    runtime: Runtime, stream: Stream, table: Table, monkeypatch: pytest.MonkeyPatch, at_once: int | None, held: int
) -> None:
    monkeypatch.setattr(DuckSession, "rows_at_once", at_once)
    monkeypatch.setattr(rewrite, "_HELD", held)
    (found,) = rows_of(written(runtime, stream, table, lambda s, n, w: write_as_one(s, n, stream, n.files, w)))
    assert [at for at, _ in found] == sorted(at for at, _ in found)
    assert sorted(key for _, key in found) == sorted(opened(table).arrow(["reading_id"])["reading_id"].to_pylist())


def test_row_groups_do_not_grow_with_what_becomes_one(
    runtime: Runtime, stream: Stream, table: Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rewrite, "BATCH_ROWS", 8)
    monkeypatch.setattr(parquet, "ROW_GROUP_ROWS", 15)
    (found,) = written(runtime, stream, table, lambda s, n, w: write_as_one(s, n, stream, n.files, w))
    assert {found.metadata.row_group(n).num_rows for n in range(found.num_row_groups)} == {16, 100 % 16}


def test_no_flipped_bit_is_worth_a_retry(runtime: Runtime, stream: Stream, table: Table) -> None:
    """Whatever of a file's pages it hits: rows are as they were, or the file is told to be damaged."""
    snapshot = opened(table)
    path = Path(table.url) / snapshot.files[0].path
    whole, drawn = path.read_bytes(), random.Random(7)
    (footer,) = struct.unpack("<I", whole[-8:-4])
    expected = snapshot.arrow(files=snapshot.files[:1])
    told = Counter[str]()
    for _ in range(600):
        data, place = bytearray(whole), drawn.randrange(4, len(whole) - 8 - footer)
        data[place] ^= 1 << drawn.randrange(8)
        path.write_bytes(data)
        try:
            found = snapshot.arrow(files=snapshot.files[:1])
        except StorageError as error:
            told[str(error).split(": ")[1]] += 1
        else:
            assert found.equals(expected)
            told["read"] += 1
    assert set(told) == {"read", "a stored file is damaged"}
    assert told["read"] < 200, told


def test_a_damaged_file_is_told_as_damage(runtime: Runtime, stream: Stream, table: Table) -> None:
    first = Path(table.url) / opened(table).files[0].path
    data = first.read_bytes()
    first.write_bytes(data[:4] + bytes(600) + data[604:])
    with pytest.raises(StorageError, match=f"read {paths.unified(stream.name)}: a stored file is damaged"):
        written(runtime, stream, table, lambda s, n, w: write_again(s, n, stream, n.files, "gone", w))
