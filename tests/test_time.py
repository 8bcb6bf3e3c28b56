"""Every moment is in exactly one window and every landing interval on exactly one side of the line, from 2024 to 2030.

The oracle is plain arithmetic on numbers of days and microseconds; the product's own functions and SQL are asked.
"""

from __future__ import annotations

import calendar
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast
from zoneinfo import ZoneInfo

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from strandline.engines.duckdb import DuckEngine, DuckSession
from strandline.intervals import Interval, floor, interval_at, intervals_between
from strandline.lake.snapshot import DataFile
from strandline.plan.aggregate import aggregate
from strandline.plan.judge import judge
from strandline.plan.schemas import realtime
from strandline.publish.panels import window_before, window_end
from strandline.spec.model import Field, FilesSource, GoldTable, Grain, Metric, Stream, Team
from strandline.stages.bronze import Line
from strandline.stages.gold import source_dates, window_dates

TICK = timedelta(microseconds=1)
FIRST, LAST = date(2024, 1, 1), date(2031, 1, 1)
DAYS = [FIRST + timedelta(days=n) for n in range((LAST - FIRST).days + 1)]
ZONES = ("Europe/Berlin", "America/New_York", "America/St_Johns", "Australia/Lord_Howe", "Asia/Kathmandu", "Pacific/Chatham",
         "America/Santiago", "Africa/Casablanca", "Pacific/Kiritimati", "Pacific/Pago_Pago", "Asia/Kolkata", "UTC")  # fmt: skip
GRAINS: tuple[Grain, ...] = ("5 minutes", "15 minutes", "hour", "day", "week", "month")
SECONDS = {"5 minutes": 300, "15 minutes": 900, "hour": 3600, "day": 86_400}
LENGTHS = tuple(timedelta(minutes=n) for n in (1, 5, 15, 60, 240, 1440))


def midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


def clock_changes(zone: str) -> list[datetime]:
    """The moments from 2024 to 2030 at which the zone's clocks change, found hour by hour and then halved down to a second."""
    place, found = ZoneInfo(zone), []
    for day in DAYS[:-1]:
        low, high = midnight(day), midnight(day) + timedelta(days=1)
        if low.astimezone(place).utcoffset() == high.astimezone(place).utcoffset():
            continue
        before = low.astimezone(place).utcoffset()
        while high - low > timedelta(seconds=1):
            middle = low + (high - low) // 2
            middle = middle.replace(microsecond=0)
            low, high = (middle, high) if middle.astimezone(place).utcoffset() == before else (low, middle)
        found.append(high)
    return found


def moments() -> list[datetime]:
    """A microsecond before, at and after: midnight, 00:05, 00:15, 01:00, noon and 23:55 of each day, and each clock change."""
    edges = {midnight(day) + timedelta(minutes=m) for day in DAYS for m in (0, 5, 15, 60, 720, 1435)}
    for zone in ZONES:
        edges |= {change + timedelta(minutes=m) for change in clock_changes(zone) for m in (-60, 0, 30, 60)}
    return sorted({edge + shift for edge in edges for shift in (-TICK, timedelta(), TICK)})


MOMENTS = moments()


def window_of(moment: datetime, grain: Grain) -> tuple[datetime, datetime]:
    """The oracle: the half-open window, by counting microseconds and days."""
    if grain in SECONDS:
        micros = (moment - datetime(1970, 1, 1, tzinfo=UTC)) // TICK
        start = micros - micros % (SECONDS[grain] * 1_000_000)
        begin = datetime(1970, 1, 1, tzinfo=UTC) + start * TICK
        return begin, begin + timedelta(seconds=SECONDS[grain])
    day = moment.toordinal()
    if grain == "week":
        monday = day - calendar.weekday(moment.year, moment.month, moment.day)
        return midnight(date.fromordinal(monday)), midnight(date.fromordinal(monday + 7))
    first = day - moment.day + 1
    return midnight(date.fromordinal(first)), midnight(
        date.fromordinal(first + calendar.monthrange(moment.year, moment.month)[1])
    )


def events() -> Stream:
    """A stream of which only the event time matters, with a gold table a grain."""
    fields = (Field("id", "string", "id"), Field("at", "timestamp", "at"))
    gold = tuple(GoldTable(grain.replace(" ", "_"), grain, (), (Metric("n", "count", "integer"),)) for grain in GRAINS)
    return Stream("events", "1.0.0", "a test", Team("t", "t@example.com"), FilesSource("/nowhere"), ("id",), "at", fields,
                  Path("t.yaml"), gold=gold)  # fmt: skip


@contextmanager
def judged(texts: list[str]) -> Iterator[DuckSession]:
    """A session in which `judged` has the texts as events, by the SQL that silver and merge run."""
    stream, size = events(), len(texts)
    schema = realtime(stream)
    known: dict[str, Any] = {
        "_line": pa.array(range(1, size + 1), pa.int64()),
        "_landing_start": pa.array([MOMENTS[0]] * size, pa.timestamp("us", "UTC")),
        "_landing_end": pa.array([MOMENTS[0]] * size, pa.timestamp("us", "UTC")),
        "id": pa.array([str(n) for n in range(size)]),
        "at": pa.array(texts),
    }
    engine = DuckEngine()
    with engine.session() as session:
        session.register("lines", pa.table([known.get(f.name, pa.nulls(size, f.type)) for f in schema], schema=schema))
        session.materialise("judged", judge(stream, engine.dialect).sql)
        yield session


def test_every_moment_is_in_exactly_one_window_of_each_grain_and_on_one_event_date() -> None:
    stream, engine = events(), DuckEngine()
    with judged([moment.isoformat() for moment in MOMENTS]) as session:
        rows = session.table('SELECT "at", event_date, _verdict FROM judged ORDER BY "at"')
        assert rows["_verdict"].null_count == len(MOMENTS)
        assert [at.replace(tzinfo=UTC) for at in rows["at"].to_pylist()] == MOMENTS
        assert rows["event_date"].to_pylist() == [moment.date() for moment in MOMENTS]
        for table in stream.gold:
            expected: dict[datetime, int] = {}
            for moment in MOMENTS:
                start, end = window_of(moment, table.grain)
                assert start <= moment < end
                expected[start] = expected.get(start, 0) + 1
            found = session.table(
                f"SELECT window_start, n, event_date FROM ({aggregate(stream, table, engine.dialect, 'judged')})"
            )
            starts = [start.replace(tzinfo=UTC) for start in found["window_start"].to_pylist()]
            assert dict(zip(starts, found["n"].to_pylist(), strict=True)) == expected
            assert len(starts) == len(set(starts))
            assert found["event_date"].to_pylist() == [start.date() for start in starts]


def test_the_windows_of_a_grain_follow_one_another_without_gap_or_overlap() -> None:
    for grain in GRAINS:
        for moment in MOMENTS:
            start, end = window_of(moment, grain)
            assert window_end(start, grain) == end
            assert window_before(end, grain, 1) == start


def test_the_days_of_a_window_are_those_whose_events_it_holds() -> None:
    for grain in GRAINS:
        holds: dict[date, set[date]] = {}
        for day in DAYS:
            start, _ = window_of(midnight(day), grain)
            assert window_dates([day], grain) == {start.date()}
            holds.setdefault(start.date(), set()).add(day)
        inner = [first for first in holds if FIRST < first < LAST - timedelta(days=31)]
        for first in inner:
            assert source_dates([first], grain) == holds[first]
    assert window_dates(DAYS, "month") == {day for day in DAYS if day.day == 1}


def test_a_display_zone_changes_no_window() -> None:
    """The same moments, written with the offsets of each zone's clocks, are the same events in the same windows."""
    changes = [change + shift for zone in ZONES for change in clock_changes(zone)
               for shift in (-timedelta(hours=1), -TICK, timedelta(), TICK, timedelta(hours=1))]  # fmt: skip
    chosen = sorted({*changes, *(midnight(day) + shift for day in DAYS[::7] for shift in (-TICK, timedelta()))})
    assert len(changes) > 400
    for zone in ZONES:
        place = ZoneInfo(zone)
        with judged([moment.astimezone(place).isoformat() for moment in chosen]) as session:
            rows = session.table('SELECT "at", event_date FROM judged ORDER BY _line')
        assert [at.replace(tzinfo=UTC) for at in rows["at"].to_pylist()] == chosen, zone
        assert rows["event_date"].to_pylist() == [moment.date() for moment in chosen], zone


def test_the_zone_of_the_process_changes_no_window(monkeypatch: pytest.MonkeyPatch) -> None:
    import time

    chosen = MOMENTS[:: len(MOMENTS) // 500]
    for zone in ("America/St_Johns", "Pacific/Kiritimati", "Europe/Berlin"):
        monkeypatch.setenv("TZ", zone)
        time.tzset()
        try:
            with judged([moment.replace(tzinfo=None).isoformat() for moment in chosen]) as session:
                rows = session.table('SELECT "at", event_date FROM judged ORDER BY "at"')
            assert [at.replace(tzinfo=UTC) for at in rows["at"].to_pylist()] == chosen
            assert rows["event_date"].to_pylist() == [moment.date() for moment in chosen]
            assert all(floor(moment, LENGTHS[1]) == window_of(moment, "5 minutes")[0] for moment in chosen)
        finally:
            monkeypatch.undo()
            time.tzset()


@pytest.mark.parametrize("length", LENGTHS, ids=str)
def test_every_moment_lies_in_exactly_one_landing_interval_of_its_own_day(length: timedelta) -> None:
    for moment in MOMENTS:
        found = interval_at(moment, length)
        offset = moment - midnight(moment.date())
        assert found.start == midnight(moment.date()) + (offset - offset % length)
        assert found.start <= moment < found.end
        assert found.landing_date == moment.date() == (found.end - TICK).date()
        assert interval_at(found.end - TICK, length) == found != interval_at(found.end, length)


def test_landing_intervals_follow_one_another_over_every_day_and_their_names_are_ordered_like_them() -> None:
    for length in (timedelta(hours=1), timedelta(hours=4), timedelta(days=1)):
        found = list(intervals_between(midnight(FIRST), midnight(LAST), length))
        assert len(found) == (LAST - FIRST) // length
        assert all(one.end == other.start for one, other in pairwise(found))
        assert [interval.key for interval in sorted(found)] == sorted(interval.key for interval in found)
        assert len({interval.key for interval in found}) == len(found)
    for day in (date(2024, 2, 29), date(2026, 3, 29), date(2026, 10, 25), date(2030, 12, 31)):
        assert len(list(intervals_between(midnight(day), midnight(day) + timedelta(days=1), timedelta(minutes=5)))) == 288


def test_a_range_takes_only_the_intervals_that_lie_wholly_in_it() -> None:
    for day in DAYS[::29]:
        start, end, hour = midnight(day), midnight(day) + timedelta(hours=3), timedelta(hours=1)
        for before in (-TICK, timedelta(), TICK):
            for after in (-TICK, timedelta(), TICK):
                found = list(intervals_between(start + before, end + after, hour))
                hours = [start + n * hour for n in range(-1, 4)]
                assert found == [Interval(h, h + hour) for h in hours if h >= start + before and h + hour <= end + after]


def _file(start: datetime, ordinal: int) -> DataFile:
    return cast("DataFile", SimpleNamespace(minimum={"_landing_start": start}, ordinal=ordinal))


def test_every_interval_is_on_exactly_one_side_of_the_line_and_crosses_it_once() -> None:
    """The line at each midnight, and five minutes around it; each interval near it is below exactly when it starts before."""
    five = timedelta(minutes=5)
    for day in DAYS:
        for shift in (-five, timedelta(), five):
            line = Line(midnight(day) + shift, realtime=10)
            near = list(intervals_between(midnight(day) - 4 * five, midnight(day) + 4 * five, five))
            sides = [line.is_above(_file(each.start, 10)) for each in near]
            assert sides == [each.start - midnight(day) >= shift for each in near]
            assert sides == sorted(sides)
            assert all(line.is_above(_file(each.start, 11)) for each in near)


def test_the_line_is_kept_in_whole_seconds_without_loss() -> None:
    for day in DAYS:
        watermark = int(midnight(day).timestamp())
        snapshot = SimpleNamespace(position=lambda name, seconds=watermark: seconds if name == "watermark" else 7)
        assert Line.of(cast("Any", snapshot)) == Line(midnight(day), 7)


def test_the_arithmetic_of_arrow_and_of_the_oracle_agree_on_the_hours_of_a_page() -> None:
    column = pa.array(MOMENTS, pa.timestamp("us", "UTC"))
    hours = pc.floor_temporal(column, unit="hour").to_pylist()
    assert hours == [window_of(moment, "hour")[0] for moment in MOMENTS]
