"""A small stream that is landed from files, for the tests of the steps."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from strandline.intervals import Interval
from strandline.lake.lake import Lake
from strandline.lines.keys import KeyRing
from strandline.runtime import Runtime
from strandline.spec.load import load_stream
from strandline.spec.model import Stream
from strandline.stages.land import ingest
from strandline.stages.merge import merge

START = datetime(2026, 3, 1, 10, 0, tzinfo=UTC)
FIVE = timedelta(minutes=5)
KEY = base64.b64encode(bytes(range(32))).decode()

READINGS = """
stream: readings
version: 2.3.0
description: {{purpose: Readings for the tests of the steps}}
team: {{name: tests, owner: tests@example.com}}
source: {{type: files, location: {location}, pattern: "*", max_files: 1}}
schema:
  primary_key: [reading_id]
  event_time: at
  allowed_lateness: 2d
  future_skew: 1h
  fields:
    - {{name: reading_id, type: string, required: true}}
    - {{name: at, type: timestamp, required: true}}
    - {{name: value, type: number, minimum: -50, maximum: 50}}
    - {{name: count, type: integer}}
    - {{name: price, type: decimal, scale: 2}}
    - {{name: day, type: date}}
    - {{name: ok, type: boolean}}
    - {{name: site, type: string, choices: [north, south], max_length: 5}}
    - {{name: code, type: string, pattern: "[A-Z]{{2}}"}}
    {more}
quality:
  - {{name: not_freezing, expect: value > -40}}
  - {{name: usual, expect: value < 30, action: warn}}
  {rules}
gold:
  hourly:
    grain: hour
    dimensions: [site]
    metrics: {{readings: count, total: {{sum: value}}}}
"""


def readings(folder: Path, more: str = "", rules: str = "") -> Stream:
    """The stream, landing files of `folder`/inbox one an interval."""
    (folder / "inbox").mkdir(exist_ok=True)
    path = folder / "readings.yaml"
    path.write_text(READINGS.format(location=folder / "inbox", more=more, rules=rules).strip() + "\n")
    return load_stream(path)


def line(number: int, minute: int = 0, **changes: Any) -> bytes:
    """A reading of that many minutes after `START`, a line of its own."""
    at = (START + timedelta(minutes=minute)).strftime("%Y-%m-%dT%H:%M:%SZ")
    return json.dumps({"reading_id": f"r{number}", "at": at, "value": number, "site": "north", **changes}).encode()


def runtime_in(folder: Path) -> Runtime:
    """A runtime on a local lake in `folder`, with a protection key."""
    return Runtime(Lake.open(str(folder / "lake")), KeyRing({"STRANDLINE_KEY": KEY}))


def landed(folder: Path, runtime: Runtime, stream: Stream, number: int, lines: Sequence[bytes]) -> dict[str, int]:
    """What the merge counted after those lines landed in the interval of that number."""
    deliver(folder, f"{number:03d}", lines)
    ingest(runtime, stream, interval(number))
    return merge(runtime, stream)


def deliver(folder: Path, name: str, lines: Sequence[bytes]) -> None:
    """One file of lines for the stream to land."""
    (folder / "inbox" / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / "inbox" / name).write_bytes(b"".join(line + b"\n" for line in lines))


def interval(number: int) -> Interval:
    """The landing interval of that number, from 0 on."""
    return Interval(START + number * FIVE, START + (number + 1) * FIVE)
