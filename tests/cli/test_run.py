"""`strandline run`: the steps in process, what they count, and what happens when something is wrong."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from strandline.errors import UsageError
from strandline.run import Order
from strandline.spec.load import load_stream
from tests.cli.conftest import FIVE, ORDERS, VISITS, Line, Project


def test_every_interval_of_a_range_lands_and_lands_once(project: Project) -> None:
    project.declare("visits", VISITS)
    asked = ("run", "ingest", "-s", "visits", "--from", project.ago(60), "--to", project.ago(0), "--json")
    first = project.json(*asked)["visits"]
    assert first["ok"] is True
    assert first["steps"]["ingest"]["intervals"] == 60
    assert first["steps"]["ingest"]["lines"] > 500
    assert project.json(*asked)["visits"]["steps"]["ingest"]["intervals"] == 0


def test_a_backfill_of_many_intervals_is_a_few_commits(project: Project) -> None:
    project.declare("visits", VISITS)
    project.run("run", "ingest", "-s", "visits", "--from", project.ago(60), "--to", project.ago(0))
    log = list((project.lake / "realtime/visits/_delta_log").glob("*.json"))
    assert len(log) == 3  # the table, 48 intervals, 12 intervals


def test_without_a_range_the_last_interval_lands_and_what_was_missed_since_the_one_before(project: Project) -> None:
    project.declare("visits", VISITS)
    alone = project.json("run", "ingest", "-s", "visits", "--to", project.ago(10), "--json")["visits"]["steps"]["ingest"]
    assert alone["intervals"] == 1
    caught_up = project.json("run", "ingest", "-s", "visits", "--to", project.ago(0), "--json")["visits"]["steps"]["ingest"]
    assert caught_up["intervals"] == 10


def test_all_steps_count_every_line_and_tell_the_alert(project: Project) -> None:
    lines: list[Line] = [
        project.order(1),
        project.order(2, amount="600.00"),
        project.order(1),
        "no json",
        project.order(3, amount="2000"),
    ]
    project.deliver("1.ndjson", lines)
    result = project.run("run", "all", "--from", project.ago(2), "--to", project.ago(0))
    assert result.exit_code == 0, result.output
    batch = next(line for line in result.stdout.split("batch")[1].splitlines() if line.strip().startswith("orders"))
    assert batch.split()[1:6] == ["2", "5", "2", "1", "2"]  # intervals, lines, good, duplicates, quarantined
    told = [line for line in result.stderr.splitlines() if line.startswith("alert:")]
    assert len(told) == 1
    assert "orders big_order opened (high) for city=Kiel" in told[0]


def test_an_episode_is_told_once_even_if_it_is_over_already(project: Project) -> None:
    late = (project.now - FIVE).isoformat()
    project.deliver("1.ndjson", [project.order(1, amount="600"), project.order(2, at=late)])
    first = project.run("run", "all", "--from", project.ago(1), "--to", project.ago(0))
    assert [line.split(":")[1].split()[2] for line in first.stderr.splitlines() if line.startswith("alert:")] == ["resolved"]
    assert "alert:" not in project.run("run", "publish").stderr


def test_batch_draws_the_line_where_it_is_told(traded: Project) -> None:
    steps = traded.json("run", "batch", "--to", traded.ago(1), "--json")["orders"]["steps"]["batch"]
    assert steps["watermark"] == traded.ago(1)
    assert (steps["intervals"], steps["lines"]) == (1, 5)


def test_steps_run_again_change_no_table(traded: Project) -> None:
    traded.run("run", "all")
    before = {path: path.stat().st_mtime_ns for path in traded.lake.rglob("*.parquet")}
    again = traded.json("run", "all", "--to", traded.ago(0), "--json")["orders"]["steps"]
    assert before == {path: path.stat().st_mtime_ns for path in traded.lake.rglob("*.parquet")}
    assert (again["ingest"]["lines"], again["batch"]["lines"], again["merge"]["lines"]) == (0, 0, 0)


def test_a_failing_stream_leaves_the_others_and_makes_the_exit_code(project: Project) -> None:
    project.declare("visits", VISITS)
    project.declare("orders", ORDERS.replace("INBOX", "NOWHERE"))
    result = project.run("run", "all", "--from", project.ago(1), "--to", project.ago(0))
    assert result.exit_code == 1
    assert "orders: ingest failed:" in result.stderr
    assert "visits: publish done" in result.stderr
    assert "Traceback" not in result.output


def test_a_batch_of_nothing_takes_nothing(project: Project) -> None:
    assert project.json("run", "batch", "--json")["orders"]["steps"]["batch"]["lines"] == 0


def test_a_batch_over_a_gap_fails_as_data_and_names_the_command_that_fills_it(project: Project) -> None:
    project.declare("visits", VISITS)
    for start, end in ((6, 5), (2, 0)):
        project.run("run", "ingest", "-s", "visits", "--from", project.ago(start), "--to", project.ago(end))
    result = project.run("run", "batch", "-s", "visits", "--to", project.ago(0))
    assert result.exit_code == 1
    assert "3 landing interval(s)" in result.stderr
    command = result.stderr.partition("`strandline ")[2].partition("`")[0].split()
    assert project.json(*command, "--json")["visits"]["steps"]["ingest"]["intervals"] == 3
    batch = project.json("run", "batch", "-s", "visits", "--to", project.ago(0), "--json")["visits"]["steps"]["batch"]
    assert batch["intervals"] == 6


def test_streams_side_by_side_give_the_same_tables(project: Project) -> None:
    project.declare("visits", VISITS)
    project.deliver("1.ndjson", [project.order(1), "no json"])
    asked = ("run", "all", "--from", project.ago(3), "--to", project.ago(0))
    told = project.json(*asked, "--jobs", "2", "--json")
    alone = project.json(*asked, "--lake", str(project.folder / "alone"), "--json")
    assert list(told) == list(alone) == ["orders", "visits"]
    for stream in told:
        for step, counts in told[stream]["steps"].items():
            untold = {"seconds": 0, "pages": 0}  # who makes the index of both is a matter of time
            assert counts | untold == alone[stream]["steps"][step] | untold


def test_an_error_in_a_process_of_its_own_is_told_like_any_other(project: Project) -> None:
    project.declare("visits", VISITS)
    project.declare("orders", ORDERS.replace("INBOX", "NOWHERE"))
    result = project.run("run", "ingest", "--from", project.ago(1), "--to", project.ago(0), "--jobs", "2")
    assert result.exit_code == 1
    assert "orders: ingest failed:" in result.stderr
    assert "visits: ingest done" in result.stderr


def test_a_broken_other_stream_is_a_warning(project: Project) -> None:
    project.declare("visits", "stream: visits\n")
    result = project.run("run", "ingest", "-s", "orders")
    assert result.exit_code == 0, result.output
    assert "warning: visits is left out:" in result.stderr


def test_a_broken_stream_that_is_asked_for_stops_before_anything_is_run(project: Project) -> None:
    project.declare("visits", "stream: visits\n")
    for asked in (["-s", "visits"], []):
        result = project.run("run", "ingest", *asked)
        assert result.exit_code == 2
        assert "visits.yaml:1:1" in result.stderr
    assert not project.lake.exists()


def test_an_unknown_stream_is_a_usage_error_with_the_closest(project: Project) -> None:
    result = project.run("run", "ingest", "-s", "order")
    assert result.exit_code == 2
    assert "did you mean orders?" in result.stderr


def test_a_stream_without_its_key_is_a_usage_error(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("STRANDLINE_KEY", "STRANDLINE_KEY_ORDERS"):
        monkeypatch.delenv(name, raising=False)
    project.declare(
        "orders",
        ORDERS.replace("{name: city,   type: string}", "{name: city, type: string, classification: pii, protect: hash}"),
    )
    result = project.run("run", "ingest")
    assert result.exit_code == 2
    assert "STRANDLINE_KEY" in result.stderr


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["--from", "noon"], "is not a moment"),
        (["--to", "2999-01-01"], "lies in the future"),
        (["--from", "-1h", "--to", "-2h"], "is not before"),
        (["--from", "-1m"], "no landing interval"),
    ],
)
def test_a_range_that_makes_no_sense_is_a_usage_error(project: Project, given: list[str], said: str) -> None:
    order = Order.of(["ingest"], datetime.now(UTC))
    stream = load_stream(project.config / "streams/orders.yaml")
    if given == ["--from", "-1m"] and order.until(stream) > order.end - timedelta(minutes=1):
        given = ["--from", f"{order.end - timedelta(seconds=1):%Y-%m-%dT%H:%M:%S}"]
    result = project.run("run", "ingest", *given)
    assert result.exit_code == 2
    assert said in result.stderr


def test_an_order_takes_only_intervals_that_lie_wholly_in_its_range(project: Project) -> None:
    stream = load_stream(project.config / "streams/orders.yaml")
    now = datetime(2026, 11, 26, 6, 3, tzinfo=UTC)
    start, end = datetime(2026, 11, 26, 5, 1, tzinfo=UTC), datetime(2026, 11, 26, 5, 17, tzinfo=UTC)
    found = Order.of(["ingest"], now, start, end).intervals(stream)
    assert [interval.start.minute for interval in found] == [5, 10]
    assert [interval.start.isoformat() for interval in Order.of(["ingest"], now).intervals(stream)] == [
        "2026-11-26T05:55:00+00:00"
    ]
    with pytest.raises(UsageError, match="is not before"):
        Order.of(["ingest"], now, end, start)


def test_an_audit_of_what_is_new_says_since_when(traded: Project) -> None:
    traded.run("run", "batch", "--to", traded.ago(0))
    traded.run("run", "merge")
    assert traded.json("audit", "--new", "--json")[0]["since"] is None
    again = traded.json("audit", "--new", "--json")[0]
    assert (again["lines"], again["agrees"]) == (0, True)
    assert again["since"] is not None
    assert traded.json("audit", "--json")[0]["lines"] == 8
