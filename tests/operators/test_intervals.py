"""Which landing interval a run stands for, and where a batch run draws the line."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from operators.intervals import batch_line, landing_interval
from strandline.errors import UsageError

STREAM: Any = SimpleNamespace(interval=timedelta(minutes=5))


def at(hour: int, minute: int, second: int = 0) -> datetime:
    return datetime(2026, 11, 25, hour, minute, second, tzinfo=UTC)


def run(kind: str, *, end: datetime | None = None, logical: datetime | None = None, after: datetime) -> Any:
    """The context of a task in such a run, as far as the rules look at it."""
    return {"dag_run": SimpleNamespace(run_type=kind, data_interval_end=end, logical_date=logical, run_after=after)}


@pytest.mark.parametrize("kind", ["scheduled", "backfill"])
def test_a_run_with_a_data_interval_lands_that_interval(kind: str) -> None:
    interval = landing_interval(run(kind, end=at(5, 5), logical=at(5, 0), after=at(9, 0)), STREAM)
    assert (interval.start, interval.end) == (at(5, 0), at(5, 5))


def test_a_manual_run_without_dates_lands_the_last_complete_interval() -> None:
    interval = landing_interval(run("manual", after=at(5, 7, 31)), STREAM)
    assert (interval.start, interval.end) == (at(5, 0), at(5, 5))


def test_a_manual_run_with_a_logical_date_lands_the_last_complete_interval_before_it() -> None:
    interval = landing_interval(run("manual", end=at(3, 0), logical=at(4, 10), after=at(5, 7)), STREAM)
    assert (interval.start, interval.end) == (at(4, 5), at(4, 10))


def test_a_schedule_coarser_than_the_stream_ends_at_its_last_landing_interval() -> None:
    interval = landing_interval(run("scheduled", end=at(6, 0), logical=at(5, 0), after=at(6, 0)), STREAM)
    assert (interval.start, interval.end) == (at(5, 55), at(6, 0))


def test_a_manual_run_dated_in_the_future_lands_nothing_that_has_not_happened() -> None:
    later = datetime.now(UTC) + timedelta(days=3)
    assert landing_interval(run("manual", logical=later, after=later), STREAM).end <= datetime.now(UTC)


def test_the_nightly_batch_draws_the_line_at_the_end_of_its_data_interval() -> None:
    assert batch_line(run("scheduled", end=at(2, 0), logical=at(2, 0), after=at(2, 0)), STREAM, "") == at(2, 0)


def test_a_manual_batch_draws_the_line_at_the_last_complete_interval_although_airflow_guesses_a_data_interval() -> None:
    assert batch_line(run("manual", end=at(2, 0), logical=at(5, 8), after=at(5, 8)), STREAM, None) == at(5, 5)


@pytest.mark.parametrize(
    "until", ["2026-11-25T03:04:00Z", "2026-11-25T03:04:00", "2026-11-25T04:04:00+01:00", "2026-11-25 03:00"]
)
def test_until_wins_over_the_runs_moment_and_is_utc_unless_it_says_otherwise(until: str) -> None:
    assert batch_line(run("scheduled", end=at(2, 0), after=at(2, 0)), STREAM, until) == at(3, 0)


def test_an_until_that_is_no_moment_is_refused() -> None:
    with pytest.raises(UsageError, match="such as 2026-11-26T02:00:00Z"):
        batch_line(run("manual", after=at(2, 0)), STREAM, "yesterday")
