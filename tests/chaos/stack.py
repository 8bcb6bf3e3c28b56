"""The demo's stack in a folder of its own, made to be killed: SeaweedFS, Airflow, the five streams of `config/`."""

from __future__ import annotations

import os
import random
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import TracebackType

import psutil

from strandline.errors import TransientError
from strandline.lake import paths
from strandline.lake.lake import Lake
from strandline.local import history, processes
from strandline.local.airflow import Airflow
from strandline.local.airflow_api import AirflowApi, DagRun
from strandline.local.seaweed import Seaweed
from strandline.runtime import Runtime
from strandline.spec.load import load_streams
from strandline.stages.generate import landings

ROOT = Path(__file__).parents[2]
BUCKET = "strandline"
SCHEDULED = ("2-", "3-", "4-")
VICTIMS = ("scheduler", "task", "dag processor", "executor worker", "everything", "everything and S3")
"""What is killed. A task is the process that runs an operator, an executor worker the one that watches over it."""
_QUICK = {
    "defaults.yaml": ("budgets:", "interval: 2m\n\nbudgets:"),
    "dags/serving.yaml": ('"2-59/10 * * * *"', '"1-59/4 * * * *"'),
    "dags/batch.yaml": ('"0 2 * * *"', '"*/30 * * * *"'),
}


def quick_config(folder: Path) -> Path:
    """A copy of `config/` in which a stream lands every two minutes, serving runs every four and batch every thirty."""
    config = Path(shutil.copytree(ROOT / "config", folder / "config"))
    for name, (old, new) in _QUICK.items():
        text = (config / name).read_text()
        assert text.count(old) == 1, f"{name} has {old} not just once"
        (config / name).write_text(text.replace(old, new))
    return config


class Stack:
    """One S3 server and one Airflow over one lake; inside `with` the server runs, and Airflow from `start` on."""

    def __init__(self, folder: Path, config: Path, prefix: str) -> None:
        self._folder, self.config = folder, config
        self.server = Seaweed(folder / "s3", port=0)
        self.url = f"s3://{BUCKET}/{prefix}"
        self.streams = load_streams(config)
        self.airflow: Airflow | None = None

    def __enter__(self) -> Stack:
        self._start_server()
        self.server.create_bucket(BUCKET)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self.airflow is not None:
            self.airflow.stop()
        self.server.stop()

    def _start_server(self) -> None:
        """On its own port or, after a kill, on another free one."""
        self.server.start()
        os.environ.update(self.server.environment | {"STRANDLINE_KEY": self.server.credentials.protection_key})

    @property
    def runtime(self) -> Runtime:
        """What reads the lake from outside."""
        return Runtime(Lake.open(self.url))

    def land_history(self, until: datetime, length: timedelta) -> int:
        """Lines landed: the intervals of the `length` before `until`, as the demo lands its own history."""
        missed = history.missed(self.url, self.streams, until, length)
        return history.land(self.config, self.url, missed, lambda done, total: None).lines

    def start(self) -> float:
        """Seconds until the stack was ready: whatever was left of it is ended first, as `make demo` does."""
        began = time.monotonic()
        self._start_server()
        if self.airflow is None:
            self.airflow = Airflow(
                ROOT,
                lake=self.url,
                s3_endpoint=self.server.endpoint_url,
                secrets=self.server.credentials,
                port=0,
                home=self._folder / "airflow",
                extra={"STRANDLINE_CONFIG": str(self.config)},
            )
        self.airflow.s3_endpoint = self.server.endpoint_url
        self.airflow.start()
        return time.monotonic() - began

    def api(self) -> AirflowApi:
        """A client of the running Airflow."""
        assert self.airflow is not None
        return self.airflow.api()

    def is_healthy(self) -> bool:
        """Whether every component of Airflow reports that it is."""
        assert self.airflow is not None
        return not AirflowApi.missing_components(self.airflow.url)

    def unpause(self) -> list[str]:
        """The DAGs that have a schedule, all live now."""
        with self.api() as api:
            api.wait_for_dags([f"2-{name}_realtime_ingest" for name in self.streams])
            ids = sorted(dag for dag in api.dags() if dag.startswith(SCHEDULED))
            for dag in ids:
                api.set_paused(dag, False)
        return ids

    def landed(self) -> dict[str, datetime]:
        """By stream, the end of its last landed interval."""
        runtime = self.runtime
        never = datetime.min.replace(tzinfo=UTC)
        return {name: landings(runtime, stream).last_end or never for name, stream in self.streams.items()}

    def merged(self) -> dict[str, int]:
        """By stream, the realtime commit that unified has taken."""
        lake = self.runtime.lake
        found = {name: lake.table(paths.unified(name)).snapshot() for name in self.streams}
        return {name: snapshot.position("realtime") if snapshot else 0 for name, snapshot in found.items()}

    def members(self) -> dict[str, list[psutil.Process]]:
        """The live processes of Airflow by what they are; `everything` has them all."""
        assert self.airflow is not None
        handle = processes.remains(self.airflow.home / "standalone.pid")
        found: dict[str, list[psutil.Process]] = {kind: [] for kind in VICTIMS}
        for process in processes.members(handle) if handle else []:
            found["everything"].append(process)
            with suppress(psutil.NoSuchProcess, psutil.AccessDenied):
                found.setdefault(_kind_of(process.cmdline()), []).append(process)
        return found

    def kill(self, victim: str, rng: random.Random) -> list[int]:
        """The processes that got SIGKILL; none when there was no such process."""
        found = self.members()
        chosen = list(found["everything"] if victim.startswith("everything") else found[victim])
        if victim in ("task", "executor worker") and chosen:
            chosen = [rng.choice(chosen)]
        if victim == "everything and S3":
            handle = processes.remains(self.server.folder / "seaweedfs.pid")
            chosen += processes.members(handle) if handle else []
        for process in chosen:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        return [process.pid for process in chosen]


def _kind_of(command: Sequence[str]) -> str:
    text = " ".join(command)
    if text.startswith("airflow worker -- LocalExecutor"):
        return "idle" if "<idle>" in text else "executor worker"
    if text.startswith("airflow supervisor"):
        return "executor worker"
    if text.startswith("airflow worker -- "):
        return "task"
    for word, kind in (("scheduler", "scheduler"), ("dag-processor", "dag processor")):
        if any(part.endswith("/airflow") and command[at + 1 : at + 2] == [word] for at, part in enumerate(command)):
            return kind
    return "other"


@dataclass(frozen=True, slots=True)
class Work:
    """A task that was running."""

    run: DagRun
    task: str

    def __str__(self) -> str:
        return f"{self.run.dag_id}.{self.task}"


def at_work(api: AirflowApi, dags: Sequence[str]) -> list[Work]:
    """The tasks that run now."""
    running = active(api, dags)
    return [Work(run, task) for run in running for task, state in api.task_states(run).items() if state == "running"]


def active(api: AirflowApi, dags: Sequence[str]) -> list[DagRun]:
    """The runs that are not over."""
    return [run for dag in dags for run in api.runs(dag, limit=3) if not run.is_final]


def until(done: Callable[[], str], patience: float, every: float = 2.0) -> float:
    """Seconds until `done` said nothing more (it says what is still missing). Raises `TransientError` with it after
    `patience` seconds.
    """
    began = time.monotonic()
    while missing := done():
        if time.monotonic() - began > patience:
            raise TransientError(f"not within {patience:.0f} s: {missing}")
        time.sleep(every)
    return time.monotonic() - began


def behind(found: Mapping[str, datetime], moment: datetime) -> list[str]:
    """The streams whose last landed interval ends before the moment."""
    return [name for name, end in found.items() if end < moment]
