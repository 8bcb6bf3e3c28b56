"""The intervals that a lake has missed, landed by the core itself: two processes, no Airflow."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from strandline.intervals import Interval, floor, intervals_between
from strandline.spec.model import Stream

INTERVALS_A_STEP = 24
_WORKERS = 2


@dataclass(frozen=True, slots=True)
class Landed:
    """What was landed: micro-batches and their lines."""

    intervals: int
    lines: int


def missed(lake: str, streams: Mapping[str, Stream], now: datetime, length: timedelta) -> dict[str, list[Interval]]:
    """By stream, the complete intervals before `now` that have not landed, oldest first.

    From the last landed one on; for a simulated stream that has landed nothing, `length` back. Other sources start with what
    their first run finds, so nothing is listed for them.
    """
    from strandline.lake.lake import Lake
    from strandline.runtime import Runtime
    from strandline.stages.generate import landings

    runtime = Runtime(Lake.open(lake))
    found = {}
    for name, stream in streams.items():
        end = floor(now, stream.interval)
        start = landings(runtime, stream).last_end
        if start is None and stream.source.type == "generator":
            start = end - length
        found[name] = list(intervals_between(start, end, stream.interval)) if start is not None else []
    return found


def land(config: Path, lake: str, wanted: Mapping[str, list[Interval]], progress: Callable[[int, int], None]) -> Landed:
    """Counts of what was landed, each stream in order, streams side by side; `progress` is told intervals done and in all.

    S3 and the protection keys come from the environment. Safe beside running DAGs and after a kill: an interval lands once.
    """
    total = sum(len(intervals) for intervals in wanted.values())
    queues = {name: _steps(intervals) for name, intervals in wanted.items() if intervals}
    done = lines = 0
    progress(0, total)
    # Never fork: delta-rs does not survive it.
    pool = ProcessPoolExecutor(_WORKERS, multiprocessing.get_context("spawn"), _prepare, (str(config), lake))
    try:
        running: dict[Future[int], tuple[str, int]] = {}

        def advance(name: str) -> None:
            if queues[name]:
                step = queues[name].pop(0)
                running[pool.submit(_ingest, name, step)] = (name, len(step))

        for name in queues:
            advance(name)
        while running:
            finished, _ = wait(running, return_when=FIRST_COMPLETED)
            for future in finished:
                name, intervals = running.pop(future)
                lines += future.result()
                done += intervals
                progress(done, total)
                advance(name)
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
    return Landed(done, lines)


def _steps(intervals: list[Interval]) -> list[list[Interval]]:
    # The first interval by itself: with it landed, later calls know from where to catch up.
    rest = [intervals[at : at + INTERVALS_A_STEP] for at in range(1, len(intervals), INTERVALS_A_STEP)]
    return [intervals[:1], *rest]


_worker: tuple[dict[str, Stream], str] | None = None


def _prepare(config: str, lake: str) -> None:
    """Make this process ready: deaf to Ctrl-C (the parent ends it in order), gone when the parent is."""
    from strandline.spec.load import check_streams

    global _worker
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_follow, args=(parent,), daemon=True).start()
    _worker = (check_streams(Path(config))[0], lake)


def _follow(parent: multiprocessing.process.BaseProcess) -> None:
    parent.join()
    os._exit(1)


def _ingest(name: str, intervals: list[Interval]) -> int:
    """Lines landed: the last interval is asked for, and the steps catch up the ones before it."""
    from strandline.lake.lake import Lake
    from strandline.runtime import Runtime
    from strandline.stages import land as stage

    if _worker is None:
        raise RuntimeError("the worker was not prepared")
    streams, lake = _worker
    return int(stage.ingest(Runtime(Lake.open(lake)), streams[name], intervals[-1])["lines"])
