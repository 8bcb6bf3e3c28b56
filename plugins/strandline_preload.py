"""Imports the heavy libraries once in the Airflow processes that run tasks, so that every forked task finds them loaded.

A task then starts in about half a second instead of several. Only imported, never used here: delta-rs does not survive a fork
once its threads run. `STRANDLINE_PRELOAD=0` turns it off (it costs some 75 MB of memory, which the tasks share).
"""

from __future__ import annotations

import importlib
import os
import sys

from airflow.plugins_manager import AirflowPlugin

LIBRARIES = (
    "airflow.providers.amazon.aws.hooks.s3",
    "boto3",
    "dagfactory",
    "deltalake",
    "duckdb",
    "numpy",
    "orjson",
    "pyarrow.dataset",
    "pyarrow.parquet",
    "sqlglot",
)
RUN_TASKS = {"scheduler", "celery"}
"""The `airflow …` commands whose processes fork tasks: the scheduler with LocalExecutor, and Celery workers."""


def preload(arguments: list[str]) -> list[str]:
    """The libraries imported: all in a process that forks tasks (by its command line), none elsewhere."""
    if os.environ.get("STRANDLINE_PRELOAD") == "0" or not RUN_TASKS & set(arguments[1:3]):
        return []
    for library in LIBRARIES:
        importlib.import_module(library)
    return list(LIBRARIES)


preload(sys.argv)


class StrandlinePreload(AirflowPlugin):
    """Makes Airflow load this module; it adds nothing to Airflow itself."""

    name = "strandline_preload"
