"""What each run of a step took is read back from beside the data; only what is really slower is told as slower."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from strandline.intervals import Interval
from strandline.lake.lake import Lake
from strandline.lines.keys import KeyRing
from strandline.runtime import Runtime
from strandline.spec.load import load_streams
from strandline.stages.bronze import bronze
from strandline.stages.gold import gold
from strandline.stages.land import ingest
from strandline.stages.merge import merge
from strandline.stages.silver import silver
from strandline.timings import RUNS, StepTimings, Timing, timings

ROOT = Path(__file__).resolve().parents[1]
STREAM = load_streams(ROOT / "config")["iot_sensors"]
START = datetime(2026, 11, 25, tzinfo=UTC)
FIVE = timedelta(minutes=5)


def run(seconds: float, rows: int, n: int = 0) -> Timing:
    return Timing(START + n * FIVE, seconds, rows)


def step(*runs: tuple[float, int]) -> StepTimings:
    return StepTimings("land", tuple(run(seconds, rows, n) for n, (seconds, rows) in enumerate(runs)))


def test_every_step_that_ran_is_there_with_its_rows_and_seconds(tmp_path: Path) -> None:
    runtime = Runtime(Lake.open(str(tmp_path)), KeyRing({"STRANDLINE_KEY": "5e" * 32}))
    assert timings(runtime, STREAM) == []
    for n in range(3):
        landed = ingest(runtime, STREAM, Interval(START + n * FIVE, START + (n + 1) * FIVE))
    bronze(runtime, STREAM, START + 3 * FIVE)
    judged = silver(runtime, STREAM)
    rows = gold(runtime, STREAM)
    merge(runtime, STREAM)
    found = {each.step: each for each in timings(runtime, STREAM)}
    names = [table.name for table in STREAM.gold]
    steps = ["land", "bronze", "silver judge", "silver write", *(f"gold {n}" for n in names), "merge"]
    assert list(found) == [*steps, *(f"analytics {n}" for n in names)]
    assert [each.rows for each in found["land"].runs][-1] == landed["lines"] + 1  # and its own row
    assert found["bronze"].last.rows == judged["lines"] + 3
    assert found["silver judge"].last.rows == judged["lines"]
    assert {name: found[f"gold {name}"].last.rows for name in names} == rows
    assert all(run.seconds >= 0 and run.at.tzinfo is UTC for each in found.values() for run in each.runs)


def test_the_last_runs_are_read_past_a_checkpoint_and_no_more_of_them(tmp_path: Path) -> None:
    runtime = Runtime(Lake.open(str(tmp_path)), KeyRing({"STRANDLINE_KEY": "5e" * 32}))
    for n in range(RUNS + 3):
        ingest(runtime, STREAM, Interval(START + n * FIVE, START + (n + 1) * FIVE))
    found = timings(runtime, STREAM)[0]
    assert len(found.runs) == RUNS
    assert list(found.runs) == sorted(found.runs, key=lambda each: each.at)
    (tmp_path / "realtime/iot_sensors/_delta_log" / f"{RUNS - 5:020d}.json").unlink()  # cleaned up
    assert len(timings(Runtime(Lake.open(str(tmp_path))), STREAM)[0].runs) == RUNS - 1


@pytest.mark.parametrize(
    ("runs", "slower"),
    [
        ([(1.0, 100), (1.0, 100), (1.0, 100), (2.0, 100)], 2.0),
        ([(1.0, 100), (1.0, 100), (1.0, 100), (1.4, 100)], None),
        ([(1.0, 100), (1.0, 100), (9.0, 100)], None),  # two runs before it: nothing is usual yet
        ([(1.0, 100), (1.0, 100), (1.0, 100), (4.0, 400)], None),  # more to do
        ([(1.0, 100), (1.0, 100), (1.0, 100), (1.0, 10)], None),  # hardly anything to do
        ([(1.0, 100), (9.0, 100), (1.0, 100), (1.0, 100), (3.0, 150)], 2.0),  # one slow run before is no habit
        ([(0.0, 100), (0.0, 100), (0.0, 100), (0.0, 100)], None),
    ],
)
def test_slower_is_what_takes_longer_for_the_same_rows(runs: list[tuple[float, int]], slower: float | None) -> None:
    assert step(*runs).slower == slower
