"""What a reader sees is one published state, and never an older one than it saw before, also while a merge goes by."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any, cast

import pytest

from strandline.lake import paths
from strandline.lake.lake import Lake
from strandline.lake.objects import Objects
from strandline.lake.tables import Table
from strandline.query import query
from strandline.runtime import Runtime
from strandline.spec.model import Stream
from strandline.stages.land import ingest
from strandline.stages.merge import merge, read_pointer
from tests.stages.streams import START, deliver, interval


class BusyLake(Lake):
    """A lake on which another run goes by, once, when the table `path` is opened."""

    def __init__(self, lake: Lake, path: str, other: Callable[[], object]) -> None:
        super().__init__(lake.objects, lake.credentials)
        self._path, self._other = path, other

    def table(self, path: str) -> Table:
        if path == self._path:
            self._path = ""
            self._other()
        return super().table(path)


class WatchedObjects:
    """Objects on which another run goes by, once, before `key` is written; `seen` is told after each write of it."""

    def __init__(self, objects: Objects, key: str, other: Callable[[], object], seen: Callable[[], object]) -> None:
        self._objects, self._key, self._other, self._seen = objects, key, other, seen
        self.url = objects.url

    def __getattr__(self, name: str) -> Any:
        return getattr(self._objects, name)

    def put(self, key: str, data: bytes, **options: Any) -> bool:
        if key == self._key:
            other, self._other = self._other, lambda: None
            other()
        written = self._objects.put(key, data, **options)
        if key == self._key:
            self._seen()
        return written


def line(number: int) -> bytes:
    at = (START + timedelta(minutes=number)).strftime("%Y-%m-%dT%H:%M:%SZ")
    return json.dumps({"reading_id": f"r{number}", "at": at, "value": number, "site": "north"}).encode()


def land(runtime: Runtime, stream: Stream, tmp_path: Path, number: int) -> None:
    deliver(tmp_path, f"{number}", [line(number)])
    ingest(runtime, stream, interval(number))


def test_one_query_reads_the_tables_of_one_published_state(runtime: Runtime, stream: Stream, tmp_path: Path) -> None:
    land(runtime, stream, tmp_path, 0)
    merge(runtime, stream)

    def another_merge() -> None:
        land(runtime, stream, tmp_path, 1)
        merge(runtime, stream)

    busy = replace(runtime, lake=BusyLake(runtime.lake, paths.analytics("readings", "hourly"), another_merge))
    sql = """SELECT (SELECT COUNT(*) FROM unified.readings) AS events,
                    (SELECT COUNT(*) FROM unified.readings AS u JOIN analytics.readings__hourly AS a
                        ON date_trunc('hour', u.at) = a.window_start) AS counted,
                    (SELECT max(_as_of) FROM analytics.readings__hourly) = (SELECT max(_as_of) FROM unified.readings) AS same"""
    with query(busy, {"readings": stream}, sql) as answer:
        row = answer.table().to_pylist()[0]
    assert row["same"], row
    pointer = read_pointer(runtime, "readings")
    assert pointer is not None
    assert pointer.realtime == 2, "the other merge has published meanwhile"


@pytest.mark.parametrize("first", [True, False], ids=["the first pointer", "a later one"])
def test_the_pointer_never_goes_back_not_even_for_a_moment(
    runtime: Runtime, stream: Stream, tmp_path: Path, first: bool
) -> None:
    if not first:
        land(runtime, stream, tmp_path, 0)
        merge(runtime, stream)
    land(runtime, stream, tmp_path, 1)
    shown: list[int] = []

    def look() -> None:
        pointer = read_pointer(runtime, "readings")
        assert pointer is not None
        shown.append(pointer.unified)

    def faster() -> None:
        land(runtime, stream, tmp_path, 2)
        merge(runtime, stream)
        look()

    objects = WatchedObjects(runtime.lake.objects, paths.published("readings"), faster, look)
    merge(replace(runtime, lake=Lake(cast("Objects", objects), None)), stream)
    assert len(shown) >= 2
    assert shown == sorted(shown)


def test_every_query_sees_what_was_published_last(runtime: Runtime, stream: Stream, tmp_path: Path) -> None:
    sql = "SELECT COUNT(*) AS n FROM unified.readings AS u"
    for number in range(3):
        land(runtime, stream, tmp_path, number)
        merge(runtime, stream)
        with query(runtime, {"readings": stream}, sql) as answer:
            assert answer.table().to_pylist() == [{"n": number + 1}]
