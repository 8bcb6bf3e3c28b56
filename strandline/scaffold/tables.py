"""Suggested rules, derived columns, gold tables and panels."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from strandline.scaffold.guess import Guess, many
from strandline.scaffold.limits import is_http_status, round_out, short
from strandline.scaffold.names import column, free_name
from strandline.scaffold.sample import Sample
from strandline.scaffold.subject import ADDITIVE, Subject

_ENOUGH = 100


@dataclass(frozen=True, slots=True)
class Told:
    """An item of the YAML and the comment beside it."""

    value: Any
    why: str = ""


def derived(subject: Subject) -> dict[str, Told]:
    """The derived columns by name: their expression and why."""
    found: dict[str, Told] = {}
    trouble = subject.trouble
    if trouble is not None and trouble.expression is not None:
        found[trouble.column] = Told(trouble.expression, trouble.why)
    for guess in subject.fields:
        if is_http_status(guess) and not guess.is_protected:
            name = free_name("status_class", subject.taken)
            found[name] = Told(f"cast({column(guess.name)} // 100 as varchar) || 'xx'", "2xx, 3xx, 4xx, 5xx")
            break
    if subject.start is not None:
        first, second = subject.start
        name = free_name(f"seconds_to_{second.name}"[:60], subject.taken)
        found[name] = Told(f"date_diff('second', {column(first.name)}, {column(second.name)})")
    if not found and subject.named(subject.identity.event_time).type == "timestamp":
        name = free_name("hour_of_day", subject.taken)
        found[name] = Told(f"extract(hour from {column(subject.identity.event_time)})", "UTC")
    return found


def rules(subject: Subject, sample: Sample, *, budget: bool) -> list[Told]:
    """The rules: usual ranges and orders of times as warnings, and with `budget` one for what a run may refuse."""
    found: list[Told] = []
    names: set[str] = set()
    ordered = [g for g in (subject.number, *subject.fields) if g is not None and g.is_numeric]
    for guess in dict.fromkeys(g.name for g in ordered):
        rule = _usual(subject.named(guess), names)
        if rule is not None and len(found) < 3:
            found.append(rule)
    if subject.start is not None:
        first, second = subject.start
        expect = f"{column(second.name)} >= {column(first.name)}"
        name = free_name(f"{second.name}_after_{first.name}"[:60], names)
        found.append(Told({"name": name, "expect": expect, "action": "warn"}, "never otherwise in the sample"))
    if not budget:
        return found
    share = sum(sample.bad.values()) / max(1, sample.lines)
    limit = max(0.1, round_out(4 * share, up=True)) if share < 0.2 else 0.9
    item = {"name": free_name("reject_budget", names), "expect": f"rejected_ratio < {limit}", "per": "run", "action": "warn"}
    return [*found, Told(item, "once you trust it: action: fail, which stops the run before anything is published")]


def _usual(guess: Guess, names: set[str]) -> Told | None:
    """A range that half a percent of the values is about to leave at most, when that is narrower than what is allowed."""
    if (
        guess.present < _ENOUGH
        or guess.distinct <= 12
        or is_http_status(guess)
        or guess.is_protected
        or guess.words & {"id", "code"}
    ):
        return None
    low, high = guess.quantile(0.005), guess.quantile(0.995)
    room = 0.25 * (high - low)
    most = round_out(high + room, up=True)
    if room <= 0 or (guess.maximum is not None and most >= guess.maximum):
        return None
    least = round_out(low - room, up=False)
    one_sided = guess.minimum is not None and least <= guess.minimum
    name = column(guess.name)
    expect = f"{name} <= {most}" if one_sided else f"{name} between {least} and {most}"
    rule = {"name": free_name(f"{guess.name}_usual"[:60], names), "expect": expect, "action": "warn"}
    return Told(rule, f"99 % of the values: {short(low)} to {short(high)}")


def metrics(subject: Subject, dimensions: list[str], *, rich: bool) -> dict[str, Told]:
    """The metrics of a table; `rich` ones also say extremes and how many different entities there were."""
    taken = set(dimensions)
    events = free_name("events", taken)
    found: dict[str, Told] = {events: Told("count")}
    if subject.trouble is not None:
        errors = free_name("errors", taken)
        found[errors] = Told({"count": column(subject.trouble.column)})
        found[free_name("error_rate", taken)] = Told({"ratio": [errors, events]})
    if subject.number is not None:
        for name, value in _of_number(subject.number, rich=rich):
            unit = {"unit": subject.number.unit} if subject.number.unit else {}
            found[free_name(name, taken)] = Told({**value, **unit})
    if subject.entity is not None and subject.entity.name not in dimensions:
        name = free_name(f"distinct_{subject.entity.name}"[:60], taken)
        found[name] = Told({"count_distinct": column(subject.entity.name)})
    return found


def _of_number(guess: Guess, *, rich: bool) -> Iterator[tuple[str, dict[str, Any]]]:
    name = column(guess.name)
    if guess.words & ADDITIVE:
        yield f"total_{guess.name}"[:60], {"sum": name}
    yield f"avg_{guess.name}"[:60], {"avg": name}
    yield f"p95_{guess.name}"[:60], {"quantile": name, "q": 0.95}
    if rich:
        yield f"max_{guess.name}"[:60], {"max": name}


def gold(subject: Subject) -> dict[str, Told]:
    """Two tables: by hour and the best dimension, and by day over all."""
    dimension = subject.dimension
    hourly: dict[str, Any] = {"grain": "hour"}
    name, why, dimensions = "hourly", "nothing splits the events well", []
    if dimension is not None:
        name, why, dimensions = f"hourly_by_{dimension.name}"[:63], subject.dimension_why, [dimension.name]
        hourly["dimensions"] = dimensions
    hourly["metrics"] = metrics(subject, dimensions, rich=False)
    return {name: Told(hourly, why), "daily": Told({"grain": "day", "metrics": metrics(subject, [], rich=True)})}


def panels(subject: Subject, tables: Mapping[str, Told]) -> list[dict[str, Any]]:
    """Four panels: how much, how well, how large, and the rows behind it."""
    hourly = next(iter(tables))
    names = list(tables[hourly].value["metrics"])
    by = {"by": subject.dimension.name} if subject.dimension is not None else {}
    split = f" by {_said(subject.dimension.name)}" if subject.dimension is not None else ""
    found: list[dict[str, Any]] = [{"title": f"Events an hour{split}", "area": f"{hourly}.{names[0]}", **by}]
    rate = next((name for name in names if name.startswith("error_rate")), None)
    if rate is not None:
        found.append({"title": f"Share that goes wrong{split}", "line": f"{hourly}.{rate}", **by})
    else:
        found.append({"title": "Events a day", "stat": f"daily.{next(iter(tables['daily'].value['metrics']))}"})
    average = next((name for name in names if name.startswith("avg_")), None)
    if average is not None and subject.number is not None:
        unit = f" ({subject.number.unit})" if subject.number.unit else ""
        what = _said(subject.number.name.removesuffix(f"_{subject.number.unit.lower()}"))
        found.append({"title": f"Mean {what}{unit}{split}", "line": f"{hourly}.{average}", **by})
    else:
        found.append({"title": "Events", "bar": f"{hourly}.{names[0]}", **by})
    sort = f"-{rate or average or names[0]}"
    return [*found, {"title": "Hours to look at", "table": hourly, "sort": sort, "limit": 20}]


def _said(name: str) -> str:
    """The name as a title says it."""
    return name.replace("_", " ")[:40].strip()


def summary(sample: Sample, left: Mapping[str, int]) -> str:
    """One sentence on what was read."""
    bad = {**sample.bad, **left}
    parts = [f"{many(sample.lines, 'line')} read"]
    if sample.repeats:
        parts.append(f"{many(sample.repeats, 'copy')} passed over")
    if bad:
        reasons = ", ".join(f"{count:,} {reason.replace('_', ' ')}" for reason, count in bad.items())
        parts.append(f"{many(sum(bad.values()), 'bad line')} left out ({reasons})")
    return ", ".join(parts)
