"""The commit protocol: one winner a version, positions with the data, damage seen."""

from __future__ import annotations

import multiprocessing
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pytest

from strandline.errors import StorageError, TransientError
from strandline.lake.lake import Lake
from strandline.lake.snapshot import Snapshot
from strandline.lake.tables import Commit, Table

if TYPE_CHECKING:
    from strandline.lake.objects import S3Credentials
    from tests.conftest import S3Lake

SCHEMA = pa.schema(
    [("event_date", pa.date32()), ("writer", pa.int64()), ("at", pa.timestamp("us", "UTC")), ("text", pa.string())]
)
DAY = date(2026, 3, 1)


def row(writer: int, day: date = DAY, text: str = "x") -> pa.Table:
    found = {"event_date": day, "writer": writer, "at": datetime(2026, 3, 1, tzinfo=UTC), "text": text}
    return pa.Table.from_pylist([found], schema=SCHEMA)


def append(table: Table, rows: pa.Table, application: str, position: int) -> bool:
    def decide(snapshot: Snapshot) -> Commit | None:
        if snapshot.position(application) >= position:
            return None
        writer = table.writer(snapshot, SCHEMA, ("writer", "at"))
        writer.write(rows)
        return Commit(add=writer.close(), positions={application: position})

    return table.commit(SCHEMA, decide, "event_date") is not None


@pytest.fixture
def table(tmp_path: Path) -> Table:
    return Lake.open(str(tmp_path)).table("some/table")


def test_a_table_that_was_never_written_has_no_snapshot(table: Table) -> None:
    assert table.snapshot() is None


def test_a_log_folder_left_empty_by_a_kill_is_no_table_and_can_be_written(table: Table, tmp_path: Path) -> None:
    (tmp_path / "some/table/_delta_log").mkdir(parents=True)
    assert table.snapshot() is None
    assert append(table, row(1), "source", 1)


def test_rows_and_position_appear_in_one_version(table: Table) -> None:
    assert append(table, row(1), "source", 7)
    snapshot = table.snapshot()
    assert snapshot is not None
    assert (snapshot.rows, snapshot.position("source"), snapshot.ordinal) == (1, 7, 1)
    assert snapshot.files[0].minimum["writer"] == 1
    assert snapshot.files[0].maximum["at"] == datetime(2026, 3, 1, tzinfo=UTC)


def test_a_position_that_is_reached_commits_nothing(table: Table) -> None:
    append(table, row(1), "source", 7)
    assert not append(table, row(2), "source", 7)
    snapshot = table.snapshot()
    assert snapshot is not None
    assert snapshot.rows == 1


def test_files_since_an_ordinal_are_those_of_later_commits(table: Table) -> None:
    for position in (1, 2, 3):
        append(table, row(position, date(2026, 3, position)), "source", position)
    snapshot = table.snapshot()
    assert snapshot is not None
    assert [f.partition for f in snapshot.files_since(1)] == [date(2026, 3, 2), date(2026, 3, 3)]
    assert snapshot.arrow(partitions=[date(2026, 3, 2)])["writer"].to_pylist() == [2]


def test_a_new_column_is_added_and_older_rows_read_as_null(table: Table) -> None:
    append(table, row(1), "source", 1)
    wider = SCHEMA.append(pa.field("later", pa.int32()))

    def decide(snapshot: Snapshot) -> Commit | None:
        if snapshot.position("source") >= 2:
            return None
        writer = table.writer(snapshot, wider)
        writer.write(row(2).append_column("later", pa.array([5], pa.int32())))
        return Commit(add=writer.close(), positions={"source": 2})

    assert table.commit(wider, decide, "event_date")
    snapshot = table.snapshot()
    assert snapshot is not None
    assert sorted(snapshot.arrow()["later"].to_pylist(), key=str) == [5, None]


def test_damaged_pages_are_refused_on_reading(table: Table, tmp_path: Path) -> None:
    rows = pa.concat_tables([row(n, text=f"text number {n}") for n in range(2000)])
    append(table, rows, "source", 1)
    [path] = (tmp_path / "some/table").rglob("*.parquet")
    data = bytearray(path.read_bytes())
    data[len(data) // 3] ^= 0x10
    path.write_bytes(bytes(data))
    snapshot = table.snapshot()
    assert snapshot is not None
    with pytest.raises(StorageError, match=r"CRC|checksum|Corrupt|corrupt"):
        snapshot.arrow()


def test_a_race_that_never_ends_is_told_as_transient(table: Table, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("strandline.lake.tables.time.sleep", lambda seconds: None)
    append(table, row(0), "source", 0)
    position = 0

    def always_late(snapshot: Snapshot) -> Commit | None:
        nonlocal position
        position += 1
        append(table, row(position), "rival", position)
        writer = table.writer(snapshot, SCHEMA)
        writer.write(row(99))
        return Commit(add=writer.close(), positions={"source": 1})

    with pytest.raises(TransientError, match="gave up after"):
        table.commit(SCHEMA, always_late, "event_date")
    snapshot = table.snapshot()
    assert snapshot is not None
    assert 99 not in snapshot.arrow()["writer"].to_pylist()


def test_a_table_that_two_make_at_once_is_made_once(tmp_path: Path) -> None:
    for number in range(20):
        both = threading.Barrier(2)

        def first(writer: int, both: threading.Barrier = both, path: str = f"made/{number}") -> bool:
            made = Lake.open(str(tmp_path)).table(path)
            both.wait()
            return append(made, row(writer), f"writer {writer}", 1)

        with ThreadPoolExecutor(2) as pool:
            assert list(pool.map(first, range(2))) == [True, True]
        entries = [path.read_text() for path in (tmp_path / f"made/{number}/_delta_log").glob("*.json")]
        assert len(entries) == 3
        assert sum("metaData" in entry for entry in entries) == 1


def race(url: str, credentials: S3Credentials | None, writer: int, rounds: int) -> None:
    table = Lake.open(url, credentials).table("raced")
    for position in range(1, rounds + 1):
        append(table, row(writer, text=f"round {position}"), "source", position)


@pytest.mark.slow
def test_of_four_processes_that_race_for_each_position_one_wins(s3_lake: S3Lake) -> None:
    rounds = 8
    context = multiprocessing.get_context("spawn")
    arguments = [(s3_lake.url, s3_lake.credentials, writer, rounds) for writer in range(4)]
    processes = [context.Process(target=race, args=args) for args in arguments]
    for process in processes:
        process.start()
    for process in processes:
        process.join(120)
        assert process.exitcode == 0
    snapshot = Lake.open(s3_lake.url, s3_lake.credentials).table("raced").snapshot()
    assert snapshot is not None
    assert sorted(snapshot.arrow()["text"].to_pylist()) == sorted(f"round {n}" for n in range(1, rounds + 1))
    assert snapshot.ordinal == rounds
