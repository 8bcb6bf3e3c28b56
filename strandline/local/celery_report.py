"""What a tour on Celery workers shows: which worker ran what, what became of the tasks of the one that was killed, what is left
in the workers' folders, and the audits.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rich.box import SIMPLE_HEAD
from rich.table import Table

from strandline.local.airflow_api import AirflowApi, DagRun, TaskTry
from strandline.local.cluster import Cluster
from strandline.local.narration import Step
from strandline.local.worker import EMPTY, Worker
from strandline.spec.model import Stream
from strandline.units import readable

_LAYERS = {"1": "bootstrap", "2": "ingest", "3": "batch", "4": "serving"}
"""What a DAG does, by the first character of its id."""


@dataclass(frozen=True, slots=True)
class Lost:
    """A try of a task that ran on the worker when it was killed."""

    run: DagRun
    task: TaskTry


@dataclass(frozen=True, slots=True)
class Loss:
    """A worker that was killed with SIGKILL, how many processes it was, and the tasks that ran on it."""

    worker: str
    processes: int
    tasks: tuple[Lost, ...]

    def __str__(self) -> str:
        return f"{self.worker} ({self.processes} processes), running {', '.join(lost.task.task_id for lost in self.tasks)}"


def running_on(api: AirflowApi, runs: Sequence[DagRun], host: str) -> list[Lost]:
    """The tasks of the runs that are still said to run on that host."""
    return [Lost(run, task) for run in runs for task in api.latest_tries(run) if (task.state, task.host) == ("running", host)]


def look(api: AirflowApi, runs: Sequence[DagRun], cluster: Cluster, loss: Loss | None) -> tuple[list[Table], list[str]]:
    """The tables on the workers, and what is not as it must be: every task done, by two workers at least, those of the killed
    worker by others, and nothing left in any folder.
    """
    done = [(run, task) for run in runs for task in api.latest_tries(run)]
    workers = [*cluster.lost, *cluster.workers]
    tables, faults = [_shares(done, workers)], _unfinished(done)
    if len({task.host for _, task in done}) < len(cluster.workers):
        faults.append("not every worker ran tasks")
    if loss is not None:
        table, unsaved = _fates(api, loss)
        tables.append(table)
        faults += unsaved
    folders, left = _folders(cluster)
    return [*tables, folders], faults + left


def audits(lake: str, streams: Mapping[str, Stream], step: Step) -> tuple[Table, list[str]]:
    """The table of the audits of all streams, and every fault and difference they found."""
    from strandline.audit.audit import audit
    from strandline.lake.lake import Lake
    from strandline.runtime import Runtime

    runtime = Runtime(Lake.open(lake))
    table, faults = _table("Audit: stored and served = recomputed from raw", "stream", "lines", "rows", "agrees"), []
    for number, (name, stream) in enumerate(streams.items()):
        step.bar(number, len(streams), "streams")
        found = audit(runtime, stream)
        table.add_row(name, f"{found.lines:,}", f"{found.rows:,}", _mark(found.agrees))
        faults += [f"{name}: {told}" for told in (*found.faults, *map(str, found.differences))]
    step.result = f"{len(streams)} agree" if not faults else f"{len(faults)} differences"
    return table, faults


def _shares(done: Sequence[tuple[DagRun, TaskTry]], workers: Sequence[Worker]) -> Table:
    counts = Counter((task.host, _LAYERS[run.dag_id[0]]) for run, task in done if task.state == "success")
    table = _table(
        f"{len(done)} tasks of {len({run.dag_id for run, _ in done})} DAGs: who ran them", "worker", *_LAYERS.values()
    )
    for worker in workers:
        table.add_row(worker.name, *(str(counts[worker.name, layer] or "–") for layer in _LAYERS.values()))
    return table


def _unfinished(done: Sequence[tuple[DagRun, TaskTry]]) -> list[str]:
    return [f"{run.dag_id}: the task {task.task_id} is {task.state}" for run, task in done if task.state != "success"]


def fate(lost: TaskTry, tries: Sequence[TaskTry]) -> tuple[str, bool]:
    """What became of a task, told in words, and whether its last try succeeded on another host than the lost one's."""
    later = [each for each in tries if each.number > lost.number]
    told = ", ".join(f"try {each.number} on {each.host or 'none'}: {each.state}" for each in later) or "no other try"
    return told, bool(later) and later[-1].state == "success" and later[-1].host not in ("", lost.host)


def _fates(api: AirflowApi, loss: Loss) -> tuple[Table, list[str]]:
    table, faults = _table(f"{loss.worker} was killed: what became of its tasks", "task", "killed", "then"), []
    for lost in loss.tasks:
        told, saved = fate(lost.task, api.tries(lost.run, lost.task.task_id))
        table.add_row(lost.task.task_id, f"try {lost.task.number} on {lost.task.host}", told)
        if not saved:
            faults.append(f"{lost.task.task_id} ran on {loss.worker} when it was killed and was not done by another: {told}")
    return table, faults


def _folders(cluster: Cluster) -> tuple[Table, list[str]]:
    table = _table("What a worker has on its disk besides Airflow's own files", "worker", *EMPTY, "else", "Airflow's own")
    faults = []
    for worker in (*cluster.lost, *cluster.workers):
        left = worker.left()
        within = [[path for path in left if path.startswith(f"{name}/")] for name in EMPTY]
        other = [path for path in left if path.split("/")[0] not in EMPTY]
        table.add_row(worker.name, *(_count(paths) for paths in (*within, other)), readable(worker.kept_bytes()))
        if worker in cluster.workers:  # a killed one could not clear up; nobody reads what it left
            faults += [f"{worker.name} was left with {path}" for path in left]
    return table, faults


def _count(paths: Sequence[str]) -> str:
    return f"{len(paths)} files" if paths else "empty"


def _mark(good: bool) -> str:
    return "[green]✓[/green]" if good else "[bold red]✗[/bold red]"


def _table(title: str, first: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold", box=SIMPLE_HEAD, pad_edge=False)
    table.add_column(first, no_wrap=True)
    for column in columns:
        table.add_column(column, justify="left" if column in {"killed", "then"} else "right", overflow="fold")
    return table
