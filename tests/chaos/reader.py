"""A reader of what is published, over and over: every read must see versions that belong together, and none older than before.

Two ways: the tables that one pointer names, the aggregates computed again from the events in plain Python; and one SQL query
over several served tables.
"""

from __future__ import annotations

import os
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from strandline.lake import paths
from strandline.query import query
from strandline.runtime import Runtime
from strandline.spec.model import Stream
from strandline.stages.merge import Pointer, read_pointer

_SQL = """
SELECT (SELECT COUNT(*) FROM unified.{0}) AS events, (SELECT SUM(price) FROM unified.{0}) AS total,
       (SELECT SUM(events) FROM analytics.{0}__daily) AS daily_events, (SELECT SUM(total) FROM analytics.{0}__daily) AS daily,
       (SELECT SUM(events) FROM analytics.{0}__hourly) AS hourly_events,
       (SELECT SUM(total) FROM analytics.{0}__hourly) AS hourly
"""
_HOLD = 5


@dataclass
class Seen:
    """What a reader has seen: reads by pointer and by query, different pointers, and what was wrong (the first of each)."""

    reads: int = 0
    queries: int = 0
    pointers: int = 0
    torn: list[str] = field(default_factory=list)
    back: list[str] = field(default_factory=list)


def read_on(runtime: Runtime, streams: Sequence[Stream], until: str, pause: float) -> dict[str, Any]:
    """What was seen up to the moment at which the file `until` is there (or the parent is gone), with `pause` seconds between;
    the last read begins after that moment.
    """
    seen = Seen()
    shown: dict[str, Pointer] = {}
    ends, parent = False, os.getppid()
    while not ends:
        ends = Path(until).exists() or os.getppid() != parent
        for stream in streams:
            pointer = read_pointer(runtime, stream.name)
            if pointer is None:
                continue
            before = shown.get(stream.name)
            seen.pointers += before != pointer
            if before is not None and (worse := older(before, pointer)):
                seen.back.append(f"{stream.name}: {worse}")
            shown[stream.name] = pointer
            seen.reads += 1
            seen.torn += [f"{stream.name}: {fault}" for fault in torn(runtime, stream, pointer)]
            seen.queries += 1
            with query(runtime, {stream.name: stream}, _SQL.format(stream.name)) as answer:
                row = answer.table().to_pylist()[0]
            if len({row["events"] or 0, row["daily_events"] or 0, row["hourly_events"] or 0}) > 1 or (
                len({row["total"] or 0, row["daily"] or 0, row["hourly"] or 0}) > 1
            ):
                seen.torn.append(f"{stream.name}: one query saw {row}")
        time.sleep(pause)
    counted = {"reads": seen.reads, "queries": seen.queries, "pointers": seen.pointers}
    wrong = {"torn": len(seen.torn), "back": len(seen.back), "told": [*seen.torn[:_HOLD], *seen.back[:_HOLD]]}
    return counted | wrong


def older(before: Pointer, now: Pointer) -> str:
    """In what the pointer went back, in words; empty when it did not."""
    pairs: list[tuple[str, Any, Any]] = [
        ("unified", before.unified, now.unified),
        ("realtime", before.realtime, now.realtime),
        ("silver", before.silver, now.silver),
        ("watermark", before.watermark or "", now.watermark or ""),
        *((name, version, now.analytics.get(name, 0)) for name, version in before.analytics.items()),
    ]
    return ", ".join(f"{name} from {one} to {other}" for name, one, other in pairs if other < one)


def torn(runtime: Runtime, stream: Stream, pointer: Pointer) -> list[str]:
    """Which aggregates differ from what the events of the same pointer give."""
    unified = runtime.lake.table(paths.unified(stream.name)).snapshot(pointer.unified)
    assert unified is not None, "a published version exists"
    events = unified.arrow([stream.event_time, "price", "channel"]).to_pylist()
    wrong = []
    for declared in stream.gold:
        held = runtime.lake.table(paths.analytics(stream.name, declared.name)).snapshot(pointer.analytics[declared.name])
        assert held is not None, "a published version exists"
        rows = held.arrow(["window_start", *declared.dimensions, "events", "total"]).to_pylist()
        stored = {_key(row["window_start"], row, declared.dimensions): (row["events"], row["total"]) for row in rows}
        computed = aggregated(events, stream.event_time, declared.grain == "day", declared.dimensions)
        if stored != computed:
            differing = [key for key in {*stored, *computed} if stored.get(key) != computed.get(key)]
            wrong.append(f"{declared.name} of {pointer} differs in {len(differing)} windows, such as {differing[0]}")
    return wrong


def aggregated(
    events: Sequence[Mapping[str, Any]], moment: str, daily: bool, dimensions: Sequence[str]
) -> dict[tuple[Any, ...], tuple[int, Decimal | None]]:
    """Window and dimensions → number of events and sum of their prices (None when all are NULL)."""
    prices: dict[tuple[Any, ...], list[Decimal | None]] = defaultdict(list)
    for event in events:
        start = event[moment].replace(minute=0, second=0, microsecond=0)
        prices[_key(start.replace(hour=0) if daily else start, event, dimensions)].append(event["price"])
    found: dict[tuple[Any, ...], tuple[int, Decimal | None]] = {}
    for key, values in prices.items():
        known = [value for value in values if value is not None]
        found[key] = (len(values), sum(known, Decimal(0)) if known else None)
    return found


def _key(start: datetime, row: Mapping[str, Any], dimensions: Sequence[str]) -> tuple[Any, ...]:
    return (start, *(row[name] for name in dimensions))
