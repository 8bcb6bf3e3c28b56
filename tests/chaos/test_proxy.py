"""What the proxy does to a request, and what the storage ports make of it."""

from __future__ import annotations

import asyncio
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pyarrow as pa
import pytest

from strandline.errors import StorageError, TransientError
from strandline.intervals import Interval
from strandline.lake.lake import Lake
from strandline.lake.snapshot import Snapshot
from strandline.lake.tables import Commit, Table
from strandline.lines.protect import ProtectedLine
from strandline.sources.source import RawLine
from strandline.stages.staged import StagedLines, staged_batch, write_staged
from tests.chaos.faults import Kind, Request, Schedule, at, quiet, seeded
from tests.chaos.proxy import FaultProxy

if TYPE_CHECKING:
    from strandline.local.seaweed import Seaweed
    from tests.conftest import S3Lake

SCHEMA = pa.schema([("n", pa.int64())])


@pytest.fixture
def proxy(seaweed: Seaweed) -> Iterator[FaultProxy]:
    """A running proxy before the server; `arm` it from the test."""
    loop, found, ready, over = asyncio.new_event_loop(), FaultProxy(seaweed.endpoint_url), threading.Event(), asyncio.Event()

    async def serve() -> None:
        async with found:
            ready.set()
            await over.wait()

    thread = threading.Thread(target=lambda: loop.run_until_complete(serve()))
    thread.start()
    ready.wait(10)
    yield found
    loop.call_soon_threadsafe(over.set)
    thread.join(10)
    loop.close()


@pytest.fixture
def lake(s3_lake: S3Lake, proxy: FaultProxy) -> Lake:
    return Lake.open(s3_lake.url, replace(s3_lake.credentials, endpoint_url=proxy.endpoint))


def every(kind: Kind, where: str) -> Schedule:
    return lambda request: kind if where in request.target and request.method == "PUT" else None


def once(kind: Kind, where: str) -> Schedule:
    left = [kind]
    return lambda request: left.pop() if left and where in request.target and request.method == "PUT" else None


def append(table: Table, number: int) -> bool:
    def decide(snapshot: Snapshot) -> Commit | None:
        if snapshot.position("numbers") >= number:
            return None
        writer = table.writer(snapshot, SCHEMA)
        writer.write(pa.table({"n": [number]}))
        return Commit(add=writer.close(), positions={"numbers": number})

    return table.commit(SCHEMA, decide) is not None


def test_bytes_pass_unchanged_and_are_counted(lake: Lake, proxy: FaultProxy) -> None:
    record = proxy.arm(quiet)
    data = bytes(range(256)) * 5000
    assert lake.objects.put("some/key", data)
    assert lake.objects.get("some/key") == data
    assert [info.key for info in lake.objects.list("some/")] == ["some/key"]
    assert [(r.number, r.method) for r in record.requests] == [(1, "PUT"), (2, "GET"), (3, "GET")]
    assert record.requests[0].size == len(data)


@pytest.mark.parametrize("kind", ["slow down", "server error", "reset", "truncated", "flipped reply"])
def test_a_read_that_fails_once_is_read_again(lake: Lake, proxy: FaultProxy, kind: Kind) -> None:
    lake.objects.put("key", b"0123456789" * 99)
    record = proxy.arm(at(1, kind))
    assert lake.objects.get("key") == b"0123456789" * 99
    assert record.met == {1: kind}


@pytest.mark.parametrize("kind", ["slow down", "conflict", "reset", "lost reply", "flipped request"])
def test_a_write_that_fails_once_is_written_once(lake: Lake, proxy: FaultProxy, kind: Kind) -> None:
    record = proxy.arm(at(1, kind))
    assert lake.objects.put("key", b"data" * 20)
    assert record.met == {1: kind}
    assert lake.objects.get("key") == b"data" * 20


def test_an_unconditional_write_that_is_refused_is_an_error(lake: Lake, proxy: FaultProxy) -> None:
    proxy.arm(every("precondition", "key"))
    with pytest.raises(StorageError, match="PreconditionFailed"):
        lake.objects.put("key", b"data")
    proxy.arm(quiet)
    assert not lake.objects.exists("key")


def test_a_stream_that_was_damaged_on_its_way_is_a_transient_error(lake: Lake, proxy: FaultProxy) -> None:
    lake.objects.put("key", b"0123456789" * 99)
    proxy.arm(at(1, "flipped reply"), seed=1)
    with pytest.raises(TransientError, match="checksum"), lake.objects.open("key") as stream:
        stream.read()


def test_a_staged_object_that_was_damaged_on_its_way_is_not_landed(lake: Lake, proxy: FaultProxy) -> None:
    interval = Interval(datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 3, 2, tzinfo=UTC))
    raws = [RawLine(b"%d" % n, "source", n, None) for n in range(50)]
    lines = [ProtectedLine(raw.raw, "digest", False) for raw in raws]
    write_staged(lake.objects, "orders", interval, [staged_batch(raws, lines)], lambda: {"cursor": {}})
    for seed in range(8):
        proxy.arm(at(1, "flipped reply"), seed=seed)
        with pytest.raises((TransientError, StorageError)):
            _ = StagedLines(lake.objects, "orders", interval, lambda names: ()).read_position()


def test_a_commit_that_was_damaged_on_its_way_is_not_stored(lake: Lake, proxy: FaultProxy) -> None:
    table = lake.table("numbers")
    append(table, 1)
    record = proxy.arm(once("flipped request", "_delta_log"))
    assert append(table, 2)
    assert list(record.met.values()) == ["flipped request"]
    snapshot = table.snapshot()
    assert snapshot is not None
    assert sorted(snapshot.arrow()["n"].to_pylist()) == [1, 2]


def test_a_commit_whose_reply_was_lost_counts_once(lake: Lake, proxy: FaultProxy) -> None:
    table = lake.table("numbers")
    append(table, 1)
    record = proxy.arm(every("lost reply", "00000000000000000002.json"))
    append(table, 2)
    assert record.met
    snapshot = table.snapshot()
    assert snapshot is not None
    assert sorted(snapshot.arrow()["n"].to_pylist()) == [1, 2]


def test_what_the_network_does_to_a_table_read_is_an_error_of_ours(lake: Lake, proxy: FaultProxy) -> None:
    table = lake.table("numbers")
    append(table, 1)
    snapshot = table.snapshot()
    assert snapshot is not None
    lake.objects.delete([f"numbers/{snapshot.files[0].path}"])
    with pytest.raises(TransientError, match="read numbers"):
        snapshot.arrow()


def test_a_stale_listing_lacks_the_newest_key(lake: Lake, proxy: FaultProxy) -> None:
    lake.objects.put("a", b"1")
    lake.objects.put("b", b"2")
    proxy.arm(at(1, "stale listing"))
    assert len(list(lake.objects.list())) < 2
    assert len(list(lake.objects.list())) == 2


@pytest.mark.parametrize("kind", ["kill before", "kill after"])
def test_a_kill_ends_the_client_before_or_after_the_write_took_effect(lake: Lake, proxy: FaultProxy, kind: Kind) -> None:
    client = (
        "import sys, urllib.request; sys.stdin.readline(); "
        f"urllib.request.urlopen('{proxy.endpoint}/no-such-bucket/key', timeout=20)"
    )
    with subprocess.Popen([sys.executable, "-c", client], stdin=subprocess.PIPE) as process:
        record = proxy.arm(at(1, kind), pid=process.pid)
        process.communicate(b"go\n", timeout=30)
    assert process.returncode == -9
    assert record.met == {1: kind}


def test_a_schedule_of_the_same_seed_is_the_same() -> None:
    requests = [Request(n, "GET", "/bucket/key", 0) for n in range(1, 200)]
    one, same, other = (
        [schedule(r) for r in requests] for schedule in (seeded(7, "reset"), seeded(7, "reset"), seeded(8, "reset"))
    )
    assert one == same != other
    assert 0 < sum(kind is not None for kind in one) <= 3
    assert not re.search("kill", str(one))
