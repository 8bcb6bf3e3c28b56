"""`strandline render`: what dag-factory is given, for review."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import yaml

from tests.cli.conftest import Project

ROOT = Path(__file__).parents[2]


@pytest.fixture
def scheduled(project: Project) -> Project:
    """The project with the layers of the repository."""
    shutil.copytree(ROOT / "config/dags", project.config / "dags")
    return project


def test_every_dag_is_printed_as_yaml(scheduled: Project) -> None:
    result = scheduled.run("render")
    assert result.exit_code == 0, result.output
    assert list(yaml.safe_load(result.stdout)) == [
        "1-infra_s3_bootstrap",
        "2-orders_realtime_ingest",
        "3-batch_etl_all_streams",
        "4-serving_layer_merge",
    ]


def test_one_dag_can_be_asked_for(scheduled: Project) -> None:
    result = scheduled.run("render", "--dag", "2-orders_realtime_ingest")
    assert list(yaml.safe_load(result.stdout)) == ["2-orders_realtime_ingest"]


def test_an_unknown_dag_is_a_usage_error_with_the_closest(scheduled: Project) -> None:
    result = scheduled.run("render", "--dag", "2-order_realtime_ingest")
    assert result.exit_code == 2
    assert "did you mean 2-orders_realtime_ingest?" in result.stderr


def test_a_folder_gets_a_file_a_dag(scheduled: Project) -> None:
    folder = scheduled.folder / "rendered"
    result = scheduled.run("render", "--output", str(folder))
    assert result.exit_code == 0
    assert result.stdout == ""
    assert len(list(folder.glob("*.yaml"))) == 4
    assert "3-batch_etl_all_streams" in yaml.safe_load((folder / "3-batch_etl_all_streams.yaml").read_text(encoding="utf-8"))


def test_a_broken_configuration_renders_nothing(scheduled: Project) -> None:
    scheduled.declare("orders", "stream: orders\n")
    result = scheduled.run("render")
    assert result.exit_code == 2
    assert result.stdout == ""
    assert "orders.yaml:1:1" in result.stderr


def test_a_resolved_stream_says_where_each_line_is_from(scheduled: Project) -> None:
    (scheduled.config / "defaults.yaml").write_text("retention: {quarantine: 90d}\n", encoding="utf-8")
    result = scheduled.run("render", "--resolved", "orders")
    assert result.exit_code == 0, result.output
    origins = {text.strip(): origin for text, origin in (line.rsplit("  # ", 1) for line in result.stdout.splitlines())}
    assert origins["stream: orders"] == "streams/orders.yaml:1"
    assert origins["quarantine: 90d"] == "defaults.yaml:1"
    assert origins["interval: 5m"] == "built-in default"


def test_an_unknown_stream_cannot_be_resolved(scheduled: Project) -> None:
    result = scheduled.run("render", "--resolved", "order")
    assert result.exit_code == 2
    assert "did you mean orders?" in result.stderr
