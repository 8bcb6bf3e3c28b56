"""Vacuum: what no version names goes once it is old enough, whoever left it there; everything else stays."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pyarrow as pa
import pytest

from strandline.lake.lake import Lake
from strandline.lake.snapshot import Snapshot
from strandline.lake.tables import Commit, Table

SCHEMA = pa.schema([("event_date", pa.date32()), ("writer", pa.int64())])
DAYS_8 = 8 * 86_400


@pytest.fixture
def table(tmp_path: Path) -> Table:
    table = Lake.open(str(tmp_path)).table("some/table")
    for number in range(2):
        append(table, number)
    return table


def append(table: Table, number: int) -> None:
    def decide(snapshot: Snapshot) -> Commit:
        writer = table.writer(snapshot, SCHEMA)
        writer.write(pa.Table.from_pylist([{"event_date": None, "writer": number}], schema=SCHEMA))
        return Commit(add=writer.close())

    assert table.commit(SCHEMA, decide, "event_date") is not None


def leave(table: Table, key: str, age: int) -> Path:
    """A file below the table, `age` seconds old."""
    path = Path(table.url) / key
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"left behind")
    os.utime(path, (time.time() - age, time.time() - age))
    return path


@pytest.mark.parametrize(
    "key",
    [
        "000000000003-0123456789ab.parquet",
        "event_date=2026-03-01/000000000003-0123456789ab.parquet",
        "000000000003-0123456789ab/event_date=2026-03-01/part-00000.parquet",
        "000000000003-0123456789ab/_delta_log/00000000000000000000.json",
    ],
)
def test_files_that_no_version_names_go_when_they_are_old(table: Table, key: str) -> None:
    old, young = leave(table, key, DAYS_8), leave(table, key.replace("ab", "cd"), 3_600)
    assert table.vacuum(keep_hours=168) == 1
    assert not old.exists()
    assert young.exists()


def test_old_files_of_the_table_and_its_log_stay(table: Table) -> None:
    for path in Path(table.url).rglob("*"):
        if path.is_file():
            os.utime(path, (time.time() - DAYS_8, time.time() - DAYS_8))
    assert table.vacuum(keep_hours=168) == 0
    snapshot = table.snapshot()
    assert snapshot is not None
    assert sorted(snapshot.arrow()["writer"].to_pylist()) == [0, 1]
    assert (Path(table.url) / "_head").exists()


def test_an_old_file_that_was_removed_just_now_stays_for_readers_of_older_versions(table: Table) -> None:
    before = table.snapshot()
    assert before is not None
    for file in before.files:
        os.utime(Path(table.url) / file.path, (time.time() - DAYS_8, time.time() - DAYS_8))
    assert table.commit(SCHEMA, lambda snapshot: Commit(remove=snapshot.files), "event_date") is not None
    assert table.vacuum(keep_hours=168) == 0
    assert sorted(before.arrow()["writer"].to_pylist()) == [0, 1]
