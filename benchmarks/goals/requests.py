"""Goal 8: what S3 bills: requests and bytes of each step, counted; a stream's day and a million events, modelled from them.

Prices: AWS S3 Standard, us-east-1, list prices as of 2025: PUT, POST, COPY and LIST $0.005 per 1,000, GET and HEAD $0.0004 per
1,000, DELETE free, storage $0.023 per GB and month, traffic inside a region free. They are assumptions; change them here.
"""

from __future__ import annotations

import tempfile
from dataclasses import asdict
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from benchmarks.events import micro_batch
from benchmarks.measure import machine
from benchmarks.ours import START, stream_at
from benchmarks.results import Found, Size, Verdict
from benchmarks.storage import Asked, Storage, storage
from strandline.intervals import Interval
from strandline.publish.publish import publish
from strandline.stages.bronze import bronze
from strandline.stages.generate import generate
from strandline.stages.gold import gold
from strandline.stages.land import land
from strandline.stages.merge import merge
from strandline.stages.silver import silver

PRICES = {"put": 0.005, "list": 0.005, "get": 0.0004, "head": 0.0004, "delete": 0.0}
"""Dollars for 1,000 requests."""
STORAGE = 0.023
"""Dollars for a GB and month."""
RUNS_A_DAY = {"generate": 288, "land": 288, "merge": 144, "publish": 144, "bronze": 1, "silver": 1, "gold": 1}
LINES = 1_000
INTERVALS: dict[Size, int] = {"small": 24, "full": 288}
"""Five-minute intervals played before the batch; as many again follow it."""


def measure(size: Size) -> list[Found]:
    """The table by step and the model."""
    steps: dict[str, list[Asked]] = {name: [] for name in RUNS_A_DAY}
    with storage() as place, tempfile.TemporaryDirectory(prefix="strandline-bench-in-") as folder:
        _play(place, Path(folder), INTERVALS[size], steps)
        stored = {layer: place.size(f"day/{layer}/") for layer in ("realtime", "batch", "serving")}
    lines = 2 * INTERVALS[size] * LINES
    table = [_row(step, asked) for step, asked in steps.items()]
    model = _model(table, stored, lines)
    told = f"{model[0]['requests']:,} requests, ${model[0]['requests_usd']:.2f} a stream and day; {_bytes(stored, lines)}"
    verdict = Verdict("8", f"S3 requests and bytes ({LINES:,} events an interval)", told, "a table and a model", True)
    return [Found(8, size, [verdict], {"Requests by step": table, "Model of the cost": model}, machine())]


def _play(place: Storage, source: Path, intervals: int, steps: dict[str, list[Asked]]) -> None:
    """Half of the intervals, a batch, and the other half, with a merge and a publish every other interval."""
    stream, lines = stream_at(str(source)), micro_batch(LINES)

    def step(name: str, work: Any) -> None:
        place.count()
        work(place.runtime("day", counted=True))
        steps[name].append(place.count())

    for number in range(2 * intervals):
        for old in source.iterdir():
            old.unlink()
        (source / f"{number:06}.ndjson").write_bytes(_renamed(lines, number))
        start = START + number * timedelta(minutes=5)
        interval = Interval(start, start + timedelta(minutes=5))
        step("generate", lambda runtime, at=interval: generate(runtime, stream, at))
        step("land", lambda runtime, at=interval: land(runtime, stream, at))
        if number + 1 == intervals:
            step("bronze", lambda runtime, until=interval.end: bronze(runtime, stream, until))
            step("silver", lambda runtime: silver(runtime, stream))
            step("gold", lambda runtime: gold(runtime, stream))
        if number % 2:
            step("merge", lambda runtime: merge(runtime, stream))
            step("publish", lambda runtime: publish(runtime, stream, lambda notification: None))


def _renamed(lines: bytes, number: int) -> bytes:
    """Other events at the time of interval `number`."""
    moment = (datetime.combine(date(2026, 3, 2), datetime.min.time(), UTC) + number * timedelta(minutes=5)).strftime(
        "%Y-%m-%dT%H:%M"
    )
    renamed = lines.replace(b'"event_id":"', f'"event_id":"{number:04}'.encode())
    return renamed.replace(b'"event_time":"2026-03-02T12:0', f'"event_time":"{moment[:-1]}'.encode())


def _row(step: str, asked: list[Asked]) -> dict[str, Any]:
    """The mean of the second half of the runs (all of a step that ran once)."""
    late = asked[len(asked) // 2 :]
    means = {name: round(sum(asdict(each)[name] for each in late) / len(late), 2) for name in (*PRICES, "sent_mb")}
    return {"step": step, "runs_a_day": RUNS_A_DAY[step], **means, "requests": round(sum(means[name] for name in PRICES), 1)}


def _model(table: list[dict[str, Any]], stored: dict[str, int], lines: int) -> list[dict[str, Any]]:
    requests = sum(row["requests"] * row["runs_a_day"] for row in table)
    dollars = sum(row[name] * row["runs_a_day"] / 1000 * price for row in table for name, price in PRICES.items())
    gigabytes = sum(stored.values()) / lines * 1e6 / 1e9
    a_day = {
        "what": f"one stream, one day ({288 * LINES:,} events)",
        "requests": round(requests),
        "requests_usd": round(dollars, 4),
    }
    share = 1e6 / (288 * LINES)
    a_million = {
        "what": "a million events at that rate",
        "requests": round(requests * share),
        "requests_usd": round(dollars * share, 4),
    }
    sizes = {f"{layer}_mb_per_million": round(size / lines, 1) for layer, size in stored.items()}
    kept = {"stored_gb_per_million": round(gigabytes, 3), "storage_usd_a_month": round(gigabytes * STORAGE, 4)}
    return [a_day, {**a_million, **sizes, **kept}]


def _bytes(stored: dict[str, int], lines: int) -> str:
    return f"{sum(stored.values()) / lines:.0f} bytes stored an event (of about 510 raw)"
