"""Which landing interval a run stands for, and where it draws the line between batch and speed.

Airflow gives a scheduled or backfill run a data interval. A run started by hand has none (or one guessed from its logical
date), so its moment is the logical date if one was given, else the time it was triggered; every task and retry sees the same.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from strandline.errors import UsageError
from strandline.intervals import Interval, floor

if TYPE_CHECKING:
    from airflow.sdk import Context

    from strandline.spec.model import Stream


def run_moment(context: Context) -> datetime:
    """The end of what the run may see, in UTC; never in the future for a run started by hand."""
    run = context["dag_run"]
    if run.run_type != "manual" and run.data_interval_end is not None:
        end: datetime = run.data_interval_end
        return end.astimezone(UTC)
    moment: datetime = run.logical_date or run.run_after
    return min(moment.astimezone(UTC), datetime.now(UTC))


def landing_interval(context: Context, stream: Stream) -> Interval:
    """The last landing interval of `stream` that is complete at the run's moment; on schedule, the run's own data interval."""
    end = floor(run_moment(context), stream.interval)
    return Interval(end - stream.interval, end)


def batch_line(context: Context, stream: Stream, until: str | None) -> datetime:
    """The moment before which batch takes every landing interval, on the stream's grid in UTC.

    `until` (ISO 8601, UTC unless it says otherwise) if given, else the run's moment: 02:00 for the nightly run, now for one
    started by hand. Raises `UsageError` when `until` is not a date and time.
    """
    if not until:
        return floor(run_moment(context), stream.interval)
    try:
        moment = datetime.fromisoformat(until)
    except ValueError as error:
        raise UsageError(f"until is a date and time such as 2026-11-26T02:00:00Z (saw {until!r})") from error
    return floor(moment if moment.tzinfo else moment.replace(tzinfo=UTC), stream.interval)
