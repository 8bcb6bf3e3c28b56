"""What must be true of this machine before a demo starts; each failure is one paragraph that says what to do."""

from __future__ import annotations

import platform
import shutil
import sys
from pathlib import Path

from strandline.errors import UsageError
from strandline.local import airflow_settings, seaweed

MINIMUM_FREE = 5_000_000_000
"""Bytes. A demo of a day writes well under one gigabyte; the rest is room for Airflow's logs and days of running."""


def check(root: Path) -> str:
    """A line on what was found. Raises `UsageError` when Python is too old, the disk nearly full or a program not installed."""
    if sys.version_info < (3, 11):  # noqa: UP036 - someone may start this with another Python than the installed one
        raise UsageError(f"Python 3.11 or newer is needed; this is {platform.python_version()} ({sys.executable}).")
    free = shutil.disk_usage(root).free
    if free < MINIMUM_FREE:
        raise UsageError(disk_full(root, free))
    seaweed.binary()
    airflow_settings.program()
    return f"Python {platform.python_version()}, {free / 1e9:.0f} GB free"


def disk_full(root: Path, free: int | None = None) -> str:
    """The paragraph about a full disk."""
    left = shutil.disk_usage(root).free if free is None else free
    return (
        f"The disk is nearly full: the demo needs {MINIMUM_FREE / 1e9:.0f} GB at {root} and {left / 1e9:.1f} GB are free. "
        "Free some space (`make clean` removes what earlier demos wrote here) and run `make demo` again."
    )
