"""An audit that stands on the last one finds what a whole one finds, and reads only what is new."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from deltalake import DeltaTable
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from strandline.audit import base
from strandline.audit.audit import Audit, audit
from strandline.intervals import Interval
from strandline.lake import paths
from strandline.lake.lake import Lake
from strandline.runtime import Runtime
from strandline.spec.model import Retention, Stream
from strandline.stages.bronze import bronze
from strandline.stages.gold import gold
from strandline.stages.land import ingest
from strandline.stages.maintain import maintain
from strandline.stages.merge import merge
from strandline.stages.rebuild import rebuild
from strandline.stages.silver import silver
from tests.stages.streams import START, deliver, readings, runtime_in

MIDNIGHT = START.replace(hour=0)
DAY, WEEK = timedelta(days=1), timedelta(days=7)
SILVER, UNIFIED = paths.silver("readings"), paths.unified("readings")
HOURLY, WEEKLY = paths.gold("readings", "hourly"), paths.analytics("readings", "weekly")


def line(number: int, day: int, **changes: Any) -> bytes:
    at = (MIDNIGHT + day * DAY + timedelta(minutes=number % 1400)).strftime("%Y-%m-%dT%H:%M:%SZ")
    return json.dumps({"reading_id": f"r{number}", "at": at, "value": number % 50, "site": "north", **changes}).encode()


@dataclass
class Days:
    """A stream that lands once a day, with hourly and weekly aggregates."""

    folder: Path
    stream: Stream
    runtime: Runtime
    landed: int = 0

    @classmethod
    def make(cls, folder: Path, **changes: Any) -> Days:
        declared = readings(folder)
        weekly = replace(declared.gold[0], name="weekly", grain="week")
        given: dict[str, Any] = {"interval": DAY, "allowed_lateness": timedelta(days=30), **changes}
        return cls(folder, replace(declared, gold=(*declared.gold, weekly), **given), runtime_in(folder))

    def land(self, *lines: bytes) -> None:
        deliver(self.folder, f"{self.landed:03}", lines)
        ingest(self.runtime, self.stream, Interval(MIDNIGHT + self.landed * DAY, MIDNIGHT + (self.landed + 1) * DAY))
        self.landed += 1

    def batch(self) -> None:
        bronze(self.runtime, self.stream, MIDNIGHT + self.landed * DAY)
        silver(self.runtime, self.stream)
        gold(self.runtime, self.stream)

    def merge(self) -> None:
        merge(self.runtime, self.stream)

    def night(self, *lines: bytes) -> None:
        """A day lands, is served, and is taken by batch, which serving follows."""
        self.land(*lines)
        self.batch()
        self.merge()

    def new(self, **given: Any) -> Audit:
        """As another process finds it."""
        runtime = replace(self.runtime, lake=Lake.open(str(self.folder / "lake")))
        return audit(runtime, self.stream, **{"whole_every": WEEK, **given})

    def whole(self) -> Audit:
        return audit(self.runtime, self.stream)

    def change(self, path: str, predicate: str, **values: Any) -> None:
        DeltaTable(str(self.folder / "lake" / path)).update(predicate=predicate, new_values=values)


@pytest.fixture
def days(tmp_path: Path) -> Days:
    """Four nights in two weeks, audited; every day has versions, a copy and a refusal."""
    made = Days.make(tmp_path)
    for day in range(4):
        made.night(*(line(100 * day + n, day) for n in range(5)), line(100 * day, day), line(100 * day + 1, day, value=9), b"{")
    assert made.whole().agrees
    return made


def test_only_new_lines_are_parsed_and_only_their_days_compared(days: Days) -> None:
    days.night(line(1000, 4), line(1001, 4), b"{")
    found = days.new()
    assert found.agrees, [*found.faults, *map(str, found.differences)]
    assert found.since is not None
    assert found.lines == 3
    assert found.rows == 2 * (2 + 1 + 1)  # on both sides two events, an hour and a week
    whole = days.whole()
    assert (whole.lines, whole.since) == (35, None)
    assert whole.rows > 5 * found.rows


def test_nothing_new_is_nothing_to_read(days: Days) -> None:
    found = days.new()
    assert (found.agrees, found.lines, found.rows, found.since is None) == (True, 0, 0, False)


@pytest.mark.parametrize("within", ["event_date", "stream"])
def test_late_events_and_versions_of_old_ones_are_followed(tmp_path: Path, within: Any) -> None:
    days = Days.make(tmp_path, deduplicate_within=within)
    for day in range(4):
        days.night(*(line(100 * day + n, day) for n in range(3)))
    assert days.new().since is None  # there was none to stand on
    days.land(line(7, 0), line(101, 1, value=33), line(2, 3), line(200, 2))
    days.merge()
    for _ in ("above the line", "below it"):
        found = days.new()
        assert found.agrees, [*found.faults, *map(str, found.differences)]
        assert found.since is not None
        days.batch()
        days.merge()
    assert days.whole().agrees


CHANGES: dict[str, Callable[[Days], None]] = {
    "a value of an old day of silver": lambda days: days.change(SILVER, "reading_id = 'r302'", value=7.5),
    "a value of a day that has new lines": lambda days: days.change(SILVER, "reading_id = 'r1000'", value=7.5),
    "a row lost from silver": lambda days: _lose(days, SILVER, "reading_id = 'r203'"),
    "a new row lost from what is served": lambda days: _lose(days, UNIFIED, "reading_id = 'r1001'"),
    "an old row of what is served": lambda days: days.change(UNIFIED, "reading_id = 'r101'", site="'south'"),
    "a number of gold": lambda days: days.change(HOURLY, "event_date = '2026-03-03'", readings="99"),
    "a number of the weekly analytics": lambda days: days.change(WEEKLY, "event_date = '2026-02-23'", readings="99"),
}


def _lose(days: Days, path: str, predicate: str) -> None:
    DeltaTable(str(days.folder / "lake" / path)).delete(predicate)


@pytest.mark.parametrize("what", CHANGES)
def test_what_was_changed_by_hand_is_named_as_a_whole_audit_names_it(days: Days, what: str) -> None:
    days.night(line(1000, 4), line(1001, 4), line(301, 3, value=1))
    assert days.new().agrees
    days.land(line(1100, 5))
    CHANGES[what](days)
    days.batch()
    days.merge()
    found, whole = days.new(), days.whole()
    assert found.since is not None
    assert whole.differences
    assert set(found.differences) == set(whole.differences)
    assert found.faults == whole.faults


def test_a_difference_stays_until_it_is_mended(days: Days) -> None:
    days.change(SILVER, "reading_id = 'r302'", value=7.5)
    first = days.new()
    assert not first.agrees
    days.night(line(1000, 4))
    again = days.new()
    assert again.since == first.since  # what disagreed is nothing to stand on
    assert {d.changed for d in again.differences if d.table == SILVER} == {('{"reading_id": "r302"}',)}
    days.change(SILVER, "reading_id = 'r302'", value=2.0)
    assert days.new().agrees == days.whole().agrees


def _rebuilt(days: Days) -> None:
    days.stream = replace(
        days.stream, fields=tuple(replace(f, maximum=40) if f.name == "value" else f for f in days.stream.fields)
    )
    rebuild(days.runtime, days.stream)
    gold(days.runtime, days.stream)
    merge(days.runtime, days.stream)


def _expired(days: Days) -> None:
    days.stream = replace(days.stream, retention=Retention(realtime=DAY))
    days.whole()
    days.night(line(1000, 4))  # is taken, and its realtime file goes before an audit has seen it
    days.night(line(1001, 5))
    days.night(line(1002, 6))
    assert maintain(days.runtime, days.stream)["realtime"]


WHOLE: dict[str, Callable[[Days, pytest.MonkeyPatch], None]] = {
    "after a rebuild under another contract": lambda days, patch: _rebuilt(days),
    "when lines came and went since": lambda days, patch: _expired(days),
    "when the last one is days ago": lambda days, patch: patch.setattr(base, "OLDEST", timedelta(0)),
}


@pytest.mark.parametrize("when", WHOLE)
def test_everything_is_recomputed(days: Days, when: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert days.new().since is not None
    WHOLE[when](days, monkeypatch)
    found = days.new()
    assert found.agrees, [*found.faults, *map(str, found.differences)]
    assert found.since is None


def test_a_whole_recompute_comes_when_it_is_due(days: Days) -> None:
    assert days.new().since is not None
    found = days.new()
    assert found.since is not None
    gap = datetime.now(UTC) - found.since  # more than since the last audit, less than since the last whole one
    assert days.new(whole_every=gap).since is None
    assert days.new(whole_every=gap).since is not None


def test_what_retention_took_after_it_was_audited_needs_no_whole_one(days: Days) -> None:
    days.stream = replace(days.stream, retention=Retention(realtime=DAY))
    assert days.new().since is None  # retention is part of the contract
    assert maintain(days.runtime, days.stream)["realtime"]
    days.night(line(1000, 4))
    found = days.new()
    assert (found.agrees, found.lines) == (True, 1)
    assert found.since is not None


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("land"), st.lists(st.tuples(st.integers(0, 12), st.integers(0, 3), st.integers(0, 60)), max_size=5)),
        st.sampled_from([("batch", []), ("merge", []), ("audit", []), ("maintain", [])]),
    ),
    min_size=4,
    max_size=12,
)


@settings(
    max_examples=6,
    deadline=None,
    phases=(Phase.explicit, Phase.reuse, Phase.generate),  # each example takes seconds: shrinking would take minutes
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(STEPS, st.sampled_from(["event_date", "stream"]), st.sampled_from(["", SILVER, UNIFIED, WEEKLY]))
def test_both_audits_agree_or_neither(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, list[tuple[int, int, int]]]], within: Any, harmed: str
) -> None:
    retention = Retention(realtime=2 * DAY)
    days = Days.make(tmp_path_factory.mktemp("days"), deduplicate_within=within, retention=retention)
    days.night(*(line(n, 0) for n in range(6)))
    assert days.whole().agrees
    for step, lines in steps:
        if step == "land":
            days.land(*(line(number, max(days.landed - back, 0), value=value) for number, back, value in lines))
        elif step == "maintain":
            maintain(days.runtime, days.stream)
        elif step == "audit":
            found = days.new()
            assert found.agrees, [*found.faults, *map(str, found.differences)]
        else:
            getattr(days, step)()
    days.batch()
    days.merge()
    lost = 0
    if harmed:
        lost = DeltaTable(str(days.folder / "lake" / harmed)).delete("event_date < '2026-03-02'")["num_deleted_rows"]
        days.land(line(99, days.landed))
        days.batch()
        days.merge()
    found, whole = days.new(), days.whole()
    assert (found.differences, found.faults) == (whole.differences, whole.faults)
    assert found.agrees or lost  # a merge after a batch may mend what was lost
