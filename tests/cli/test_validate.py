"""`strandline validate`: one line a file, all problems with their place, in four formats."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from tests.cli.conftest import ORDERS, VISITS, Project

ROOT = Path(__file__).parents[2]


def test_the_projects_own_configuration_is_one_good_line_a_file(project: Project) -> None:
    result = project.run("validate", "--config", str(ROOT / "config"))
    lines = result.stdout.splitlines()
    assert result.exit_code == 0, result.output
    assert len(lines) == len(list((ROOT / "config").rglob("*.yaml")))
    assert all(line.startswith("ok ") for line in lines)


def test_a_good_stream_is_summed_up(project: Project) -> None:
    result = project.run("validate")
    assert result.exit_code == 0
    assert result.stdout.split() == [
        "ok", str(project.config / "streams/orders.yaml"),
        *["orders", "1.0.0:", "4", "fields,", "1", "rule,", "1", "gold", "table,", "1", "alert"],
    ]  # fmt: skip


def test_a_mistyped_field_is_shown_with_its_line_a_caret_and_a_hint(project: Project) -> None:
    path = project.declare("orders", ORDERS.replace("event_time: at", "event_time: att"))
    result = project.run("validate")
    assert result.exit_code == 2
    assert f"bad {path}" in result.stdout
    assert f"{path}:8:15: schema.event_time:" in result.stdout
    assert "8 |   event_time: att\n" in result.stdout
    assert "^" in result.stdout
    assert "hint: did you mean at?" in result.stdout


def test_all_problems_of_all_files_come_together(project: Project) -> None:
    project.declare("orders", ORDERS.replace("sum: amount", "sum: amout").replace("key: [city]", "key: [town]"))
    project.declare("visits", VISITS.replace("generator", "generatr"))
    result = project.run("validate", "--format", "json")
    told = json.loads(result.stdout)
    assert result.exit_code == 2
    assert told["ok"] is False
    assert [Path(file["path"]).stem for file in told["files"] if not file["ok"]] == ["orders", "visits"]
    assert len([problem for problem in told["problems"] if problem["path"].endswith("orders.yaml")]) == 2


def test_for_github_a_problem_is_an_annotation(project: Project) -> None:
    path = project.declare("orders", ORDERS.replace("event_time: at", "event_time: att"))
    result = project.run("validate", "--format", "github")
    assert result.exit_code == 2
    assert f"::error file={path},line=8,col=15," in result.stdout


def test_for_code_scanning_the_problems_are_a_sarif_log_and_nothing_else(project: Project) -> None:
    project.declare("orders", ORDERS.replace("event_time: at", "event_time: att"))
    result = project.run("validate", "--format", "sarif")
    assert result.exit_code == 2
    (found,) = json.loads(result.stdout)["runs"][0]["results"]
    assert (found["ruleId"], found["locations"][0]["physicalLocation"]["region"]) == (
        "SL304",
        {"startLine": 8, "startColumn": 15},
    )
    good = project.run("validate", "--format", "sarif", "--config", str(ROOT / "config"))
    assert (good.exit_code, json.loads(good.stdout)["runs"][0]["results"]) == (0, [])


def test_a_code_is_explained_and_named_where_it_is_seen(project: Project) -> None:
    result = project.run("validate", "--explain", "sl304")
    assert result.exit_code == 0
    assert result.stdout.startswith("SL304: Not a declared field\n")
    assert "To mend it: " in result.stdout
    assert project.run("validate", "--explain", "SL000").exit_code == 2
    project.declare("orders", ORDERS.replace("event_time: at", "event_time: att"))
    assert project.run("validate").stdout.endswith("More about a code: strandline validate --explain SL304\n")


def test_fields_that_nothing_reads_are_noted_when_asked_for(project: Project) -> None:
    extra = "    - {name: city,   type: string}\n"
    project.declare("orders", ORDERS.replace(extra, extra + "    - {name: note, type: string}\n"))
    assert "SL416" not in project.run("validate").stdout
    result = project.run("validate", "--unread")
    assert result.exit_code == 0
    assert ": schema.fields[4].name: note: no key, rule, " in result.stdout
    assert result.stdout.count("SL416]") == 1


def test_broken_defaults_are_told_once_and_every_stream_waits(project: Project) -> None:
    (project.config / "defaults.yaml").write_text("interval: 7m\n", encoding="utf-8")
    project.declare("visits", VISITS)
    result = project.run("validate")
    assert result.exit_code == 2
    assert f"bad {project.config / 'defaults.yaml'}" in result.stdout
    assert result.stdout.count("SL204]") == 1
    assert result.stdout.count(f"waits for {project.config / 'defaults.yaml'}") == 2


def test_only_the_streams_asked_for_are_looked_at(project: Project) -> None:
    project.declare("orders", "stream: [")
    project.declare("visits", VISITS)
    result = project.run("validate", "visits")
    assert result.exit_code == 0
    assert "orders" not in result.stdout
    assert project.run("validate", "orders", "visits").exit_code == 2


def test_an_unknown_stream_is_a_usage_error_with_the_closest(project: Project) -> None:
    result = project.run("validate", "order")
    assert result.exit_code == 2
    assert "did you mean orders?" in result.stderr


def test_a_broken_dag_file_is_a_problem_too(project: Project) -> None:
    shutil.copytree(ROOT / "config/dags", project.config / "dags")
    batch = project.config / "dags/batch.yaml"
    batch.write_text(batch.read_text(encoding="utf-8").replace("operator: bronze", "operator: bronce"), encoding="utf-8")
    result = project.run("validate")
    assert result.exit_code == 2
    assert f"bad {batch}" in result.stdout
    assert "did you mean bronze?" in result.stdout
    assert "1 DAG: 4-serving_layer_merge" in result.stdout


def test_binding_takes_every_part_of_a_good_stream(project: Project) -> None:
    project.declare("visits", VISITS)
    result = project.run("validate", "--bind")
    assert result.exit_code == 0, result.output


def test_what_the_engine_does_not_bind_is_told_with_stream_and_part(project: Project) -> None:
    from dataclasses import replace

    from strandline.bind import bind
    from strandline.errors import UsageError
    from strandline.spec.load import load_stream

    stream = load_stream(project.config / "streams/orders.yaml")
    table = replace(stream.gold[0], dimensions=("nowhere",))
    with pytest.raises(UsageError, match=r"orders\.yaml: gold\.hourly does not bind: .*nowhere"):
        bind(replace(stream, gold=(table,)))
