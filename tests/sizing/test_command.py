"""`strandline size`: what it prints, for people and for machines, and what it says of what cannot be."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from strandline.cli import app
from strandline.errors import UsageError
from strandline.sizing.load import count, retention, seconds


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["size", *arguments])


def told(*arguments: str) -> dict[str, Any]:
    result = run(*arguments, "--json")
    assert result.exit_code == 0, result.output
    found: dict[str, Any] = json.loads(result.stdout)
    return found


def test_it_says_whether_one_machine_is_enough_and_where_the_figures_come_from() -> None:
    result = run("--events-per-day", "5M", "--streams", "5")
    assert result.exit_code == 0, result.output
    for part in (
        "5M events a day",
        "One machine is enough",
        "CPU seconds a day",
        "How far one machine goes",
        "S3 requests a day",
        "Storage",
        "Airflow",
        "python -m benchmarks.step_costs",
        "check them before you rely on them",
    ):
        assert part in result.stdout
    assert [line.split()[0] for line in rows(result, "How far one machine goes")] == ["1", "2", "4", "8", "16"]


def test_a_billion_events_in_one_stream_are_no_work_for_one_machine() -> None:
    result = run("-e", "1B", "-s", "1")
    assert "One machine is not enough: one stream's" in result.stdout
    assert "--engine spark" in result.stdout
    assert re.search(r"\d+ Spark executor\(s\) of 4 cores and 16 GB", result.stdout)


def test_with_too_many_tasks_a_cluster_for_the_data_is_no_answer() -> None:
    result = run("-e", "1M", "-s", "20000")
    assert re.search(r"One scheduler is not enough: 12,0\d\d task starts a minute; see Airflow below", result.stdout)


def test_with_spark_the_cluster_is_the_answer() -> None:
    result = run("-e", "1B", "-s", "100", "--engine", "spark")
    assert re.search(r"^Cluster: [\d,]+ Spark executor", result.stdout, re.MULTILINE)
    assert "One machine" not in result.stdout


def test_for_machines_everything_is_json_with_the_figures_and_their_sources() -> None:
    found = told("-e", "20M", "-s", "20")
    assert found["load"]["events"] == 20_000_000
    assert [each["cores"] for each in found["one_machine"]["largest"]] == [1, 2, 4, 8, 16]
    assert found["cpu_seconds_a_day"]["all"] == pytest.approx(
        sum(step["cpu_s"] for step in found["cpu_seconds_a_day"]["steps"])
    )
    assert found["requests_a_day"]["steps"]["land"]["put"] > 0
    assert found["figures"]["measured"]["cpu.land.run"]["source"]["how"]
    assert found["figures"]["prices"]["source"]["machine"] == "us-east-1"


def test_longer_intervals_and_rarer_audits_cost_less() -> None:
    often, seldom = told("-e", "1M"), told("-e", "1M", "--interval", "1h", "--serve-every", "1h", "--audit-every", "7d")
    assert seldom["cpu_seconds_a_day"]["all"] < often["cpu_seconds_a_day"]["all"]
    assert seldom["requests_a_day"]["all"] < often["requests_a_day"]["all"]
    assert told("-e", "1M", "--audit-every", "never")["load"]["audit_every"] is None


def test_retention_is_of_the_lake_or_of_one_thing() -> None:
    found = told("-e", "1M", "--retention", "30d", "--retention", "realtime=2d")
    assert found["load"]["kept"] == {"realtime": 2, "quarantine": 90, "lake": 30}
    assert found["storage_gb"]["layers"]["realtime"]["days"] == 2


def test_prices_of_one_s_own_change_the_bill_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "prices.yaml"
    path.write_text("prices: {storage: 0.046}\n", encoding="utf-8")
    ours, mine = told("-e", "1M"), told("-e", "1M", "--figures", str(path))
    assert mine["usd_a_month"]["storage"] == pytest.approx(2 * ours["usd_a_month"]["storage"])
    assert mine["usd_a_month"]["requests"] == ours["usd_a_month"]["requests"]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("-e", "many"), "a number of events is more than 0, as 250000, 500k, 20M or 1B (saw 'many')"),
        (("-e", "0"), "a number of events is more than 0"),
        (("-e", "1M", "-s", "0"), "streams: from 1 to 100,000 (saw 0)"),
        (("-e", "1M", "--event-bytes", "0"), "bytes: from 2 to 16,777,216"),
        (("-e", "1M", "--interval", "7m"), "a landing interval divides a day, as 1m, 5m, 15m or 1h (saw 420 s)"),
        (("-e", "1M", "--interval", "5"), "a length of time is a number and s, m, h or d, as 5m or 4h (saw '5')"),
        (("-e", "1M", "--audit-every", "1h"), "an audit of the whole lake runs every 1d to 366d, or never"),
        (
            ("-e", "1M", "--retention", "gold=3d"),
            "a retention is of realtime, quarantine, lake, as realtime=14d",
        ),
        (("-e", "1M", "--figures", "none.yaml"), "there is no file none.yaml with figures"),
    ],
)
def test_what_cannot_be_is_told_with_exit_code_2(arguments: tuple[str, ...], says: str) -> None:
    result = run(*arguments)
    assert result.exit_code == 2
    assert says in " ".join(result.stderr.split())


@pytest.mark.parametrize(
    ("text", "number"), [("250000", 250_000), ("1_000_000", 1e6), ("2,500", 2500), ("500k", 5e5), ("1.5M", 1.5e6), ("1B", 1e9)]
)
def test_a_number_may_have_a_unit(text: str, number: float) -> None:
    assert count(text) == number


@pytest.mark.parametrize(("text", "length"), [("90s", 90), ("5m", 300), ("4h", 14_400), ("1.5d", 129_600)])
def test_a_length_has_a_unit(text: str, length: float) -> None:
    assert seconds(text) == length


@pytest.mark.parametrize("text", ["5", "m", "0m", "-5m", "5 weeks", ""])
def test_a_length_without_one_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="a length of time is a number and s, m, h or d"):
        seconds(text)


def test_without_a_word_a_retention_is_the_stream_s_default() -> None:
    assert retention([]) == {"realtime": 14, "quarantine": 90, "lake": 365}


def rows(result: Result, title: str) -> list[str]:
    """The lines of the table below that title."""
    lines = result.stdout.partition(title)[2].splitlines()[1:]
    body = lines[next(n for n, line in enumerate(lines) if "─" in line) + 1 :]
    found = []
    for line in body:
        if not line.strip():
            break
        found.append(line)
    return found
