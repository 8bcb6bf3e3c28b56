"""`strandline preview`: a sample through every step, for people and for machines, and nothing is written."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.cli.conftest import ORDERS, Project

CONFIG = str(Path(__file__).parents[2] / "config")
STREAMS = ("api_logs", "ecommerce_clickstream", "financial_transactions", "iot_sensors", "social_media")
AT = "2026-11-25T12:00"
BOARD = """\
dashboard:
  - {title: Cities, bar: hourly.turnover, by: city}
  - {title: Hours, line: hourly.n}
"""


@pytest.fixture
def sample(project: Project) -> Path:
    """Six orders: 3 good ones, a copy, a dear one and no JSON."""
    project.declare("orders", ORDERS + BOARD)
    at = "2026-03-02T09:00:00Z"
    given = [
        project.order(1, at=at),
        project.order(1, at=at),
        project.order(2, at=at, amount="600.00", coupon="x"),
        project.order(3, at=at, amount="2000"),
        project.order(4, at=at, city="[red]Bonn[/red]\x1b[31m"),
    ]
    path = project.folder / "sample.ndjson"
    path.write_text("".join(json.dumps(line) + "\n" for line in given) + "no json\n", encoding="utf-8")
    return path


def test_each_step_is_shown_for_people(project: Project, sample: Path) -> None:
    result = project.run("preview", "orders", "--input", str(sample))
    assert result.exit_code == 0, result.output
    shown = result.stdout
    assert "6 lines = 3 good + 1 duplicate + 2 refused" in shown
    assert re.search(r"id +string +o1 +o2 +o4", shown)
    assert re.search(r"1  rule affordable  expected amount < 1000\n +sample.ndjson line 4  amount = \"2000\"", shown)
    assert "not_json  expected one JSON object on the line" in shown
    assert "not declared: coupon (1) (keep)" in shown
    assert re.search(r"2026-03-02 09:00 +Kiel +2 +610\.5", shown)
    assert re.search(r"opens +big_order +high\n +when amount > 500\n +fires on 1 of 3 good rows, opens 1 episode", shown)
    assert re.search(r"Kiel +█{30} 610\.5", shown)


def test_what_a_line_holds_cannot_act_on_the_terminal(project: Project, sample: Path) -> None:
    shown = project.run("preview", "orders", "--input", str(sample)).stdout
    assert "\x1b" not in shown
    assert "[red]Bonn" in shown


def test_json_is_complete_and_counts_add_up(project: Project, sample: Path) -> None:
    told = project.json("preview", "orders", "--input", str(sample), "--json")
    assert told["counts"] == {"lines": 6, "good": 3, "duplicates": 1, "refused": 2}
    assert len(told["landed"]) == 6
    assert [row["amount"] for row in told["good"]] == [10.5, 600.0, 10.5]
    assert {(group["reason"], group["rule"], group["lines"]) for group in told["refused"]} == {
        ("rule", "affordable", 1), ("not_json", None, 1),
    }  # fmt: skip
    assert told["gold"]["hourly"]["rows"][0].keys() >= {"window_start", "city", "n", "turnover", "_status"}
    assert told["alerts"][0]["episodes"][0]["key"] == {"city": "Kiel"}
    assert [panel["title"] for panel in told["panels"]] == ["Cities", "Hours"]
    assert told["unknown_fields"] == {"coupon": 1}
    assert list(told) == [
        "stream", "version", "origin", "key", "as_of", "notes", "counts", "stops", "budgets_broken", "landed", "good",
        "refused", "warnings", "unknown_fields", "gold", "alerts", "panels",
    ]  # fmt: skip


def test_nothing_is_written(project: Project, sample: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(project.folder)
    before = {path: path.stat().st_mtime_ns for path in project.folder.rglob("*")}
    assert project.run("preview", "orders", "--input", str(sample)).exit_code == 0
    assert {path: path.stat().st_mtime_ns for path in project.folder.rglob("*")} == before


def test_lines_come_from_stdin_too(project: Project, sample: Path) -> None:
    result = project.run("preview", "orders", "--input", "-", "--json", given=sample.read_bytes())
    assert json.loads(result.stdout)["counts"]["lines"] == 6


def test_a_source_of_files_is_previewed_from_its_folder(project: Project) -> None:
    project.deliver("1.ndjson", [project.order(1), "no json"])
    project.deliver("2.ndjson", [project.order(2)])
    told = project.json("preview", "orders", "--json")
    assert told["counts"] == {"lines": 2, "good": 1, "duplicates": 0, "refused": 1}
    assert told["origin"] == f"files in {project.folder / 'inbox'}"


def test_a_run_that_would_stop_is_said(project: Project, sample: Path) -> None:
    project.declare("orders", ORDERS.replace("expect: amount < 1000", "expect: amount < 1000, action: fail"))
    result = project.run("preview", "orders", "--input", str(sample))
    assert result.exit_code == 0
    assert "A run on these lines would stop: a `fail` rule" in result.stdout


@pytest.mark.parametrize("stream", STREAMS)
def test_the_streams_of_the_project_fit_a_hundred_columns(project: Project, stream: str) -> None:
    result = project.run("preview", stream, "--config", CONFIG, "--at", AT)
    assert result.exit_code == 0, result.output
    assert max(map(len, result.stdout.splitlines())) <= 100
    assert "throw-away key" in result.stdout
    for part in ("Landed", "Good rows", "Refused", "gold.", "Alerts", "Dashboard"):
        assert f"\n{part}" in result.stdout


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (["order"], 2, "did you mean orders?"),
        (["orders", "--input", "none.ndjson"], 1, "none.ndjson cannot be read: No such file or directory"),
        (["orders", "--at", "noonish"], 2, "is not a moment"),
        (["orders", "--rows", "0"], 2, "--rows"),
    ],
)
def test_what_cannot_be_previewed_has_an_exit_code(project: Project, arguments: list[str], code: int, told: str) -> None:
    result = project.run("preview", *arguments)
    assert result.exit_code == code
    assert told in result.stderr


def test_a_broken_stream_shows_its_problems(project: Project) -> None:
    project.declare("orders", ORDERS.replace("event_time: at", "event_time: att"))
    result = project.run("preview", "orders")
    assert result.exit_code == 2
    assert "did you mean at?" in result.stderr
