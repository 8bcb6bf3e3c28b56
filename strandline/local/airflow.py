"""`airflow standalone` on this machine: one SQLite file, the loopback interface only, no examples, no telemetry."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Callable
from pathlib import Path
from types import TracebackType

from strandline.local import credentials, ports
from strandline.local.airflow_api import AirflowApi
from strandline.local.airflow_settings import USER, Site, program
from strandline.local.credentials import Credentials
from strandline.local.service import Service

DEFAULT_PORT = 8080

_LAUNCHER = """#!/bin/sh
# Found first on PATH by `airflow standalone`. Two things are mended on the way:
# - the scheduler waits for the API, or else the first tasks after a restart would fail to reach it;
# - scheduler and triggerer start no log server: it would listen on every interface, and the UI reads the logs from disk.
case "$1" in
  scheduler) {python} -c {wait} && exec {airflow} "$@" --skip-serve-logs ;;
  triggerer) exec {airflow} "$@" --skip-serve-logs ;;
  *) exec {airflow} "$@" ;;
esac
"""

_WAIT_FOR_API = """
import socket, time
while True:
    try:
        socket.create_connection(("{host}", {port}), timeout=1).close()
        break
    except OSError:
        time.sleep(0.2)
"""


class Airflow:
    """Airflow with its home in `root/.airflow`, the DAGs of `root/dags`, and `aws_default` leading to `s3_endpoint`.

    As a context manager it runs inside the `with`. `lake` is the URL handed to the DAGs. `port` None: `DEFAULT_PORT` or a free
    one; 0: any free one. `extra` are further environment variables of the tasks.
    """

    def __init__(
        self,
        root: Path,
        *,
        lake: str,
        s3_endpoint: str,
        secrets: Credentials,
        port: int | None = None,
        home: Path | None = None,
        extra: dict[str, str] | None = None,
    ) -> None:
        self.root = root.resolve()
        self.home = home.resolve() if home else self.root / ".airflow"
        self.lake = lake
        self.s3_endpoint = s3_endpoint
        self.secrets = secrets
        self.port = 0
        self.service = service_in(self.home)
        self.log = self.service.log
        self._wanted = port
        self._extra = extra or {}

    @property
    def url(self) -> str:
        """The address of the UI."""
        return self._site.url

    @property
    def environment(self) -> dict[str, str]:
        """Everything Airflow is told, as environment variables; of the caller's own settings only path and locale."""
        site = self._site
        servers = site.of_a_process(self.home / "bin") | site.of_every_component() | site.of_the_servers()
        return servers | self._settings() | site.of_the_tasks() | self._extra

    @property
    def services(self) -> list[Service]:
        """What must run while this Airflow does."""
        return [self.service]

    def is_running(self) -> bool:
        """Whether an Airflow of this home runs, started by this process or an earlier one."""
        return self.service.is_running()

    def start(self, timeout: float = 600.0, waiting: Callable[[str], None] = lambda text: None) -> Airflow:
        """Start Airflow and wait until scheduler, DAG processor and API answer; what an earlier process left is stopped first.

        `waiting` is told in a few words what is missing. Raises `UsageError` when the wanted port is taken,
        `ProcessError` with the end of the log when it is not ready within `timeout` seconds.
        """
        self.stop()
        self.port = self._choose_port()
        self._prepare_home()
        self.service.launch([str(program()), "standalone"], env=self.environment, cwd=self.root)
        self.service.wait(lambda: ", ".join(AirflowApi.missing_components(self.url)), timeout, every=0.5, waiting=waiting)
        return self

    def api(self) -> AirflowApi:
        """A logged-in client of the running server."""
        return AirflowApi(self.url, USER, self.secrets.admin_password)

    def stop(self, grace: float = 15.0) -> None:
        """Stop Airflow and every process it started: SIGTERM to each, SIGKILL after `grace` seconds."""
        self.service.stop(grace)

    def __enter__(self) -> Airflow:
        return self.start()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.stop()

    def _choose_port(self) -> int:
        if self._wanted == 0:
            return ports.scattered()
        return ports.choose(self._wanted, DEFAULT_PORT, setting="AIRFLOW_PORT")

    def _prepare_home(self) -> None:
        self.home.mkdir(parents=True, exist_ok=True)
        self.home.chmod(0o700)
        launcher = self.home / "bin" / "airflow"
        launcher.parent.mkdir(parents=True, exist_ok=True)
        wait = _WAIT_FOR_API.format(host=ports.LOOPBACK, port=self.port)
        parts = {"airflow": str(program()), "python": sys.executable, "wait": wait}
        text = _LAUNCHER.format(**{name: shlex.quote(part) for name, part in parts.items()})
        launcher.write_text(text, encoding="utf-8")
        launcher.chmod(0o755)
        (self.home / "plugins").mkdir(exist_ok=True)
        credentials.write_private(self.home / "passwords.json", json.dumps({USER: self.secrets.admin_password}) + "\n")

    @property
    def _site(self) -> Site:
        return Site(self.root, self.home, self.port, self.secrets, self.lake, self.s3_endpoint)

    def _settings(self) -> dict[str, str]:
        return {
            "AIRFLOW__CORE__DAGS_FOLDER": str(self.root / "dags"),
            "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{self.home / 'airflow.db'}?timeout=60",
        }


def service_in(home: Path) -> Service:
    """The Airflow of that home, whoever started it."""
    return Service("Airflow", log=home / "logs" / "standalone.log", pid_file=home / "standalone.pid")
