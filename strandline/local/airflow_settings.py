"""What every process of Airflow on this machine is told, as environment variables: the loopback interface only, no examples, no
telemetry, the generated secrets. Where the tasks run is added by the module that starts them.
"""

from __future__ import annotations

import json
import os
import sys
import sysconfig
from dataclasses import dataclass
from pathlib import Path

from strandline.errors import UsageError
from strandline.local import ports
from strandline.local.credentials import Credentials
from strandline.local.seaweed import REGION

USER = "admin"
PARALLELISM = 4
_KEPT = ("LANG", "LC_ALL", "TMPDIR", "TZ", "SSL_CERT_FILE")
"""Of the caller's own settings only these go through, and the path."""


@dataclass(frozen=True, slots=True)
class Site:
    """One Airflow: the repository it serves, its home, the port of its API, and the lake its tasks work on."""

    root: Path
    home: Path
    port: int
    secrets: Credentials
    lake: str
    s3_endpoint: str

    @property
    def url(self) -> str:
        """The address of the UI."""
        return f"http://{ports.LOOPBACK}:{self.port}"

    def of_a_process(self, *first: Path) -> dict[str, str]:
        """What any process needs: the folders in `first`, then that of the programs, lead its path."""
        kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
        return kept | {
            "HOME": os.environ.get("HOME", str(self.home)),
            "PATH": os.pathsep.join((*map(str, first), str(program().parent), os.environ.get("PATH", os.defpath))),
            "PYTHONPATH": str(self.root),
            "PYTHONUNBUFFERED": "1",
            "NO_COLOR": "1",
            "DO_NOT_TRACK": "true",
            "SCARF_NO_ANALYTICS": "true",
            "SCARF_ANALYTICS": "false",
            "AIRFLOW__DAG_FACTORY__ENABLE_TELEMETRY": "False",
        }

    def of_every_component(self) -> dict[str, str]:
        """What servers and workers alike are told of Airflow."""
        plugins = self.root / "plugins"
        return {
            "AIRFLOW__CORE__PLUGINS_FOLDER": str(plugins if plugins.is_dir() else self.home / "plugins"),
            "AIRFLOW__CORE__PARALLELISM": str(PARALLELISM),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{self.url}/execution/",
        }

    def of_the_servers(self) -> dict[str, str]:
        """What API, scheduler and DAG processor are told: where they listen, who may log in, what they sign and encrypt by."""
        return {
            "AIRFLOW_HOME": str(self.home),
            "AIRFLOW__CORE__FERNET_KEY": self.secrets.fernet_key,
            "AIRFLOW__CORE__HOSTNAME_CALLABLE": "socket.gethostname",  # the default asks the network for a name
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": f"{USER}:admin",
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(self.home / "passwords.json"),
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

    def of_the_tasks(self) -> dict[str, str]:
        """What tasks need of the lake: `aws_default`, where it is, and the key of protected fields."""
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


def program() -> Path:
    """The `airflow` program installed beside this Python; raises `UsageError` when it is missing."""
    for folder in (Path(sysconfig.get_path("scripts")), Path(sys.executable).parent):
        if (folder / "airflow").is_file():
            return folder / "airflow"
    raise UsageError("Airflow is not installed: run `make install` (extra `airflow`)")
