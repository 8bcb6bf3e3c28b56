"""A Celery worker as if on a machine of its own: working directory, HOME, temporary folder and Airflow home are its alone."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path

from strandline.local import hostname
from strandline.local.airflow_settings import program
from strandline.local.service import Service

CONCURRENCY = 2
EMPTY = ("work", "home", "tmp")
"""The folders that are empty at the start and, if nothing local passes between tasks, are again when the tasks are done."""
_AIRFLOWS_OWN = ("airflow.cfg", "airflow.db", "airflow-worker.pid", "bundles/", "logs/", "strandline/checked-")
"""What a worker keeps in Airflow's home: settings, an empty database, its copy of the DAG bundle, logs on their way to S3, and
which streams were found good.
"""


class Worker:
    """The worker called `name`, with all its folders in `folder`, told `settings` (what every worker is told)."""

    def __init__(self, name: str, folder: Path, settings: Mapping[str, str]) -> None:
        self.name = name
        self.folder = folder
        self.service = Service(f"The worker {name}", log=folder.with_suffix(".log"), pid_file=folder.with_suffix(".pid"))
        self._settings = settings

    @property
    def environment(self) -> dict[str, str]:
        """Everything the worker is told, as environment variables."""
        airflow = self.folder / "airflow"
        return {
            **self._settings,
            "HOME": str(self.folder / "home"),
            "TMPDIR": str(self.folder / "tmp"),
            "AIRFLOW_HOME": str(airflow),
            "AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_STORAGE_PATH": str(airflow / "bundles"),
            "AIRFLOW__CORE__HOSTNAME_CALLABLE": f"{hostname.__name__}.{hostname.name.__name__}",
            hostname.VARIABLE: self.name,
        }

    def start(self) -> Worker:
        """Start it in empty folders; what an earlier process left is stopped and removed first. `missing`
        tells when it is ready.
        """
        self.service.stop()
        shutil.rmtree(self.folder, ignore_errors=True)
        for name in (*EMPTY, "airflow"):
            (self.folder / name).mkdir(parents=True)
        self.folder.chmod(0o700)
        options = ["--concurrency", str(CONCURRENCY), "--celery-hostname", f"{self.name}@%h", "--skip-serve-logs"]
        command = [str(program()), "celery", "worker", *options, "--without-gossip", "--without-mingle"]
        self.service.launch(command, env=self.environment, cwd=self.folder / "work")
        return self

    def missing(self) -> str:
        """Empty once it takes messages; Celery says so in a line like `worker-1@host ready.`"""
        return "" if self.service.said(" ready.") else "it takes no messages yet"

    def left(self) -> list[str]:
        """The files in its folders that are not Airflow's own, as paths below `folder`: what a task has left for another."""
        found = sorted(path.relative_to(self.folder) for path in self.folder.rglob("*") if not path.is_dir())
        return [str(path) for path in found if not _is_airflows_own(path)]

    def kept_bytes(self) -> int:
        """How much there is in its folders in all."""
        return sum(path.lstat().st_size for path in self.folder.rglob("*") if path.is_file())


def _is_airflows_own(path: Path) -> bool:
    return path.parts[0] == "airflow" and str(path.relative_to("airflow")).startswith(_AIRFLOWS_OWN)
