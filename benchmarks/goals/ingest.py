"""Goal 4: one micro-batch on a real S3 server, against a bare gzip and put; and its requests as commits add up."""

from __future__ import annotations

import itertools
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.events import ROOT, micro_batch
from benchmarks.measure import Run, alternating, machine, median, run
from benchmarks.ours import START, stream_at
from benchmarks.results import Found, Size, Verdict
from benchmarks.storage import BUCKET, Asked, Storage, storage
from strandline.intervals import Interval
from strandline.runtime import Runtime
from strandline.stages.generate import generate
from strandline.stages.land import land

BATCHES = (1_000, 100_000)
COMMITS: dict[Size, tuple[int, ...]] = {"small": (10, 45, 100), "full": (10, 100, 1_000, 3_000, 10_000)}
LOOKS = 20
"""Runs counted at each number of commits: as many as there are commits between two checkpoints."""
MOST_REQUESTS, MOST_CPU = 12, 2.0


def measure(size: Size) -> list[Found]:
    """The CPU against the bare script, and the requests by number of commits."""
    with storage() as place, tempfile.TemporaryDirectory(prefix="strandline-bench-in-") as folder:
        costs = [row for lines in BATCHES for row in _costs(place, Path(folder) / str(lines), lines)]
        (source := Path(folder) / "trickle").mkdir()
        counts = list(_requests(place, source, COMMITS[size]))
    tables = {"One micro-batch on SeaweedFS": costs, "Requests of generate + land by commits": counts}
    return [Found(4, size, [*_verdicts(costs), _of_requests(counts)], tables, machine())]


def _costs(place: Storage, folder: Path, lines: int) -> Iterator[dict[str, Any]]:
    folder.mkdir()
    file = folder / "batch.ndjson"
    file.write_bytes(micro_batch(lines))
    numbers = itertools.count()
    environment = place.server.environment

    def ours() -> Run:
        lake = f"s3://{BUCKET}/one-{lines}-{next(numbers)}"
        return run([sys.executable, "-m", "benchmarks.one_ingest", str(folder), lake], environment)

    def bare() -> Run:
        script = str(ROOT / "benchmarks" / "peers" / "bare_put.py")
        return run([sys.executable, script, str(file), BUCKET, f"bare/{lines}-{next(numbers)}.gz"], environment)

    for who, runs in alternating({"Strandline": ours, "gzip + put": bare}, 5).items():
        middle = median(runs)
        work = sorted(each.printed["work_cpu"] for each in runs)[len(runs) // 2]
        yield {
            "lines": lines,
            "who": who,
            "work_cpu_s": work,
            "process_cpu_s": round(middle.cpu, 2),
            "wall_s": round(middle.wall, 2),
            "peak_mb": round(middle.peak_mb),
        }


def _requests(place: Storage, source: Path, commits: Iterable[int]) -> Iterator[dict[str, Any]]:
    """Requests of a run at each number of commits: the mean and the most of `LOOKS` runs, each in a runtime as a task makes it.
    The commits in between share one.
    """
    stream = stream_at(str(source))
    line = micro_batch(100).split(b"\n", 1)[0] + b"\n"
    once = partial(_ingest, source, stream, line)
    shared = place.runtime("trickle", counted=False)
    once(0, lambda: shared)  # the first one makes the table
    done = 1
    for target in commits:
        while done < target - LOOKS:
            once(done, lambda: shared)
            done += 1
        place.count()
        seen: list[Asked] = []
        for _ in range(min(LOOKS, target - done)):
            once(done, lambda: place.runtime("trickle", counted=True))
            done += 1
            seen.append(place.count())
        each = sorted(asked.all for asked in seen)
        typical = {
            name: round(sum(asdict(a)[name] for a in seen) / len(seen), 2) for name in ("put", "list", "get", "head", "delete")
        }
        row = {"commits": target, "mean": round(sum(each) / len(each), 1), "most": each[-1], **typical}
        print(f"  {target:,} commits: {row['mean']} requests a run", flush=True)
        yield row


def _ingest(source: Path, stream: Any, line: bytes, number: int, runtime: Callable[[], Runtime]) -> None:
    for old in source.iterdir():
        old.unlink()
    (source / f"{number:06}.ndjson").write_bytes(line)
    start = START + number * timedelta(minutes=5)
    interval = Interval(start, start + timedelta(minutes=5))
    generate(runtime(), stream, interval)
    land(runtime(), stream, interval)


def _verdicts(costs: list[dict[str, Any]]) -> list[Verdict]:
    found = []
    for lines in BATCHES:
        by = {row["who"]: row for row in costs if row["lines"] == lines}
        ours, bare = by["Strandline"], by["gzip + put"]
        ratio = ours["work_cpu_s"] / bare["work_cpu_s"]
        whole = ours["process_cpu_s"] / bare["process_cpu_s"]
        figure = f"{ratio:.2f} x the CPU of gzip + put ({ours['work_cpu_s']:.2f} s; with interpreter and imports {whole:.2f} x)"
        aim = "<= 2 x at 100,000" if lines == BATCHES[-1] else "no goal at this size"
        found.append(
            Verdict("4", f"ingest of {lines:,} events", figure, aim, ratio <= MOST_CPU if lines == BATCHES[-1] else None)
        )
    return found


def _of_requests(counts: list[dict[str, Any]]) -> Verdict:
    told = ", ".join(f"{row['mean']} at {row['commits']:,}" for row in counts)
    flat = counts[-1]["mean"] <= counts[0]["mean"] * 1.2
    few = all(row["most"] <= MOST_REQUESTS for row in counts)
    most = max(row["most"] for row in counts)
    return Verdict("4", "S3 requests of a run by commits", f"{told}; most {most}", "<= 12, not growing", few and flat)
