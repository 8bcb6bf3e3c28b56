"""The streams through the real steps on a local lake: the ledger is the generator's truth."""

from __future__ import annotations

import json
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from strandline.intervals import intervals_between
from strandline.lake import paths
from strandline.lake.lake import Lake
from strandline.lines.keys import KeyRing
from strandline.runtime import Runtime
from strandline.sources.generator import EventModel, Totals, micro_batch, total
from strandline.spec.load import load_streams
from strandline.spec.model import Stream
from strandline.stages.bronze import bronze
from strandline.stages.land import ingest_intervals
from strandline.stages.silver import silver

STREAMS = load_streams(Path(__file__).parents[2] / "config")
NOON = datetime(2026, 11, 25, 12, tzinfo=UTC)


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
