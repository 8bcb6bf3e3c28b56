"""A backfill lands micro-batches as it reads them, some at once: what lands is what lands one by one."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from strandline.errors import SourceError, StorageError, TransientError
from strandline.intervals import Interval
from strandline.lake.lake import Lake
from strandline.lake.local import LocalObjects
from strandline.lake.paths import realtime
from strandline.runtime import Runtime
from strandline.spec.load import load_stream
from strandline.spec.model import Stream
from strandline.stages import generate, land, staged
from tests.sources.servers import Answer, Request, Server, serving
from tests.stages.streams import READINGS, deliver, interval, readings, runtime_in

GROUP = 3
LINE = st.sampled_from(
    [
        b'{"reading_id":"a","at":"2026-03-01T10:00:00Z","value":1}',
        b'{"reading_id":"b","value":"x","more":[1]}',
        b"{",
        b"",
        b"\xff",
    ]
)
FILES = st.lists(st.lists(LINE, max_size=4), min_size=1, max_size=11)
PULLED = "source: {{type: http, url: {url}, records: items, paging: cursor, cursor_path: next, max_pages: {pages}}}"


@pytest.fixture(autouse=True)
def small_groups(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(land, "INTERVALS_A_COMMIT", GROUP)


def backfill(runtime: Runtime, stream: Stream, count: int, threads: int) -> dict[str, int]:
    return land.ingest_intervals(replace(runtime, threads=threads), stream, [interval(n) for n in range(count)])


def landed(runtime: Runtime, stream: Stream) -> list[tuple[int, int, bytes | None]]:
    """Interval number, line and raw bytes of every row, sorted; a micro-batch's own row is line 0."""
    snapshot = Lake.open(runtime.lake.url).table(realtime(stream.name)).snapshot()
    rows = snapshot.arrow(["_landing_start", "_line", "_raw"]).to_pylist() if snapshot else []
    first = interval(0).start
    return sorted(((row["_landing_start"] - first) // (interval(1).start - first), row["_line"], row["_raw"]) for row in rows)


def expected(files: list[list[bytes]], count: int) -> list[tuple[int, int, bytes | None]]:
    """One file an interval, in the order of their names; an interval without a file has its own row only."""
    rows: list[tuple[int, int, bytes | None]] = [(number, 0, None) for number in range(count)]
    for number, lines in enumerate(files[:count]):
        rows += [(number, at, line) for at, line in enumerate(lines, start=1)]
    return sorted(rows)


def staged_lines(runtime: Runtime, stream: Stream) -> dict[int, int | None]:
    """How many lines are staged by interval number; None where they are left in the source's object."""
    found = {}
    for key in staged.staged_keys(runtime.lake.objects, stream.name):
        at = Interval(start := staged.staged_start(key), start + stream.interval)
        position = staged.StagedLines(runtime.lake.objects, stream.name, at, lambda names: ()).read_position()
        found[(start - interval(0).start) // stream.interval] = position["lines"]
    return found


@pytest.mark.parametrize("threads", [1, 2, 4])
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(files=FILES, more=st.integers(-3, 3))
def test_every_file_lands_in_its_interval(
    tmp_path_factory: pytest.TempPathFactory, threads: int, files: list[list[bytes]], more: int
) -> None:
    folder = tmp_path_factory.mktemp("backfill")
    stream, runtime, count = readings(folder), runtime_in(folder), max(len(files) + more, 1)
    for number, lines in enumerate(files):
        deliver(folder, f"{number:02}", lines)
    told = backfill(runtime, stream, count, threads)
    rows = landed(runtime, stream)
    assert rows == expected(files, count)
    assert told["lines"] == len(rows) - count
    assert told["intervals"] == count
    assert backfill(runtime, stream, count, threads) == {"intervals": 0, "lines": 0, "unparsed": 0}
    assert landed(runtime, stream) == rows
    assert staged_lines(runtime, stream) == dict.fromkeys(range(count))


@pytest.mark.parametrize("threads", [1, 3])
def test_what_is_too_much_for_memory_is_staged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, threads: int) -> None:
    stream, runtime = readings(tmp_path), runtime_in(tmp_path)
    monkeypatch.setattr(generate, "HELD", 300)
    monkeypatch.setattr(staged, "HELD", 300)
    files = [[b"%d" % number * (400 if number % 3 == 0 else 1)] for number in range(1, 12)]
    for number, lines in enumerate(files):
        deliver(tmp_path, f"{number:02}", lines)
    backfill(runtime, stream, len(files), threads)
    assert landed(runtime, stream) == expected(files, len(files))
    assert staged_lines(runtime, stream) == {number: 1 if number in (2, 5, 8) else None for number in range(len(files))}


@pytest.mark.parametrize("held", [0, staged.HELD])
@pytest.mark.parametrize("threads", [1, 3])
def test_an_object_that_two_intervals_have_staged_lands_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, threads: int, held: int
) -> None:
    stream, runtime = readings(tmp_path), runtime_in(tmp_path)
    monkeypatch.setattr(staged, "HELD", held)
    deliver(tmp_path, "00", [b"1", b"2"])
    for number in (1, 2):  # before anything has landed each stands alone, and takes what is there
        generate.generate(runtime, stream, interval(number))
    assert staged_lines(runtime, stream) == {1: 2, 2: 2}
    deliver(tmp_path, "01", [b"3"])
    backfill(runtime, stream, 4, threads)
    found = landed(runtime, stream)
    assert sorted(raw for _, line, raw in found if line and raw) == [b"1", b"2", b"3"]
    assert [number for number, line, _ in found if line == 0] == [0, 1, 2, 3]


@pytest.mark.parametrize("threads", [1, 2])
def test_what_is_staged_lands_though_its_object_is_gone(tmp_path: Path, threads: int) -> None:
    stream, runtime = readings(tmp_path), runtime_in(tmp_path)
    deliver(tmp_path, "00", [b"staged"])
    generate.generate(runtime, stream, interval(0))
    (tmp_path / "inbox" / "00").unlink()
    deliver(tmp_path, "01", [b"later"])
    backfill(runtime, stream, 2, threads)
    assert landed(runtime, stream) == expected([[b"staged"], [b"later"]], 2)


@contextmanager
def pulled(folder: Path, answer: Callable[[Request], Answer], pages: int = 1) -> Iterator[tuple[Server, Stream]]:
    """A server, and the stream that pulls its lines from there."""
    with serving(answer) as server:
        lines = READINGS.format(location="", more="", rules="").strip().splitlines()
        source = PULLED.format(url=server.url, pages=pages)
        path = folder / "readings.yaml"
        path.write_text("\n".join(source if text.startswith("source:") else text for text in lines) + "\n")
        yield server, load_stream(path)


def page(request: Request, most: int, there: int) -> Answer:
    """The next records after the request's cursor, `most` at once, of those that are there."""
    start = int(request.params.get("cursor", "c0").removeprefix("c"))
    end = max(start, min(start + most, there))
    items = [{"reading_id": f"r{n}", "at": "2026-03-01T10:00:00Z"} for n in range(start, end)]
    return Answer(json.dumps({"items": items, "next": f"c{end}"}).encode())


def ids(runtime: Runtime, stream: Stream) -> list[tuple[int, str]]:
    """Interval number and record of every line."""
    return [(number, json.loads(raw)["reading_id"]) for number, line, raw in landed(runtime, stream) if line and raw]


@pytest.mark.parametrize("before", [False, True])
@pytest.mark.parametrize("threads", [1, 2])
def test_a_source_goes_on_from_what_is_read_or_staged_and_has_not_landed(tmp_path: Path, threads: int, before: bool) -> None:
    with pulled(tmp_path, lambda request: page(request, 1, 11)) as (_, stream):
        runtime = runtime_in(tmp_path)
        if before:
            generate.generate(runtime, stream, interval(0))
        backfill(runtime, stream, 11, threads)
    assert ids(runtime, stream) == [(number, f"r{number}") for number in range(11)]


@pytest.mark.parametrize("threads", [1, 3])
def test_a_live_run_that_stages_meanwhile_goes_on_after_what_the_backfill_takes(tmp_path: Path, threads: int) -> None:
    stream, runtime = readings(tmp_path), runtime_in(tmp_path)
    deliver(tmp_path, "0", [b"0"])
    land.ingest(runtime, stream, interval(0))
    deliver(tmp_path, "1", [b"1"])

    def live() -> None:
        deliver(tmp_path, "2", [b"2"])
        deliver(tmp_path, "3", [b"3"])
        generate.generate(runtime, stream, interval(3))

    lake = Lake(Overtaken(runtime.lake.url, 1, live), None)
    land.ingest_intervals(replace(runtime, lake=lake, threads=threads), stream, [interval(1), interval(2)])
    land.land(runtime, stream, interval(3))
    land.ingest(runtime, stream, interval(4))
    assert sorted(raw for _, line, raw in landed(runtime, stream) if line and raw) == [b"0", b"1", b"2", b"3"]


@pytest.mark.parametrize("threads", [1, 3])
def test_a_live_pull_goes_on_after_what_the_backfill_takes(tmp_path: Path, threads: int) -> None:
    there = 0
    with pulled(tmp_path, lambda request: page(request, 9, there), pages=3) as (_, stream):
        runtime = runtime_in(tmp_path)
        land.ingest(runtime, stream, interval(0))
        there = 2

        def live() -> None:
            nonlocal there
            there = 4
            generate.generate(runtime, stream, interval(3))
            there = 5

        lake = Lake(Overtaken(runtime.lake.url, 1, live), None)
        land.ingest_intervals(replace(runtime, lake=lake, threads=threads), stream, [interval(1), interval(2)])
        land.land(runtime, stream, interval(3))
        land.ingest(runtime, stream, interval(4))
    assert sorted(record for _, record in ids(runtime, stream)) == [f"r{number}" for number in range(5)]


@pytest.mark.parametrize("big", [0, 1, 2])
@pytest.mark.parametrize("at", [1, 2, 3])
@pytest.mark.parametrize("error", [TransientError("gone for a moment"), KeyboardInterrupt()])
def test_what_an_interval_takes_is_settled_though_the_commit_is_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException, at: int, big: int
) -> None:
    """An object that comes before the others meanwhile would change what each takes; so would a run of fewer intervals."""
    stream, runtime = readings(tmp_path), replace(runtime_in(tmp_path), threads=1)
    monkeypatch.setattr(generate, "HELD", 300)
    monkeypatch.setattr(staged, "HELD", 300)
    many = [[b"%d" % number * (400 if number == big else 1)] for number in range(3)]
    for number, lines in enumerate(many):
        deliver(tmp_path, f"b{number}", lines)

    def trouble() -> None:
        deliver(tmp_path, "a", [b"late"])
        raise error

    lake = Lake(Overtaken(runtime.lake.url, at, trouble), None)
    with suppress(KeyboardInterrupt):
        backfill(replace(runtime, lake=lake), stream, 3, 1)
    land.ingest_intervals(runtime, stream, [interval(1), interval(2)])
    for number in range(3, 6):
        land.ingest(runtime, stream, interval(number))
    land.ingest_intervals(runtime, stream, [interval(0)])
    found = sorted(raw for _, line, raw in landed(runtime, stream) if line and raw)
    assert found == sorted([b"late", *(line for lines in many for line in lines)])


def test_an_object_that_goes_before_a_killed_backfill_is_run_again_is_an_error_that_names_it(tmp_path: Path) -> None:
    stream, runtime = readings(tmp_path), runtime_in(tmp_path)
    for number in range(2):
        deliver(tmp_path, f"object-{number}", [b"%d" % number])

    def killed() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        backfill(replace(runtime, lake=Lake(Overtaken(runtime.lake.url, 2, killed), None)), stream, 2, 1)
    (tmp_path / "inbox" / "object-1").rename(tmp_path / "elsewhere")
    for _ in range(2):
        with pytest.raises(StorageError, match="object-1"):
            backfill(runtime, stream, 2, 1)
        assert landed(runtime, stream) == []
    (tmp_path / "elsewhere").rename(tmp_path / "inbox" / "object-1")
    backfill(runtime, stream, 2, 1)
    assert landed(runtime, stream) == expected([[b"0"], [b"1"]], 2)


def test_a_server_that_is_unwell_is_not_asked_anew_by_the_commit(tmp_path: Path) -> None:
    def answer(request: Request) -> Answer:
        return Answer(b"", status=503) if request.params.get("cursor") == "c2" else page(request, 1, 9)

    with pulled(tmp_path, answer) as (server, stream):
        runtime = runtime_in(tmp_path)
        with pytest.raises(TransientError, match="last status 503"):
            backfill(runtime, stream, 5, 2)
    asked = [request.params.get("cursor") for request in server.asked]
    assert (asked.count(None), asked.count("c1")) == (1, 1)
    assert asked.count("c2") < 10


@pytest.mark.parametrize("threads", [1, 2])
def test_a_source_that_fails_half_way_keeps_what_was_whole_and_goes_on_later(tmp_path: Path, threads: int) -> None:
    stream, runtime = readings(tmp_path), runtime_in(tmp_path)
    files = [[b"%d" % number] for number in range(11)]
    for number, lines in enumerate(files):
        deliver(tmp_path, f"{number:02}", lines)
    (tmp_path / "inbox" / "07").write_bytes(b"\x1f\x8b no gzip at all")
    with pytest.raises(SourceError, match="07"):
        backfill(runtime, stream, len(files), threads)
    assert landed(runtime, stream) == expected(files, 2 * GROUP)
    deliver(tmp_path, "07", files[7])
    backfill(runtime, stream, len(files), threads)
    assert landed(runtime, stream) == expected(files, len(files))


class Failing(LocalObjects):
    """Fails to put the data file of that number, once."""

    def __init__(self, root: str, number: int) -> None:
        super().__init__(root)
        self.number, self._lock = number, threading.Lock()

    def put(self, key: str, data: Any, **options: Any) -> bool:
        with self._lock:
            if key.endswith(".parquet"):
                self.number -= 1
            if self.number == 0:
                self.number = -1
                raise StorageError("the disk is full")
        return super().put(key, data, **options)


@pytest.mark.parametrize("threads", [1, 2, 3])
@pytest.mark.parametrize("number", range(1, 12))
def test_storage_that_fails_once_loses_nothing_and_lands_nothing_out_of_order(
    tmp_path: Path, threads: int, number: int
) -> None:
    stream, runtime = readings(tmp_path), runtime_in(tmp_path)
    many = [[b"%d" % each, b"{"] for each in range(11)]
    for each, lines in enumerate(many):
        deliver(tmp_path, f"{each:02}", lines)
    lake = Lake(Failing(runtime.lake.url, number), None)
    with pytest.raises(StorageError, match="the disk is full"):
        backfill(replace(runtime, lake=lake), stream, len(many), threads)
    whole = (number - 1) // GROUP * GROUP
    assert landed(runtime, stream) == expected(many, whole)
    backfill(replace(runtime, lake=lake), stream, len(many), threads)
    assert landed(runtime, stream) == expected(many, len(many))


class Overtaken(LocalObjects):
    """Lets somebody else go first when the data file of that number is about to be put."""

    def __init__(self, root: str, number: int, other: Callable[[], object]) -> None:
        super().__init__(root)
        self.number, self._other, self._lock = number, other, threading.Lock()

    def put(self, key: str, data: Any, **options: Any) -> bool:
        with self._lock:
            self.number -= key.endswith(".parquet")
            if self.number == 0:
                self.number = -1
                self._other()
        return super().put(key, data, **options)


@pytest.mark.parametrize("threads", [1, 2, 3])
@pytest.mark.parametrize("number", [1, 2, 3, 4, 8, 11])
@pytest.mark.parametrize("others", [[0], [1, 4], [2, 3, 7, 10], list(range(11))])
def test_backfills_at_once_land_every_object_once(tmp_path: Path, threads: int, number: int, others: list[int]) -> None:
    stream, runtime = readings(tmp_path), runtime_in(tmp_path)
    many = [[b"%d" % each, b"{"] for each in range(11)]
    for each, lines in enumerate(many):
        deliver(tmp_path, f"{each:02}", lines)

    def other() -> None:
        land.ingest_intervals(runtime, stream, [interval(each) for each in others])

    lake = Lake(Overtaken(runtime.lake.url, number, other), None)
    backfill(replace(runtime, lake=lake), stream, len(many), threads)
    assert [each for each, line, _ in landed(runtime, stream) if line == 0] == list(range(11))
    backfill(runtime, stream, len(many) + len(others), threads)  # of two intervals that took one object, one stays empty
    found = landed(runtime, stream)
    assert sorted(raw for _, line, raw in found if line and raw) == sorted(line for lines in many for line in lines)
