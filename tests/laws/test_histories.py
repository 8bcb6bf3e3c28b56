"""The laws over random histories of the real core: whatever happens in whatever order, crashes before and after every write
among it, the tables equal a plain recompute.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule, run_state_machine_as_test

from strandline.errors import DataError
from strandline.intervals import Interval, intervals_between
from strandline.lake import paths
from strandline.lake.lake import Lake
from strandline.lines.keys import KeyRing
from strandline.runtime import Runtime
from strandline.spec.load import load_streams
from strandline.stages.bronze import NotLandedYetError, bronze
from strandline.stages.gold import gold
from strandline.stages.land import ingest, land
from strandline.stages.merge import merge, read_pointer
from strandline.stages.silver import silver
from tests.laws import oracle
from tests.laws.crashes import CrashingLake
from tests.laws.oracle import Landed

CONFIG = Path(__file__).parent / "config"
START = datetime(2026, 3, 1, 22, 0, tzinfo=UTC)
FIVE = timedelta(minutes=5)
SHOWN = ("order_id", "placed_at", "revision", "amount", "channel", "_landing_start", "_line")
HISTORIES = int(os.environ.get("STRANDLINE_HISTORIES", "12"))
STEPS = int(os.environ.get("STRANDLINE_STEPS", "14"))
SHARDS = int(os.environ.get("STRANDLINE_SHARDS", "1"))

GOOD = st.fixed_dictionaries(
    {
        "order_id": st.sampled_from(["a", "b", "c", "d", "e"]),
        "placed_at": st.builds(
            lambda minutes: (START + timedelta(minutes=minutes)).strftime("%Y-%m-%dT%H:%M:%SZ"), st.integers(-2000, 300)
        ),
    },
    optional={
        "revision": st.one_of(st.none(), st.integers(0, 3)),
        "amount": st.one_of(
            st.none(), st.integers(0, 120_000).map(lambda cents: cents / 100), st.sampled_from([-1, "1.5", 2.125])
        ),
        "channel": st.sampled_from(["web", "shop", "phone", "fax"]),
    },
)
BAD = st.sampled_from(
    [b"", b"{", b"[1]", b"\xff\xfe", b'{"order_id": null}', b'{"order_id": "a", "placed_at": "2026-02-30T00:00:00Z"}']
)
CRASH = st.one_of(st.just(0), st.integers(1, 24))
"""At which moment before or after a write the run crashes; 0: it does not."""
LINES = st.lists(st.one_of(GOOD.map(lambda found: json.dumps(found).encode()), BAD), max_size=6)


class Histories(RuleBasedStateMachine):
    """Ingest, outage, backfill, batch, merge, crash and repetition, in any order, on a lake of real Delta tables."""

    @initialize()
    def begin(self) -> None:
        self.stream = load_streams(CONFIG)["orders"]
        self.folder = Path(tempfile.mkdtemp(prefix="strandline-laws-", dir="/dev/shm" if Path("/dev/shm").is_dir() else None))
        self.inbox = self.folder / "inbox"
        self.inbox.mkdir()
        self.before = Path.cwd()
        os.chdir(self.folder)
        self.lake = CrashingLake(Lake.open(str(self.folder / "lake")))
        self.runtime = Runtime(self.lake, KeyRing({}))
        self.next = START
        self.files = 0
        self.lines: list[Landed] = []
        self.landed: set[datetime] = set()
        self.delivered: list[list[bytes]] = []
        self.watermark: datetime | None = None
        self.batched: list[Landed] = []
        self.merged: list[Landed] = []
        self.drawn: list[datetime] = []
        self.half_merged: list[list[Landed]] = []

    def teardown(self) -> None:
        if hasattr(self, "folder"):
            os.chdir(self.before)
            shutil.rmtree(self.folder)

    def _deliver(self, lines: list[bytes]) -> None:
        self.files += 1
        (self.inbox / f"{self.files:06d}.ndjson").write_bytes(b"".join(line + b"\n" for line in lines))
        self.delivered.append(lines)

    def _landed(self, interval: Interval) -> None:
        lines = self.delivered.pop(0) if self.delivered else []
        self.lines += [Landed(raw, interval.start, number) for number, raw in enumerate(lines, 1)]
        self.landed.add(interval.start)

    @rule(lines=LINES, crash=CRASH)
    def ingest_the_next_interval(self, lines: list[bytes], crash: int) -> None:
        self._deliver(lines)
        interval = Interval(self.next, self.next + FIVE)
        missed = max(self.landed, default=self.next - FIVE) + FIVE
        self.lake.fuse.burns(lambda: ingest(self.runtime, self.stream, interval), crash)
        ingest(self.runtime, self.stream, interval)
        for each in intervals_between(missed, interval.end, FIVE):
            self._landed(each)
        self.next = interval.end

    @rule(intervals=st.integers(1, 3), lines=LINES)
    def an_outage(self, intervals: int, lines: list[bytes]) -> None:
        if self.landed:
            self._deliver(lines)
            self.next += intervals * FIVE

    @precondition(lambda self: self.landed)
    @rule(lines=LINES, back=st.integers(1, 5))
    def backfill_before_the_first(self, lines: list[bytes], back: int) -> None:
        start = min(self.landed) - back * FIVE
        if self.delivered or self.watermark is not None:
            return
        self._deliver(lines)
        missed = list(intervals_between(start, min(self.landed), FIVE))
        for each in missed:
            ingest(self.runtime, self.stream, each)
            self._landed(each)

    @precondition(lambda self: self.landed)
    @rule(data=st.data())
    def land_an_interval_again(self, data: st.DataObject) -> None:
        start = data.draw(st.sampled_from(sorted(self.landed)))
        before = self._version(paths.realtime("orders"))
        assert land(self.runtime, self.stream, Interval(start, start + FIVE))["lines"] == 0
        assert self._version(paths.realtime("orders")) == before

    @precondition(lambda self: self.landed)
    @rule(back=st.integers(0, 4), times=st.integers(1, 2))
    def batch(self, back: int, times: int) -> None:
        until = self.next - back * FIVE
        if until <= min(self.landed):
            return
        for _ in range(times):
            try:
                told = bronze(self.runtime, self.stream, until)
            except (DataError, NotLandedYetError):
                wanted = set(_starts(self.watermark or min(self.landed), until))
                assert not wanted <= self.landed, "bronze refused though nothing was missing"
                return
            silver(self.runtime, self.stream)
            gold(self.runtime, self.stream)
        watermark = datetime.fromisoformat(str(told["watermark"]))
        before = max(until, self.watermark or until)
        assert watermark in {before, *(max(before, drawn) for drawn in self.drawn)}, "the line went back, or too far"
        self.watermark, self.drawn = watermark, []
        self.batched = [line for line in self.lines if line.start < watermark]
        self._check(paths.silver("orders"), self.batched)
        self._check_gold(paths.gold, self.batched)
        self._check_ledger()

    @precondition(lambda self: self.landed)
    @rule(back=st.integers(0, 4), crash=st.integers(1, 24))
    def a_batch_that_crashes(self, back: int, crash: int) -> None:
        until = self.next - back * FIVE
        if until <= min(self.landed):
            return

        def batch() -> None:
            try:
                bronze(self.runtime, self.stream, until)
            except (DataError, NotLandedYetError):
                return
            self.drawn.append(until)
            silver(self.runtime, self.stream)
            gold(self.runtime, self.stream)

        if self.lake.fuse.burns(batch, crash):
            self.drawn.append(until)

    @precondition(lambda self: self.landed)
    @rule(crash=st.integers(1, 16))
    def a_merge_that_crashes(self, crash: int) -> None:
        self.lake.fuse.burns(lambda: merge(self.runtime, self.stream), crash)
        self.half_merged.append(list(self.lines))

    @precondition(lambda self: self.landed)
    @rule(times=st.integers(1, 2))
    def merge(self, times: int) -> None:
        for _ in range(times):
            assert merge(self.runtime, self.stream)["drift"] == 0
        self.merged, self.half_merged = list(self.lines), []
        self._check(paths.unified("orders"), self.merged)
        self._check_gold(paths.analytics, self.merged)

    @invariant()
    def the_published_rows_equal_the_recompute(self) -> None:
        """Of the lines of the last merge; of one that crashed since, all or nothing."""
        pointer = read_pointer(self.runtime, "orders") if hasattr(self, "runtime") else None
        if pointer is None:
            return
        shown = self.runtime.lake.table(paths.unified("orders")).snapshot(pointer.unified)
        assert shown is not None
        found = [tuple(row[name] for name in SHOWN) for row in shown.arrow().to_pylist()]
        assert len(found) == len(set(found))
        assert set(found) in [oracle.rows(reversed(lines)) for lines in (self.merged, *self.half_merged)]

    def _version(self, path: str) -> int:
        snapshot = self.runtime.lake.table(path).snapshot()
        return snapshot.version if snapshot else -1

    def _rows(self, path: str) -> list[dict[str, Any]]:
        snapshot = self.runtime.lake.table(path).snapshot()
        return snapshot.arrow().to_pylist() if snapshot else []

    def _check(self, path: str, lines: list[Landed]) -> None:
        found = [tuple(row[name] for name in SHOWN) for row in self._rows(path)]
        assert len(found) == len(set(found))
        assert set(found) == oracle.rows(reversed(lines))

    def _check_gold(self, place: Any, lines: list[Landed]) -> None:
        hourly = {
            (r["window_start"], r["channel"]): tuple(
                r[n] for n in ("orders", "revenue", "average", "middle", "buyers", "newest")
            )
            for r in self._rows(place("orders", "hourly"))
        }
        truth = oracle.hourly(reversed(lines))
        assert hourly.keys() == truth.keys()
        for key, row in truth.items():
            assert _close(hourly[key], row), (key, hourly[key], row)
        weekly = {r["window_start"]: (r["orders"], r["revenue"]) for r in self._rows(place("orders", "weekly"))}
        assert weekly == oracle.weekly(lines)

    def _check_ledger(self) -> None:
        ledger = self._rows(paths.LEDGER)
        total = {name: sum(row[name] for row in ledger) for name in ("lines", "good", "duplicates", "quarantined")}
        assert total["lines"] == len(self.batched)
        assert total["good"] == len(oracle.events(self.batched))
        assert total["quarantined"] == oracle.refused(self.batched)
        assert total["lines"] == total["good"] + total["duplicates"] + total["quarantined"]
        refused = sorted(row["_raw"] for row in self._rows(paths.quarantine("orders")))
        assert refused == sorted(line.raw for line in self.batched if oracle.judge(line) is None)


def _close(found: tuple[Any, ...], expected: tuple[Any, ...]) -> bool:
    """Equal, and floats equal to twelve digits."""
    return all(
        a == b if not isinstance(b, float) else a == pytest.approx(b, rel=1e-12) for a, b in zip(found, expected, strict=True)
    )


def _starts(start: datetime, end: datetime) -> list[datetime]:
    return [each.start for each in intervals_between(start, end, FIVE)]


@pytest.mark.parametrize("shard", range(SHARDS))
def test_the_laws_hold_over_random_histories(shard: int) -> None:
    run_state_machine_as_test(
        Histories,
        settings=settings(
            max_examples=-(-HISTORIES // SHARDS),
            stateful_step_count=STEPS,
            deadline=None,
            print_blob=True,
            phases=(Phase.explicit, Phase.reuse, Phase.generate),
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
        ),
    )
