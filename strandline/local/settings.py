"""What a demo is told: its name, its folder, and what the caller chose."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from strandline.errors import UsageError


@dataclass(frozen=True, slots=True)
class Target:
    """How a kind of demo is called: the `make` targets that start and stop it, the folder of the repository it keeps its data
    in, and all that it keeps in words.
    """

    up: str = "demo"
    down: str = "down"
    folder: str = ".local"
    kept: str = ".local and .airflow"


DEMO = Target()


@dataclass(frozen=True, slots=True)
class Settings:
    """What the caller may choose, each by an environment variable: `ONCE=1`, `KILL=0`, `S3_PORT`, `AIRFLOW_PORT`."""

    root: Path
    once: bool = False
    s3_port: int | None = None
    airflow_port: int | None = None
    kill: bool = True
    target: Target = DEMO

    @classmethod
    def read(cls, root: Path, environment: Mapping[str, str], target: Target = DEMO) -> Settings:
        """The settings; raises `UsageError` for a port that is no number."""
        once = environment.get("ONCE", "").strip().lower() in {"1", "true", "yes"}
        kill = environment.get("KILL", "").strip().lower() not in {"0", "false", "no"}
        return cls(root, once, _port(environment, "S3_PORT"), _port(environment, "AIRFLOW_PORT"), kill, target)

    @property
    def local(self) -> Path:
        """Where everything is kept, but for the home of the plain demo's Airflow."""
        return self.root / self.target.folder

    @property
    def config(self) -> Path:
        """The streams and DAGs."""
        return self.root / "config"


def _port(environment: Mapping[str, str], name: str) -> int | None:
    text = environment.get(name, "").strip()
    if not text:
        return None
    if not text.isdecimal() or not 1024 <= int(text) <= 55_000:
        raise UsageError(f"{name} is a port number from 1024 to 55000 (saw {text!r}); gRPC uses that number plus 10000")
    return int(text)
