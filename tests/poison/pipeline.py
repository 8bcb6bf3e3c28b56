"""The real steps over a delivery, and what every line of it must have come to on both paths."""

from __future__ import annotations

import csv
import hashlib
import io
import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from strandline.audit.audit import audit
from strandline.intervals import Interval
from strandline.lake import paths
from strandline.lake.lake import Lake
from strandline.lines.keys import KeyRing
from strandline.publish.publish import publish
from strandline.runtime import Runtime
from strandline.spec.load import load_stream
from strandline.spec.model import Stream
from strandline.stages.bronze import bronze
from strandline.stages.gold import gold
from strandline.stages.land import ingest
from strandline.stages.merge import merge
from strandline.stages.silver import silver
from tests.poison.deliveries import Placed

START = datetime(2026, 3, 1, 10, 0, tzinfo=UTC)
FIVE = timedelta(minutes=5)
INTERVAL = Interval(START, START + FIVE)

YAML = """
stream: events
version: 1.0.0
description: {{purpose: Whatever arrives}}
team: {{name: tests, owner: tests@example.com}}
source: {source}
schema:
  primary_key: [id]
  event_time: at
  fields:
    - {{name: id, type: string, required: true}}
    - {{name: at, type: timestamp, required: true}}
    - {{name: n, type: integer}}
    - {{name: x, type: number}}
    - {{name: price, type: decimal, scale: 2}}
    - {{name: ok, type: boolean}}
    - {{name: day, type: date}}
    - {{name: tags, type: json}}
    - {{name: note, type: string, from: Note-Text, null_values: ["-"]}}
gold:
  weekly: {{grain: week, dimensions: [ok], metrics: {{events: count, total: {{sum: price}}, last: {{max: day}}}}}}
  monthly: {{grain: month, dimensions: [], metrics: {{events: count}}}}
  often: {{grain: 5 minutes, dimensions: [day], metrics: {{events: count, ids: {{count_distinct: id}}}}}}
dashboard:
  - {{title: Events, line: often.events}}
  - {{title: By month, bar: monthly.events}}
  - {{title: By week, stat: weekly.events}}
  - {{title: Windows, table: often, sort: -events}}
alerts:
  - {{name: any, on: often, when: events > 0}}
  - {{name: weekly, on: weekly, when: events > 0}}
  - {{name: rows, on: rows, when: x > 0}}
"""


def stream_from(folder: Path, source: str) -> Stream:
    """The stream of the corpus with a source, as YAML on one line."""
    path = folder / "events.yaml"
    path.write_text(YAML.format(source=source).strip() + "\n")
    return load_stream(path)


def runtime_at(url: str) -> Runtime:
    """A runtime on the lake at `url`."""
    return Runtime(Lake.open(url), KeyRing({}))


def rows(runtime: Runtime, path: str) -> list[dict[str, Any]]:
    """The rows of a table as it is now."""
    snapshot = runtime.lake.table(path).snapshot()
    assert snapshot is not None
    found: list[dict[str, Any]] = snapshot.arrow().to_pylist()
    return found


def check_both_paths(runtime: Runtime, stream: Stream, placed: Sequence[Placed]) -> None:
    """Realtime first: ingest, merge. Then the batch: bronze, silver, gold; merge again, audit, publish."""
    ingest(runtime, stream, INTERVAL)
    counts = merge(runtime, stream)
    check_landed(runtime, placed)
    good, refused = good_ids(placed), [line for line in placed if line.end]
    shown = {row["id"] for row in rows(runtime, paths.unified("events"))}
    assert sorted(shown ^ good) == []
    expected = {"lines": len(placed), "added": len(good), "quarantined": len(refused)}
    assert {name: counts[name] for name in expected} == expected
    assert counts["added"] + counts["duplicates"] + counts["quarantined"] == len(placed)
    publish(runtime, stream, lambda *told: None)

    bronze(runtime, stream, INTERVAL.end)
    settled = silver(runtime, stream)
    check_quarantine(runtime, placed)
    assert {row["id"] for row in rows(runtime, paths.silver("events"))} == good
    assert (settled["lines"], settled["good"], settled["quarantined"]) == (len(placed), len(good), len(refused))
    assert settled["good"] + settled["duplicates"] + settled["quarantined"] == len(placed)
    gold(runtime, stream)
    assert merge(runtime, stream)["drift"] == 0
    found = audit(runtime, stream)
    assert found.agrees, (found.differences, found.faults)
    publish(runtime, stream, lambda *told: None)


def check_landed(runtime: Runtime, placed: Sequence[Placed]) -> None:
    """Every line landed once, at its place, with its bytes and the parser's reason."""
    landed = {(r["_source"], r["_source_line"]): r for r in rows(runtime, paths.realtime("events")) if r["_line"] > 0}
    assert sorted(landed) == sorted((line.source, line.source_line) for line in placed)
    for line in placed:
        row = landed[line.source, line.source_line]
        assert hashlib.sha256(row["_raw"]).digest() == hashlib.sha256(line.raw).digest(), line
        assert (row["_reason"], row["_header"]) == (line.reason, line.header), line


def check_quarantine(runtime: Runtime, placed: Sequence[Placed]) -> None:
    """Every refused line is in quarantine once, with its place, bytes, reason and field; nothing else is."""
    held = {(row["_source"], row["_source_line"]): row for row in rows(runtime, paths.quarantine("events"))}
    refused = {(line.source, line.source_line): line for line in placed if line.end}
    assert sorted(held) == sorted(refused)
    for place, line in refused.items():
        row = held[place]
        assert (row["_reason"], row["_field"]) == line.end, line
        assert hashlib.sha256(row["_raw"]).digest() == hashlib.sha256(line.raw).digest(), line
        assert row["_detail"], line
        assert (row["_landing_start"], row["_header"]) == (INTERVAL.start, line.header)


def good_ids(placed: Sequence[Placed]) -> set[str]:
    """The keys of the good events, read by the standard library; an event that stands twice is one."""
    return {_id_of(line) for line in placed if line.end is None}


def _id_of(line: Placed) -> str:
    if line.header is not None:
        text = line.header.removeprefix("\ufeff").removesuffix("\r") + "\n" + line.raw.decode().removesuffix("\r")
        return next(csv.DictReader(io.StringIO(text, newline="")))["id"]
    value = json.loads(line.raw.decode("utf-8-sig"), parse_int=str)["id"]
    return value if isinstance(value, str) else json.dumps(value)
