"""Landing intervals: half-open UTC ranges `[start, end)` of a stream's schedule, aligned to midnight UTC."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from strandline.errors import UsageError

_DAY = timedelta(days=1)
GRAINS: Mapping[str, timedelta] = {
    "5 minutes": timedelta(minutes=5),
    "15 minutes": timedelta(minutes=15),
    "hour": timedelta(hours=1),
    "day": _DAY,
    "week": timedelta(weeks=1),
}
"""The length of a window by its grain; months have none."""


@dataclass(frozen=True, slots=True, order=True)
class Interval:
    """A half-open range `[start, end)`; both ends are aware datetimes in UTC."""

    start: datetime
    end: datetime

    def __post_init__(self) -> None:
        for moment in (self.start, self.end):
            if moment.tzinfo is None or moment.utcoffset() != timedelta(0):
                raise UsageError(f"an interval's ends are UTC datetimes with a zone (saw {moment!r})")
        if self.end <= self.start:
            raise UsageError(f"an interval ends after it starts (saw {self})")

    @property
    def landing_date(self) -> date:
        """The UTC day the interval starts in; an aligned interval never crosses midnight."""
        return self.start.date()

    @property
    def key(self) -> str:
        """The start as it stands in object names: `20261126T051500Z`."""
        return self.start.strftime("%Y%m%dT%H%M%SZ")

    def __str__(self) -> str:
        return f"[{self.start:%Y-%m-%dT%H:%M:%SZ}, {self.end:%Y-%m-%dT%H:%M:%SZ})"


def floor(moment: datetime, length: timedelta) -> datetime:
    """The start of the interval of `length` that `moment` (aware) lies in, in UTC."""
    moment = moment.astimezone(UTC)
    midnight = moment.replace(hour=0, minute=0, second=0, microsecond=0)
    return midnight + (moment - midnight) // length * length


def interval_at(moment: datetime, length: timedelta) -> Interval:
    """The aligned interval of `length` that holds `moment`."""
    start = floor(moment, length)
    return Interval(start, start + length)


def intervals_between(start: datetime, end: datetime, length: timedelta) -> Iterator[Interval]:
    """Every aligned interval that lies wholly in `[start, end)`, in order; `start` is rounded up and `end` down."""
    cursor = floor(start, length)
    if cursor < start:
        cursor += length
    while cursor + length <= end:
        yield Interval(cursor, cursor + length)
        cursor += length
