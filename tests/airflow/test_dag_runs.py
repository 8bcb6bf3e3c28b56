"""The eight DAGs run in a real Airflow against a real S3 server, reached through the connection `aws_default` alone."""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from strandline.intervals import floor
from strandline.lake import paths
from strandline.lake.lake import Lake
from strandline.lake.objects import S3Credentials
from strandline.local.seaweed import REGION, Seaweed
from tests.airflow.environment import airflow_environment, aws_connection, run_python

pytestmark = [pytest.mark.airflow, pytest.mark.slow]

STREAMS = ("api_logs", "ecommerce_clickstream", "financial_transactions", "iot_sensors", "social_media")
NOON = floor(datetime.now(UTC), timedelta(days=1)) - timedelta(hours=12)
"""Yesterday, 12:00 UTC: the past, and a busy hour in every stream's daily profile."""


@dataclass(frozen=True)
class Runs:
    """What became of each run, in order, and the lake they worked on."""

    reports: list[dict[str, Any]]
    lake: Lake

    def of(self, dag_id: str) -> list[dict[str, Any]]:
        """The runs of one DAG, in order."""
        return [report for report in self.reports if report["dag"] == dag_id]


@pytest.fixture(scope="module")
def runs(seaweed: Seaweed, tmp_path_factory: pytest.TempPathFactory) -> Runs:
    """Every DAG once, in the order of their numbers; then one stream's next interval, serving, and its first ingest again."""
    url = f"s3://airflow-{uuid.uuid4().hex[:12]}/lake"
    keys = seaweed.credentials
    environment = airflow_environment(
        tmp_path_factory.mktemp("airflow"),
        AIRFLOW_CONN_AWS_DEFAULT=aws_connection(
            access_key_id=keys.access_key_id,
            secret_access_key=keys.secret_access_key,
            region=REGION,
            endpoint_url=seaweed.endpoint_url,
        ),
        AIRFLOW_CONN_STRANDLINE_KEYS=json.dumps({"conn_type": "generic", "password": "5e" * 32}),
        STRANDLINE_LAKE=url,
    )
    run_python(environment, "-m", "airflow", "db", "migrate")
    later = NOON + timedelta(minutes=5)
    wanted = [
        f"1-infra_s3_bootstrap@{NOON}",
        *(f"2-{stream}_realtime_ingest@{NOON}" for stream in STREAMS),
        f"3-batch_etl_all_streams@{NOON}",
        f"4-serving_layer_merge@{NOON}",
        f"2-api_logs_realtime_ingest@{later}",
        f"4-serving_layer_merge@{later}@api_logs",
        f"2-api_logs_realtime_ingest@{NOON}",
    ]
    printed = run_python(environment, "tests/airflow/run_dags.py", *wanted, timeout=600)
    reports = [json.loads(line.removeprefix("RUN ")) for line in printed.splitlines() if line.startswith("RUN ")]
    credentials = S3Credentials(keys.access_key_id, keys.secret_access_key, None, REGION, seaweed.endpoint_url)
    return Runs(reports, Lake.open(url, credentials))


def test_every_task_of_every_run_succeeds(runs: Runs) -> None:
    assert [report["state"] for report in runs.reports] == ["success"] * 11
    assert {state for report in runs.reports for state in report["tasks"].values()} == {"success"}


def test_bootstrap_makes_the_bucket_and_says_what_became_of_each_setting(runs: Runs) -> None:
    (report,) = runs.of("1-infra_s3_bootstrap")
    done = report["returned"]["bootstrap"]
    assert done["bucket"] == "made"
    assert set(done.values()) <= {"made", "set", "not supported by this endpoint"}


@pytest.mark.parametrize("stream", STREAMS)
def test_what_landed_is_good_duplicate_or_quarantined(runs: Runs, stream: str) -> None:
    landed = runs.of(f"2-{stream}_realtime_ingest")[0]["returned"]["land"]
    batch = runs.of("3-batch_etl_all_streams")[0]["returned"]
    silver = batch[f"{stream}.silver_{stream}"]
    assert landed["lines"] == batch[f"{stream}.bronze_{stream}"]["lines"] == silver["lines"] > 0
    assert silver["lines"] == silver["good"] + silver["duplicates"] + silver["quarantined"]


def test_a_manual_ingest_lands_the_interval_before_its_moment(runs: Runs) -> None:
    first = runs.of("2-iot_sensors_realtime_ingest")[0]["returned"]["generate"]
    assert first == {"staged": [(NOON - timedelta(minutes=5)).strftime("%Y%m%dT%H%M%SZ")]}


def test_a_manual_batch_takes_all_that_is_complete_at_its_moment(runs: Runs) -> None:
    batch = runs.of("3-batch_etl_all_streams")[0]["returned"]
    assert {batch[f"{stream}.bronze_{stream}"]["watermark"] for stream in STREAMS} == {NOON.isoformat()}


@pytest.mark.parametrize("stream", STREAMS)
def test_serving_holds_the_good_rows_and_a_dashboard(runs: Runs, stream: str) -> None:
    good = runs.of("3-batch_etl_all_streams")[0]["returned"][f"{stream}.silver_{stream}"]["good"]
    served = json.loads(runs.lake.objects.get(paths.published(stream)))
    unified = runs.lake.table(paths.unified(stream)).snapshot(served["unified"])
    assert unified is not None
    statuses = unified.arrow(columns=["_status"])["_status"].to_pylist()
    assert statuses.count("final") == good > 0
    assert (statuses.count("provisional") > 0) == (stream == "api_logs"), "only api_logs landed anything after the batch run"
    assert b"<html" in runs.lake.objects.get(paths.dashboard(stream, "index.html"))


def test_ingesting_an_interval_again_lands_nothing(runs: Runs) -> None:
    first, _, again = runs.of("2-api_logs_realtime_ingest")
    assert first["returned"]["land"]["lines"] > 0
    assert again["returned"]["land"] == {"intervals": 0, "lines": 0, "unparsed": 0}


def test_protected_values_never_reach_the_lake_in_clear(runs: Runs) -> None:
    table = runs.lake.table(paths.realtime("api_logs")).snapshot()
    assert table is not None
    clients = [client for client in table.arrow(columns=["client_ip"])["client_ip"].to_pylist() if client]
    assert clients
    assert not [client for client in clients if client.count(".") == 3]
