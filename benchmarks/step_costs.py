"""What each step costs, for `strandline size`: `python -m benchmarks.step_costs [--requests] [NUMBER …]` prints JSON.

A day of the benchmark's stream (`benchmarks/events.py`): its first micro-batches land as a catch-up does; then 48 land one by
one, with a merge and a publish after every other, the second half of which is measured (medians); then batch takes the day,
the merge after it reconciles, audit recomputes it and maintain tidies up. Each step has a runtime of its own, as a task has it.

* `NUMBER` is events a day, on a local path: CPU seconds of this process with all its threads, by step; peaks of its resident
  memory while the step ran, libraries included (Linux resets them on demand); bytes of the objects in each layer.
* `--requests`: `NUMBER` is how many micro-batches there are before the batch, on a real S3 server: requests by step and kind.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import tempfile
from collections.abc import Callable
from dataclasses import asdict
from datetime import timedelta
from pathlib import Path
from typing import Any, Protocol

from benchmarks.events import FILES, day
from benchmarks.measure import machine
from benchmarks.ours import START, stream_at
from benchmarks.storage import Asked, Storage, storage
from strandline.audit.audit import audit
from strandline.intervals import Interval
from strandline.lake.lake import Lake
from strandline.publish.publish import publish
from strandline.runtime import Runtime
from strandline.spec.model import Stream
from strandline.stages.bronze import bronze
from strandline.stages.generate import generate
from strandline.stages.gold import gold
from strandline.stages.land import ingest, land
from strandline.stages.maintain import maintain
from strandline.stages.merge import merge
from strandline.stages.silver import silver
from strandline.status import layout

ONE_BY_ONE = 48
STEP = timedelta(minutes=5)
_LINES = 28_800


class Meter(Protocol):
    """Measures steps."""

    def runtime(self) -> Runtime:
        """A runtime as a task makes it."""

    def step(self, name: str, work: Callable[[Runtime], Any]) -> None:
        """Do the work and write down what it cost."""


class Costs:
    """CPU seconds of each run, and the peak memory of all runs, by step; on a local path."""

    def __init__(self, lake: Path) -> None:
        self._lake = lake
        self.spent: dict[str, list[float]] = {}
        self.peak_mb: dict[str, int] = {}

    def runtime(self) -> Runtime:
        return Runtime(Lake.open(str(self._lake)))

    def step(self, name: str, work: Callable[[Runtime], Any]) -> None:
        runtime = self.runtime()
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
        before = _cpu()
        work(runtime)
        self.spent.setdefault(name, []).append(_cpu() - before)
        self.peak_mb[name] = max(self.peak_mb.get(name, 0), _peak_mb())


class Requests:
    """Requests of each run by step, on a real S3 server."""

    def __init__(self, place: Storage) -> None:
        self._place = place
        self.asked: dict[str, list[Asked]] = {}

    def runtime(self) -> Runtime:
        return self._place.runtime("day", counted=True)

    def step(self, name: str, work: Callable[[Runtime], Any]) -> None:
        self._place.count()
        work(self.runtime())
        self.asked.setdefault(name, []).append(self._place.count())


def play(meter: Meter, stream: Stream, micro_batches: int) -> None:
    """The micro-batches of the day from its start on, then the batch, the merge that reconciles, and the audit."""
    first = max(0, micro_batches - ONE_BY_ONE)
    for number in range(first):
        ingest(meter.runtime(), stream, _interval(number))
    for number in range(first, micro_batches):
        meter.step("generate", lambda runtime, at=number: generate(runtime, stream, _interval(at)))
        meter.step("land", lambda runtime, at=number: land(runtime, stream, _interval(at)))
        if number % 2:
            meter.step("merge", lambda runtime: merge(runtime, stream))
            meter.step("publish", lambda runtime: publish(runtime, stream, lambda notification: None))
    meter.step("bronze", lambda runtime: bronze(runtime, stream, _interval(micro_batches).start))
    meter.step("silver", lambda runtime: silver(runtime, stream))
    meter.step("gold", lambda runtime: gold(runtime, stream))
    meter.step("reconcile", lambda runtime: merge(runtime, stream))
    meter.step("audit", lambda runtime: audit(runtime, stream))


def costs(events_a_day: int) -> dict[str, Any]:
    """CPU seconds a run and peak MB by step, and stored bytes an event by layer."""
    made = day(events_a_day)
    stream = stream_at(made.folder)
    with tempfile.TemporaryDirectory(prefix="strandline-costs-") as folder:
        meter = Costs(Path(folder))
        play(meter, stream, FILES)
        sizes = layout(meter.runtime(), [stream])[stream.name]
        staged = sum(path.stat().st_size for path in Path(folder, "realtime").glob("*/_staging/**/*") if path.is_file())
        written = sum(path.stat().st_size for path in Path(folder, "serving").rglob("*.parquet"))
        meter.step("maintain", lambda runtime: maintain(runtime, stream))
    stored = {"gzip": made.gzip_bytes, "staged": staged} | {layer: size.bytes for layer, size in sizes.items()}
    stored["replaced"] = written - stored["unified"] - stored["analytics"] - stored.get("alerts", 0)
    return {
        "events": made.lines,
        "event_bytes": round(made.plain_bytes / made.lines, 1),
        "cpu_s": {name: round(_middle(spent), 4) for name, spent in meter.spent.items()},
        "bytes_an_event": {layer: round(size / made.lines, 2) for layer, size in stored.items()},
        "peak_mb": meter.peak_mb,
    }


def requests(micro_batches: int) -> dict[str, Any]:
    """Requests a run by step and kind (means of the second half of the runs)."""
    stream = stream_at(day(_LINES).folder)
    with storage() as place:
        meter = Requests(place)
        play(meter, stream, micro_batches)
        meter.step("maintain", lambda runtime: maintain(runtime, stream))
    return {"micro_batches": micro_batches, "requests": {name: _mean(asked) for name, asked in meter.asked.items()}}


def _mean(asked: list[Asked]) -> dict[str, float]:
    late = [asdict(each) for each in asked[len(asked) // 2 :]]
    return {name: round(sum(each[name] for each in late) / len(late), 2) for name in late[0]}


def _middle(spent: list[float]) -> float:
    return statistics.median(spent[len(spent) // 2 :])


def _interval(number: int) -> Interval:
    return Interval(START + number * STEP, START + (number + 1) * STEP)


def _peak_mb() -> int:
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return round(int(status.partition("VmHWM:")[2].split()[0]) * 1024 / 1e6)


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.step_costs", description="What each step costs, as JSON.")
    parser.add_argument("numbers", type=int, nargs="*", metavar="NUMBER", help="events a day, or with --requests micro-batches")
    parser.add_argument("--requests", action="store_true", help="count requests to an S3 server instead of CPU and memory")
    return parser.parse_args()


if __name__ == "__main__":
    arguments = _arguments()
    measured = requests if arguments.requests else costs
    for each in arguments.numbers or ([96, 288] if arguments.requests else [28_800, 288_000]):
        print(json.dumps({**measured(each), "machine": machine()}), flush=True)
