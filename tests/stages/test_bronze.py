"""A batch run that starts together with ingest waits for the last interval, and does not mistake it for one that is missing."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from strandline.intervals import Interval
from strandline.lake.lake import Lake
from strandline.lake.landings import micro_batches
from strandline.lines.keys import KeyRing
from strandline.runtime import Runtime
from strandline.spec.load import load_streams
from strandline.stages.bronze import NotLandedYetError, bronze
from strandline.stages.land import ingest

ROOT = Path(__file__).resolve().parents[2]
STREAM = load_streams(ROOT / "config")["api_logs"]
TWO = datetime(2026, 11, 25, 2, tzinfo=UTC)


@pytest.fixture
def runtime(tmp_path: Path) -> Runtime:
    return Runtime(Lake.open(str(tmp_path)), KeyRing({"STRANDLINE_KEY": "5e" * 32}))


def test_the_line_is_waited_for_until_the_interval_before_it_has_landed(runtime: Runtime) -> None:
    assert bronze(runtime, STREAM, TWO) == {"intervals": 0, "lines": 0, "watermark": ""}
    ingest(runtime, STREAM, Interval(TWO - timedelta(minutes=10), TWO - timedelta(minutes=5)))
    with pytest.raises(NotLandedYetError, match="api_logs has landed up to 2026-11-25T01:55Z, not yet up to 2026-11-25T02:00Z"):
        bronze(runtime, STREAM, TWO)
    ingest(runtime, STREAM, Interval(TWO - timedelta(minutes=5), TWO))
    assert bronze(runtime, STREAM, TWO)["watermark"] == TWO.isoformat()


def test_no_line_is_drawn_before_the_first_interval_that_landed(runtime: Runtime) -> None:
    ingest(runtime, STREAM, Interval(TWO, TWO + timedelta(minutes=5)))
    assert bronze(runtime, STREAM, TWO - timedelta(hours=1)) == {"intervals": 0, "lines": 0, "watermark": ""}
    ingest(runtime, STREAM, Interval(TWO + timedelta(minutes=5), TWO + timedelta(minutes=10)))
    told = bronze(runtime, STREAM, TWO + timedelta(minutes=10))
    assert (told["intervals"], told["watermark"]) == (2, (TWO + timedelta(minutes=10)).isoformat())


def test_the_intervals_of_a_day_become_one_file_whose_rows_are_those_that_landed(runtime: Runtime) -> None:
    five = timedelta(minutes=5)
    for n in range(6):
        ingest(runtime, STREAM, Interval(TWO + n * five, TWO + (n + 1) * five))
    told = bronze(runtime, STREAM, TWO + 6 * five)
    realtime, archive = (runtime.lake.table(path).snapshot() for path in ("realtime/api_logs", "batch/bronze/api_logs"))
    assert realtime is not None
    assert archive is not None
    assert (len(realtime.files), len(archive.files), told["intervals"]) == (6, 1, 6)
    assert told["lines"] == archive.rows - 6 == realtime.rows - 6
    place = [("_landing_start", "ascending"), ("_line", "ascending")]
    assert archive.arrow().sort_by(place).equals(realtime.arrow().sort_by(place))
    assert [batch.start for batch in micro_batches(archive, archive.files)] == [TWO + n * five for n in range(6)]
