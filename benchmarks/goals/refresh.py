"""Goal 5: what a merge refresh costs as history grows, and against a recompute of the day.

The stream is `api_logs` (4 aggregates; 2 % of the lines come twice). Days before today land as one micro-batch each and are
taken by batch; today's micro-batches of five minutes land, and the last ones are merged one by one, so that the tables have
the files that they have in production. Then one more lands at a time, lake by lake in turn, and its merge is measured: nine,
and against them five merges from nothing.
"""

from __future__ import annotations

import os
import re
import resource
import statistics
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from benchmarks.measure import machine
from benchmarks.results import Found, Size, Verdict
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

ROOT = Path(__file__).parents[2]
TODAY = datetime(2026, 3, 2, tzinfo=UTC)
STEP = timedelta(minutes=5)
WARM = 30
"""Micro-batches of today that are merged one by one before the first is measured."""
LANDED = 250
"""Micro-batches of today that are there before the first is measured."""
MEASURED = 9


def the_streams(folder: Path, events_a_day: int, late: str = "") -> tuple[Stream, Stream]:
    """The stream in landing intervals of five minutes, and the same one in days (for history)."""
    text = (ROOT / "config" / "streams" / "api_logs.yaml").read_text(encoding="utf-8")
    found = []
    for interval, mean in (("5m", events_a_day / 288), ("1d", float(events_a_day))):
        config = folder / f"config-{interval}" / "streams"
        config.mkdir(parents=True, exist_ok=True)
        changed = re.sub(
            r"rows: \{mean: 320, daily_profile: office_hours, weekend: 0.45\}", f"rows: {{mean: {mean:.1f}}}", text
        )
        changed = re.sub(r"\n    late: .*", late, changed).replace("team:", f"interval: {interval}\nteam:", 1)
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


def refresh(runtime: Runtime, five: Stream, number: int) -> float:
    """CPU seconds of the merge after one more micro-batch."""
    ingest_intervals(runtime, five, [micro_batch(number)])
    before = cpu()
    merge(runtime, five)
    return cpu() - before


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


def runtime_in(folder: str) -> Runtime:
    """A runtime on one thread, so that CPU and wall time are one."""
    return Runtime(Lake.open(folder), KeyRing({"STRANDLINE_KEY": os.urandom(32).hex()}), threads=1)


def by_history(folder: Path, days: Sequence[int], events_a_day: int) -> dict[int, float]:
    """Median CPU seconds of a refresh after so many days, measured in turn."""
    five, daily = the_streams(folder, events_a_day)
    lakes = {each: runtime_in(f"{folder}/lake-{each}") for each in days}
    for each, runtime in lakes.items():
        build(runtime, five, daily, each, LANDED)
    took: dict[int, list[float]] = {each: [] for each in days}
    for number in range(LANDED, LANDED + MEASURED):
        for each, runtime in lakes.items():
            took[each].append(refresh(runtime, five, number))
    return {each: statistics.median(found) for each, found in took.items()}


def against_recompute(folder: Path, events_a_day: int, late: str = "") -> tuple[float, float]:
    """Median CPU seconds of a refresh, and of a merge of the same day from nothing in a lake of its own, measured in turn."""
    five, daily = the_streams(folder, events_a_day, late)
    runtime, other = runtime_in(f"{folder}/lake"), runtime_in(f"{folder}/other")
    build(runtime, five, daily, 0, LANDED)
    ingest_intervals(other, five, [micro_batch(n) for n in range(LANDED)])
    refreshed: list[float] = []
    whole: list[float] = []
    for number in range(LANDED, LANDED + MEASURED):
        refreshed.append(refresh(runtime, five, number))
        ingest_intervals(other, five, [micro_batch(number)])
        if len(refreshed) % 2:
            whole.append(recompute(other, five))
    return statistics.median(refreshed), statistics.median(whole)


def measure(size: Size) -> list[Found]:
    """Two lines: flat in history, and against a recompute; a table of both, and of a stream with many late events."""
    days, few, many = ((1, 30), 20_000, 300_000) if size == "small" else ((1, 30, 365), 20_000, 1_000_000)
    with tempfile.TemporaryDirectory(prefix="strandline-refresh-") as folder:
        flat = by_history(Path(folder), days, few)
    with tempfile.TemporaryDirectory(prefix="strandline-refresh-") as folder:
        refreshed, whole = against_recompute(Path(folder), many)
    with tempfile.TemporaryDirectory(prefix="strandline-refresh-") as folder:
        late, late_whole = against_recompute(Path(folder), many, "\n    late: {rate: 0.03, max: 49h}")
    growth, gain = flat[days[-1]] / flat[1], whole / refreshed
    verdicts = [
        Verdict("5", f"refresh after {days[-1]} days of history against 1", f"{growth:.2f} x", "<= 1.2 x", growth <= 1.2),
        Verdict("5", f"refresh against a recompute of a day of {many:,} events", f"{gain:.1f} x", ">= 20 x", gain >= 20),
    ]
    if gain < 20:
        why = (
            "a copy makes the file of its event be written again, and four aggregates compute their hour anew; "
            "a small day does not repay the fixed costs"
        )
        verdicts[1] = replace(verdicts[1], why=why)
    tables: dict[str, list[dict[str, Any]]] = {
        f"A refresh by days of history ({few:,} events a day)": [
            {"days": each, "CPU s": f"{seconds:.3f}", "against 1 day": f"{seconds / flat[1]:.2f}"}
            for each, seconds in flat.items()
        ],
        f"A refresh against a recompute of the day ({many:,} events)": [
            {
                "late events": "none",
                "refresh CPU s": f"{refreshed:.3f}",
                "recompute CPU s": f"{whole:.2f}",
                "times": f"{gain:.1f}",
            },
            {
                "late events": "3 %, up to 49 h",
                "refresh CPU s": f"{late:.3f}",
                "recompute CPU s": f"{late_whole:.2f}",
                "times": f"{late_whole / late:.1f}",
            },
        ],
    }
    return [Found(5, size, verdicts, tables, machine())]
