"""What a merge refresh costs as history grows: one more micro-batch after 1, 30 or 365 days, against a recompute of one day.

The stream is `api_logs` with 20,000 events a day. Days before today land as one micro-batch each and are taken by batch;
today's micro-batches of five minutes land and are merged one by one, as the ingest DAG does, so that the tables have the
files that they have in production.
"""

from __future__ import annotations

import os
import re
import resource
import statistics
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from strandline.intervals import Interval
from strandline.lake.lake import Lake
from strandline.lake.paths import analytics, published
from strandline.lake.paths import unified as unified_path
from strandline.lines.keys import KeyRing
from strandline.runtime import Runtime
from strandline.spec.load import load_streams
from strandline.spec.model import Stream
from strandline.stages.bronze import bronze
from strandline.stages.gold import gold
from strandline.stages.land import ingest_intervals
from strandline.stages.merge import merge
from strandline.stages.silver import silver

ROOT = Path(__file__).parents[1]
TODAY = datetime(2026, 3, 2, tzinfo=UTC)
STEP = timedelta(minutes=5)
EVENTS_A_DAY = 20_000
WARM = 30
"""Micro-batches of today that are merged one by one before the first is measured."""


def the_streams(folder: Path, events_a_day: int = EVENTS_A_DAY) -> tuple[Stream, Stream]:
    """The stream in landing intervals of five minutes, and the same one in days (for history)."""
    text = (ROOT / "config" / "streams" / "api_logs.yaml").read_text(encoding="utf-8")
    found = []
    for interval, mean in (("5m", events_a_day / 288), ("1d", float(events_a_day))):
        config = folder / f"config-{interval}" / "streams"
        config.mkdir(parents=True, exist_ok=True)
        changed = re.sub(
            r"rows: \{mean: 320, daily_profile: office_hours, weekend: 0.45\}", f"rows: {{mean: {mean:.1f}}}", text
        )
        changed = changed.replace("max: 26h", "max: 49h").replace("team:", f"interval: {interval}\nteam:", 1)
        (config / "api_logs.yaml").write_text(changed, encoding="utf-8")
        found.append(load_streams(config.parent)["api_logs"])
    return found[0], found[1]


def build(runtime: Runtime, five: Stream, daily: Stream, days: int, batches: int) -> None:
    """`days` of history below the line, and today's first `batches` micro-batches, the last `WARM` merged one by one."""
    first = TODAY - timedelta(days=days)
    for at in range(0, days, 30):
        several = [Interval(first + timedelta(days=n), first + timedelta(days=n + 1)) for n in range(at, min(at + 30, days))]
        ingest_intervals(runtime, daily, several)
        bronze(runtime, daily, several[-1].end)
        silver(runtime, daily)
        gold(runtime, daily)
        merge(runtime, daily)
    many = [micro_batch(n) for n in range(batches)]
    ingest_intervals(runtime, five, many[:-WARM])
    merge(runtime, five)
    for each in many[-WARM:]:
        ingest_intervals(runtime, five, [each])
        merge(runtime, five)


def micro_batch(number: int) -> Interval:
    """Today's micro-batch of that number (0…287)."""
    return Interval(TODAY + number * STEP, TODAY + (number + 1) * STEP)


def cpu() -> float:
    """CPU seconds of this process so far."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def refreshes(runtime: Runtime, five: Stream, first: int, number: int) -> list[float]:
    """CPU seconds of the merges after each of `number` more micro-batches."""
    found = []
    for n in range(first, first + number):
        ingest_intervals(runtime, five, [micro_batch(n)])
        before = cpu()
        merge(runtime, five)
        found.append(cpu() - before)
    return found


def recompute(runtime: Runtime, five: Stream) -> float:
    """CPU seconds of a merge that starts from nothing (the served tables are thrown away first)."""
    objects = runtime.lake.objects
    tables = [unified_path(five.name), *(analytics(five.name, t.name) for t in five.gold)]
    for table in tables:
        objects.delete([info.key for info in objects.list(table + "/")])
    objects.delete([published(five.name)])
    fresh = replace(runtime, lake=Lake.open(runtime.lake.url))
    before = cpu()
    merge(fresh, five)
    return cpu() - before


def main() -> None:
    import sys
    import tempfile

    days = [int(a) for a in sys.argv[1].split(",")] if len(sys.argv) > 1 else [0, 1, 30]
    events = int(sys.argv[2]) if len(sys.argv) > 2 else EVENTS_A_DAY
    with tempfile.TemporaryDirectory(prefix="strandline-refresh-") as folder:
        five, daily = the_streams(Path(folder), events)
        for each in days:
            runtime = Runtime(
                Lake.open(f"{folder}/lake-{each}"),
                KeyRing({"STRANDLINE_KEY": os.urandom(32).hex()}),
                memory_limit="1GB",
                threads=1,
            )
            started = time.perf_counter()
            build(runtime, five, daily, each, 250)
            built = time.perf_counter() - started
            took = refreshes(runtime, five, 250, 9)
            live = runtime.lake.table(unified_path(five.name)).snapshot()
            assert live is not None
            spread = f"{statistics.median(took):.3f} CPU s ({min(took):.3f}–{max(took):.3f})"
            print(f"{each} days: refresh {spread}, built in {built:.0f} s, {len(live.files)} files", flush=True)
            if each == 0:
                print(f"recompute of the day: {recompute(runtime, five):.3f} CPU s", flush=True)


if __name__ == "__main__":
    main()
