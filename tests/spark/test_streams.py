"""Every stream through Spark and through DuckDB, from the same landed lines to the served views: not one row differs."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from strandline.audit.audit import audit
from strandline.intervals import interval_at, intervals_between
from strandline.lake.lake import Lake
from strandline.lines.keys import KeyRing
from strandline.runtime import Runtime
from strandline.spec.load import load_streams
from strandline.spec.model import Engine, Stream
from strandline.stages.bronze import bronze
from strandline.stages.gold import gold
from strandline.stages.land import ingest, ingest_intervals
from strandline.stages.merge import merge
from strandline.stages.rebuild import rebuild
from strandline.stages.silver import silver
from tests.acceptance.real_data import ACCESS_LOG, DATA, NAB_SENSORS, START, Case, deliver
from tests.conftest import S3Lake
from tests.spark.equality import differing_rows

if TYPE_CHECKING:
    from strandline.local.spark import SparkCluster

STREAMS = load_streams(Path(__file__).parents[2] / "config")
EVENING = datetime(2026, 11, 25, 22, 30, tzinfo=UTC)
REAL = pytest.mark.skipif(not DATA.is_dir(), reason=f"the real data is not there: {DATA}")


@dataclass(frozen=True)
class Side:
    """A lake on which one engine computes."""

    runtime: Runtime
    engine: Engine

    def of(self, stream: Stream) -> Stream:
        """The stream as its owner would have it there: one line of its YAML says which engine."""
        return replace(stream, engine=self.engine)


def sides_of(s3_lake: S3Lake, cluster: SparkCluster) -> list[Side]:
    """DuckDB and Spark, on lakes side by side in one bucket."""
    made = []
    for engine in (Engine("duckdb"), Engine("spark", "test_cluster")):
        lake = Lake.open(f"{s3_lake.url}/{engine.type}", s3_lake.credentials)
        keys = KeyRing({"STRANDLINE_KEY": "5a" * 32})
        made.append(Side(Runtime(lake, keys, cluster=lambda connection: cluster.address), engine))
    return made


@pytest.fixture
def sides(s3_lake: S3Lake, spark_cluster: SparkCluster) -> list[Side]:
    return sides_of(s3_lake, spark_cluster)


def batch(runtime: Runtime, stream: Stream, until: datetime) -> dict[str, int]:
    bronze(runtime, stream, until)
    counts = silver(runtime, stream)
    gold(runtime, stream)
    return counts


def assert_equal(sides: list[Side], stream: Stream, variant: str) -> None:
    differ = differing_rows(sides[0].runtime.lake, sides[1].runtime.lake, stream, variant)
    assert not any(differ.values()), differ


@pytest.mark.parametrize("stream", STREAMS.values(), ids=lambda stream: stream.name)
def test_a_declared_stream_over_midnight_is_the_same_on_both_engines(sides: list[Side], stream: Stream) -> None:
    """Two batches, a merge after each, lines above the line at the end; then a rebuild under a stricter contract, and audit."""
    end = EVENING + timedelta(hours=2)
    landed = list(intervals_between(EVENING, end, stream.interval))
    third = len(landed) // 3
    stricter = replace(stream, version="99.0.0", allowed_lateness=timedelta(minutes=20))
    for side in sides:
        runtime, own = side.runtime, side.of(stream)
        ingest_intervals(runtime, own, landed[:third])
        batch(runtime, own, landed[third - 1].end)
        ingest_intervals(runtime, own, landed[third:])
        merge(runtime, own)
        batch(runtime, own, landed[2 * third].end)
        merge(runtime, own)
    assert_equal(sides, stream, "over midnight")
    for side in sides:
        runtime, own = side.runtime, side.of(stricter)
        rebuild(runtime, own)
        gold(runtime, own)
        merge(runtime, own)
        assert audit(runtime, own).agrees
    assert_equal(sides, stricter, "stricter, rebuilt")


def test_an_audit_on_spark_stands_on_one_by_duckdb_and_finds_the_same(sides: list[Side]) -> None:
    """Of the lines since then alone, which is what the other engine finds on its own lake."""
    stream = STREAMS["iot_sensors"]
    landed = list(intervals_between(EVENING, EVENING + timedelta(hours=1), stream.interval))
    found = []
    for side in sides:
        runtime, own = side.runtime, side.of(stream)
        ingest_intervals(runtime, own, landed[:-4])
        batch(runtime, own, landed[-5].end)
        merge(runtime, own)
        assert audit(runtime, replace(stream, engine=Engine("duckdb"))).since is None
        ingest_intervals(runtime, own, landed[-4:])
        batch(runtime, own, landed[-3].end)
        merge(runtime, own)
        found.append(audit(runtime, own, whole_every=timedelta(days=7)))
    assert [each.agrees for each in found] == [True, True]
    assert all(each.since is not None for each in found)
    assert found[0].lines == found[1].lines > 100
    assert found[0].rows == found[1].rows


@REAL
@pytest.mark.parametrize("variant", ["clean", "faulted", "drift"])
@pytest.mark.parametrize("case", [ACCESS_LOG, NAB_SENSORS], ids=lambda case: case.name)
def test_a_real_stream_is_the_same_on_both_engines_and_counts_as_its_truth_says(
    sides: list[Side], case: Case, variant: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    stream, slices = case.stream, case.slices(variant)
    middle = len(slices) // 2
    first, second = interval_at(START, stream.interval), interval_at(START + stream.interval, stream.interval)
    counted = dict.fromkeys(("lines", "good", "duplicates", "quarantined"), 0)
    deliver(case, slices[:middle])
    for side in sides:
        ingest(side.runtime, side.of(stream), first)
        merge(side.runtime, side.of(stream))
        counts = batch(side.runtime, side.of(stream), first.end)
    counted = {name: counts[name] for name in counted}
    deliver(case, slices)
    for side in sides:
        ingest(side.runtime, side.of(stream), second)
        merge(side.runtime, side.of(stream))
        counts = batch(side.runtime, side.of(stream), second.end)
        merge(side.runtime, side.of(stream))
    counted = {name: counted[name] + counts[name] for name in counted}
    assert_equal(sides, stream, variant)
    if variant != "drift":
        assert counted == case.expected(variant)
