"""A contract changes: a rebuild gives what a fresh lake under the new contract gives, killed anywhere, in any order."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from strandline.audit.audit import audit
from strandline.contracts import contracts_of
from strandline.errors import DataError, TransientError, UsageError
from strandline.lake import paths
from strandline.lake.snapshot import Snapshot
from strandline.lake.tables import Commit, Table
from strandline.runtime import Runtime
from strandline.spec.model import Retention, Stream
from strandline.stages.bronze import bronze
from strandline.stages.gold import gold
from strandline.stages.land import ingest
from strandline.stages.merge import merge
from strandline.stages.rebuild import rebuild
from strandline.stages.replay import replay
from strandline.stages.silver import silver
from strandline.status import balance
from tests.stages.contract_changes import (
    DAILY,
    EARLIER,
    LATER,
    METRIC,
    NEW_FIELD,
    OTHER_TIME,
    REMOVED,
    RENAMED,
    RETYPED,
    STRICTER,
    WEST,
    WIDER,
    Edit,
    Lakes,
    changed,
    land,
    line,
    runtime_on,
)
from tests.stages.streams import START, deliver, interval, readings

TABLES = (paths.silver, paths.quarantine, lambda name: paths.gold(name, "hourly"))
SERVED = (paths.unified, lambda name: paths.analytics(name, "hourly"))
UNCOMPARED = ("_contract_version", "_status", "_as_of")


def rows(runtime: Runtime, path: str, names: Callable[[str], bool] = lambda name: True) -> list[tuple[tuple[str, Any], ...]]:
    """What a table shows: its rows without how and when they were judged; a column of nothing is no column."""
    snapshot = runtime.lake.table(path).snapshot()
    found = snapshot.arrow().to_pylist() if snapshot else []
    shown = [
        tuple(sorted((n, str(v)) for n, v in row.items() if v is not None and n not in UNCOMPARED and names(n)))
        for row in found
    ]
    return sorted(shown)


def assert_same(one: Runtime, other: Runtime, stream: Stream) -> None:
    """Both lakes hold the same, as far as the contract of `stream` speaks of it."""
    declared = (
        {f.name for f in stream.fields} | {m.name for t in stream.gold for m in t.metrics} | {"event_date", "window_start"}
    )
    for path in (*TABLES, *SERVED):
        at = path("readings")
        every = path is paths.quarantine
        chosen = [rows(each, at, lambda n, every=every: every or n in declared or n.startswith("_")) for each in (one, other)]  # type: ignore[misc]
        assert chosen[0] == chosen[1], at


def booked(runtime: Runtime) -> dict[str, Any]:
    """The sums of the ledger."""
    snapshot = runtime.lake.table(paths.LEDGER).snapshot()
    assert snapshot is not None
    found = snapshot.arrow().to_pylist()
    total: dict[str, Any] = {name: sum(r[name] for r in found) for name in ("lines", "good", "duplicates", "quarantined")}
    reasons: dict[str, int] = {}
    for row in found:
        for reason, n in json.loads(row["reasons"]).items():
            reasons[reason] = reasons.get(reason, 0) + n
    return total | {"reasons": {reason: n for reason, n in sorted(reasons.items()) if n}}


@pytest.fixture(scope="module")
def lakes(tmp_path_factory: pytest.TempPathFactory) -> Lakes:
    return Lakes(tmp_path_factory.mktemp("lakes"))


@pytest.fixture
def stream(lakes: Lakes) -> Stream:
    return lakes.stream


CHANGES: dict[str, tuple[Edit, ...]] = {
    "accepts more": (WIDER,),
    "refuses more": (STRICTER, LATER),
    "a field that the raw bytes always had": (NEW_FIELD,),
    "renamed, removed and retyped": (RENAMED, REMOVED, RETYPED),
    "another event time": (OTHER_TIME, ("- {name: count", "- {name: moved, type: timestamp}\n    - {name: count")),
    "other windows and metrics": (METRIC, DAILY),
    "all at once": (WIDER, STRICTER, NEW_FIELD, RETYPED, REMOVED, DAILY),
}


@pytest.mark.parametrize("edits", CHANGES.values(), ids=CHANGES.keys())
def test_a_rebuild_gives_what_a_fresh_lake_under_the_new_contract_gives(
    tmp_path: Path, lakes: Lakes, stream: Stream, edits: tuple[Edit, ...]
) -> None:
    runtime = lakes.copy(tmp_path / "lake")
    now = changed(stream, *edits)
    rebuild(runtime, now)
    merge(runtime, now)
    other = lakes.copy(tmp_path / "other", edits)
    assert_same(runtime, other, now)
    assert booked(runtime) == booked(other)
    found = audit(runtime, now)
    assert found.agrees, (found.differences, found.faults)
    assert balance(runtime, now).total == balance(other, now).total


def versions(runtime: Runtime) -> dict[str, int]:
    found = {path: runtime.lake.table(path).snapshot() for path in (*(p("readings") for p in (*TABLES, *SERVED)), paths.LEDGER)}
    return {path: snapshot.version if snapshot else -1 for path, snapshot in found.items()}


def test_a_rebuild_run_again_changes_no_table(tmp_path: Path, lakes: Lakes, stream: Stream) -> None:
    runtime = lakes.copy(tmp_path / "lake", count=3, batches=2)
    now = changed(stream, WIDER, STRICTER)
    assert rebuild(runtime, now)["days"]
    merge(runtime, now)
    before = versions(runtime)
    assert rebuild(runtime, now)["days"] == 0
    merge(runtime, now)
    assert versions(runtime) == before


def test_a_rebuild_to_and_fro_ends_where_it_began(tmp_path: Path, lakes: Lakes, stream: Stream) -> None:
    runtime = lakes.copy(tmp_path / "lake", count=3, batches=2)
    first = booked(runtime)
    for version, edits in (("3.0.0", (WIDER, STRICTER, RETYPED)), ("3.0.1", ())):
        now = changed(stream, *edits, version=version)
        rebuild(runtime, now)
        merge(runtime, now)
    assert_same(runtime, lakes.copy(tmp_path / "other"), stream)
    assert booked(runtime) == first


class Killed(BaseException):
    """The process is gone."""


@contextmanager
def killed(monkeypatch: pytest.MonkeyPatch, at: int, takes_effect: bool) -> Iterator[list[str]]:
    """The process dies at its commit number `at`, before or after it takes effect; gives the paths committed."""
    seen: list[str] = []
    swap = Table._swap

    def dying(table: Table, snapshot: Snapshot, chosen: Commit) -> None:
        seen.append(table.path)
        if len(seen) == at and not takes_effect:
            raise Killed
        swap(table, snapshot, chosen)
        if len(seen) == at:
            raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(Table, "_swap", dying)
        yield seen


@pytest.mark.parametrize("takes_effect", [False, True])
@pytest.mark.parametrize("at", [1, 2, 3, 4])
def test_a_rebuild_killed_at_any_commit_is_ended_by_running_it_again_whatever_runs_between(
    tmp_path: Path, lakes: Lakes, stream: Stream, monkeypatch: pytest.MonkeyPatch, at: int, takes_effect: bool
) -> None:
    runtime = lakes.copy(tmp_path / "lake", count=2, batches=1)
    now = changed(stream, WIDER, STRICTER)
    with killed(monkeypatch, at, takes_effect), pytest.raises(Killed):
        rebuild(runtime, now)
    ingest(runtime, now, interval(2))
    bronze(runtime, now, interval(1).end)
    silver(runtime, now)
    merge(runtime, now)
    replay(runtime, now, ["not_json"])
    rebuild(runtime, now)
    merge(runtime, now)
    other = lakes.copy(tmp_path / "other", (WIDER, STRICTER))
    assert_same(runtime, other, now)
    assert booked(runtime) == booked(other)
    assert balance(runtime, now).holds


def test_a_rebuild_that_was_stopped_is_noted_until_it_is_ended(
    tmp_path: Path, lakes: Lakes, stream: Stream, monkeypatch: pytest.MonkeyPatch
) -> None:
    runtime = lakes.copy(tmp_path / "lake", count=1, batches=1)
    now = changed(stream, STRICTER)
    with killed(monkeypatch, 1, True), pytest.raises(Killed):
        rebuild(runtime, now)
    assert "stopped half-way: run it again" in " ".join(balance(runtime, now).notes)
    rebuild(runtime, now, date(2026, 3, 1))  # ends the whole one first
    merge(runtime, now)
    assert balance(runtime, now).notes == ()
    assert audit(runtime, now).agrees


def test_lines_taken_by_a_batch_while_a_rebuild_is_at_work_are_kept(
    tmp_path: Path, lakes: Lakes, stream: Stream, monkeypatch: pytest.MonkeyPatch
) -> None:
    runtime = lakes.copy(tmp_path / "lake", count=1, batches=1)
    now = changed(stream, WIDER, STRICTER)
    swap, done = Table._swap, list[bool]()

    def interrupted(table: Table, snapshot: Snapshot, chosen: Commit) -> None:
        if not done and table.path == paths.silver("readings"):
            done.append(True)
            ingest(runtime, now, interval(1))
            bronze(runtime, now, interval(1).end)
            silver(runtime, now)
        swap(table, snapshot, chosen)

    monkeypatch.setattr(Table, "_swap", interrupted)
    rebuild(runtime, now)
    assert done
    ingest(runtime, now, interval(2))
    merge(runtime, now)
    other = lakes.copy(tmp_path / "other", (WIDER, STRICTER))
    assert_same(runtime, other, now)
    assert booked(runtime) == booked(other)


def test_a_range_restates_its_event_dates_and_leaves_the_others(tmp_path: Path, lakes: Lakes, stream: Stream) -> None:
    runtime = lakes.copy(tmp_path / "lake", count=2, batches=2)
    now = changed(stream, WIDER, STRICTER)
    old = {
        d: [r for r in rows(runtime, paths.silver("readings")) if ("event_date", d) in r] for d in ("2026-02-27", "2026-02-28")
    }
    rebuild(runtime, now, date(2026, 2, 28), date(2026, 3, 1))
    other = lakes.copy(tmp_path / "other", (WIDER, STRICTER), count=2, batches=2)
    got, new = rows(runtime, paths.silver("readings")), rows(other, paths.silver("readings"))
    for day in ("2026-02-27", "2026-02-28", "2026-03-01"):
        expected = [r for r in new if ("event_date", day) in r] if day == "2026-02-28" else old.get(day)
        if expected is not None:
            assert [r for r in got if ("event_date", day) in r] == expected, day
    total = booked(runtime)
    assert total["lines"] == total["good"] + total["duplicates"] + total["quarantined"]
    assert balance(runtime, now).batch.quarantined == len(rows(runtime, paths.quarantine("readings")))
    rebuild(runtime, now)
    merge(runtime, now)
    merge(other, now)
    assert_same(runtime, other, now)
    assert booked(runtime) == booked(other)


def test_a_change_of_what_an_event_is_refuses_a_range(tmp_path: Path, lakes: Lakes, stream: Stream) -> None:
    runtime = lakes.copy(tmp_path / "lake", count=1, batches=1)
    keyed = changed(stream, ("primary_key: [reading_id]", "primary_key: [reading_id, value]"))
    with pytest.raises(UsageError, match=r"touches every day.*--rebuild --stream readings"):
        rebuild(runtime, keyed, date(2026, 2, 28))
    with pytest.raises(UsageError, match="rebuild everything"):
        replay(runtime, keyed)
    rebuild(runtime, keyed)
    with pytest.raises(TransientError, match="has not followed the last rebuild"):
        audit(runtime, keyed)
    merge(runtime, keyed)
    assert audit(runtime, keyed).agrees
    rebuild(runtime, keyed, date(2026, 2, 28))


def test_live_steps_stop_before_a_column_of_another_type(tmp_path: Path, lakes: Lakes, stream: Stream) -> None:
    runtime = lakes.copy(tmp_path / "lake", count=2, batches=1)
    retyped = changed(stream, RETYPED)
    bronze(runtime, retyped, interval(1).end)
    with pytest.raises(DataError, match=r"silver/readings holds value in another type.*--rebuild --stream readings"):
        silver(runtime, retyped)
    with pytest.raises(DataError, match="in another type"):
        merge(runtime, retyped)
    rebuild(runtime, retyped)
    silver(runtime, retyped)
    gold(runtime, retyped)
    merge(runtime, retyped)
    assert audit(runtime, retyped).agrees


def test_refused_lines_that_retention_let_go_are_not_counted_twice(tmp_path: Path, stream: Stream) -> None:
    runtime = runtime_on(tmp_path / "lake")
    from strandline.stages.maintain import maintain

    keeping = replace(stream, interval=timedelta(days=1), retention=Retention(quarantine=timedelta(days=1)))
    midnight = START.replace(hour=0)
    for number in range(3):
        begin = midnight + timedelta(days=number)
        ingest(runtime, keeping, type(interval(0))(begin, begin + timedelta(days=1)))
    bronze(runtime, keeping, midnight + timedelta(days=3))
    silver(runtime, keeping)
    assert maintain(runtime, keeping)["quarantine"]
    before = booked(runtime)
    wider = replace(changed(stream, EARLIER), interval=keeping.interval, retention=keeping.retention)
    with pytest.raises(UsageError, match="quarantine has let go of"):
        rebuild(runtime, wider, date(2026, 2, 1))
    rebuild(runtime, wider)
    after = booked(runtime)
    assert (after["good"], after["quarantined"]) != (before["good"], before["quarantined"])
    other = runtime_on(tmp_path / "other")
    for number in range(3):
        begin = midnight + timedelta(days=number)
        ingest(other, wider, type(interval(0))(begin, begin + timedelta(days=1)))
    bronze(other, wider, midnight + timedelta(days=3))
    silver(other, wider)
    assert booked(other) == after
    assert rebuild(runtime, wider)["quarantined"] == 0


def test_a_fail_rule_stops_a_rebuild_before_any_table_is_touched(tmp_path: Path, lakes: Lakes, stream: Stream) -> None:
    runtime = lakes.copy(tmp_path / "lake", count=2, batches=2)
    before = versions(runtime)
    failing = changed(stream, ("expect: value > -40}", "expect: value > 3, action: fail}"))
    with pytest.raises(DataError, match="not_freezing"):
        rebuild(runtime, failing)
    assert versions(runtime) == before


def test_every_batch_names_the_contract_it_judged_under(tmp_path: Path, lakes: Lakes, stream: Stream) -> None:
    runtime = lakes.copy(tmp_path / "lake", count=1, batches=1)
    now = changed(stream, STRICTER)
    rebuild(runtime, now)
    ledger = runtime.lake.table(paths.LEDGER).snapshot()
    assert ledger is not None
    found = {(row["kind"], row["contract_version"]): row["contract"] for row in ledger.arrow().to_pylist()}
    assert set(found) == {("batch", "2.3.0"), ("rebuild", "3.0.0")}
    stored = [info.key for info in runtime.lake.objects.list(contracts_of("readings"))]
    assert sorted(found.values()) == stored
    kept = json.loads(runtime.lake.objects.get(stored[1]))
    assert kept["contract"]["rules"][0]["expect"] == "value > 3"
    assert datetime.fromisoformat(kept["deployed_at"]).tzinfo == UTC


def test_a_version_used_again_for_another_contract_is_told_and_its_lines_are_parsed_again(
    tmp_path: Path, lakes: Lakes, stream: Stream
) -> None:
    runtime = lakes.copy(tmp_path / "lake", count=1, batches=1)
    ingest(runtime, stream, interval(1))
    unversioned = changed(stream, NEW_FIELD, version="2.3.0")
    bronze(runtime, unversioned, interval(1).end)
    assert silver(runtime, unversioned)["version_reused"] == 1
    rebuild(runtime, unversioned)
    land(runtime, unversioned, 3, 0)
    assert_same(runtime, lakes.copy(tmp_path / "other", (NEW_FIELD,), "2.3.0"), unversioned)


def test_a_replay_lets_in_what_is_good_now_as_if_it_had_always_been(tmp_path: Path, lakes: Lakes, stream: Stream) -> None:
    runtime = lakes.copy(tmp_path / "lake", count=3, batches=2)
    now = changed(stream, WIDER, NEW_FIELD, WEST)
    now = replace(now, fields=tuple(replace(f, max_length=None) for f in now.fields))
    before = booked(runtime)
    counts = replay(runtime, now)
    assert counts["replayed"] == before["quarantined"] - booked(runtime)["quarantined"] > 0
    assert counts["still_refused"] == booked(runtime)["quarantined"] == len(rows(runtime, paths.quarantine("readings")))
    merge(runtime, now)
    other = runtime_on(tmp_path / "other")
    land(other, now, 3, 2)
    assert booked(runtime) == booked(other)
    assert rows(runtime, paths.quarantine("readings")) == rows(other, paths.quarantine("readings"))
    silver_ids = [[dict(r)["_source_line"] for r in rows(each, paths.silver("readings"))] for each in (runtime, other)]
    assert silver_ids[0] == silver_ids[1]
    assert replay(runtime, now) | {"judged": 0, "still_refused": 0} == dict.fromkeys(counts, 0)


def test_a_replay_takes_only_the_reasons_and_days_asked_for(tmp_path: Path, lakes: Lakes, stream: Stream) -> None:
    runtime = lakes.copy(tmp_path / "lake", count=2, batches=2)
    now = changed(stream, WIDER, WEST)
    before = booked(runtime)["reasons"]
    replay(runtime, now, ["range"], date(2026, 3, 2))
    assert booked(runtime)["reasons"] == before
    replay(runtime, now, ["choice"], date(2026, 3, 1), date(2026, 3, 2))
    after = booked(runtime)["reasons"]
    assert "choice" not in after
    assert after["type"] == before["type"]
    with pytest.raises(UsageError, match="no such reason: rnge"):
        replay(runtime, now, ["rnge"])


@pytest.mark.parametrize("at", [1, 2, 3])
def test_a_replay_killed_at_any_commit_loses_nothing(
    tmp_path: Path, lakes: Lakes, stream: Stream, monkeypatch: pytest.MonkeyPatch, at: int
) -> None:
    runtime = lakes.copy(tmp_path / "lake", count=2, batches=2)
    now = changed(stream, WIDER, WEST)
    with killed(monkeypatch, at, True), pytest.raises(Killed):
        replay(runtime, now)
    replay(runtime, now)
    other = lakes.copy(tmp_path / "other", (WIDER, WEST), count=2, batches=2)
    assert booked(runtime) == booked(other)
    assert rows(runtime, paths.silver("readings")) == rows(other, paths.silver("readings"))
    assert balance(runtime, now).holds


def test_a_day_whose_events_are_all_refused_now_is_gone_everywhere(tmp_path: Path) -> None:
    runtime = runtime_on(tmp_path / "lake")
    deliver(tmp_path, "0.ndjson", [line(2, hours=30), line(20)])
    stream = readings(tmp_path)
    land(runtime, stream, 1, 1)
    now = changed(stream, STRICTER)
    rebuild(runtime, now)
    merge(runtime, now)
    for path in (TABLES[0], TABLES[2], *SERVED):
        assert [dict(r)["event_date"] for r in rows(runtime, path("readings"))] == ["2026-03-01"]
    assert audit(runtime, now).agrees


def test_a_line_sealed_because_nobody_could_read_it_stays_sealed(tmp_path: Path) -> None:
    runtime = runtime_on(tmp_path / "lake")
    deliver(tmp_path, "0.ndjson", [line(1, email="a@example.com"), b'{"email": "a@example.com"'])
    stream = readings(tmp_path, more="- {name: email, type: string, classification: pii, protect: hash}")
    land(runtime, stream, 1, 1)
    before = rows(runtime, paths.quarantine("readings"))
    now = changed(stream, WIDER)
    rebuild(runtime, now)
    assert replay(runtime, now)["still_refused"] == 1
    assert rows(runtime, paths.quarantine("readings")) == before


def test_a_contract_that_was_taken_back_leaves_nothing_behind(tmp_path: Path, lakes: Lakes) -> None:
    runtime = lakes.copy(tmp_path / "lake", count=1, batches=1)
    rebuild(runtime, lakes.stream)
    merge(runtime, lakes.stream)
    stricter = changed(lakes.stream, STRICTER)
    ingest(runtime, stricter, interval(1))
    merge(runtime, stricter)
    rebuild(runtime, lakes.stream)
    merge(runtime, lakes.stream)
    found = audit(runtime, lakes.stream)
    assert found.agrees, (found.differences, found.faults)
