"""The streams through the real steps on a local lake: the ledger is the generator's truth, the examples in the YAML hold."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from strandline.intervals import interval_at, intervals_between
from strandline.lake import paths
from strandline.lake.lake import Lake
from strandline.lines.keys import KeyRing
from strandline.runtime import Runtime
from strandline.sources.generator import EventModel, Totals, micro_batch, total
from strandline.spec.load import load_streams
from strandline.spec.model import FilesSource, Stream, StreamTest
from strandline.stages.bronze import bronze
from strandline.stages.gold import gold
from strandline.stages.land import ingest_intervals
from strandline.stages.silver import silver

STREAMS = load_streams(Path(__file__).parents[2] / "config")
NOON = datetime(2026, 11, 25, 12, tzinfo=UTC)
EXAMPLES = [
    pytest.param(stream, example, id=f"{stream.name}: {example.name}")
    for stream in STREAMS.values()
    for example in stream.tests
]


@pytest.fixture
def runtime(tmp_path: Path) -> Runtime:
    return Runtime(Lake.open(str(tmp_path / "lake")), KeyRing({"STRANDLINE_KEY": "5a" * 32}))


def rows_of(runtime: Runtime, path: str) -> list[dict[str, Any]]:
    snapshot = runtime.lake.table(path).snapshot()
    return [] if snapshot is None else [dict(row) for row in snapshot.arrow().to_pylist()]


def ledger_of(runtime: Runtime, stream: Stream) -> Totals:
    rows = [row for row in rows_of(runtime, paths.LEDGER) if row["stream"] == stream.name]
    reasons: Counter[str] = Counter()
    for row in rows:
        reasons.update(json.loads(row["reasons"]))
    lines, good, duplicates, quarantined = (
        sum(r[name] for r in rows) for name in ("lines", "good", "duplicates", "quarantined")
    )
    return Totals(lines, good, duplicates, quarantined, dict(reasons))


@pytest.mark.parametrize("stream", STREAMS.values(), ids=lambda stream: stream.name)
def test_the_ledger_is_the_truth_of_the_generator_reason_by_reason_and_rule_by_rule(runtime: Runtime, stream: Stream) -> None:
    end = NOON + timedelta(hours=1)
    intervals = list(intervals_between(NOON, end, stream.interval))
    ingest_intervals(runtime, stream, intervals)
    bronze(runtime, stream, end)
    silver(runtime, stream)
    model = EventModel(stream)
    truths = [micro_batch(model, interval)[1] for interval in intervals]
    assert ledger_of(runtime, stream) == total(truths)
    refused = Counter(row["_rule"] for row in rows_of(runtime, paths.quarantine(stream.name)) if row["_rule"] is not None)
    assert refused == Counter(entry.rule for truth in truths for entry in truth.injected if entry.rule is not None)


@pytest.mark.parametrize(("stream", "example"), EXAMPLES)
def test_an_example_of_the_yaml_holds(runtime: Runtime, tmp_path: Path, stream: Stream, example: StreamTest) -> None:
    folder = tmp_path / "given"
    folder.mkdir()
    (folder / "lines.ndjson").write_text("".join(json.dumps(line) + "\n" for line in example.given), encoding="utf-8")
    stream = replace(stream, source=FilesSource(str(folder)), budgets=())
    latest = max(datetime.fromisoformat(line[stream.event_time]) for line in example.given)
    interval = interval_at(latest, stream.interval)
    ingest_intervals(runtime, stream, [interval])
    bronze(runtime, stream, interval.end)
    silver(runtime, stream)
    gold(runtime, stream)
    for table, expected in example.expect.items():
        path = paths.quarantine(stream.name) if table == "quarantine" else paths.gold(stream.name, table)
        found = rows_of(runtime, path)
        assert len(found) == len(expected), table
        for row in expected:
            assert any(holds(row, other) for other in found), (table, row, found)


def holds(expected: Mapping[str, Any], row: Mapping[str, Any]) -> bool:
    """Whether `row` has the expected values in the columns that are named; numbers to nine digits."""
    return all(same(row[name], value) for name, value in expected.items())


def same(found: Any, expected: Any) -> bool:
    if found is None or isinstance(expected, (str, bool)):
        return bool(found == expected)
    return float(found) == pytest.approx(float(expected), rel=1e-9)
