"""`strandline test`: the examples in the YAML, their failures and the exit code."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.conftest import ORDERS, VISITS, Project

ROOT = Path(__file__).parents[2]
TESTS = """\
tests:
  - name: a copy counts once
    given:
      - {id: a, at: "2026-03-02T09:00:00Z", amount: 12.50, city: Kiel}
      - {id: a, at: "2026-03-02T09:00:00Z", amount: 12.50, city: Kiel}
      - no JSON
    expect: {hourly: [{city: Kiel, n: 1, turnover: 12.5}], duplicates: 1, refused: [{reason: not_json}]}
"""


def test_the_projects_own_examples_pass(project: Project) -> None:
    result = project.run("test", "--config", str(ROOT / "config"))
    assert result.exit_code == 0, result.output
    assert result.stdout.count("\nok ") >= 4
    assert " passed in " in result.stdout


def test_a_failure_shows_the_difference_the_place_and_exits_with_one(project: Project) -> None:
    path = project.declare("orders", ORDERS + TESTS.replace("n: 1", "n: 2"))
    result = project.run("test")
    assert result.exit_code == 1
    assert "FAIL orders: a copy counts once" in result.stdout
    line = path.read_text(encoding="utf-8").splitlines().index("  - name: a copy counts once") + 1
    assert f"{path}:{line}\n" in result.stdout
    assert [words for text in result.stdout.splitlines() if (words := text.split())[:1] == ["✗"]] == [["✗", "n", "2", "1"]]
    assert "line 3 refused: not_json" in result.stdout
    assert "1 failed, 0 passed" in result.stdout


def test_json_has_every_case_and_difference(project: Project) -> None:
    project.declare("orders", ORDERS + TESTS)
    told = project.json("test", "--json")
    assert told["ok"] is True
    project.declare("orders", ORDERS + TESTS.replace("duplicates: 1", "duplicates: 0").replace("n: 1", "n: 2"))
    result = project.run("test", "--json")
    assert result.exit_code == 1
    (case,) = json.loads(result.stdout)["cases"]
    assert [difference["part"] for difference in case["differences"]] == ["hourly", "duplicates"]
    (row,) = case["differences"][0]["rows"]
    assert [cell["column"] for cell in row["cells"] if not cell["same"]] == ["n"]


def test_only_the_streams_asked_for_are_run(project: Project) -> None:
    project.declare("orders", ORDERS + TESTS.replace("n: 1", "n: 2"))
    project.declare("visits", VISITS)
    result = project.run("test", "visits")
    assert result.exit_code == 0
    assert "no test in 1 stream" in result.stdout
    assert project.run("test", "visits", "orders").exit_code == 1


def test_a_key_of_the_environment_changes_nothing(project: Project) -> None:
    text = ORDERS.replace("name: city,   type: string", "name: city, type: string, protect: hash")
    project.declare("orders", text + TESTS)
    for key in ({}, {"STRANDLINE_KEY": "5a" * 32}):
        assert project.run("test", **key).exit_code == 0


@pytest.mark.parametrize(("arguments", "told"), [(["order"], "did you mean orders?"), ([], "[SL314]")])
def test_what_is_wrong_with_the_configuration_exits_with_two(project: Project, arguments: list[str], told: str) -> None:
    project.declare("orders", ORDERS + TESTS.replace("hourly", "hurly"))
    result = project.run("test", *arguments)
    assert result.exit_code == 2
    assert told in result.stderr
