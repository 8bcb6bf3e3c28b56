"""A plain Airflow DAG file that defines the very DAGs we do, as one would write them by hand: no YAML, nothing checked.

`source(dags)` gives its text, with every stream's DAG and all documents, tags, owners and assets written out. Operators,
retries, times and parameters are written down here once more, so that a change of `config/dags` shows as another shape.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

BATCH, SERVING, BOOTSTRAP = "3-batch_etl_all_streams", "4-serving_layer_merge", "1-infra_s3_bootstrap"
HEAD = """
from datetime import datetime, timedelta, timezone

from airflow.sdk import DAG, Asset, CronDataIntervalTimetable, Param, TaskGroup

from operators.audit import AuditOperator
from operators.bootstrap import BootstrapOperator
from operators.bronze import BronzeOperator
from operators.generate import GenerateOperator
from operators.gold import GoldOperator
from operators.land import LandOperator
from operators.maintain import MaintainOperator
from operators.merge import MergeOperator
from operators.publish import PublishOperator
from operators.silver import SilverOperator

START = datetime(2025, 1, 1, tzinfo=timezone.utc)


def arguments(owner, retries, delay, most, timeout):
    return {
        "owner": owner, "retries": retries, "retry_delay": timedelta(seconds=delay), "retry_exponential_backoff": 2,
        "max_retry_delay": timedelta(minutes=most), "execution_timeout": timedelta(minutes=timeout),
    }


def dag(dag_id, cron, default_args, texts, params=None):
    return DAG(
        dag_id, schedule=CronDataIntervalTimetable(cron, timezone="UTC") if cron else None, start_date=START, catchup=False,
        max_active_runs=1, default_args=default_args, params=params, **texts,
    )


def step(operator, kind, name, **more):
    return operator(task_id=f"{kind}_{name}", task_display_name=kind, stream=name, config=CONFIG, **more)
"""
TAIL = """
with dag("1-infra_s3_bootstrap", None, arguments("data-platform", 2, 15, 5, 10), BOOTSTRAP):
    BootstrapOperator(task_id="bootstrap")

params = {
    "until": Param(
        default=None, type=["null", "string"], format="date-time",
        description="Take landing intervals before this moment (UTC) instead of the run's own",
    ),
    "restate": Param(
        default=None, type=["null", "string"], enum=[None, "rebuild", "replay"],
        description="After a change of contract judge again what batch has (rebuild), or what is in quarantine (replay)",
    ),
}
with dag("3-batch_etl_all_streams", "0 2 * * *", arguments("data-platform", 3, 30, 10, 120), BATCH, params):
    for name, owner, purpose, outlets in STREAMS:
        with TaskGroup(name, tooltip=purpose, default_args={"owner": owner}):
            bronze = step(BronzeOperator, "bronze", name, retries=6, until="{{ params.until or '' }}")
            silver = step(SilverOperator, "silver", name, restate="{{ params.restate or '' }}", outlets=outlets)
            gold = step(GoldOperator, "gold", name)
            audit = step(AuditOperator, "audit", name, retries=6)
            bronze >> silver >> gold >> audit >> step(MaintainOperator, "maintain", name)

with dag("4-serving_layer_merge", "2-59/10 * * * *", arguments("data-platform", 2, 10, 2, 30), SERVING):
    for name, owner, purpose, _ in STREAMS:
        with TaskGroup(name, tooltip=purpose, default_args={"owner": owner}):
            step(MergeOperator, "merge", name) >> step(PublishOperator, "publish", name)
"""


def source(dags: Mapping[str, Mapping[str, Any]], config: str) -> str:
    """The text of the file; `dags` (as `strandline.render.render` gives them) tells it the streams and all texts."""
    shared = (("BOOTSTRAP", BOOTSTRAP), ("BATCH", BATCH), ("SERVING", SERVING))
    texts = "".join(f"{name} = {_texts(dags[dag_id])}\n" for name, dag_id in shared)
    groups = dags[BATCH].get("task_groups", {})
    streams = "".join(
        f"    ({name!r}, {group['default_args']['owner']!r}, {group['tooltip']!r}, "
        f"{_outlets(dags[BATCH]['tasks'][f'silver_{name}'])}),\n"
        for name, group in groups.items()
    )
    speed = "".join(_speed(name, f"2-{name}_realtime_ingest", dags[f"2-{name}_realtime_ingest"]) for name in groups)
    return f"{HEAD}\n\nCONFIG = {config!r}\n{texts}STREAMS = [\n{streams}]\n{speed}{TAIL}"


def _speed(name: str, dag_id: str, dag: Mapping[str, Any]) -> str:
    cron, owner = dag["schedule"]["__args__"][0], dag["default_args"]["owner"]
    given = f"stream={name!r}, config=CONFIG"
    return (
        f"\nwith dag({dag_id!r}, {cron!r}, arguments({owner!r}, 3, 10, 2, 15), {_texts(dag)}):\n"
        f"    generate = GenerateOperator(task_id='generate', {given})\n"
        f"    generate >> LandOperator(task_id='land', {given}, outlets={_outlets(dag['tasks']['land'])})\n"
    )


def _texts(dag: Mapping[str, Any]) -> str:
    texts = {"description": dag["description"], "tags": [*dag["tags"], "dagfactory"], "doc_md": dag["doc_md"]}
    return repr(texts)


def _outlets(task: Mapping[str, Any]) -> str:
    return "[" + ", ".join(f"Asset({asset['name']!r})" for asset in task.get("outlets", [])) + "]"
