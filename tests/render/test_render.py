"""`config/` becomes dag-factory configuration: the eight DAGs, as its own loader would read them."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from strandline.errors import ConfigError
from strandline.lake import paths
from strandline.render import as_yaml, check, render, render_one

ROOT = Path(__file__).resolve().parents[2]
CONFIG = ROOT / "config"
STEPS = ("bronze", "silver", "gold", "audit", "maintain")
STREAMS = ("api_logs", "ecommerce_clickstream", "financial_transactions", "iot_sensors", "social_media")


@pytest.fixture(scope="module")
def dags() -> dict[str, Any]:
    return render(CONFIG)


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A copy of the configuration to break."""
    return Path(shutil.copytree(CONFIG, tmp_path / "config"))


def test_the_eight_dags_come_in_the_order_of_their_ids(dags: dict[str, Any]) -> None:
    ingests = [f"2-{stream}_realtime_ingest" for stream in STREAMS]
    assert list(dags) == ["1-infra_s3_bootstrap", *ingests, "3-batch_etl_all_streams", "4-serving_layer_merge"]


def test_schedules_are_true_data_intervals_in_utc(dags: dict[str, Any]) -> None:
    timetable = "airflow.sdk.CronDataIntervalTimetable"
    assert dags["1-infra_s3_bootstrap"]["schedule"] is None
    assert dags["3-batch_etl_all_streams"]["schedule"] == {"__type__": timetable, "__args__": ["0 2 * * *"], "timezone": "UTC"}


@pytest.mark.parametrize("chosen", [("realtime",), ("realtime", "silver")])
def test_one_line_lets_serving_run_when_any_stream_has_news(copy: Path, chosen: tuple[str, ...]) -> None:
    on_assets(copy / "dags/serving.yaml", chosen)
    names = [name for stream in STREAMS for name in (paths.realtime(stream), paths.silver(stream))]
    wanted = [asset(name) for name in names if name.split("/")[-2] in chosen]
    schedule = render(copy)["4-serving_layer_merge"]["schedule"]
    assert schedule == {"__type__": "airflow.sdk.AssetAny", "__args__": wanted}


def test_a_dag_a_stream_runs_when_its_own_stream_has_news(copy: Path) -> None:
    text = "serve_${stream.name}: {for_each: stream, schedule: {assets: [realtime]}, tasks: {merge: {operator: merge}}}\n"
    (copy / "dags/serving.yaml").write_text(text, encoding="utf-8")
    assert render(copy)["serve_iot_sensors"]["schedule"]["__args__"] == [asset("realtime/iot_sensors")]


def test_the_assets_a_dag_may_run_on_are_those_that_tasks_update(dags: dict[str, Any]) -> None:
    updated = {outlet["name"] for dag in dags.values() for task in dag["tasks"].values() for outlet in task.get("outlets", ())}
    assert updated == {path(stream) for stream in STREAMS for path in (paths.realtime, paths.silver)}


def test_without_a_good_stream_nothing_starts_serving(copy: Path) -> None:
    on_assets(copy / "dags/serving.yaml", ("realtime",))
    for file in (copy / "streams").glob("*.yaml"):
        file.write_text("not: read\n", encoding="utf-8")
    assert check(copy).dags["4-serving_layer_merge"]["schedule"] is None


def asset(name: str) -> dict[str, str]:
    """An asset as dag-factory reads it."""
    return {"__type__": "airflow.sdk.Asset", "name": name}


def on_assets(layer: Path, chosen: tuple[str, ...]) -> None:
    """Change the one line of the schedule in a layer's file."""
    lines = layer.read_text(encoding="utf-8").splitlines(keepends=True)
    (at,) = [number for number, line in enumerate(lines) if line.startswith("  schedule:")]
    lines[at] = f"  schedule: {{assets: [{', '.join(chosen)}]}}\n"
    layer.write_text("".join(lines), encoding="utf-8")


def test_tasks_of_a_group_are_named_after_it_and_depend_on_each_other(dags: dict[str, Any]) -> None:
    tasks = dags["3-batch_etl_all_streams"]["tasks"]
    assert list(tasks) == [f"{step}_{stream}" for stream in STREAMS for step in STEPS]
    assert tasks["silver_api_logs"] == {
        "operator": "operators.silver.SilverOperator",
        "restate": "{{ params.restate or '' }}",
        "stream": "api_logs",
        "config": str(CONFIG),
        "task_group_name": "api_logs",
        "task_display_name": "silver",
        "dependencies": ["bronze_api_logs"],
        "outlets": [{"__type__": "airflow.sdk.Asset", "name": "batch/silver/api_logs"}],
    }


def test_the_owner_of_a_stream_owns_its_tasks(dags: dict[str, Any]) -> None:
    owner = dags["2-iot_sensors_realtime_ingest"]["default_args"]["owner"]
    assert "@" in owner
    assert dags["3-batch_etl_all_streams"]["task_groups"]["iot_sensors"]["default_args"]["owner"] == owner


def test_lengths_of_time_are_timedeltas_of_dag_factory(dags: dict[str, Any]) -> None:
    arguments = dags["1-infra_s3_bootstrap"]["default_args"]
    assert arguments["retry_delay"] == {"__type__": "datetime.timedelta", "seconds": 15}
    assert arguments["execution_timeout"] == {"__type__": "datetime.timedelta", "minutes": 10}


def test_tags_of_the_stream_are_spliced_in_each_once(dags: dict[str, Any]) -> None:
    tags = dags["2-api_logs_realtime_ingest"]["tags"]
    assert tags[:2] == ["speed", "api_logs"]
    assert len(tags) == len(set(tags)) > 2


def test_no_placeholder_is_left_anywhere(dags: dict[str, Any]) -> None:
    assert "${" not in as_yaml(dags)


def test_the_yaml_for_review_reads_back_as_the_same_configuration(dags: dict[str, Any]) -> None:
    assert yaml.safe_load(as_yaml(dags)) == dags


def test_a_task_waits_for_all_copies_of_a_repeated_group(copy: Path) -> None:
    layer = copy / "dags/serving.yaml"
    index = '  tasks:\n    index:\n      operator: bootstrap\n      dependencies: ["${stream.name}"]\n'
    layer.write_text(layer.read_text(encoding="utf-8") + index, encoding="utf-8")
    assert render(copy)["4-serving_layer_merge"]["tasks"]["index"]["dependencies"] == list(STREAMS)


def test_a_broken_stream_is_in_no_dag_and_leaves_the_others(copy: Path) -> None:
    (copy / "streams/api_logs.yaml").write_text("stream: api_logs\n", encoding="utf-8")
    rendered = check(copy)
    assert len(rendered.dags) == 7
    assert list(rendered.dags["3-batch_etl_all_streams"]["task_groups"]) == list(STREAMS[1:])
    assert {problem.path.name for problem in rendered.problems} == {"api_logs.yaml"}
    with pytest.raises(ConfigError, match=r"api_logs\.yaml:1:1: "):
        render(copy)


def test_problems_of_streams_and_layers_come_together(copy: Path) -> None:
    (copy / "streams/api_logs.yaml").write_text("stream: api_logs\n", encoding="utf-8")
    (copy / "dags/batch.yaml").write_text("a: {schedule: null, tasks: {b: {operator: nothing}}}\n", encoding="utf-8")
    rendered = check(copy)
    assert {problem.path.name for problem in rendered.problems} == {"api_logs.yaml", "batch.yaml"}
    assert "3-batch_etl_all_streams" not in rendered.dags


@pytest.mark.parametrize("dag_id", ["1-infra_s3_bootstrap", "2-iot_sensors_realtime_ingest", "4-serving_layer_merge"])
def test_one_dag_alone_is_the_same_as_among_all(dag_id: str, dags: dict[str, Any]) -> None:
    one = render_one(CONFIG, dag_id)
    assert one is not None
    assert one == dags[dag_id]


def test_a_task_of_one_stream_needs_no_other_streams_file(copy: Path, dags: dict[str, Any]) -> None:
    for file in (copy / "streams").glob("*.yaml"):
        if file.stem != "iot_sensors":
            file.write_text("not: read\n", encoding="utf-8")
    one = render_one(copy, "3-batch_etl_all_streams", "iot_sensors.silver_iot_sensors")
    assert one is not None
    assert list(one["tasks"]) == [f"{step}_iot_sensors" for step in STEPS]
    assert one["tasks"]["silver_iot_sensors"] == dags["3-batch_etl_all_streams"]["tasks"]["silver_iot_sensors"] | {
        "config": str(copy)
    }


def test_a_dag_that_no_file_makes_is_none() -> None:
    assert render_one(CONFIG, "2-nothing_realtime_ingest") is None


def test_without_streams_the_dags_of_all_streams_are_empty(copy: Path) -> None:
    shutil.rmtree(copy / "streams")
    (copy / "streams").mkdir()
    dags = check(copy).dags
    assert list(dags) == ["1-infra_s3_bootstrap", "3-batch_etl_all_streams", "4-serving_layer_merge"]
    assert dags["3-batch_etl_all_streams"]["tasks"] == {}


def test_rendering_imports_neither_airflow_nor_the_heavy_libraries() -> None:
    code = (
        "import sys; from pathlib import Path; from strandline.render import render; render(Path('config'));"
        "print([m for m in ('airflow','boto3','deltalake','duckdb','numpy','pandas','pyarrow') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
