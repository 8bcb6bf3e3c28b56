"""An Airflow of its own for a test: home in a temporary folder, SQLite, this repository's DAGs and plugins, no examples."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def airflow_environment(home: Path, config: Path = ROOT / "config", **more: str) -> dict[str, str]:
    """The environment of an Airflow process; nothing of the caller's AWS, Airflow or Strandline settings goes through."""
    foreign = ("AWS_", "AIRFLOW", "STRANDLINE_", "PYTEST_", "COVERAGE")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
    return kept | {
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__DAGS_FOLDER": str(ROOT / "dags"),
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(ROOT / "plugins"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__HOSTNAME_CALLABLE": "socket.gethostname",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home / 'airflow.db'}?timeout=60",
        "AIRFLOW__DAG_FACTORY__ENABLE_TELEMETRY": "False",
        "DO_NOT_TRACK": "true",
        "SCARF_NO_ANALYTICS": "true",
        "PYTHONPATH": str(ROOT),
        "STRANDLINE_CONFIG": str(config),
        **more,
    }


def aws_connection(*, access_key_id: str, secret_access_key: str, region: str, endpoint_url: str) -> str:
    """`aws_default` as it stands in `AIRFLOW_CONN_AWS_DEFAULT`."""
    extra = {"endpoint_url": endpoint_url, "region_name": region}
    return json.dumps({"conn_type": "aws", "login": access_key_id, "password": secret_access_key, "extra": extra})


def run_python(environment: dict[str, str], *arguments: str, timeout: float = 60) -> str:
    """What a Python process prints; fails the test with all its output when it does not exit with 0."""
    done = subprocess.run(
        [sys.executable, *arguments], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=timeout, check=False
    )
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-6000:]
    return done.stdout
