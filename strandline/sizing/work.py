"""CPU seconds a day by step, in all streams together and of one stream."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from strandline.sizing.figures import BY_MICRO_BATCH, STEPS, Figures
from strandline.sizing.load import DAY, Load

Group = Literal["speed", "serving", "batch", "audit", "airflow"]
GROUPS: dict[str, Group] = {
    "generate": "speed", "land": "speed", "merge": "serving", "publish": "serving", "bronze": "batch", "silver": "batch",
    "gold": "batch", "reconcile": "batch", "audit": "audit", "maintain": "audit", "task starts": "airflow",
    "parsing": "airflow", "idle": "airflow",
}  # fmt: skip
INGEST_TASKS, SERVING_TASKS, BATCH_TASKS = 2, 2, 5
"""Tasks of a stream in a run of its ingest DAG, of the serving DAG and of the batch DAG."""
IN_WINDOW = ("bronze", "silver", "gold", "reconcile")
"""What must be done within the batch window; audit and maintain come after it, and before the next."""
ON_SPARK = {"merge", "bronze", "silver", "gold", "reconcile", "audit"}
"""Steps that a stream's Spark engine computes."""


@dataclass(frozen=True, slots=True)
class Step:
    """What a step costs a day: `runs` and CPU seconds (`cpu_s`), in all streams."""

    name: str
    group: Group
    runs: float
    cpu_s: float


def steps(load: Load, figures: Figures) -> tuple[Step, ...]:
    """Every step, in the order of a day, with its embedded engine; then what Airflow itself uses."""
    runs = runs_a_day(load)
    own = tuple(
        Step(name, GROUPS[name], load.streams * runs[name], load.streams * cpu_of_a_stream(name, load, figures))
        for name in STEPS
    )
    return (*own, *_airflow(load, figures))


def runs_a_day(load: Load) -> dict[str, float]:
    """Runs a day of each step, of one stream."""
    often = {"generate": load.landings, "land": load.landings, "merge": load.merges, "publish": load.merges}
    return {name: often.get(name, 1.0) for name in STEPS}


def cpu_of_a_stream(step: str, load: Load, figures: Figures) -> float:
    """CPU seconds a day of a step of one stream.

    Runs times what one run costs, and events times what one costs; an event of another size costs in proportion to its bytes.
    A merge also looks at the keys of the day's other events, some steps open each micro-batch, and an audit reads the day's
    events, or all that the lake has kept.
    """
    wide = load.event_bytes / figures("bytes.event")
    cost = runs_a_day(load)[step] * figures(f"cpu.{step}.run")
    events = load.of_a_stream * (load.audited if step == "audit" else 1.0)
    cost += events / 1e6 * wide * figures(f"cpu.{step}.million")
    if step == "merge":
        cost += load.merges * load.of_a_stream / 1e6 * figures("cpu.merge.million_of_day")
    if step in BY_MICRO_BATCH:
        cost += micro_batches(step, load) * figures(f"cpu.{step}.micro_batch")
    return cost


def micro_batches(step: str, load: Load) -> float:
    """Micro-batches of one stream that a step opens a day."""
    days = {"audit": load.audited, "maintain": load.kept["realtime"]}
    return load.landings * days.get(step, 1.0)


def _airflow(load: Load, figures: Figures) -> tuple[Step, ...]:
    starts = task_starts(load)
    every = figures("airflow.parse.every")
    parses = min(DAY / every, DAY / max(parse_seconds(load, figures), 1e-9))  # one parse follows another at most
    return (
        Step("task starts", "airflow", starts, starts * start_cpu(figures)),
        Step("parsing", "airflow", parses, parses * parse_seconds(load, figures)),
        Step("idle", "airflow", 1.0, DAY * figures("airflow.idle")),
    )


def task_starts(load: Load) -> float:
    """Tasks that Airflow starts a day: two a micro-batch, two a merge, five a batch, of each stream."""
    return load.streams * (INGEST_TASKS * load.landings + SERVING_TASKS * load.merges + BATCH_TASKS)


def start_cpu(figures: Figures) -> float:
    """CPU seconds of a task's start and end besides its work, in all of Airflow's components."""
    return sum(figures(f"airflow.start.{part}") for part in ("tasks", "scheduler", "api", "rest"))


def parse_seconds(load: Load, figures: Figures) -> float:
    """CPU seconds of parsing and serialising the DAGs of all streams once, when they have been checked before."""
    return load.streams * figures("airflow.parse.stream")


def total(found: tuple[Step, ...], *groups: Group) -> float:
    """CPU seconds a day of these groups."""
    return sum(step.cpu_s for step in found if step.group in groups)
