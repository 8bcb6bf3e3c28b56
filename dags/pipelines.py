"""The Airflow DAGs that `config/` declares: YAML in, DAGs out, through dag-factory.

When Airflow parses this file to run one task, only that task's DAG is built. A file of `config/` with a problem is left out,
and the DAGs of the others are built; `config_errors.py` shows the problem. Streams that have not changed since they were last
checked are not checked again (`strandline.checked`).
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from airflow.sdk import DAG, get_parsing_context
from dagfactory.dagbuilder import DagBuilder
from dagfactory.utils import cast_with_type

from operators.runtime import checked_streams
from strandline.render import check, render_one

CONFIG = Path(os.environ.get("STRANDLINE_CONFIG") or Path(__file__).resolve().parents[1] / "config")


def build(dag_id: str, config: dict[str, Any]) -> DAG:
    """The DAG of one dag-factory mapping; the mapping has been validated, so `__type__` in it is ours alone."""
    builder = DagBuilder(dag_id, {}, {}, yml_dag="")
    builder.dag_config = cast_with_type(config)  # a copy already; the constructor would copy it once more, value by value
    dag: DAG = builder.build()["dag"]
    return dag


def rendered() -> dict[str, dict[str, Any]]:
    """The mappings to build: one when a task is to run, else all."""
    wanted = get_parsing_context()
    if wanted.dag_id is None:
        return dict(check(CONFIG, checked_streams()).dags)
    config = render_one(CONFIG, wanted.dag_id, wanted.task_id)
    return {} if config is None else {wanted.dag_id: config}


globals().update({dag_id: build(dag_id, config) for dag_id, config in rendered().items()})
