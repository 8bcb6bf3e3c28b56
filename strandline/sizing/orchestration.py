"""What Airflow has to do for so many streams: tasks, starts a minute, parsing, loops; and which of these gives first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from strandline.sizing.figures import Figures
from strandline.sizing.load import DAY, Load
from strandline.sizing.work import (
    BATCH_TASKS,
    INGEST_TASKS,
    SERVING_TASKS,
    cpu_of_a_stream,
    parse_seconds,
    start_cpu,
    task_starts,
)


@dataclass(frozen=True, slots=True)
class Limit:
    """One thing that Airflow needs, `needs` of `has` (in `unit`), and what to do when it is not enough."""

    name: str
    needs: float
    has: float
    unit: str
    then: str

    @property
    def share(self) -> float:
        """How much of it is used; above 1 it is not enough."""
        return self.needs / self.has


@dataclass(frozen=True, slots=True)
class Orchestration:
    """Tasks a day, starts a minute on average and at the full interval, seconds of a parse, MB serialised, and the limits."""

    tasks_a_day: float
    starts_a_minute: float
    burst: float
    burst_s: float
    parse_s: float
    first_parse_s: float
    serialised_mb: float
    limits: Sequence[Limit]

    @property
    def first(self) -> Limit:
        """What gives first."""
        return max(self.limits, key=lambda limit: limit.share)


def burst(load: Load) -> float:
    """Tasks that are due at once at a full interval: every stream's landing, and its merge when serving is due as well."""
    return float(INGEST_TASKS + SERVING_TASKS) * load.streams


def _at_once(load: Load, figures: Figures) -> float:
    """Tasks of the serving DAG that run at once on average, each on one core."""
    seconds = sum(cpu_of_a_stream(step, load, figures) for step in ("merge", "publish")) / load.merges
    return load.streams * (seconds + SERVING_TASKS * start_cpu(figures)) / load.serve_every


def start_rate(cores: float, figures: Figures) -> float:
    """Tasks that Airflow can start a minute on so many cores, when they do nothing else and one scheduler is enough."""
    return 60 * figures("cores.usable") * min(cores / start_cpu(figures), 1 / figures("airflow.start.scheduler"))


def orchestration(load: Load, cores: float, figures: Figures) -> Orchestration:
    """Airflow on so many cores (those that it has besides the work), with one scheduler and one DAG processor."""
    rate = start_rate(cores, figures)
    first = load.streams * (figures("airflow.first_import.stream") + figures("airflow.serialise.stream"))
    average = task_starts(load) / (DAY / 60)
    return Orchestration(
        tasks_a_day=task_starts(load),
        starts_a_minute=average,
        burst=burst(load),
        burst_s=60 * burst(load) / rate,
        parse_s=parse_seconds(load, figures),
        first_parse_s=first,
        serialised_mb=load.streams * figures("airflow.serialised.stream") / 1e6,
        limits=_limits(load, average, first, rate, figures),
    )


def _limits(load: Load, average: float, first: float, rate: float, figures: Figures) -> tuple[Limit, ...]:
    scheduler = 60 / figures("airflow.start.scheduler") * figures("cores.usable")
    loop, most = load.streams * figures("airflow.loop.task"), figures("airflow.loop.limit")
    every, timeout = figures("airflow.parse.every"), figures("airflow.import_timeout")
    imported = load.streams * figures("airflow.first_import.stream")
    all_due, again = 60 * burst(load) / rate, min(load.interval, load.serve_every)
    at_most = figures("airflow.dag_tasks_at_once")
    a_dag_each = "`for_each: stream` on the DAG: one a stream (docs/operations.md)"
    return (
        Limit("task starts a minute", average, rate, "starts", "more cores or workers; longer intervals; serve less often"),
        Limit("one scheduler's process", average, scheduler, "starts", "a second scheduler, on PostgreSQL"),
        Limit("all that is due at once, before it is due again", all_due, again, "s", "more cores; longer intervals"),
        Limit("parsing again and again", parse_seconds(load, figures), every, "s", "a larger min_file_process_interval"),
        Limit("tasks of the serving DAG at once", _at_once(load, figures), at_most, "tasks", "max_active_tasks on the DAG"),
        Limit("importing the DAG file", imported, timeout, "s", "a larger [core] dagbag_import_timeout"),
        Limit("parsing it", first, figures("airflow.parse_timeout"), "s", "a larger dag_file_processor_timeout"),
        Limit("a loop over the serving DAG's run", SERVING_TASKS * loop, most, "s", a_dag_each),
        Limit("a loop over the batch DAG's run", BATCH_TASKS * loop, most, "s", a_dag_each),
    )
