"""Streams made from real data that nobody here wrote run through the whole pipeline, and nearly every row is good."""

from __future__ import annotations

from pathlib import Path

import pytest
from yamllint import linter  # type: ignore[import-untyped]
from yamllint.config import YamlLintConfig  # type: ignore[import-untyped]

from strandline.engines.duckdb import DuckEngine
from strandline.lake.lake import Lake
from strandline.lake.paths import analytics, unified
from strandline.lines.keys import KeyRing
from strandline.runtime import Runtime
from strandline.scaffold.scaffold import scaffold
from strandline.spec.load import load_streams
from strandline.spec.model import Stream
from strandline.stages.land import ingest
from strandline.stages.merge import merge
from strandline.stream_tests import explained, run_case
from tests.acceptance.real_data import DATA, batch, intervals, rows_of

pytestmark = pytest.mark.skipif(not DATA.is_dir(), reason=f"the real data is not there: {DATA}")
ROOT = Path(__file__).parents[2]
LINES = {"access_log": 10_000, "nab_sensors": 46_090}
FIRST = {"access_log": "0000_2015-05-17T10.ndjson.gz", "nab_sensors": "0000_2013-07-04T00.ndjson.gz"}


def stream_from(folder: Path, name: str, sample: Path, *, generator: bool = False) -> Stream:
    """The stream made from the sample, as the loader reads its file."""
    path = folder / "config" / "streams" / f"{name}.yaml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(scaffold(name, sample, generator=generator).text, encoding="utf-8")
    return load_streams(folder / "config")[name]


@pytest.mark.parametrize(
    ("variant", "whole"), [("clean", True), ("faulted", False)], ids=["clean_folder", "first_faulted_file"]
)
@pytest.mark.parametrize("name", ["access_log", pytest.param("nab_sensors", marks=pytest.mark.slow)])
def test_more_than_97_of_100_clean_rows_are_good(tmp_path: Path, name: str, variant: str, whole: bool) -> None:
    sample = DATA / name / variant
    stream = stream_from(tmp_path, name, sample if whole else sample / FIRST[name])
    stream = load_streams(_reading(tmp_path, name, stream, DATA / name / "clean"))[name]
    runtime = Runtime(Lake.open(str(tmp_path / "lake")), KeyRing({"STRANDLINE_KEY": "5a" * 32}))
    interval = next(intervals(stream))
    ingest(runtime, stream, interval)
    counts = batch(runtime, stream, interval.end)
    merge(runtime, stream)
    assert counts["lines"] == LINES[name]
    assert counts["good"] > 0.97 * counts["lines"], counts
    assert rows_of(runtime, unified(name)).num_rows == counts["good"]
    for table in stream.gold:
        assert rows_of(runtime, analytics(name, table.name)).num_rows > 0


def _reading(folder: Path, name: str, stream: Stream, place: Path) -> Path:
    """The configuration with the stream reading every file of another folder."""
    text = stream.path.read_text(encoding="utf-8")
    lines = [f"  location: {place}" if line.startswith("  location:") else line for line in text.splitlines()]
    stream.path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder / "config"


@pytest.mark.parametrize("name", LINES)
def test_the_file_lints_and_its_example_holds(tmp_path: Path, name: str) -> None:
    stream = stream_from(tmp_path, name, DATA / name / "faulted")
    config = YamlLintConfig(file=str(ROOT / ".yamllint.yaml"))
    assert [str(problem) for problem in linter.run(stream.path.read_text(encoding="utf-8"), config)] == []
    with DuckEngine().session() as session:
        for test in stream.tests:
            result = run_case(DuckEngine(), session, stream, test)
            assert result.passed, explained(result)


@pytest.mark.parametrize("name", LINES)
def test_simulated_it_makes_events_that_are_good(tmp_path: Path, name: str) -> None:
    from datetime import UTC, datetime

    from strandline.rehearsal import rehearse
    from strandline.sample import take_sample

    at = datetime(2026, 3, 2, 12, tzinfo=UTC)
    stream, engine = stream_from(tmp_path, name, DATA / name / "clean", generator=True), DuckEngine()
    with engine.session() as session:
        sample = take_sample(engine, session, stream, file=None, rows=500, at=at, now=at)
        found = rehearse(engine, session, stream, sample.landed)
    assert found.counts.quarantined <= 0.02 * found.counts.lines


def test_of_the_access_log_the_parts_are_recognised(tmp_path: Path) -> None:
    stream = stream_from(tmp_path, "access_log", DATA / "access_log" / "clean")
    assert stream.primary_key == ("event_id",)
    assert stream.event_time == "event_ts"
    assert stream.field_named("remote_addr").protect == "hash"
    assert stream.field_named("method").choices == ("GET", "HEAD", "POST", "OPTIONS")
    assert stream.field_named("bytes").null_values == ("-",)
    assert [d.name for d in stream.derived] == ["is_error", "status_class"]
    assert stream.alerts[0].when.startswith("error_rate > 0.")
    assert "144.76.194.187" not in stream.path.read_text(encoding="utf-8")


def test_of_the_sensors_the_parts_are_recognised(tmp_path: Path) -> None:
    stream = stream_from(tmp_path, "nab_sensors", DATA / "nab_sensors" / "clean")
    assert (stream.primary_key, stream.event_time) == (("event_id",), "event_ts")
    assert stream.gold[0].dimensions == ("device_id",)
    assert {"avg_value", "p95_value"} <= {metric.name for metric in stream.gold[0].metrics}
