"""Whether one machine is enough, up to how many events a day, and the cluster that does the rest."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass

from strandline.sizing.figures import Figures
from strandline.sizing.load import DAY, Load
from strandline.sizing.orchestration import start_rate
from strandline.sizing.work import IN_WINDOW, ON_SPARK, cpu_of_a_stream, steps, task_starts, total

CORES = (1, 2, 4, 8, 16)
STARTS = "task starts a minute"
"""A need that only Airflow can meet: more schedulers, or fewer tasks."""
_MOST_EVENTS = 1e12
_GB_A_CORE = 4.0
"""Memory of a usual machine; more can be had."""


@dataclass(frozen=True, slots=True)
class Need:
    """One thing that a machine must be able to do: `used` of what it has (1: all of it), in words."""

    name: str
    used: float


@dataclass(frozen=True, slots=True)
class Machine:
    """What a machine of `cores` can do: the most events a day, what stands in the way of more, and the memory it then needs."""

    cores: int
    most_events: float
    held_by: str
    memory_gb: float


def needs(load: Load, cores: float, figures: Figures) -> Sequence[Need]:
    """What one machine of `cores` must be able to do with the embedded engine."""
    found = steps(load, figures)
    usable = cores * figures("cores.usable")
    all_day = total(found, "speed", "serving", "audit", "airflow") / DAY
    one_task = min(usable, figures("cores.task"))
    merge = _wall(("merge", "publish"), load, one_task, figures) / load.merges
    landing = _wall(("generate", "land"), load, one_task, figures) / load.landings
    audit = _wall(("audit",), load, one_task, figures)  # on average, in seconds a day
    return (
        Need("CPU while the batch runs", (all_day + total(found, "batch") / load.batch_window) / usable),
        Need("one stream's batch within its window", _wall(IN_WINDOW, load, one_task, figures) / load.batch_window),
        Need("one stream's audit before the next", audit / DAY),
        Need("one stream's merge before the next", merge / load.serve_every),
        Need("one stream's landing before the next", landing / load.interval),
        Need(STARTS, task_starts(load) / (DAY / 60) / start_rate(cores, figures)),
        Need("memory of one step", task_memory(load, figures) / (cores * _GB_A_CORE - figures("memory.airflow"))),
    )


def _wall(names: tuple[str, ...], load: Load, cores: float, figures: Figures) -> float:
    """Seconds a day of these steps of one stream, one after the other, each on the cores that one task makes use of."""
    return sum(cpu_of_a_stream(name, load, figures) for name in names) / cores


def task_memory(load: Load, figures: Figures) -> float:
    """GB that the largest step of one stream takes."""
    wide = load.event_bytes / figures("bytes.event")
    return figures("memory.task.fixed") + load.of_a_stream / 1e6 * wide * figures("memory.task.million_of_day")


def memory(load: Load, at_once: int, figures: Figures) -> float:
    """GB of a machine on which so many tasks run at once, one of them as large as they get."""
    return figures("memory.airflow") + (at_once - 1) * figures("memory.task.fixed") + task_memory(load, figures)


def enough(load: Load, cores: float, figures: Figures) -> bool:
    """Whether a machine of `cores` is enough."""
    return all(need.used <= 1 for need in needs(load, cores, figures))


def largest(load: Load, cores: int, figures: Figures) -> Machine:
    """The most events a day that a machine of `cores` is enough for, in as many streams; 0 when not even for one event each."""
    least, most = float(load.streams), _MOST_EVENTS
    if not enough(load.of(least), cores, figures):
        worst = max(needs(load.of(least), cores, figures), key=lambda need: need.used)
        return Machine(cores, 0.0, worst.name, memory(load.of(least), cores, figures))
    while most / least > 1.0001:
        middle = math.sqrt(least * most)
        if enough(load.of(middle), cores, figures):
            least = middle
        else:
            most = middle
    held = max(needs(load.of(most), cores, figures), key=lambda need: need.used)
    return Machine(cores, least, held.name, memory(load.of(least), cores, figures))


@dataclass(frozen=True, slots=True)
class Cluster:
    """A Spark cluster for the steps it computes, and the workers for everything else.

    `executors` of `executor_cores` and `executor_gb` each, for the batch within its window while merges go on; `worker_cores`
    for landing and for starting tasks; `cpu_s` are Spark's CPU seconds a day.
    """

    executors: int
    executor_cores: int
    executor_gb: float
    worker_cores: int
    cpu_s: float

    @property
    def cores(self) -> int:
        """Of all executors."""
        return self.executors * self.executor_cores

    @property
    def memory_gb(self) -> float:
        """Of all executors."""
        return self.executors * self.executor_gb


def cluster(load: Load, figures: Figures) -> Cluster:
    """The cluster for this load. Streams do not hold each other up; in one, twice the executors are not twice as fast."""
    per_executor = figures("spark.executor.cores") * figures("cores.usable")
    factor = figures("spark.cpu_factor")
    by_step = {name: factor * cpu_of_a_stream(name, load, figures) for name in ON_SPARK}
    serving = by_step["merge"] / DAY
    batch, audit = sum(by_step[name] for name in IN_WINDOW) / load.batch_window, by_step["audit"] / DAY
    executors = load.streams * _executors((serving + batch + audit) / per_executor, figures("spark.doubling"))
    found = steps(load, figures)
    here = sum(step.cpu_s for step in found if step.name not in ON_SPARK)
    return Cluster(
        executors=max(1, math.ceil(executors - 1e-6)),
        executor_cores=round(figures("spark.executor.cores")),
        executor_gb=figures("spark.executor.memory"),
        worker_cores=max(1, math.ceil(here / DAY / figures("cores.usable"))),
        cpu_s=load.streams * sum(by_step.values()),
    )


def _executors(alone: float, doubling: float) -> float:
    """Executors of one stream that needs `alone` perfect ones, when each doubling is so many times as fast."""
    return alone if alone <= 1 else alone ** (1 / math.log2(doubling))


def cores_needed(load: Load, figures: Figures, most: int = 1024) -> int | None:
    """The least cores of one machine that is enough; None when `most` are not."""
    choices = range(1, most + 1)
    found = bisect_left(choices, True, key=lambda cores: enough(load, cores, figures))  # more cores are never worse
    return choices[found] if found < len(choices) else None
