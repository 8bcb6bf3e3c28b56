"""Programs that come as Debian packages: found, or installed when root asks for them."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

from strandline.errors import UsageError

PACKAGES = {"initdb": "postgresql", "redis-server": "redis-server"}
"""The package by a program of it."""
_POSTGRES = Path("/usr/lib/postgresql")
"""Where Debian keeps PostgreSQL's programs, one folder a major version, off the PATH."""


def find(program: str) -> Path | None:
    """The program: of the newest PostgreSQL, else on the PATH; None when there is none."""
    versions = sorted((path for path in _POSTGRES.glob("*/bin") if path.parent.name.isdecimal()), key=_version, reverse=True)
    for folder in versions:
        if (folder / program).is_file():
            return folder / program
    found = shutil.which(program)
    return Path(found) if found else None


def program(name: str) -> Path:
    """The program; raises `UsageError` when it is not there."""
    found = find(name)
    if found is None:
        raise UsageError(f"{name} is not installed")
    return found


def missing(programs: Mapping[str, str] = PACKAGES) -> list[str]:
    """The packages whose program is not there."""
    return [package for name, package in programs.items() if find(name) is None]


def install(packages: list[str]) -> None:
    """Installs the packages with apt-get.

    Raises `UsageError` with what to do when this user cannot, or with the end of what apt-get said.
    """
    names = " ".join(packages)
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        raise UsageError(f"{names} must be there and cannot be installed from here. On Debian and Ubuntu: apt install {names}")
    quiet = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    for arguments in (["update", "-qq"], ["install", "-y", "-qq", "--no-install-recommends", *packages]):
        done = subprocess.run(["apt-get", *arguments], env=quiet, capture_output=True, text=True, check=False)
        if done.returncode:
            told = "\n".join((done.stdout + done.stderr).splitlines()[-10:])
            raise UsageError(f"apt-get could not install {names}:\n{told}")


def _version(folder: Path) -> int:
    return int(folder.parent.name)
