"""A plain Airflow DAG file of the same shape as ours: a DAG of two tasks a stream, a group a stream in batch and serving.

`source(streams)` gives it. It takes the stream's operators as they are, with the same retries and times; it reads no YAML.
"""

from __future__ import annotations

from collections.abc import Iterable

HEAD = """
from datetime import datetime, timedelta, timezone

from airflow.sdk import DAG, TaskGroup
from airflow.timetables.interval import CronDataIntervalTimetable

from operators.audit import AuditOperator
from operators.bronze import BronzeOperator
from operators.generate import GenerateOperator
from operators.gold import GoldOperator
from operators.land import LandOperator
from operators.maintain import MaintainOperator
from operators.merge import MergeOperator
from operators.publish import PublishOperator
from operators.silver import SilverOperator

CONFIG = "config"
START = datetime(2025, 1, 1, tzinfo=timezone.utc)


def arguments(owner, retries, minutes):
    return {
        "owner": owner, "retries": retries, "retry_delay": timedelta(seconds=10), "retry_exponential_backoff": 2,
        "max_retry_delay": timedelta(minutes=2), "execution_timeout": timedelta(minutes=minutes),
    }


def dag(dag_id, cron, default_args, tags):
    timetable = CronDataIntervalTimetable(cron, timezone="UTC")
    return DAG(
        dag_id, schedule=timetable, start_date=START, catchup=False, max_active_runs=1, default_args=default_args, tags=tags,
        doc_md=f"# {dag_id}",
    )
"""
BATCH = """
with dag("3-batch", "0 2 * * *", arguments("data-platform", 3, 120), ["batch"]):
    for name in STREAMS:
        with TaskGroup(name):
            steps = [
                operator(task_id=f"{kind}_{name}", stream=name, config=CONFIG)
                for kind, operator in (
                    ("bronze", BronzeOperator), ("silver", SilverOperator), ("gold", GoldOperator), ("audit", AuditOperator),
                    ("maintain", MaintainOperator),
                )
            ]
            for before, after in zip(steps, steps[1:]):
                before >> after

with dag("4-serving", "*/10 * * * *", arguments("data-platform", 2, 30), ["serving"]):
    for name in STREAMS:
        with TaskGroup(name):
            merge = MergeOperator(task_id=f"merge_{name}", stream=name, config=CONFIG)
            merge >> PublishOperator(task_id=f"publish_{name}", stream=name, config=CONFIG)
"""


def source(streams: Iterable[str]) -> str:
    """The text of the file: every stream's DAG written out, as one would copy it."""
    names = list(streams)
    speed = "".join(
        f'\nwith dag("2-{name}_realtime_ingest", "*/5 * * * *", arguments("{name}", 3, 15), ["speed", "{name}"]):\n'
        f'    generate = GenerateOperator(task_id="generate", stream="{name}", config=CONFIG)\n'
        f'    generate >> LandOperator(task_id="land", stream="{name}", config=CONFIG)\n'
        for name in names
    )
    return f"{HEAD}\n\nSTREAMS = {names!r}\n{speed}{BATCH}"
