"""Loads `dags/` as Airflow does; prints a line of JSON: {"dags": {id: facts}, "errors": {file: text}, "heavy": [names]}."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from airflow.dag_processing.dagbag import DagBag
from airflow.serialization.serialized_objects import DagSerialization

DAGS = Path(__file__).resolve().parents[2] / "dags"
HEAVY = ("boto3", "deltalake", "duckdb", "numpy", "pandas", "pyarrow", "sqlglot")


def facts(dag: Any) -> dict[str, Any]:
    """What the tests look at; serializing the DAG shows that the scheduler can take it."""
    DagSerialization.serialize_dag(dag)
    started_by_assets = dag.timetable.asset_condition is not None
    return {
        "schedule": str(getattr(dag.timetable, "expression", None)),
        "timetable": type(dag.timetable).__name__,
        "assets": [asset.name for asset in dag.timetable.asset_condition.objects] if started_by_assets else [],
        "catchup": dag.catchup,
        "max_active_runs": dag.max_active_runs,
        "tags": sorted(dag.tags),
        "doc": dag.doc_md,
        "tasks": {
            task.task_id: {
                "operator": task.task_type,
                "after": sorted(task.upstream_task_ids),
                "owner": task.owner,
                "label": task.task_display_name,
                "retries": task.retries,
                "delay": task.retry_delay.total_seconds(),
                "growth": float(task.retry_exponential_backoff),
                "most": task.max_retry_delay.total_seconds(),
                "updates": [asset.name for asset in task.outlets],
                "timeout": task.execution_timeout.total_seconds(),
            }
            for task in dag.tasks
        },
    }


if __name__ == "__main__":
    bag = DagBag(dag_folder=DAGS, bundle_name="dags-folder")
    heavy = [module for module in HEAVY if module in sys.modules]
    errors = {Path(file).name: text for file, text in bag.import_errors.items()}
    print(
        "FACTS " + json.dumps({"dags": {name: facts(dag) for name, dag in bag.dags.items()}, "errors": errors, "heavy": heavy})
    )
