"""`make celery-up`: the demo on the CeleryExecutor, its workers sharing nothing but S3, one of them killed on the way."""

from __future__ import annotations

import time
from collections.abc import Sequence
from importlib import metadata
from typing import ClassVar

from strandline.errors import DataError, TransientError, UsageError
from strandline.local import celery_report, cluster, debian, demo, seaweed
from strandline.local.airflow_api import AirflowApi, DagRun
from strandline.local.celery_report import Loss
from strandline.local.cluster import Cluster
from strandline.local.narration import Step
from strandline.local.seaweed import Seaweed
from strandline.local.service import Service
from strandline.local.settings import Settings, Target
from strandline.local.tour import LAKE, RunningAirflow, Tour, start_run
from strandline.local.worker import CONCURRENCY

_PACKAGES = ("apache-airflow-providers-celery", "apache-airflow-providers-git", "asyncpg", "psycopg2-binary", "redis")
_PATIENCE = 900.0
"""Seconds to wait for a worker to have tasks at all, or for the DAGs to come to rest."""


class CeleryTour(Tour):
    """The demo with its tasks on Celery workers; with `settings.kill` one is killed while tasks of the batch run on it."""

    TARGET: ClassVar[Target] = Target("celery-up", "celery-down", ".local/celery", ".local/celery")
    _cluster: Cluster
    _loss: Loss | None = None

    @classmethod
    def services_of(cls, settings: Settings) -> list[Service]:
        """What a tour of this kind starts, whether it runs or not, in the order in which to stop it."""
        return [*cluster.services_in(settings.local), seaweed.service_in(settings.local)]

    def check(self) -> None:
        """As for the plain demo; then PostgreSQL and Redis are installed if they are missing. Raises `UsageError`."""
        super().check()
        with self.narrator.step("Check PostgreSQL, Redis and Celery") as step:
            absent = [name for name in _PACKAGES if not _is_installed(name)]
            if absent:
                raise UsageError(f"{', '.join(absent)} not installed: run `make install` (extra `celery`)")
            packages = debian.missing()
            if packages:
                step.update(f"apt-get install {' '.join(packages)}")
                debian.install(packages)
            step.result = f"installed {', '.join(packages)}" if packages else "all there"

    def start_airflow(self, server: Seaweed) -> RunningAirflow:
        """The steps that start the stores, the servers and the workers; all are stopped with the tour."""
        settings = self.settings
        self._cluster = Cluster(settings.root, settings.local, lake=LAKE, server=server, port=settings.airflow_port)
        self.stack.callback(self._cluster.stop)
        with self.narrator.step("Start PostgreSQL and Redis") as step:
            self._cluster.stop()  # what a killed demo left running
            self._cluster.start_stores()
            step.result = f"ports {self._cluster.postgres.port} and {self._cluster.redis.port}"
        with self.narrator.step("Start Airflow: API, scheduler, DAG processor (takes about a minute)") as step:
            self._cluster.start_servers(waiting=lambda missing: step.update(f"waiting for {missing}"))
            step.result = self._cluster.url
        self._start_workers(cluster.WORKERS)
        return self._cluster

    def run_batch(self, api: AirflowApi, ids: Sequence[str]) -> None:
        """The steps that run the batch DAG and, where it is wanted, kill a worker and start another one meanwhile."""
        if self.settings.kill:
            with self.narrator.step("Kill a Celery worker while tasks of the batch run on it") as step:
                runs = [start_run(api, dag_id) for dag_id in ids]
                self._loss = self._kill(api, runs, step)
                step.result = str(self._loss)
            self._start_workers(1)
        super().run_batch(api, ids)

    def judge(self) -> None:
        """The steps that look who ran what, what is left in the workers' folders, and audit every stream.

        Raises `DataError` when anything is not as it must be.
        """
        with self._cluster.api() as api:
            with self.narrator.step("Let what is under way come to rest") as step:
                paused = self._settle(api, step)
            tables, faults = celery_report.look(api, self.runs, self._cluster, self._loss)
            with self.narrator.step("Audit every stream: recompute it from the raw bytes") as step:
                table, differences = celery_report.audits(LAKE, self.streams, step)
            for dag_id in () if self.settings.once else paused:
                api.set_paused(dag_id, False)
        for each in (*tables, table):
            self.narrator.console.print()
            self.narrator.console.print(each)
        self.narrator.console.print()
        if faults or differences:
            raise DataError("\n".join((*faults, *differences)))

    def _start_workers(self, count: int) -> None:
        with self.narrator.step(f"Start {count} Celery worker{'s' * (count > 1)}, each in empty folders of its own") as step:
            names = [worker.name for worker in self._cluster.start_workers(count)]
            step.result = f"{', '.join(names)}: {CONCURRENCY} tasks at a time each"

    def _kill(self, api: AirflowApi, runs: Sequence[DagRun], step: Step) -> Loss:
        """What was lost: once a task of the runs is done, the worker that most of the others run on is killed."""
        deadline = time.monotonic() + _PATIENCE
        while time.monotonic() < deadline:
            step.update("waiting for tasks to run")
            tries = [task for run in runs for task in api.latest_tries(run)]
            at_work = {
                worker: sum(task.state == "running" and task.host == worker.name for task in tries)
                for worker in self._cluster.workers
            }
            worker = max(at_work, key=lambda each: at_work[each])
            if any(task.state == "success" for task in tries) and at_work[worker]:
                killed = self._cluster.lose(worker)
                time.sleep(2.0)  # an answer of a task that had just ended may still be on its way
                loss = Loss(worker.name, len(killed), tuple(celery_report.running_on(api, runs, worker.name)))
                if loss.tasks:
                    return loss
                self._cluster.start_workers(1)
            time.sleep(0.3)
        raise TransientError(f"no worker had a task of the batch to be killed with in {_PATIENCE:.0f} s")

    def _settle(self, api: AirflowApi, step: Step) -> list[str]:
        """The DAGs that were live: all are paused now, and no run is under way."""
        live = [dag_id for dag_id, is_paused in api.dags().items() if not is_paused]
        left, deadline = list(live), time.monotonic() + _PATIENCE
        while left:
            step.update(f"waiting for {', '.join(left)}")
            left = [dag_id for dag_id in left if not _paused_when_idle(api, dag_id)]
            if time.monotonic() > deadline:
                raise TransientError(f"still under way after {_PATIENCE:.0f} s: {', '.join(left)}")
            time.sleep(1.0)
        step.result = f"{len(live)} DAGs paused"
        return live


def _paused_when_idle(api: AirflowApi, dag_id: str) -> bool:
    """Whether the DAG is paused now: one with a run under way is not, since that run would go no further."""
    for _ in range(2):
        if any(not run.is_final for run in api.runs(dag_id)):
            api.set_paused(dag_id, False)
            return False
        api.set_paused(dag_id, True)  # then look again: a run may have begun in between
    return True


def _is_installed(package: str) -> bool:
    # Importing it would import Airflow, which takes over the logging of the process.
    try:
        metadata.version(package)
    except metadata.PackageNotFoundError:
        return False
    return True


def main(arguments: Sequence[str] | None = None) -> int:
    """`python -m strandline.local.celery_up [--down]` in the repository's root; the exit code as `demo.run` has it."""
    return demo.main(arguments, CeleryTour)


if __name__ == "__main__":
    raise SystemExit(main())
