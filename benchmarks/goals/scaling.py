"""One batch on Spark with one executor and with two, of a core each, in turn: how much sooner it is done.

The lines of `shop_events` land once and are taken by bronze; each run judges a copy of that lake. Both clusters stand all the
while, and each has run the batch once before it is measured. Where the machine has two cores the driver shares them with the
executors, so the ratio is a lower bound.
"""

from __future__ import annotations

import os
import shutil
import statistics
import tempfile
import time
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.events import day
from benchmarks.measure import machine
from benchmarks.ours import START, stream_at
from benchmarks.results import Found, Size, Verdict
from strandline.intervals import interval_at, intervals_between
from strandline.lake.lake import Lake
from strandline.lines.keys import KeyRing
from strandline.local import spark_jars
from strandline.runtime import Runtime
from strandline.spec.model import Engine, Stream
from strandline.stages.bronze import bronze
from strandline.stages.land import ingest_intervals
from strandline.stages.silver import silver

if TYPE_CHECKING:
    from strandline.local.spark import SparkCluster

RUNS = {"small": 3, "full": 5}
LINES = {"small": 300_000, "full": 1_000_000}


def landed(folder: Path, lines: int) -> Stream:
    """The stream, whose lines stand in bronze of the lake in `folder`."""
    stream: Stream = stream_at(day(lines).folder)
    runtime = Runtime(Lake.open(str(folder)), KeyRing({}))
    end = interval_at(START, stream.interval).start + 288 * stream.interval
    ingest_intervals(runtime, stream, list(intervals_between(START, end, stream.interval)))
    bronze(runtime, stream, end)
    return stream


def judged(lake: Path, copy: Path, stream: Stream, cluster: SparkCluster | None) -> tuple[float, dict[str, int]]:
    """Wall seconds of silver on a copy of the lake, and what it counted; without a cluster in process."""
    shutil.copytree(lake, copy)
    runtime = Runtime(Lake.open(str(copy)), KeyRing({}))
    if cluster is not None:
        runtime = replace(runtime, cluster=lambda connection: cluster.address)
        stream = replace(stream, engine=Engine("spark", "bench"))
    began = time.perf_counter()
    counts = silver(runtime, stream)
    took = time.perf_counter() - began
    shutil.rmtree(copy)
    return took, counts


def measure(size: Size) -> list[Found]:
    """One line; not measured, with the reason, where Spark is missing."""
    if missing := spark_jars.missing():
        return [Found(9, size, [Verdict("9", "one batch on Spark, 2 executors against 1", "-", "> 1 x", None, missing)])]
    from strandline.local.spark import SparkCluster

    with tempfile.TemporaryDirectory(prefix="strandline-scaling-") as name, ExitStack() as stack:
        folder = Path(name)
        stream = landed(folder / "lake", LINES[size])
        _, expected = judged(folder / "lake", folder / "copy", stream, None)
        clusters = {}
        for executors in (1, 2):
            made = SparkCluster(
                folder / f"cluster-{executors}", workers=executors, port=0, settings={"spark.ui.enabled": "false"}
            )
            clusters[executors] = stack.enter_context(made)
        took: dict[int, list[float]] = {1: [], 2: []}
        for run in range(RUNS[size] + 1):
            for executors, cluster in clusters.items():
                seconds, counts = judged(folder / "lake", folder / "copy", stream, cluster)
                if counts != expected:
                    raise SystemExit(f"Spark counts {counts}, DuckDB {expected}: the figure is void")
                if run:
                    took[executors].append(seconds)
    medians = {executors: statistics.median(seconds) for executors, seconds in took.items()}
    gain = medians[1] / medians[2]
    why = f"{os.cpu_count()} cores for driver and executors" if (os.cpu_count() or 1) <= 2 else ""
    verdict = Verdict("9", "one batch on Spark, 2 executors against 1", f"{gain:.2f} x", "> 1 x", gain > 1, why)
    rows = [{"executors": n, "seconds": f"{m:.1f}", "against 1": f"{medians[1] / m:.2f}"} for n, m in medians.items()]
    return [Found(9, size, [verdict], {f"Silver of {LINES[size]:,} lines on Spark": rows}, machine())]
