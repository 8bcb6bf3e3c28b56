"""A real `airflow standalone` with one small DAG file."""

from __future__ import annotations

import socket
import textwrap
from collections.abc import Iterator

import httpx
import psutil
import pytest

from strandline.errors import DataError, UsageError
from strandline.local import processes
from strandline.local.airflow import Airflow
from strandline.local.airflow_api import AirflowApi, AirflowApiError, TaskTry
from strandline.local.credentials import Credentials
from strandline.local.tour import start_run

pytestmark = [pytest.mark.airflow, pytest.mark.slow]

_DAGS = '''
"""Two DAGs for Airflow."""
import os
from datetime import datetime, UTC
from airflow.sdk import dag, task

@dag(schedule=None)
def sinking():
    @task
    def floats():
        assert os.environ["STRANDLINE_LAKE"] == "s3://lake"
        assert os.environ["AIRFLOW_CONN_AWS_DEFAULT"]

    @task
    def sinks():
        raise ValueError("the tide went out")

    floats() >> sinks()

@dag(schedule="@daily", start_date=datetime(2026, 1, 1, tzinfo=UTC), catchup=False)
def floating():
    @task
    def floats():
        return 1

    floats()

sinking()
floating()
'''


@pytest.fixture(scope="module")
def airflow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Airflow]:
    root = tmp_path_factory.mktemp("root")
    (root / "dags").mkdir()
    (root / "dags" / "two.py").write_text(textwrap.dedent(_DAGS), encoding="utf-8")
    server = Airflow(root, lake="s3://lake", s3_endpoint="http://127.0.0.1:9", secrets=Credentials.generate(), port=0)
    try:
        yield server.start()
    finally:
        handle = processes.recall(server.home / "standalone.pid")
        family = processes.members(handle) if handle else []
        server.stop()
        assert len(family) > 4
        assert not [process for process in family if processes.is_live(process)]


def test_it_listens_on_the_loopback_interface_alone(airflow: Airflow) -> None:
    handle = processes.recall(airflow.home / "standalone.pid")
    assert handle is not None
    listening = {
        connection.laddr.ip
        for process in processes.members(handle)
        for connection in process.net_connections("inet")
        if connection.status == psutil.CONN_LISTEN
    }
    assert listening == {"127.0.0.1"}


def test_without_the_password_nothing_is_told(airflow: Airflow) -> None:
    assert httpx.get(f"{airflow.url}/api/v2/dags").status_code == 401
    with AirflowApi(airflow.url, "admin", "wrong") as api, pytest.raises(AirflowApiError, match="login was refused with 401"):
        api.dags()


def test_a_failed_run_is_told_with_the_end_of_the_task_log(airflow: Airflow) -> None:
    with airflow.api() as api:
        api.wait_for_dags(["sinking"])
        with pytest.raises(DataError, match=r"(?s)sinking failed.*task sinks failed at try 1.*ValueError: the tide went out"):
            api.wait(start_run(api, "sinking", patience=1.0), timeout=60)


def test_unpausing_starts_the_scheduled_run_and_a_second_start_is_by_hand(airflow: Airflow) -> None:
    with airflow.api() as api:
        api.wait_for_dags(["floating"])
        assert api.dags()["floating"] is True
        first = api.wait(start_run(api, "floating"), timeout=60)
        assert (first.kind, first.state) == ("scheduled", "success")
        second = api.wait(start_run(api, "floating"), timeout=60)
        assert (second.kind, second.state) == ("manual", "success")
        assert api.dags()["floating"] is False


def test_the_tries_of_a_task_are_told_with_the_machine_they_ran_on(airflow: Airflow) -> None:
    with airflow.api() as api:
        api.wait_for_dags(["floating"])
        run = api.wait(start_run(api, "floating"), timeout=60)
        assert api.tries(run, "floats") == api.latest_tries(run) == [TaskTry("floats", 1, "success", socket.gethostname())]


def test_dags_that_do_not_appear_are_named(airflow: Airflow) -> None:
    with airflow.api() as api, pytest.raises(UsageError, match="does not show these DAGs: missing"):
        api.wait_for_dags(["missing", "floating"], timeout=0.0)
