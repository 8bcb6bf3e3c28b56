"""The rows that aggregates are computed from: all of the windows asked for, and read once where one process may hold them."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.dataset as pads
import pytest

from strandline.lake import paths
from strandline.runtime import Runtime
from strandline.spec.model import Grain, Stream
from strandline.stages import source_rows
from strandline.stages.source_rows import SourceRows
from tests.stages.streams import START, landed, line

MINUTES = {"5 minutes": 5, "15 minutes": 15, "hour": 60}


@pytest.fixture
def rows(tmp_path: Path, runtime: Runtime, stream: Stream) -> SourceRows:
    """An event a minute from 10:00 to 11:10, in two files."""
    for number, minutes in enumerate((range(60), range(60, 70))):
        landed(tmp_path, runtime, stream, number, [line(n, n, value=1) for n in minutes])
    unified = runtime.lake.table(paths.unified(stream.name)).snapshot()
    assert unified is not None
    assert unified.rows == 70
    return SourceRows(stream, unified, served=True)


def windows(*minutes: int) -> dict[date, set[datetime]]:
    return {START.date(): {START + timedelta(minutes=minute) for minute in minutes}}


def held(found: pa.Table | pads.FileSystemDataset | None) -> set[int]:
    """The minutes of the events."""
    assert found is not None
    rows = found if isinstance(found, pa.Table) else found.to_table()
    return {(at - START) // timedelta(minutes=1) for at in rows["at"].to_pylist()}


def test_rows_of_windows_within_those_that_were_read_are_not_read_again(runtime: Runtime, rows: SourceRows) -> None:
    with runtime.engine.session() as session:
        first = rows.of_windows(session, windows(0), "hour")
        for path in Path(runtime.lake.url.removeprefix("file://")).glob("serving/unified/*/*/*.parquet"):
            path.unlink()
        assert rows.of_windows(session, windows(15, 45), "15 minutes") is first
        assert rows.of_windows(session, windows(55), "5 minutes") is first
    assert isinstance(first, pa.Table)
    assert held(first) == set(range(60))
    assert first.schema.names == ["at", "value", "site", "_landing_start", "_landing_end", "_line", "_status"]


@pytest.mark.parametrize("grain", ["5 minutes", "15 minutes", "hour"])
def test_windows_beside_those_that_were_read_are_read(runtime: Runtime, rows: SourceRows, grain: Grain) -> None:
    with runtime.engine.session() as session:
        assert held(rows.of_windows(session, windows(0), "5 minutes")) == set(range(5))
        assert held(rows.of_windows(session, windows(0, 60), grain)) == {
            start + n for start in (0, 60) for n in range(MINUTES[grain]) if start + n < 70
        }
        assert held(rows.of_windows(session, windows(60), "hour")) >= set(range(60, 70))


def test_windows_without_a_row_have_none(runtime: Runtime, rows: SourceRows) -> None:
    with runtime.engine.session() as session:
        assert rows.of_windows(session, windows(120), "hour") is None


@pytest.mark.parametrize(("of", "most"), [("_ROWS", 59), ("_HELD", 100)])
def test_more_than_one_process_may_hold_stays_in_storage(
    runtime: Runtime, rows: SourceRows, monkeypatch: pytest.MonkeyPatch, of: str, most: int
) -> None:
    monkeypatch.setattr(source_rows, of, most)
    with runtime.engine.session() as session:
        first = rows.of_windows(session, windows(0), "hour")
        assert isinstance(first, pads.FileSystemDataset)
        assert held(first) >= set(range(60))
        assert rows.of_windows(session, windows(0), "hour") is not first
