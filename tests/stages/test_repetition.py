"""Any step run twice, or twice at once, changes no table; a missed interval is caught up; an outage of batch loses nothing."""

from __future__ import annotations

import multiprocessing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from strandline.errors import DataError
from strandline.intervals import Interval
from strandline.lake import paths
from strandline.runtime import Runtime
from strandline.spec.load import load_stream
from strandline.spec.model import Retention, Stream
from strandline.stages.bronze import bronze
from strandline.stages.generate import generate
from strandline.stages.gold import gold
from strandline.stages.land import ingest, ingest_intervals, land
from strandline.stages.maintain import maintain
from strandline.stages.merge import merge, read_pointer
from strandline.stages.silver import silver
from tests.stages.streams import FIVE, START, deliver, interval, line, readings, runtime_in

TABLES = (
    paths.realtime("readings"),
    paths.bronze("readings"),
    paths.silver("readings"),
    paths.quarantine("readings"),
    paths.LEDGER,
    paths.gold("readings", "hourly"),
    paths.unified("readings"),
    paths.analytics("readings", "hourly"),
)


def versions(runtime: Runtime) -> dict[str, int]:
    found = {path: runtime.lake.table(path).snapshot() for path in TABLES}
    return {path: snapshot.version if snapshot else -1 for path, snapshot in found.items()}


def everything(runtime: Runtime, stream: Stream, number: int) -> None:
    ingest(runtime, stream, interval(number))
    bronze(runtime, stream, interval(number).end)
    silver(runtime, stream)
    gold(runtime, stream)
    merge(runtime, stream)


def test_every_step_run_again_changes_no_table(tmp_path: Path, runtime: Runtime, stream: Stream) -> None:
    deliver(tmp_path, "a", [line(1), line(1), line(2), b"{"])
    everything(runtime, stream, 0)
    before, pointer = versions(runtime), read_pointer(runtime, "readings")
    everything(runtime, stream, 0)
    assert versions(runtime) == before
    assert read_pointer(runtime, "readings") == pointer
    assert all(version > 0 for version in before.values())


def test_a_merge_with_nothing_new_writes_no_object(tmp_path: Path, runtime: Runtime, stream: Stream) -> None:
    deliver(tmp_path, "a", [line(1), line(2), b"{"])
    everything(runtime, stream, 0)
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "lake").rglob("*")}
    assert set(merge(runtime_in(tmp_path), stream).values()) == {0}
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "lake").rglob("*")} == before


def at_once(folder: str, number: int) -> None:
    path = Path(folder)
    everything(runtime_in(path), load_stream(path / "readings.yaml"), number)


@pytest.mark.slow
def test_every_step_run_by_three_processes_at_once_counts_once(tmp_path: Path, runtime: Runtime) -> None:
    rounds = 3
    readings(tmp_path)
    for number in range(rounds):
        deliver(tmp_path, f"{number}", [line(number * 10 + n) for n in range(5)] + [line(number * 10), b"{"])
        context = multiprocessing.get_context("spawn")
        processes = [context.Process(target=at_once, args=(str(tmp_path), number)) for _ in range(3)]
        for process in processes:
            process.start()
        for process in processes:
            process.join(120)
            assert process.exitcode == 0
    landed = runtime.lake.table(paths.realtime("readings")).snapshot()
    assert landed is not None
    assert landed.rows == rounds * (7 + 1)
    for path in (paths.silver("readings"), paths.unified("readings")):
        snapshot = runtime.lake.table(path).snapshot()
        assert snapshot is not None
        ids = sorted(f"r{10 * i + n}" for i in range(rounds) for n in range(5))
        assert sorted(snapshot.arrow()["reading_id"].to_pylist()) == ids
    ledger = runtime.lake.table(paths.LEDGER).snapshot()
    assert ledger is not None
    rows = ledger.arrow().to_pylist()
    totals = {name: sum(row[name] for row in rows) for name in ("lines", "good", "duplicates", "quarantined")}
    assert totals == {"lines": 21, "good": 15, "duplicates": 3, "quarantined": 3}


def test_missed_intervals_are_landed_in_order_by_the_next_run(tmp_path: Path, runtime: Runtime, stream: Stream) -> None:
    for number in range(4):
        deliver(tmp_path, f"{number}", [line(number)])
    ingest(runtime, stream, interval(0))
    assert generate(runtime, stream, interval(3)) == [interval(n).key for n in (1, 2, 3)]
    assert land(runtime, stream, interval(3)) == {"intervals": 3, "lines": 3, "unparsed": 0}
    snapshot = runtime.lake.table(paths.realtime("readings")).snapshot()
    assert snapshot is not None
    rows = [row for row in snapshot.arrow().to_pylist() if row["_line"]]
    assert [(row["_source"], row["_landing_start"]) for row in sorted(rows, key=lambda r: r["_landing_start"])] == [
        (str(n), interval(n).start) for n in range(4)
    ]


def test_a_batch_over_a_hole_fails_loudly_and_says_how_to_fill_it(tmp_path: Path, runtime: Runtime, stream: Stream) -> None:
    ingest(runtime, stream, interval(0))
    bronze(runtime, stream, interval(0).end)
    ingest_intervals(runtime, stream, [interval(2)])
    with pytest.raises(DataError, match=r"1 landing interval\(s\).*strandline run ingest --stream readings"):
        bronze(runtime, stream, interval(2).end)
    assert runtime.lake.table(paths.silver("readings")).snapshot() is None


def test_an_interval_landed_below_the_line_is_taken_by_the_next_batch(tmp_path: Path, runtime: Runtime, stream: Stream) -> None:
    deliver(tmp_path, "now", [line(1)])
    everything(runtime, stream, 0)
    deliver(tmp_path, "old", [line(2)])
    earlier = Interval(START - FIVE, START)
    assert ingest(runtime, stream, earlier)["lines"] == 1
    assert merge(runtime, stream)["added"] == 1
    assert bronze(runtime, stream, interval(0).end)["lines"] == 1
    assert silver(runtime, stream)["good"] == 1
    gold(runtime, stream)
    assert merge(runtime, stream)["drift"] == 0
    unified = runtime.lake.table(paths.unified("readings")).snapshot()
    assert unified is not None
    assert set(unified.arrow()["_status"].to_pylist()) == {"final"}


def test_a_row_changed_by_hand_is_counted_as_drift_and_put_right(tmp_path: Path, runtime: Runtime, stream: Stream) -> None:
    from deltalake import DeltaTable

    deliver(tmp_path, "a", [line(1), line(2)])
    ingest(runtime, stream, interval(0))
    merge(runtime, stream)
    DeltaTable(str(tmp_path / "lake" / paths.unified("readings"))).update(
        predicate="reading_id = 'r1'", new_values={"value": 49.0}
    )
    bronze(runtime, stream, interval(0).end)
    silver(runtime, stream)
    assert merge(runtime, stream)["drift"] == 2
    unified = runtime.lake.table(paths.unified("readings")).snapshot()
    assert unified is not None
    assert sorted(unified.arrow()["value"].to_pylist()) == [1.0, 2.0]


def test_maintenance_lets_go_only_what_batch_and_serving_have(tmp_path: Path, runtime: Runtime, stream: Stream) -> None:
    day = replace(stream, interval=timedelta(days=1), retention=Retention(realtime=timedelta(days=2)))
    midnight = START.replace(hour=0)
    days = [Interval(midnight + timedelta(days=n), midnight + timedelta(days=n + 1)) for n in range(6)]
    for number, each in enumerate(days):
        deliver(tmp_path, f"{number}", [line(number, minute=1440 * number)])
        ingest(runtime, day, each)
    assert maintain(runtime, day) == {"staged": 0, "realtime": 0, "quarantine": 0, "unnamed": 0}
    bronze(runtime, day, days[4].end)
    silver(runtime, day)
    assert maintain(runtime, day)["realtime"] == 0
    merge(runtime, day)
    gone = maintain(runtime, day)
    assert (gone["staged"], gone["realtime"]) == (0, 3)
    before = versions(runtime)
    merge(runtime, day)
    assert land(runtime, day, days[0])["lines"] == 0
    assert versions(runtime) == before
    deliver(tmp_path, "0", [line(0)])
    generate(runtime, day, Interval(days[5].end, days[5].end + timedelta(days=1)))
    assert land(runtime, day, Interval(days[5].end, days[5].end + timedelta(days=1)))["lines"] == 0
