"""Airflow in its distributed form on this machine: PostgreSQL, Redis, the servers, and Celery workers that share no folder."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from strandline.local import airflow, bundle, credentials, ports, postgres, processes, redis
from strandline.local.airflow_api import AirflowApi
from strandline.local.airflow_settings import USER, Site, program
from strandline.local.credentials import Credentials
from strandline.local.service import Service
from strandline.local.worker import Worker

if TYPE_CHECKING:
    from strandline.local.seaweed import Seaweed

LOGS = "airflow-logs"
"""The bucket that workers write the logs of tasks to, and the API reads them from."""
COMPONENTS = {
    "api-server": ("api-server",),
    "scheduler": ("scheduler", "--skip-serve-logs"),  # a log server would listen on every interface
    "dag-processor": ("dag-processor",),
}
WORKERS = 2


class Cluster:
    """The servers of one Airflow with the CeleryExecutor, all in `folder`, serving `root` over the lake in `server`.

    `start_stores`, `start_servers` and `start_workers` in this order; `stop` ends whatever of it runs. `port` None: Airflow's
    default one or a free one.
    """

    def __init__(self, root: Path, folder: Path, *, lake: str, server: Seaweed, port: int | None = None) -> None:
        self.root = root.resolve()
        self.folder = folder.resolve()
        self.secrets: Credentials = server.credentials
        self.repository = self.folder / "bundle.git"
        self.postgres = postgres.Postgres(self.folder / "postgres", self.secrets)
        self.redis = redis.Redis(self.folder / "redis", self.secrets)
        self.components = [component(self.folder, name) for name in COMPONENTS]
        self.workers: list[Worker] = []
        self.lost: list[Worker] = []
        self._server = server
        self._lake = lake
        self._wanted = port
        self._port = 0

    @property
    def url(self) -> str:
        """The address of the UI."""
        return self._site.url

    @property
    def services(self) -> list[Service]:
        """What must run while this Airflow does."""
        return [self.postgres.service, self.redis.service, *self.components, *(worker.service for worker in self.workers)]

    @property
    def server_settings(self) -> dict[str, str]:
        """Everything API, scheduler and DAG processor are told."""
        site = self._site
        return site.of_a_process() | site.of_every_component() | site.of_the_servers() | self._shared() | self._own()

    @property
    def worker_settings(self) -> dict[str, str]:
        """Everything every worker is told: neither the metadata database nor what signs and encrypts is among it."""
        site = self._site
        return site.of_a_process() | site.of_every_component() | self._shared()

    def start_stores(self) -> None:
        """Start PostgreSQL and Redis, empty of messages, make the bucket for the logs of tasks, and forget earlier workers."""
        shutil.rmtree(self.folder / "workers", ignore_errors=True)
        self.postgres.start()
        self.redis.start()
        self._server.create_bucket(LOGS)

    def start_servers(self, timeout: float = 600.0, waiting: Callable[[str], None] = lambda text: None) -> None:
        """Publish the DAG bundle, bring the database up to date, start the servers and wait until they answer.

        Raises as `Airflow.start` does.
        """
        self._port = ports.choose(self._wanted, airflow.DEFAULT_PORT, setting="AIRFLOW_PORT")
        home = self._site.home
        home.mkdir(parents=True, exist_ok=True)
        home.chmod(0o700)
        credentials.write_private(home / "passwords.json", json.dumps({USER: self.secrets.admin_password}) + "\n")
        bundle.publish(self.root, self.repository)
        waiting("its database")
        self._migrate()
        for service, arguments in zip(self.components, COMPONENTS.values(), strict=True):
            service.launch([str(program()), *arguments], env=self.server_settings, cwd=home)
        for service in self.components:
            service.wait(self._missing, timeout, every=0.5, waiting=waiting)

    def start_workers(self, count: int = WORKERS, timeout: float = 300.0) -> list[Worker]:
        """The workers started, each in new empty folders, once they take messages."""
        number = len(self.workers) + len(self.lost)
        started = [self._worker(number + n).start() for n in range(1, count + 1)]
        self.workers += started
        for worker in started:
            worker.service.wait(worker.missing, timeout, every=2.0)
        return started

    def lose(self, worker: Worker) -> list[int]:
        """Kill a worker with all it runs, for good; the ids of its processes."""
        killed = worker.service.kill()
        self.workers.remove(worker)
        self.lost.append(worker)
        return killed

    def api(self) -> AirflowApi:
        """A logged-in client of the running server."""
        return AirflowApi(self.url, USER, self.secrets.admin_password)

    def stop(self) -> None:
        """Stop all of it, what an earlier process started included: those that work first, what they need last."""
        for service in services_in(self.folder):
            service.stop(grace=15.0)

    @property
    def _site(self) -> Site:
        return Site(
            self.root, self.folder / "airflow", self._port, self.secrets, lake=self._lake, s3_endpoint=self._server.endpoint_url
        )

    def _worker(self, number: int) -> Worker:
        return Worker(f"worker-{number}", self.folder / "workers" / f"worker-{number}", self.worker_settings)

    def _shared(self) -> dict[str, str]:
        return self._site.of_the_tasks() | {
            "AIRFLOW__CORE__EXECUTOR": "CeleryExecutor",
            "AIRFLOW__CELERY__BROKER_URL": self.redis.url,
            "AIRFLOW__CELERY__RESULT_BACKEND": f"db+{self.postgres.url(postgres.RESULTS)}",
            **bundle.settings(self.repository),
            "AIRFLOW__LOGGING__REMOTE_LOGGING": "True",
            "AIRFLOW__LOGGING__REMOTE_BASE_LOG_FOLDER": f"s3://{LOGS}",
            "AIRFLOW__LOGGING__REMOTE_LOG_CONN_ID": "aws_default",
            "AIRFLOW__LOGGING__DELETE_LOCAL_LOGS": "True",
        }

    def _own(self) -> dict[str, str]:
        return {
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": self.postgres.url(postgres.METADATA),
            "AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_STORAGE_PATH": str(self._site.home / "bundles"),
            # A message that a killed worker had taken but not begun is sent again sooner.
            "AIRFLOW__SCHEDULER__TASK_QUEUED_TIMEOUT": "180",
            "AIRFLOW__SCHEDULER__TASK_QUEUED_TIMEOUT_CHECK_INTERVAL": "30",
        }

    def _migrate(self) -> None:
        log = self.folder / "logs" / "migrate.log"
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("wb") as output:
            done = subprocess.run(
                [str(program()), "db", "migrate"], env=self.server_settings, cwd=self._site.home, stdout=output, stderr=output,
                stdin=subprocess.DEVNULL, check=False,
            )  # fmt: skip
        if done.returncode:
            raise processes.ProcessError(f"Airflow's database could not be made. The end of {log}:\n{processes.tail(log)}")

    def _missing(self) -> str:
        return ", ".join(AirflowApi.missing_components(self.url))


def component(folder: Path, name: str) -> Service:
    """One of the servers of the cluster in that folder, whoever started it."""
    return Service(f"Airflow's {name}", log=folder / "logs" / f"{name}.log", pid_file=folder / f"{name}.pid")


def services_in(folder: Path) -> list[Service]:
    """Every program of the cluster in that folder, whoever started it, in the order in which to stop them."""
    pid_files = sorted((folder / "workers").glob("*.pid"))
    workers = [Service(f"The worker {path.stem}", log=path.with_suffix(".log"), pid_file=path) for path in pid_files]
    servers = [component(folder, name) for name in ("scheduler", "dag-processor", "api-server")]
    return [*workers, *servers, redis.service_in(folder / "redis"), postgres.service_in(folder / "postgres")]
