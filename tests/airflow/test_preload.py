"""The plugin loads the heavy libraries where tasks are forked, and nowhere else."""

from __future__ import annotations

from pathlib import Path

from tests.airflow.environment import airflow_environment, run_python

LOAD = """
import os, sys
sys.argv = ["airflow", {command!r}]
from airflow import plugins_manager
plugins, errors = plugins_manager._get_plugins()
assert not errors, errors
(ours,) = [plugin for plugin in plugins if plugin.name == "strandline_preload"]
heavy = [name for name in ("deltalake", "duckdb", "pyarrow") if name in sys.modules]
"""
SCHEDULER = """
assert heavy == ["deltalake", "duckdb", "pyarrow"], heavy
child = os.fork()
if child == 0:
    import deltalake, duckdb, pyarrow as pa
    deltalake.write_deltalake({folder!r}, pa.table({{"a": [1, 2]}}))
    rows = deltalake.DeltaTable({folder!r}).to_pyarrow_table().num_rows
    os._exit(0 if rows == 2 and duckdb.sql("select 42").fetchall() == [(42,)] else 1)
assert os.waitpid(child, 0)[1] == 0
"""
API_SERVER = """
assert heavy == [], heavy
preload = sys.modules[ours.__module__].preload
assert preload(["airflow", "dag-processor"]) == preload(["airflow", "tasks", "test"]) == preload(["airflow"]) == []
os.environ["STRANDLINE_PRELOAD"] = "0"
assert preload(["airflow", "scheduler"]) == []
del os.environ["STRANDLINE_PRELOAD"]
assert "duckdb" in preload(["airflow", "celery", "worker"])
"""


def test_the_scheduler_loads_them_and_a_forked_task_can_use_them(tmp_path: Path) -> None:
    code = LOAD.format(command="scheduler") + SCHEDULER.format(folder=str(tmp_path / "table"))
    run_python(airflow_environment(tmp_path), "-W", "ignore", "-c", code)


def test_processes_that_fork_no_tasks_load_nothing_and_it_can_be_turned_off(tmp_path: Path) -> None:
    run_python(airflow_environment(tmp_path), "-c", LOAD.format(command="api-server") + API_SERVER)
