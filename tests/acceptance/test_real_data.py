"""Both real streams, declared by nothing but a YAML file, against counts and tables that others computed."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from strandline.intervals import Interval
from strandline.lake.lake import Lake
from strandline.lake.paths import analytics, gold, unified
from strandline.runtime import Runtime
from strandline.stages.land import ingest
from strandline.stages.merge import merge
from tests.acceptance.real_data import (
    ACCESS_LOG,
    DATA,
    NAB_SENSORS,
    Case,
    batch,
    deliver,
    differences,
    intervals,
    rows_of,
    runtime_on,
    values_of,
)

if TYPE_CHECKING:
    from tests.conftest import S3Lake

pytestmark = pytest.mark.skipif(not DATA.is_dir(), reason=f"the real data is not there: {DATA}")
CASES = pytest.mark.parametrize("case", [ACCESS_LOG, NAB_SENSORS], ids=lambda case: case.name)


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def runtime(tmp_path: Path) -> Runtime:
    return runtime_on(Lake.open(str(tmp_path / "lake")))


@pytest.fixture
def s3_runtime(s3_lake: S3Lake) -> Runtime:
    return runtime_on(Lake.open(s3_lake.url, s3_lake.credentials))


def land_all_at_once(runtime: Runtime, case: Case, variant: str) -> Interval:
    deliver(case, case.slices(variant))
    interval = next(intervals(case.stream))
    ingest(runtime, case.stream, interval)
    return interval


def land_slice_by_slice(runtime: Runtime, case: Case, variant: str, merge_every: int = 7) -> dict[str, int]:
    """The summed counts of both batches: one half-way (leaving the last two intervals above the line), one at the end."""
    stream, slices = case.stream, case.slices(variant)
    total = dict.fromkeys(("lines", "good", "duplicates", "quarantined"), 0)
    interval = next(intervals(stream))
    for number, (interval, path) in enumerate(zip(intervals(stream), slices, strict=False)):
        deliver(case, [path])
        ingest(runtime, stream, interval)
        if number == len(slices) // 2:
            counts = batch(runtime, stream, interval.end - 2 * stream.interval)
            total = {name: total[name] + counts[name] for name in total}
        if number % merge_every == 0:
            merged = merge(runtime, stream)
            assert merged["drift"] == 0
    merge(runtime, stream)
    counts = batch(runtime, stream, interval.end)
    return {name: total[name] + counts[name] for name in total}


@CASES
def test_clean_through_the_batch_path_gives_the_manifest_and_every_gold_row(runtime: Runtime, case: Case) -> None:
    interval = land_all_at_once(runtime, case, "clean")
    counts = batch(runtime, case.stream, interval.end)
    assert {name: counts[name] for name in case.expected("clean")} == case.expected("clean")
    for table in case.tables:
        assert differences(runtime, case, table, gold(case.name, table.table)) == []


@CASES
def test_clean_slice_by_slice_ends_at_the_same_served_rows(runtime: Runtime, case: Case, tmp_path: Path) -> None:
    once = runtime_on(Lake.open(str(tmp_path / "once")))
    land_all_at_once(once, case, "clean")
    merge(once, case.stream)
    land_slice_by_slice(runtime, case, "clean")
    assert values_of(runtime, unified(case.name)) == values_of(once, unified(case.name))
    for table in case.tables:
        path = analytics(case.name, table.table)
        assert values_of(runtime, path) == values_of(once, path)
        assert differences(runtime, case, table, path) == []
    final = merge(runtime, case.stream)
    assert final["drift"] == 0
    assert set(rows_of(runtime, unified(case.name))["_status"].to_pylist()) == {"final"}


@CASES
def test_faulted_slice_by_slice_on_s3_balances_and_gives_the_gold_of_clean(s3_runtime: Runtime, case: Case) -> None:
    counts = land_slice_by_slice(s3_runtime, case, "faulted", merge_every=20)
    assert counts == case.expected("faulted")
    assert counts["lines"] == counts["good"] + counts["quarantined"] + counts["duplicates"]
    merge(s3_runtime, case.stream)
    for table in case.tables:
        assert differences(s3_runtime, case, table, gold(case.name, table.table)) == []
        assert differences(s3_runtime, case, table, analytics(case.name, table.table)) == []


@CASES
def test_drift_fails_no_run_and_loses_no_row(runtime: Runtime, case: Case) -> None:
    interval = land_all_at_once(runtime, case, "drift")
    counts = batch(runtime, case.stream, interval.end)
    assert {name: counts[name] for name in case.expected("drift")} == case.expected("drift")
    assert counts["unknown_fields"] > 0
    for table in case.tables:
        assert differences(runtime, case, table, gold(case.name, table.table)) == []


def test_exactly_the_labelled_rows_of_the_sensors_fire(runtime: Runtime) -> None:
    from strandline.lake.paths import firings
    from strandline.publish.publish import publish

    stream = NAB_SENSORS.stream
    land_all_at_once(runtime, NAB_SENSORS, "clean")
    merge(runtime, stream)
    publish(runtime, stream, lambda notification: None)
    fired = rows_of(runtime, firings(stream.name)).to_pylist()
    with (DATA / "nab_sensors" / "truth" / "alerts_rows.csv").open() as file:
        truth = sorted((row["device_id"], row["timestamp"]) for row in csv.DictReader(file))
    assert len(truth) == 497
    assert sorted((_device(row), row["at"].strftime("%Y-%m-%d %H:%M:%S")) for row in fired) == truth


def _device(row: dict[str, object]) -> str:
    import json

    return str(json.loads(str(row["key"]))["device_id"])
