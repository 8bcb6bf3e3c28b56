"""Runs DAGs with `dag.test()`: `run_dags.py DAG_ID@TIME[@STREAM]...`, each as if started by hand at TIME (ISO 8601).

With a stream, the tasks of the other streams are taken as done and not run.

Prints a line of JSON a run: {"dag": id, "state": state, "tasks": {id: state}, "returned": {id: what the task returned}}.
"""

from __future__ import annotations

import json
import sys
from datetime import datetime
from pathlib import Path
from typing import Any

from airflow.dag_processing.dagbag import DagBag

DAGS = Path(__file__).resolve().parents[2] / "dags"


def report(dag: Any, moment: datetime, stream: str) -> dict[str, Any]:
    """Runs the DAG and tells what became of it."""
    run = dag.test(logical_date=moment, run_after=moment, mark_success_pattern=rf"(?!{stream}\.)" if stream else None)
    instances = run.get_task_instances()
    return {
        "dag": dag.dag_id,
        "state": str(run.state),
        "tasks": {instance.task_id: str(instance.state) for instance in instances},
        "returned": {instance.task_id: instance.xcom_pull(task_ids=instance.task_id) for instance in instances},
    }


if __name__ == "__main__":
    bag = DagBag(dag_folder=DAGS, bundle_name="dags-folder")
    for wanted in sys.argv[1:]:
        dag_id, time, stream = [*wanted.split("@"), ""][:3]
        print("RUN " + json.dumps(report(bag.dags[dag_id], datetime.fromisoformat(time), stream)), flush=True)
