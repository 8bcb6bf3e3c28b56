"""One alert whose limit comes from the sample, so that it is neither always on nor deaf."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from statistics import median
from typing import Any

from strandline.scaffold.guess import Guess
from strandline.scaffold.limits import round_out, short
from strandline.scaffold.names import column
from strandline.scaffold.subject import Subject
from strandline.scaffold.tables import Told

_MOST_FIRING = 0.01


def alert(subject: Subject, tables: Mapping[str, Told]) -> Told:
    """The alert on the hourly table: on what goes wrong, else on the number that matters, else on how much comes."""
    table = next(iter(tables))
    names = list(tables[table].value["metrics"])
    windows = list(_windows(subject).values())
    rate = next((name for name in names if name.startswith("error_rate")), None)
    if rate is not None and subject.trouble is not None:
        return _of_errors(table, column(rate), column(names[0]), subject.trouble.rows, windows)
    average = next((name for name in names if name.startswith("avg_")), None)
    if average is not None and subject.number is not None:
        return _of_number(table, average, column(names[0]), subject.number, subject.dimension, windows)
    return _of_volume(table, column(names[0]), windows)


def _windows(subject: Subject) -> dict[Any, list[int]]:
    """The rows of each hour and value of the dimension."""
    times = subject.named(subject.identity.event_time).values
    split = subject.dimension.values if subject.dimension is not None else [None] * len(times)
    found: dict[Any, list[int]] = defaultdict(list)
    for row, (moment, part) in enumerate(zip(times, split, strict=True)):
        if isinstance(moment, datetime):
            found[moment.replace(minute=0, second=0, microsecond=0), part].append(row)
        elif isinstance(moment, date):
            found[moment, part].append(row)
    return found


def _limit(values: Sequence[float], least: float) -> tuple[float, float]:
    """A round limit above what is usual, that at most one window in a hundred passes; and the 99th percentile it is from."""
    ordered = sorted(values)
    usual = ordered[min(len(ordered) - 1, int(0.99 * len(ordered)))]
    middle = ordered[len(ordered) // 2]
    limit = max(least, usual + 0.5 * (usual - middle), usual * 1.1 if usual > 0 else usual + abs(usual) * 0.1)
    if sum(value > limit for value in values) > _MOST_FIRING * len(values):
        limit = ordered[-1] * 1.1 if ordered[-1] > 0 else ordered[-1] + 0.1 * abs(ordered[-1])
    return round_out(limit, up=True), usual


def _of_errors(table: str, rate: str, events: str, wrong: Sequence[bool], windows: Sequence[list[int]]) -> Told:
    least = int(max(5, round_out(median(len(rows) for rows in windows), up=True)))
    large = [rows for rows in windows if len(rows) >= least] or list(windows)
    rates = [sum(wrong[row] for row in rows) / len(rows) for rows in large]
    limit, usual = _limit(rates, 0.05)
    if limit >= 1:
        limit = 0.9
    item = {"name": "many_errors", "on": table, "when": f"{rate} > {limit:.2g} and {events} >= {least}", "severity": "medium"}
    item["description"] = "More goes wrong than usual; look at what changed"
    return Told(
        item,
        f"99 % of the windows in the sample stay at or below {usual:.1%}; the least number of events keeps single ones quiet",
    )


def _of_number(
    table: str, average: str, events: str, number: Guess, dimension: Guess | None, windows: Sequence[list[int]]
) -> Told:
    least = int(max(1, median(len(rows) for rows in windows) // 2))
    means = []
    for rows in windows:
        found = [
            float(value) for row in rows if (value := number.values[row]) is not None and not isinstance(value, (str, date))
        ]
        if len(rows) >= least and found:
            means.append(sum(found) / len(found))
    limit, usual = _limit(means or [number.numbers[-1]], float("-inf"))
    many_events = f" and {events} >= {least}" if least > 1 else ""
    item = {
        "name": f"high_{number.name}"[:60],
        "on": table,
        "when": f"{column(average)} > {limit}{many_events}",
        "severity": "medium",
    }
    item["description"] = f"The mean of {number.name} is higher than usual"
    why = f"99 % of the windows in the sample stay at or below {short(usual)}"
    return Told(item, f"{why}; one limit for every {dimension.name}" if dimension is not None else why)


def _of_volume(table: str, events: str, windows: Sequence[list[int]]) -> Told:
    most = max((len(rows) for rows in windows), default=1)
    item = {"name": "many_events", "on": table, "when": f"{events} > {round_out(3 * most, up=True)}", "severity": "low"}
    item["description"] = "Far more events than usual"
    return Told(item, f"three times the fullest window of the sample, which has {most:,}")
