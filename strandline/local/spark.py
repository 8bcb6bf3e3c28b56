"""A small Spark cluster on this machine: a standalone master, workers, and a Spark Connect server, on the loopback interface.

Nobody gets in without the cluster's secret: it authenticates the processes among themselves, and is the token of a client.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import socket
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

import psutil

import strandline
from strandline.engines.spark import DELTA
from strandline.engines.spark_lake import s3a_settings
from strandline.errors import UsageError
from strandline.lake.objects import S3Credentials
from strandline.local import ports, processes, spark_jars
from strandline.local.credentials import write_private
from strandline.local.service import Service

DEFAULT_PORT = 15_002
PORT_OFFSETS = (0, 1, 2, 3)
"""Ports in use relative to that of Spark Connect: Connect, the master, the master's page, the page of the running queries."""
_CONNECT, _MASTER, _MASTER_PAGE, _PAGE = PORT_OFFSETS
_SLOTS = 2  # cores of a worker as Spark counts them: one for the Connect server's executor, one for another application
_LOGGING = """rootLogger.level = warn
rootLogger.appenderRef.stderr.ref = console
appender.console.type = Console
appender.console.name = console
appender.console.target = SYSTEM_ERR
appender.console.layout.type = PatternLayout
appender.console.layout.pattern = %d{yyyy-MM-dd HH:mm:ss} %p %c{1}: %m%n%ex
"""


class SparkCluster:
    """A master, `workers` workers with an executor of one core each, and a Spark Connect server; all is kept under `folder`.

    As a context manager it runs inside the `with`. `start` and `stop` also work across processes, through pid files, and
    `start` brings back what has ended. `s3` are the credentials under which it reaches the lake. `port` None: `DEFAULT_PORT` or
    a free one; 0: any free one.
    """

    def __init__(
        self,
        folder: Path,
        s3: S3Credentials | None = None,
        *,
        workers: int = 2,
        port: int | None = None,
        settings: Mapping[str, str] | None = None,
    ) -> None:
        self.folder = folder.resolve()
        self.master = self._service("master")
        self.workers = [self._service(f"worker-{number}") for number in range(1, workers + 1)]
        self.connect = self._service("connect")
        self._s3, self._wanted, self._settings = s3, port, dict(settings or {})

    @property
    def address(self) -> str:
        """The address of the Spark Connect server, with the token: `sc://localhost:PORT/;token=…`."""
        return f"sc://localhost:{self._told['port']}/;token={self._told['secret']}"

    @property
    def master_url(self) -> str:
        """`spark://127.0.0.1:PORT`, for an application of its own that has the settings of `client_settings`."""
        return f"spark://{ports.LOOPBACK}:{self._told['port'] + _MASTER}"

    @property
    def page(self) -> str:
        """The page that shows what runs."""
        return f"http://{ports.LOOPBACK}:{self._told['port'] + _PAGE}"

    @property
    def client_settings(self) -> dict[str, str]:
        """What an application on `master_url` has to be told; it holds secrets."""
        secret = {"spark.authenticate": "true", "spark.authenticate.secret": self._told["secret"]}
        here = {"spark.driver.host": ports.LOOPBACK, "spark.driver.bindAddress": ports.LOOPBACK}
        return self._of_any_application() | secret | here

    @property
    def services(self) -> list[Service]:
        """What must run while the cluster does."""
        return [self.master, *self.workers, self.connect]

    def is_running(self) -> bool:
        """Whether every process of the cluster runs."""
        return all(service.is_running() for service in self.services)

    def executors(self) -> list[int]:
        """The process ids of the executors that run now."""
        found: list[int] = []
        for worker in self.workers:
            handle = processes.recall(worker.pid_file)
            for process in processes.members(handle) if handle else ():
                try:
                    if "org.apache.spark.executor.CoarseGrainedExecutorBackend" in process.cmdline():
                        found.append(process.pid)
                except psutil.NoSuchProcess:
                    continue
        return sorted(found)

    def start(self, timeout: float = 180.0, waiting: Callable[[str], None] = lambda text: None) -> SparkCluster:
        """Start what does not run and wait until every executor is there and clients are taken.

        Raises `UsageError` when Spark, Java or the jars are missing or a wanted port is taken, `ProcessError` with the end of
        a log when something is not ready within `timeout` seconds.
        """
        if problem := spark_jars.missing():
            raise UsageError(problem)
        if not any(service.is_running() for service in self.services):
            self._prepare()
        base = self._told["port"]
        if not self.master.is_running():
            here = ["--host", ports.LOOPBACK, "--port", str(base + _MASTER), "--webui-port", str(base + _MASTER_PAGE)]
            self._launch(self.master, "spark-class", "org.apache.spark.deploy.master.Master", here)
            self.master.wait(lambda: "" if self._state() else "the master", timeout, waiting=waiting)
        for worker in self.workers:
            if not worker.is_running():
                self._launch(worker, "spark-class", "org.apache.spark.deploy.worker.Worker", self._worker(worker))
        for worker in self.workers:
            worker.wait(self._missing_workers, timeout, waiting=waiting)
        if not self.connect.is_running():
            server = ["--class", "org.apache.spark.sql.connect.service.SparkConnectServer", "--name", "strandline"]
            self._launch(self.connect, "spark-submit", *server, after=["spark-internal"])
        self.connect.wait(self._missing_server, timeout, every=0.5, waiting=waiting)
        return self

    def stop(self, grace: float = 15.0) -> None:
        """Stop the cluster; its queries are lost, what they wrote is not."""
        for service in reversed(self.services):
            service.stop(grace)
        shutil.rmtree(self.folder / "work", ignore_errors=True)

    def __enter__(self) -> SparkCluster:
        return self.start()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.stop()

    def _service(self, name: str) -> Service:
        log = self.folder / "logs" / f"{name}.log"
        return Service(f"Spark's {name}", log=log, pid_file=self.folder / f"{name}.pid")

    @property
    def _told(self) -> dict[str, Any]:
        try:
            told: dict[str, Any] = json.loads((self.folder / "cluster.json").read_text(encoding="utf-8"))
            return told
        except FileNotFoundError:
            raise UsageError(f"no Spark cluster was started in {self.folder}; start one with `make spark-up`") from None

    def _prepare(self) -> None:
        """A port, a secret and the settings of a new cluster."""
        if self._wanted == 0:
            port = ports.scattered(offsets=PORT_OFFSETS)
        else:
            port = ports.choose(self._wanted, DEFAULT_PORT, offsets=PORT_OFFSETS, setting="SPARK_PORT")
        (self.folder / "conf").mkdir(parents=True, exist_ok=True)
        self.folder.chmod(0o700)
        told = {"port": port, "secret": secrets.token_hex(24)}
        write_private(self.folder / "cluster.json", json.dumps(told) + "\n")
        lines = [f"{name} {value}" for name, value in self._server_settings().items()]
        write_private(self.folder / "conf" / "spark-defaults.conf", "\n".join(lines) + "\n")
        (self.folder / "conf" / "log4j2.properties").write_text(_LOGGING, encoding="utf-8")

    def _of_any_application(self) -> dict[str, str]:
        jars = f"{spark_jars.folder()}/*"
        lake = {f"spark.hadoop.{name}": value for name, value in s3a_settings(self._s3).items()}
        return {
            "spark.driver.extraClassPath": jars,
            "spark.executor.extraClassPath": jars,
            **DELTA,
            "spark.executor.memory": "1g",
            "spark.executor.cores": "1",
            "spark.cores.max": str(len(self.workers)),
            "spark.sql.shuffle.partitions": "8",
            "spark.ui.showConsoleProgress": "false",
            **lake,
            **self._settings,
        }

    def _server_settings(self) -> dict[str, str]:
        told = self._told
        return {
            **self.client_settings,
            "spark.master": self.master_url,
            "spark.connect.authenticate.token": told["secret"],
            "spark.connect.grpc.binding.address": ports.LOOPBACK,
            "spark.connect.grpc.binding.port": str(told["port"]),
            "spark.ui.port": str(told["port"] + _PAGE),
        }

    def _worker(self, worker: Service) -> list[str]:
        place = str(self.folder / "work" / worker.pid_file.stem)
        size = ["--host", ports.LOOPBACK, "--cores", str(_SLOTS), "--memory", "2g", "--webui-port", "0"]
        return [*size, "--work-dir", place, self.master_url]

    def _launch(self, service: Service, program: str, *command: str | Sequence[str], after: Sequence[str] = ()) -> None:
        words = [word for part in command for word in ([part] if isinstance(part, str) else part)]
        settings = ["--properties-file", str(self.folder / "conf" / "spark-defaults.conf")]
        place = self.folder / "work" / service.pid_file.stem
        place.mkdir(parents=True, exist_ok=True)
        first, rest = (words[:1], words[1:]) if program == "spark-class" else ([], words)
        line = [str(spark_jars.home() / "bin" / program), *first, *settings, *rest, *after]
        memory = "1g" if service is self.connect else "256m"
        service.launch(line, env=self._environment(place) | {"SPARK_DAEMON_MEMORY": memory}, cwd=place)

    def _environment(self, place: Path) -> dict[str, str]:
        kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR", "JAVA_HOME") if name in os.environ}
        return kept | {
            "SPARK_HOME": str(spark_jars.home()),
            "SPARK_CONF_DIR": str(self.folder / "conf"),
            "SPARK_LOCAL_IP": ports.LOOPBACK,
            "SPARK_LOCAL_DIRS": str(place),
            "PYSPARK_PYTHON": sys.executable,
            "PYTHONPATH": str(Path(strandline.__file__).parent.parent),
            "TZ": "UTC",
        }

    def _state(self) -> dict[str, Any] | None:
        """What the master says of its workers and applications."""
        try:
            page = f"http://{ports.LOOPBACK}:{self._told['port'] + _MASTER_PAGE}/json/"
            with urllib.request.urlopen(page, timeout=5) as answer:
                told: dict[str, Any] = json.load(answer)
                return told
        except (urllib.error.URLError, OSError, ValueError):
            return None

    def _missing_workers(self) -> str:
        state = self._state()
        alive = state["aliveworkers"] if state else 0
        return "" if alive >= len(self.workers) else f"{len(self.workers) - alive} of {len(self.workers)} workers"

    def _missing_server(self) -> str:
        try:
            socket.create_connection((ports.LOOPBACK, self._told["port"]), timeout=1).close()
        except OSError:
            return "the Spark Connect server"
        found = len(self.executors())
        return "" if found >= len(self.workers) else f"{len(self.workers) - found} of {len(self.workers)} executors"
