"""A step that another run overtakes at the worst moment changes nothing that the other made."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any, cast

import pytest

from strandline.audit.audit import audit
from strandline.intervals import Interval
from strandline.lake import paths
from strandline.lake.lake import Lake
from strandline.lake.objects import Objects
from strandline.lake.tables import Table
from strandline.runtime import Runtime
from strandline.spec.model import Retention, Stream
from strandline.stages.bronze import bronze
from strandline.stages.generate import generate
from strandline.stages.gold import gold
from strandline.stages.land import ingest, land
from strandline.stages.maintain import maintain
from strandline.stages.merge import merge, read_pointer
from strandline.stages.silver import silver
from tests.laws.crashes import Crash, CrashingLake
from tests.stages.streams import START, deliver, interval, line


class OvertakenLake(Lake):
    """A lake that lets somebody else run, once, just before a write to (or a read of) the path `at`."""

    def __init__(self, lake: Lake, at: str, other: Callable[[], object]) -> None:
        self.at, self.other = at, other
        super().__init__(lake.objects, lake.credentials)
        self.objects = cast("Objects", OvertakenObjects(lake.objects, self))

    def table(self, path: str) -> Table:
        """As the lake below."""
        table = OvertakenTable(self, path)
        table.lake = self
        return table

    def reached(self, path: str) -> None:
        """Let the other run, when it is time."""
        if path == self.at and self.other is not None:
            other, self.other = self.other, lambda: None
            self.at = ""
            other()


class OvertakenTable(Table):
    lake: OvertakenLake

    def _swap(self, *arguments: Any) -> None:
        self.lake.reached(self.path)
        super()._swap(*arguments)


class OvertakenObjects:
    def __init__(self, objects: Objects, lake: OvertakenLake) -> None:
        self._objects, self._lake = objects, lake

    def __getattr__(self, name: str) -> Any:
        return getattr(self._objects, name)

    def get(self, key: str) -> bytes:
        self._lake.reached(key)
        return self._objects.get(key)

    def put(self, key: str, data: bytes, **options: Any) -> bool:
        self._lake.reached(f"put {key}")
        return self._objects.put(key, data, **options)


def overtaken(runtime: Runtime, at: str, other: Callable[[], object]) -> Runtime:
    return replace(runtime, lake=OvertakenLake(runtime.lake, at, other))


def ids(runtime: Runtime, path: str, version: int | None = None) -> list[str]:
    snapshot = runtime.lake.table(path).snapshot(version)
    assert snapshot is not None
    return sorted(snapshot.arrow(["reading_id"])["reading_id"].to_pylist())


def batch(runtime: Runtime, stream: Stream, number: int) -> None:
    bronze(runtime, stream, interval(number).end)
    silver(runtime, stream)
    gold(runtime, stream)


def test_an_interval_that_another_run_landed_meanwhile_is_not_landed_again(
    runtime: Runtime, stream: Stream, tmp_path: Path
) -> None:
    deliver(tmp_path, "a", [line(1), line(2)])
    generate(runtime, stream, interval(0))
    slow = overtaken(runtime, paths.realtime("readings"), lambda: land(runtime, stream, interval(0)))
    assert land(slow, stream, interval(0))["lines"] == 0
    landed = runtime.lake.table(paths.realtime("readings")).snapshot()
    assert landed is not None
    assert landed.rows == 2 + 1


@pytest.mark.parametrize("table", [paths.quarantine("readings"), paths.silver("readings"), paths.LEDGER])
def test_a_batch_that_another_run_overtakes_counts_once(runtime: Runtime, stream: Stream, tmp_path: Path, table: str) -> None:
    deliver(tmp_path, "a", [line(1), line(1), line(2), b"{"])
    ingest(runtime, stream, interval(0))
    bronze(runtime, stream, interval(0).end)
    silver(overtaken(runtime, table, lambda: silver(runtime, stream)), stream)
    gold(runtime, stream)
    merge(runtime, stream)
    assert ids(runtime, paths.silver("readings")) == ["r1", "r2"]
    assert audit(runtime, stream).agrees


@pytest.mark.parametrize("at", [paths.published("readings"), f"put {paths.published('readings')}"], ids=["looking", "writing"])
def test_a_slow_merge_does_not_take_readers_back(runtime: Runtime, stream: Stream, tmp_path: Path, at: str) -> None:
    deliver(tmp_path, "a", [line(1)])
    ingest(runtime, stream, interval(0))
    merge(runtime, stream)
    deliver(tmp_path, "b", [line(2)])
    ingest(runtime, stream, interval(1))

    def faster() -> None:
        deliver(tmp_path, "c", [line(3)])
        ingest(runtime, stream, interval(2))
        merge(runtime, stream)

    merge(overtaken(runtime, at, faster), stream)
    pointer = read_pointer(runtime, "readings")
    assert pointer is not None
    assert ids(runtime, paths.unified("readings"), pointer.unified) == ["r1", "r2", "r3"]


def test_a_pointer_never_names_versions_of_two_merges(runtime: Runtime, stream: Stream, tmp_path: Path) -> None:
    deliver(tmp_path, "a", [line(1)])
    ingest(runtime, stream, interval(0))
    merge(runtime, stream)
    deliver(tmp_path, "b", [line(2)])
    ingest(runtime, stream, interval(1))
    other = CrashingLake(runtime.lake)

    def faster_but_killed_before_it_published() -> None:
        deliver(tmp_path, "c", [line(3)])
        ingest(runtime, stream, interval(2))
        for moments in range(1, 30):
            before = read_pointer(runtime, "readings")
            assert other.fuse.burns(lambda: merge(replace(runtime, lake=other), stream), moments)
            assert read_pointer(runtime, "readings") == before
            held = runtime.lake.table(paths.analytics("readings", "hourly")).snapshot()
            unified = runtime.lake.table(paths.unified("readings")).snapshot()
            assert held is not None
            assert unified is not None
            if len(ids(runtime, paths.unified("readings"))) == 3 and held.position("unified") == unified.ordinal:
                return
        raise AssertionError("the other merge never came so far")

    merge(overtaken(runtime, paths.analytics("readings", "hourly"), faster_but_killed_before_it_published), stream)
    assert audit(runtime, stream).agrees


def test_reconciling_does_not_forget_lines_that_another_merge_took_meanwhile(
    runtime: Runtime, stream: Stream, tmp_path: Path
) -> None:
    deliver(tmp_path, "a", [line(1)])
    ingest(runtime, stream, interval(0))
    merge(runtime, stream)
    batch(runtime, stream, 0)
    other = CrashingLake(runtime.lake)

    def takes_new_lines_and_is_killed() -> None:
        deliver(tmp_path, "b", [line(2)])
        ingest(runtime, stream, interval(1))
        with pytest.raises(Crash):
            _until(other, lambda: merge(replace(runtime, lake=other), stream), runtime)

    merge(overtaken(runtime, paths.unified("readings"), takes_new_lines_and_is_killed), stream)
    assert ids(runtime, paths.unified("readings")) == ["r1", "r2"]
    merge(runtime, stream)
    assert audit(runtime, stream).agrees


def _until(lake: CrashingLake, run: Callable[[], object], runtime: Runtime) -> None:
    """Run until unified has the new lines but not yet the batch; then raise what a kill would."""
    for moments in range(1, 30):
        lake.fuse.burns(run, moments)
        unified = runtime.lake.table(paths.unified("readings")).snapshot()
        if unified is not None and unified.position("realtime") == 2:
            assert unified.position("silver") == 0
            raise Crash


def test_retention_keeps_what_serving_has_not_seen(runtime: Runtime, stream: Stream, tmp_path: Path) -> None:
    day = replace(stream, interval=timedelta(days=1), retention=Retention(realtime=timedelta(days=1)))
    midnight = START.replace(hour=0)
    for number in range(4):
        deliver(tmp_path, str(number), [line(number, minute=1440 * number)])
        ingest(runtime, day, Interval(midnight + timedelta(days=number), midnight + timedelta(days=number + 1)))
        if number == 0:
            merge(runtime, day)
    bronze(runtime, day, midnight + timedelta(days=4))
    silver(runtime, day)
    gold(runtime, day)
    assert maintain(runtime, day)["realtime"] == 1
    merge(runtime, day)
    assert audit(runtime, day).agrees
    assert maintain(runtime, day)["realtime"] == 2


def test_what_waits_to_be_landed_is_not_cleaned_up(runtime: Runtime, stream: Stream, tmp_path: Path) -> None:
    deliver(tmp_path, "a", [line(1)])
    ingest(runtime, stream, interval(0))
    batch(runtime, stream, 0)
    deliver(tmp_path, "b", [line(2)])
    generate(runtime, stream, interval(1))
    assert maintain(runtime, stream)["staged"] == 1
    assert land(runtime, stream, interval(1))["lines"] == 1


def test_what_was_staged_for_a_backfill_below_the_line_is_not_cleaned_up(
    runtime: Runtime, stream: Stream, tmp_path: Path
) -> None:
    deliver(tmp_path, "a", [line(1)])
    ingest(runtime, stream, interval(1))
    batch(runtime, stream, 1)
    deliver(tmp_path, "b", [line(2)])
    generate(runtime, stream, interval(0))
    assert maintain(runtime, stream)["staged"] == 1
    assert land(runtime, stream, interval(0))["lines"] == 1
    assert maintain(runtime, stream)["staged"] == 1
