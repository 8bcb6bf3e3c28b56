"""A refresh costs what is new and the windows it touches: counted in requests, files and windows, never in seconds."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from strandline.audit.audit import audit
from strandline.lake import paths
from strandline.lake.lake import Lake
from strandline.lake.snapshot import DataFile, Snapshot
from strandline.runtime import Runtime
from strandline.spec.model import Stream
from strandline.stages.gather import full_levels
from strandline.stages.generate import generate
from strandline.stages.gold import window_of
from strandline.stages.land import ingest, land
from strandline.stages.merge import merge
from strandline.stages.touched import TAG, Touched, bucket, moment_of, touched_since
from tests.stages.streams import START, deliver, interval

DAY = START.date()


class CountingObjects:
    """Objects that count what is asked of them."""

    def __init__(self, objects: Any) -> None:
        self._objects, self.asked = objects, Counter[str]()

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._objects, name)
        if name in ("put", "get", "exists", "tag", "list", "open", "delete"):
            self.asked[name] += 1
        return found


def line(number: int, at: datetime, value: float = 1) -> bytes:
    told = {"reading_id": f"r{number}", "at": at.strftime("%Y-%m-%dT%H:%M:%SZ"), "value": value, "site": "north"}
    return json.dumps(told).encode()


def unified(runtime: Runtime) -> Snapshot:
    found = runtime.lake.table(paths.unified("readings")).snapshot()
    assert found is not None
    return found


def hourly(runtime: Runtime) -> dict[datetime, tuple[int, float]]:
    found = runtime.lake.table(paths.analytics("readings", "hourly")).snapshot()
    assert found is not None
    return {row["window_start"]: (row["readings"], row["total"]) for row in found.arrow().to_pylist()}


def test_an_ingest_asks_ten_times_however_many_came_before(tmp_path: Path, runtime: Runtime, stream: Stream) -> None:
    asked = []
    for n in range(45):
        deliver(tmp_path, f"{n:03}", [line(n, START + timedelta(minutes=5 * n))])
        total = 0
        for step in (generate, land):  # each in a process of its own
            objects = CountingObjects(runtime.lake.objects)
            step(replace(runtime, lake=Lake(objects, None)), stream, interval(n))
            total += sum(objects.asked.values())
        asked.append(total)
    later = asked[5:]
    assert set(later) == {10, 12}, asked  # with a checkpoint two more
    assert later.count(12) == 2, asked


def test_an_event_that_moves_to_another_window_leaves_the_first(tmp_path: Path, runtime: Runtime, stream: Stream) -> None:
    deliver(tmp_path, "a", [line(1, START), line(2, START - timedelta(hours=3))])
    ingest(runtime, stream, interval(0))
    merge(runtime, stream)
    assert hourly(runtime) == {START: (1, 1), START - timedelta(hours=3): (1, 1)}
    deliver(tmp_path, "b", [line(1, START - timedelta(hours=1), 7)])
    ingest(runtime, stream, interval(1))
    merge(runtime, stream)
    assert hourly(runtime) == {START - timedelta(hours=1): (1, 7), START - timedelta(hours=3): (1, 1)}
    assert audit(runtime, stream).agrees


def test_only_the_files_that_hold_a_version_of_a_new_event_are_written_again(
    tmp_path: Path, runtime: Runtime, stream: Stream
) -> None:
    for n in range(4):
        deliver(tmp_path, f"a{n}", [line(n, START - timedelta(hours=n))])
        ingest(runtime, stream, interval(n))
        merge(runtime, stream)
    before = {f.path for f in unified(runtime).files}
    deliver(tmp_path, "b", [line(2, START - timedelta(hours=2), 9), line(9, START)])
    ingest(runtime, stream, interval(4))
    merge(runtime, stream)
    snapshot = unified(runtime)
    assert len(before - {f.path for f in snapshot.files}) == 1
    assert touched_since(snapshot.files, snapshot.ordinal - 1) == {DAY: {bucket(START), bucket(START - timedelta(hours=2))}}
    assert hourly(runtime)[START] == (2, 2)
    assert hourly(runtime)[START - timedelta(hours=2)] == (1, 9)
    assert audit(runtime, stream).agrees


def test_a_day_of_merges_never_holds_many_files_and_stays_right(tmp_path: Path, runtime: Runtime, stream: Stream) -> None:
    held = []
    for n in range(40):
        lines = [line(n, START + timedelta(minutes=5 * n), n % 40), line(n // 2, START + timedelta(minutes=5 * (n // 2)), -1)]
        deliver(tmp_path, f"{n:03}", lines)
        ingest(runtime, stream, interval(n))
        merge(runtime, stream)
        held.append(len(unified(runtime).files_of([DAY])))
    assert max(held) <= 16, held
    assert sum(readings for readings, _ in hourly(runtime).values()) == 40
    assert audit(runtime, stream).agrees


def a_file(ordinal: int, size: int = 1000, tags: dict[str, str] | None = None) -> DataFile:
    return DataFile(f"event_date={DAY}/{ordinal:012}-x.parquet", size, 1, DAY, ordinal, {}, {}, tags or {})


def test_what_was_touched_survives_the_files_that_said_it() -> None:
    first = a_file(5, tags=Touched.over([], 5, {1, 2}).tags())
    second = a_file(6, tags=Touched.over([first], 6, {7}).tags())
    assert touched_since([second], 5) == {DAY: {7}}
    assert touched_since([second], 4) == {DAY: {1, 2, 7}}
    gathered = a_file(6, tags=Touched.by([first, second]).tags())
    assert touched_since([gathered], 4) == {DAY: {1, 2, 7}}
    assert touched_since([gathered], 6) == {}


def test_of_what_is_not_known_the_whole_day_is_touched() -> None:
    untagged = a_file(5)
    replaced = a_file(6, tags=Touched.over([untagged], 6, {7}).tags())
    assert touched_since([untagged], 4) == {DAY: None}
    assert touched_since([replaced], 4) == {DAY: None}
    assert touched_since([replaced], 5) == {DAY: {7}}
    long_ago = a_file(
        40, tags=Touched.over([a_file(n, tags=Touched.over([], n, {n}).tags()) for n in range(1, 40)], 40, {0}).tags()
    )
    assert touched_since([long_ago], 3) == {DAY: None}
    assert touched_since([long_ago], 38) == {DAY: {39, 0}}
    assert len(json.loads(long_ago.tags[TAG])["buckets"]) == 8


def test_files_are_gathered_by_eight_of_a_size() -> None:
    small, large = [a_file(n) for n in range(8)], [a_file(n, 1 << 20) for n in range(10, 17)]
    assert full_levels([*small[:7], *large]) == []
    assert full_levels([*small, *large]) == [small]
    assert full_levels([a_file(n, 60 << 20) for n in range(20)]) == []


@pytest.mark.parametrize(
    ("grain", "start"), [("5 minutes", "10:55"), ("15 minutes", "10:45"), ("hour", "10:00"), ("day", "00:00")]
)
def test_a_bucket_lies_in_one_window_of_every_grain(grain: Any, start: str) -> None:
    moment = datetime(2026, 3, 1, 10, 59, 59, 999_999, tzinfo=UTC)
    assert f"{window_of(moment_of(bucket(moment)), grain):%H:%M}" == start
    assert moment_of(bucket(moment)).date() == date(2026, 3, 1)
