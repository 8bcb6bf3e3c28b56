"""Where a stream's cluster is: what the Airflow connection says, else the environment."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from operators.runtime import cluster_address, find_stream
from strandline.errors import UsageError
from strandline.spec.model import Engine

CONFIG = Path(__file__).parents[2] / "config"


@pytest.mark.parametrize(
    ("connection", "address"),
    [
        ({"conn_type": "spark_connect", "host": "spark.example.com", "port": 15002}, "sc://spark.example.com:15002"),
        ({"conn_type": "spark_connect", "host": "sc://spark.example.com"}, "sc://spark.example.com"),
        (
            {"conn_type": "spark_connect", "host": "s", "port": 443, "password": "a;b", "extra": {"use_ssl": True}},
            "sc://s:443/;token=a%3Bb;use_ssl=true",
        ),
        ({"conn_type": "spark", "host": "spark://master.example.com", "port": 7077}, "spark://master.example.com:7077"),
        ({"conn_type": "spark", "host": "local[2]"}, "local[2]"),
    ],
)
def test_a_connection_gives_the_address_of_its_cluster(
    connection: dict[str, Any], address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_NIGHTLY_CLUSTER", json.dumps(connection))
    assert cluster_address("nightly_cluster") == address


def test_without_a_connection_the_environment_says_where_the_cluster_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPARK_REMOTE", "sc://127.0.0.1:15002")
    assert cluster_address("no_such_connection") == "sc://127.0.0.1:15002"


def test_without_either_the_error_says_what_to_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SPARK_REMOTE", raising=False)
    with pytest.raises(UsageError, match=r"no_such_connection.*SPARK_REMOTE=sc://"):
        cluster_address("no_such_connection")


@pytest.mark.parametrize(
    ("given", "engine"),
    [
        (None, Engine("duckdb", "spark_default")),
        ("spark", Engine("spark", "spark_default")),
        ({"type": "spark", "connection": "nightly_cluster"}, Engine("spark", "nightly_cluster")),
    ],
)
def test_a_task_may_name_another_engine_than_its_stream(given: str | dict[str, str] | None, engine: Engine) -> None:
    assert find_stream(str(CONFIG), "api_logs", given).engine == engine
