"""What Airflow finds in `dags/`: the eight DAGs, whatever one stream's file says, and parsed without the heavy libraries."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.airflow.environment import ROOT, airflow_environment, run_python

STREAMS = ("api_logs", "ecommerce_clickstream", "financial_transactions", "iot_sensors", "social_media")
SCHEDULES = {
    "1-infra_s3_bootstrap": "None",
    **{f"2-{stream}_realtime_ingest": "*/5 * * * *" for stream in STREAMS},
    "3-batch_etl_all_streams": "0 2 * * *",
    "4-serving_layer_merge": "2-59/10 * * * *",
}


def found(environment: dict[str, str]) -> Any:
    """The facts of a process that loaded `dags/` in that environment."""
    printed = run_python(environment, "tests/airflow/show_dags.py")
    line = next(line for line in printed.splitlines() if line.startswith("FACTS "))
    return json.loads(line.removeprefix("FACTS "))


@pytest.fixture(scope="module")
def bag(tmp_path_factory: pytest.TempPathFactory) -> Any:
    return found(airflow_environment(tmp_path_factory.mktemp("airflow")))


@pytest.fixture
def broken(tmp_path: Path) -> Path:
    """A copy of the configuration with a typo in one stream."""
    config = tmp_path / "config"
    shutil.copytree(ROOT / "config", config)
    file = config / "streams" / "iot_sensors.yaml"
    file.write_text(file.read_text(encoding="utf-8").replace("event_time:", "event_tme:", 1), encoding="utf-8")
    return config


def test_the_eight_dags_have_their_ids_and_schedules(bag: Any) -> None:
    assert bag["errors"] == {}
    assert {dag_id: dag["schedule"] for dag_id, dag in bag["dags"].items()} == SCHEDULES


def test_scheduled_dags_have_true_data_intervals_one_run_at_a_time_and_no_catchup(bag: Any) -> None:
    for dag_id, dag in bag["dags"].items():
        assert dag["timetable"] == ("NullTimetable" if dag_id.startswith("1-") else "CronDataIntervalTimetable")
        assert (dag["catchup"], dag["max_active_runs"]) == (False, 1)


def test_steps_follow_each_other_in_every_stream_and_streams_do_not_wait_for_each_other(bag: Any) -> None:
    dags = bag["dags"]
    for stream in STREAMS:
        ingest = dags[f"2-{stream}_realtime_ingest"]["tasks"]
        assert {name: task["after"] for name, task in ingest.items()} == {"generate": [], "land": ["generate"]}
    batch = {name: task["after"] for name, task in dags["3-batch_etl_all_streams"]["tasks"].items()}
    serving = {name: task["after"] for name, task in dags["4-serving_layer_merge"]["tasks"].items()}
    assert batch == dict(link for stream in STREAMS for link in chain(stream, "bronze", "silver", "gold", "audit", "maintain"))
    assert serving == dict(link for stream in STREAMS for link in chain(stream, "merge", "publish"))


def chain(stream: str, *steps: str) -> list[tuple[str, list[str]]]:
    """Each step of the stream's group with the one before it."""
    names = [f"{stream}.{step}_{stream}" for step in steps]
    return [(name, names[max(index - 1, 0) : index]) for index, name in enumerate(names)]


def test_every_task_retries_with_growing_waits_and_a_time_limit_and_has_an_owner(bag: Any) -> None:
    for dag in bag["dags"].values():
        for task in dag["tasks"].values():
            assert task["retries"] >= 2
            assert task["growth"] == 2
            assert 0 < task["delay"] < task["most"] < task["timeout"]
            assert task["owner"] not in ("", "airflow")


def test_a_tasks_label_in_its_group_is_the_name_of_the_step(bag: Any) -> None:
    tasks = bag["dags"]["3-batch_etl_all_streams"]["tasks"]
    assert tasks["api_logs.bronze_api_logs"]["label"] == "bronze"


def test_tags_name_the_layer_and_the_stream(bag: Any) -> None:
    assert {"speed", "api_logs"} <= set(bag["dags"]["2-api_logs_realtime_ingest"]["tags"])
    assert "batch" in bag["dags"]["3-batch_etl_all_streams"]["tags"]
    assert "serving" in bag["dags"]["4-serving_layer_merge"]["tags"]
    assert "infrastructure" in bag["dags"]["1-infra_s3_bootstrap"]["tags"]


def test_a_streams_page_is_written_for_a_reader(bag: Any) -> None:
    doc = bag["dags"]["2-financial_transactions_realtime_ingest"]["doc"]
    assert doc.startswith("# financial_transactions\n")
    for heading in ("## Fields", "## Rules", "## Gold tables", "## Alerts", "**Ask:**"):
        assert heading in doc
    assert "__type__" not in doc
    assert "${" not in doc


def test_parsing_the_dags_imports_none_of_the_heavy_libraries(bag: Any) -> None:
    assert bag["heavy"] == []


def test_each_stream_tells_airflow_when_it_has_landed_and_when_batch_has_settled_it(bag: Any) -> None:
    updates = {
        f"{dag_id}/{name}": task["updates"] for dag_id, dag in bag["dags"].items() for name, task in dag["tasks"].items()
    }
    assert {name: assets for name, assets in updates.items() if assets} == {
        **{f"2-{stream}_realtime_ingest/land": [f"realtime/{stream}"] for stream in STREAMS},
        **{f"3-batch_etl_all_streams/{stream}.silver_{stream}": [f"batch/silver/{stream}"] for stream in STREAMS},
    }


def test_serving_scheduled_on_assets_runs_when_any_stream_has_landed_one_run_at_a_time(tmp_path: Path) -> None:
    config = Path(shutil.copytree(ROOT / "config", tmp_path / "config"))
    file = config / "dags" / "serving.yaml"
    text = file.read_text(encoding="utf-8")
    file.write_text(text.replace('schedule: "2-59/10 * * * *"', "schedule: {assets: [realtime]}"), encoding="utf-8")
    serving = found(airflow_environment(tmp_path / "home", config))["dags"]["4-serving_layer_merge"]
    assert serving["timetable"] == "AssetTriggeredTimetable"
    assert serving["assets"] == [f"realtime/{stream}" for stream in STREAMS]
    assert serving["max_active_runs"] == 1


def test_a_broken_stream_leaves_seven_dags_and_one_import_error_with_its_place(broken: Path, tmp_path: Path) -> None:
    bag = found(airflow_environment(tmp_path / "home", broken))
    assert set(bag["dags"]) == set(SCHEDULES) - {"2-iot_sensors_realtime_ingest"}
    assert not any("iot_sensors" in name for name in bag["dags"]["3-batch_etl_all_streams"]["tasks"])
    assert list(bag["errors"]) == ["config_errors.py"]
    text = bag["errors"]["config_errors.py"]
    lines = (broken / "streams" / "iot_sensors.yaml").read_text(encoding="utf-8").splitlines()
    number = next(number for number, line in enumerate(lines, 1) if "event_tme:" in line)
    assert f"iot_sensors.yaml:{number}:{lines[number - 1].index('event_tme') + 1}:" in text
    assert "hint: did you mean event_time?" in text


def test_a_task_parses_only_its_own_dag(tmp_path: Path) -> None:
    environment = airflow_environment(tmp_path, _AIRFLOW_PARSING_CONTEXT_DAG_ID="2-social_media_realtime_ingest")
    bag = found(environment)
    assert list(bag["dags"]) == ["2-social_media_realtime_ingest"]
