"""`airflow standalone` on this machine: one SQLite file, the loopback interface only, no examples, no telemetry."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
import sysconfig
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType

from strandline.errors import UsageError
from strandline.local import credentials, ports, processes
from strandline.local.airflow_api import AirflowApi
from strandline.local.credentials import Credentials
from strandline.local.seaweed import REGION

DEFAULT_PORT = 8080
USER = "admin"
PARALLELISM = 4

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
        self.log = self.home / "logs" / "standalone.log"
        self._wanted = port
        self._extra = extra or {}
        self._pid_file = self.home / "standalone.pid"
        self._child: subprocess.Popen[bytes] | None = None
        self._log_start = 0

    @property
    def url(self) -> str:
        """The address of the UI."""
        return f"http://{ports.LOOPBACK}:{self.port}"

    @property
    def environment(self) -> dict[str, str]:
        """Everything Airflow is told, as environment variables; of the caller's own settings only path and locale."""
        kept = {name: os.environ[name] for name in ("LANG", "LC_ALL", "TMPDIR", "TZ", "SSL_CERT_FILE") if name in os.environ}
        return kept | self._process_settings() | self._airflow_settings() | self._task_settings() | self._extra

    def is_running(self) -> bool:
        """Whether an Airflow of this home runs, started by this process or an earlier one."""
        return processes.recall(self._pid_file) is not None

    def start(self, timeout: float = 600.0, waiting: Callable[[str], None] = lambda text: None) -> Airflow:
        """Start Airflow and wait until scheduler, DAG processor and API answer; what an earlier process left is stopped first.

        `waiting` is told in a few words what is missing. Raises `UsageError` when the wanted port is taken,
        `ProcessError` with the end of the log when it is not ready within `timeout` seconds.
        """
        self.stop()
        self.port = self._choose_port()
        self._prepare_home()
        self._log_start = self.log.stat().st_size if self.log.exists() else 0
        self._child = processes.spawn(
            [str(program()), "standalone"], env=self.environment, cwd=self.root, log=self.log, pid_file=self._pid_file
        )
        self._wait_ready(timeout, waiting)
        return self

    def api(self) -> AirflowApi:
        """A logged-in client of the running server."""
        return AirflowApi(self.url, USER, self.secrets.admin_password)

    def stop(self, grace: float = 15.0) -> None:
        """Stop Airflow and every process it started: SIGTERM to each, SIGKILL after `grace` seconds."""
        handle = processes.remains(self._pid_file)
        if handle is not None:
            processes.stop(handle, grace=grace)
        if self._child is not None:
            self._child.wait()
            self._child = None
        processes.forget(self._pid_file)

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

    def _process_settings(self) -> dict[str, str]:
        path = os.pathsep.join((str(self.home / "bin"), str(program().parent), os.environ.get("PATH", os.defpath)))
        return {
            "HOME": os.environ.get("HOME", str(self.home)),
            "PATH": path,
            "PYTHONPATH": str(self.root),
            "PYTHONUNBUFFERED": "1",
            "NO_COLOR": "1",
            "DO_NOT_TRACK": "true",
            "SCARF_NO_ANALYTICS": "true",
            "SCARF_ANALYTICS": "false",
            "AIRFLOW__DAG_FACTORY__ENABLE_TELEMETRY": "False",
        }

    def _airflow_settings(self) -> dict[str, str]:
        plugins = self.root / "plugins"
        return {
            "AIRFLOW_HOME": str(self.home),
            "AIRFLOW__CORE__DAGS_FOLDER": str(self.root / "dags"),
            "AIRFLOW__CORE__PLUGINS_FOLDER": str(plugins if plugins.is_dir() else self.home / "plugins"),
            "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
            "AIRFLOW__CORE__PARALLELISM": str(PARALLELISM),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__CORE__FERNET_KEY": self.secrets.fernet_key,
            "AIRFLOW__CORE__HOSTNAME_CALLABLE": "socket.gethostname",  # the default asks the network for a name
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": f"{USER}:admin",
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(self.home / "passwords.json"),
            "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{self.url}/execution/",
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{self.home / 'airflow.db'}?timeout=60",
            "AIRFLOW__API__HOST": ports.LOOPBACK,
            "AIRFLOW__API__PORT": str(self.port),
            "AIRFLOW__API__BASE_URL": self.url,
            "AIRFLOW__API__SECRET_KEY": self.secrets.signing_key,
            "AIRFLOW__API__WORKERS": "1",
            "AIRFLOW__API_AUTH__JWT_SECRET": self.secrets.signing_key,
            "AIRFLOW__DAG_PROCESSOR__PARSING_PROCESSES": "1",
            "AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL": "30",
            "AIRFLOW__SCHEDULER__SCHEDULER_HEALTH_CHECK_SERVER_HOST": ports.LOOPBACK,
            "AIRFLOW__SCHEDULER__ORPHANED_TASKS_CHECK_INTERVAL": "30",  # what a killed scheduler left is found sooner
            "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "120",  # and a killed task too
        }

    def _task_settings(self) -> dict[str, str]:
        connection = {
            "conn_type": "aws",
            "login": self.secrets.access_key_id,
            "password": self.secrets.secret_access_key,
            "extra": {
                "endpoint_url": self.s3_endpoint,
                "region_name": REGION,
                "config_kwargs": {"s3": {"addressing_style": "path"}},
            },
        }
        return {
            "AIRFLOW_CONN_AWS_DEFAULT": json.dumps(connection),
            "STRANDLINE_LAKE": self.lake,
            "STRANDLINE_KEY": self.secrets.protection_key,
        }

    def _wait_ready(self, timeout: float, waiting: Callable[[str], None]) -> None:
        deadline = time.monotonic() + timeout
        missing = ["api"]
        while time.monotonic() < deadline:
            if not self.is_running():
                missing = ["it ended by itself"]
                break
            missing = AirflowApi.missing_components(self.url)
            if not missing:
                return
            waiting(", ".join(missing))
            time.sleep(0.5)
        raise processes.ProcessError(
            f"Airflow is not ready ({', '.join(missing)}). The end of {self.log}:\n"
            f"{processes.tail(self.log, lines=30, start=self._log_start)}"
        )


def program() -> Path:
    """The `airflow` program installed beside this Python; raises `UsageError` when it is missing."""
    for folder in (Path(sysconfig.get_path("scripts")), Path(sys.executable).parent):
        if (folder / "airflow").is_file():
            return folder / "airflow"
    raise UsageError("Airflow is not installed: run `make install` (extra `airflow`)")
