"""What each component of a running Airflow uses: CPU seconds by component, and the scheduler's loop times from its log."""

from __future__ import annotations

import contextlib
import re
import statistics
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from strandline.local import processes

SCHEDULER, TASKS, DAG_PROCESSOR, API, DATABASE, REST = (
    "scheduler", "tasks", "dag processor", "API server", "database", "rest",
)  # fmt: skip
_LOOP = re.compile(r"Ran scheduling loop in ([\d.]+) ms")
LOOPS = {"AIRFLOW__LOGGING__NAMESPACE_LEVELS": "airflow.jobs.scheduler_job_runner=DEBUG"}
"""The setting that makes the scheduler log how long each loop took."""


@dataclass(frozen=True, slots=True)
class Used:
    """CPU seconds by component since each began, and when that was (monotonic seconds)."""

    at: float
    cpu: Mapping[str, float]

    def share(self, before: Used) -> dict[str, float]:
        """Cores that each component was busy with, on average, since `before`."""
        seconds = self.at - before.at
        return {name: round((cpu - before.cpu.get(name, 0.0)) / seconds, 2) for name, cpu in self.cpu.items()}

    def spent(self, before: Used) -> dict[str, float]:
        """CPU seconds of each component since `before`."""
        return {name: round(cpu - before.cpu.get(name, 0.0), 2) for name, cpu in self.cpu.items()}


def used(standalone: processes.Handle, others: Iterable[processes.Handle] = ()) -> Used:
    """The CPU seconds of an `airflow standalone` (a scheduler's children are tasks), and of the database's processes."""
    found = dict.fromkeys((SCHEDULER, TASKS, DAG_PROCESSOR, API, REST, DATABASE), 0.0)
    with contextlib.suppress(psutil.NoSuchProcess):
        for component in psutil.Process(standalone.pid).children():
            name = _component(component)
            own, below = _own(component), _below(component)
            found[name] += own
            found[TASKS if name == SCHEDULER else name] += below
    for handle in others:
        with contextlib.suppress(psutil.NoSuchProcess):
            process = psutil.Process(handle.pid)
            found[DATABASE] += _own(process) + _below(process)
    return Used(time.monotonic(), found)


def _component(process: psutil.Process) -> str:
    words = " ".join(process.cmdline()) if process.is_running() else ""
    for word, name in (("scheduler", SCHEDULER), ("dag-processor", DAG_PROCESSOR), ("api-server", API), ("api_server", API)):
        if word in words:
            return name
    return REST


def _own(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


def _below(process: psutil.Process) -> float:
    """Of all that descends from it, dead and waited for included."""
    times = process.cpu_times()
    spent = float(times.children_user + times.children_system)
    for each in process.children(recursive=True):
        with contextlib.suppress(psutil.NoSuchProcess):
            times = each.cpu_times()
            spent += times.user + times.system + times.children_user + times.children_system
    return spent


class Loops:
    """Reads the scheduler's loop times from the log, from where it looked last."""

    def __init__(self, log: Path) -> None:
        self._log = log
        self._at = 0

    def since(self) -> list[float]:
        """Milliseconds of each loop since the last look."""
        with self._log.open("rb") as log:
            log.seek(self._at)
            text = log.read()
        self._at += len(text)
        return [float(each) for each in _LOOP.findall(text.decode(errors="replace"))]


def middle_and_most(values: Iterable[float]) -> dict[str, Any]:
    """Median, the value that 95 % stay below, and the largest; empty when there are none."""
    ordered = sorted(values)
    if not ordered:
        return {}
    return {
        "median": round(statistics.median(ordered), 1),
        "p95": round(ordered[min(len(ordered) - 1, int(0.95 * len(ordered)))], 1),
        "most": round(ordered[-1], 1),
    }
