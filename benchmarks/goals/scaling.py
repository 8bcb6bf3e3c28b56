"""One batch on Spark with one executor and with two, of a core each, in turn: how much sooner it is done, and for what CPU.

The lines of `shop_events` land once and are taken by bronze; each run takes a copy of that lake through silver and gold. Both
clusters stand all the while, and each has run the batch once before it is measured, as has the embedded engine. Where the
machine has two cores the driver shares them with the executors, so the ratio is a lower bound.
"""

from __future__ import annotations

import os
import resource
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

from benchmarks.events import day
from benchmarks.measure import machine
from benchmarks.ours import START, stream_at
from benchmarks.results import Found, Size, Verdict
from strandline.intervals import interval_at, intervals_between
from strandline.lake.lake import Lake
from strandline.lines.keys import KeyRing
from strandline.local import processes, spark_jars
from strandline.runtime import Runtime
from strandline.spec.model import Engine, Stream
from strandline.stages.bronze import bronze
from strandline.stages.gold import gold
from strandline.stages.land import ingest_intervals
from strandline.stages.silver import silver

if TYPE_CHECKING:
    from strandline.local.spark import SparkCluster

RUNS = {"small": 2, "full": 5}
LINES = {"small": 300_000, "full": 1_000_000}
_EMBEDDED, _ONE, _TWO = "embedded", "Spark, 1 executor", "Spark, 2 executors"


@dataclass(frozen=True, slots=True)
class Spent:
    """What a batch took: wall seconds, and CPU seconds of the worker's process, of the driver and of each executor."""

    wall: float
    worker: float
    driver: float = 0.0
    executors: tuple[float, ...] = ()

    @property
    def cpu(self) -> float:
        """CPU seconds in all."""
        return self.worker + self.driver + sum(self.executors)

    @property
    def path(self) -> float:
        """CPU seconds one after the other: the worker's, the driver's, and those of the busiest executor."""
        return self.worker + self.driver + max(self.executors, default=0.0)


def landed(folder: Path, lines: int) -> Stream:
    """The stream, whose lines stand in bronze of the lake in `folder`."""
    stream: Stream = stream_at(day(lines).folder)
    runtime = Runtime(Lake.open(str(folder)), KeyRing({}))
    end = interval_at(START, stream.interval).start + 288 * stream.interval
    ingest_intervals(runtime, stream, list(intervals_between(START, end, stream.interval)))
    bronze(runtime, stream, end)
    return stream


def batch(lake: Path, copy: Path, stream: Stream, cluster: SparkCluster | None) -> tuple[Spent, dict[str, int]]:
    """What silver and gold took on a copy of the lake, and what silver counted; without a cluster in process."""
    shutil.copytree(lake, copy)
    runtime = Runtime(Lake.open(str(copy)), KeyRing({}))
    if cluster is not None:
        runtime = replace(runtime, cluster=lambda connection: cluster.address)
        stream = replace(stream, engine=Engine("spark", "bench"))
    began, before = time.perf_counter(), _used(cluster)
    counts = silver(runtime, stream)
    gold(runtime, stream)
    wall, after = time.perf_counter() - began, _used(cluster)
    shutil.rmtree(copy)
    worker, driver, *executors = (late - early for late, early in zip(after, before, strict=True))
    return Spent(wall, worker, driver, tuple(executors)), counts


def _used(cluster: SparkCluster | None) -> list[float]:
    """CPU seconds so far of this process, of the cluster's driver, and of each executor with what it started."""
    own = resource.getrusage(resource.RUSAGE_SELF)
    driver = processes.recall(cluster.connect.pid_file) if cluster else None
    executors = [psutil.Process(pid) for pid in cluster.executors()] if cluster else []
    with_children = [_cpu([each, *each.children(recursive=True)]) for each in executors]
    return [own.ru_utime + own.ru_stime, _cpu(processes.members(driver) if driver else []), *with_children]


def _cpu(found: list[psutil.Process]) -> float:
    times = [process.cpu_times() for process in found]
    return sum(each.user + each.system for each in times)


def measure(size: Size) -> list[Found]:
    """One line; not measured, with the reason, where Spark is missing."""
    if missing := spark_jars.missing():
        verdict = Verdict("9", "one batch on Spark, 2 executors against 1", "not run", "> 1 x", None, missing)
        return [Found(9, size, [verdict], {}, machine())]
    from strandline.local.spark import SparkCluster

    with tempfile.TemporaryDirectory(prefix="strandline-scaling-") as name, ExitStack() as stack:
        folder = Path(name)
        stream = landed(folder / "lake", LINES[size])
        sides: dict[str, SparkCluster | None] = {_EMBEDDED: None}
        for executors, side in enumerate((_ONE, _TWO), 1):
            settings = {"spark.ui.enabled": "false"}
            made = SparkCluster(folder / f"cluster-{executors}", workers=executors, port=0, settings=settings)
            sides[side] = stack.enter_context(made)
        took: dict[str, list[Spent]] = {side: [] for side in sides}
        expected: dict[str, int] = {}
        for run in range(RUNS[size] + 1):
            for side, cluster in sides.items():
                spent, counts = batch(folder / "lake", folder / "copy", stream, cluster)
                expected = expected or counts
                if counts != expected:
                    raise SystemExit(f"Spark counts {counts}, DuckDB {expected}: the figure is void")
                which = f"run {run}" if run else "first, not counted"
                print(f"  {side}, {which}: {spent.wall:.1f} s, {spent.cpu:.1f} CPU s", flush=True)
                if run:
                    took[side].append(spent)
    return [_found(size, took)]


def _found(size: Size, took: dict[str, list[Spent]]) -> Found:
    def middle(side: str, of: Callable[[Spent], float]) -> float:
        return statistics.median(map(of, took[side]))

    def wall(side: str) -> float:
        return middle(side, lambda spent: spent.wall)

    gain = wall(_ONE) / wall(_TWO)
    why = f"{os.cpu_count()} cores for driver and executors" if (os.cpu_count() or 1) <= 2 else ""
    verdict = Verdict("9", "one batch on Spark, 2 executors against 1", f"{gain:.2f} x", "> 1 x", gain > 1, why)
    rows = [
        {
            "engine": side,
            "seconds": f"{wall(side):.1f}",
            "CPU s": f"{middle(side, lambda spent: spent.cpu):.1f}",
            "worker": f"{middle(side, lambda spent: spent.worker):.1f}",
            "driver": f"{middle(side, lambda spent: spent.driver):.1f}",
            "executors": f"{middle(side, lambda spent: sum(spent.executors)):.1f}",
            "one after the other": f"{middle(side, lambda spent: spent.path):.1f}",
        }
        for side in took
    ]
    return Found(9, size, [verdict], {f"Silver and gold of {LINES[size]:,} lines, in one run": rows}, machine())
