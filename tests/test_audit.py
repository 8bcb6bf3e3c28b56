"""The audit agrees with what the steps made, and names exactly what somebody changed behind their back."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from deltalake import DeltaTable

from strandline.audit.audit import audit
from strandline.intervals import Interval
from strandline.lake import paths
from strandline.runtime import Runtime
from strandline.spec.model import Retention, Stream
from strandline.stages.bronze import bronze
from strandline.stages.gold import gold
from strandline.stages.land import ingest
from strandline.stages.maintain import maintain
from strandline.stages.merge import merge
from strandline.stages.silver import silver
from tests.stages.streams import START, deliver, interval, readings, runtime_in


def line(number: int, minute: int = 0, **changes: Any) -> bytes:
    at = (START + timedelta(minutes=minute)).strftime("%Y-%m-%dT%H:%M:%SZ")
    return json.dumps({"reading_id": f"r{number}", "at": at, "value": number, "site": "north", **changes}).encode()


@pytest.fixture
def stream(tmp_path: Path) -> Stream:
    return readings(tmp_path)


@pytest.fixture
def runtime(tmp_path: Path, stream: Stream) -> Runtime:
    """A lake with two batched intervals and one above the line; versions, duplicates and refusals on both sides."""
    runtime = runtime_in(tmp_path)
    for number in range(3):
        lines = [line(10 * number + n, minute=n) for n in range(4)]
        deliver(tmp_path, str(number), [*lines, line(1, value=number), line(10 * number), b"{", line(5, site="west")])
        ingest(runtime, stream, interval(number))
    bronze(runtime, stream, interval(1).end)
    silver(runtime, stream)
    gold(runtime, stream)
    merge(runtime, stream)
    return runtime


def change(tmp_path: Path, path: str, predicate: str, **values: Any) -> None:
    DeltaTable(str(tmp_path / "lake" / path)).update(predicate=predicate, new_values=values)


def test_what_the_steps_made_agrees_and_the_result_is_kept(runtime: Runtime, stream: Stream) -> None:
    found = audit(runtime, stream)
    assert found.agrees, [*found.faults, *map(str, found.differences)]
    assert found.rows > 0
    assert set(found.versions) >= {paths.silver("readings"), paths.unified("readings"), paths.analytics("readings", "hourly")}
    kept = runtime.lake.table("batch/audits").snapshot()
    assert kept is not None
    [row] = kept.arrow().to_pylist()
    assert (row["stream"], row["agrees"], json.loads(row["versions"])) == ("readings", True, dict(found.versions))


def test_a_silver_value_changed_by_hand_is_named_by_its_key(runtime: Runtime, stream: Stream, tmp_path: Path) -> None:
    change(tmp_path, paths.silver("readings"), "reading_id = 'r2'", value=7.5)
    found = audit(runtime, stream)
    assert not found.agrees
    [difference] = [d for d in found.differences if d.table == paths.silver("readings")]
    assert difference.changed == ('{"reading_id": "r2"}',)
    assert (difference.missing, difference.extra) == ((), ())


def test_a_row_lost_from_silver_is_named_missing(runtime: Runtime, stream: Stream, tmp_path: Path) -> None:
    DeltaTable(str(tmp_path / "lake" / paths.silver("readings"))).delete("reading_id = 'r3'")
    found = audit(runtime, stream)
    [difference] = [d for d in found.differences if d.table == paths.silver("readings")]
    assert difference.missing == ('{"reading_id": "r3"}',)
    assert found.faults


def test_a_published_row_changed_by_hand_is_named(runtime: Runtime, stream: Stream, tmp_path: Path) -> None:
    change(tmp_path, paths.unified("readings"), "reading_id = 'r11'", value=0.25)
    deliver(tmp_path, "more", [line(77)])
    ingest(runtime, stream, interval(3))
    merge(runtime, stream)
    found = audit(runtime, stream)
    [difference] = [d for d in found.differences if d.table == paths.unified("readings")]
    assert difference.changed == ('{"reading_id": "r11"}',)


def test_a_gold_number_changed_by_hand_is_named_by_its_window(runtime: Runtime, stream: Stream, tmp_path: Path) -> None:
    change(tmp_path, paths.gold("readings", "hourly"), "readings > 0", readings=99)
    found = audit(runtime, stream)
    [difference] = found.differences
    assert difference.table == paths.gold("readings", "hourly")
    assert '"site": "north"' in difference.changed[0]


def test_fast_names_the_partition_only(runtime: Runtime, stream: Stream, tmp_path: Path) -> None:
    change(tmp_path, paths.silver("readings"), "reading_id = 'r2'", value=7.5)
    found = audit(runtime, stream, fast=True)
    assert [(d.table, d.partition, d.changed) for d in found.differences] == [
        (paths.silver("readings"), "event_date=2026-03-01", ())
    ]


def test_quarantined_lines_that_vanish_break_the_balance(runtime: Runtime, stream: Stream, tmp_path: Path) -> None:
    DeltaTable(str(tmp_path / "lake" / paths.quarantine("readings"))).delete("_line = 7")
    assert any("quarantine" in fault for fault in audit(runtime, stream).faults)


def test_what_retention_took_from_realtime_is_read_from_bronze(tmp_path: Path, stream: Stream) -> None:
    runtime = runtime_in(tmp_path)
    daily = replace(stream, interval=timedelta(days=1), retention=Retention(realtime=timedelta(days=1)))
    midnight = START.replace(hour=0)
    for number in range(5):
        deliver(tmp_path, str(number), [line(number, minute=1440 * number), b"{"])
        ingest(runtime, daily, Interval(midnight + timedelta(days=number), midnight + timedelta(days=number + 1)))
    bronze(runtime, daily, midnight + timedelta(days=4))
    silver(runtime, daily)
    gold(runtime, daily)
    merge(runtime, daily)
    assert maintain(runtime, daily)["realtime"] == 3
    found = audit(runtime, daily)
    assert found.agrees, [*found.faults, *map(str, found.differences)]
    assert found.lines == 10
