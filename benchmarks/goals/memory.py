"""Goal 3: the greatest memory that files to gold take, ours alone, by the number of events."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from typing import Any

from benchmarks.events import HOME, day
from benchmarks.goals.throughput import LARGE, ours
from benchmarks.measure import machine
from benchmarks.results import Found, Size, Verdict

SIZES: Mapping[Size, tuple[int, ...]] = {"small": (100_000, 1_000_000), "full": (1_000_000, 10_000_000, 30_000_000)}
MOST_MB = 1200.0
TABLE = "Peak memory from files to gold"


def measure(size: Size) -> Iterator[Found]:
    """Anew after each number of events; three runs, one from 5 million events on."""
    rows: list[dict[str, Any]] = []
    for lines in SIZES[size]:
        peaks = []
        for _ in range(1 if lines >= LARGE else 3):
            peaks.append(round(ours(day(lines)).peak_mb))
            print(f"  {lines:,} events: {peaks[-1]:,} MB", flush=True)
        rows.append({"lines": lines, "runs": len(peaks), "least_mb": min(peaks), "peak_mb": max(peaks)})
        shutil.rmtree(HOME / "out")  # tens of GB at the large sizes
        yield Found(3, size, [_verdict(rows)], {TABLE: list(rows)}, machine())


def _verdict(rows: list[dict[str, Any]]) -> Verdict:
    told = ", ".join(f"{row['peak_mb']:,} MB at {row['lines']:,}" for row in rows)
    met = max(row["peak_mb"] for row in rows) <= MOST_MB
    return Verdict("3", "peak memory of the process tree", told, "<= 1,200 MB, flat", met)
