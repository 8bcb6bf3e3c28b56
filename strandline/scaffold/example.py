"""One `tests:` case out of real rows: a copy counts once, a line without its time is set aside. It shows nobody's data."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from strandline.scaffold.guess import ADDRESS, Guess, many
from strandline.scaffold.sample import Sample
from strandline.scaffold.subject import Subject
from strandline.scaffold.tables import Told

_LONGEST = 60
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]{0,14})(?:\.[0-9]{1,9})?")


def example(subject: Subject, sample: Sample, tables: Mapping[str, Told], rows: list[int]) -> Told | None:
    """The case, from the first row that everything expected of a good one holds for; None when there is no such row.

    `rows` says which row of the sample each value of the guesses is from.
    """
    place = next((place for place in range(len(rows)) if _is_good(subject, place)), None)
    if place is None:
        return None
    used = [subject.dimension, subject.number, subject.entity]
    shown = [g for g in subject.fields if _is_shown(g, place) and (g.required or g in used or len(subject.fields) <= 6)]
    given = {guess.key: _written(guess, sample, place, rows[place]) for guess in shown}
    key = subject.named(subject.identity.event_time).key
    broken = {name: value for name, value in given.items() if name != key}
    if len(broken) == 0:
        return None
    hourly = next(iter(tables))
    row: dict[str, Any] = {}
    if subject.dimension is not None:
        row[subject.dimension.name] = _plain(subject.dimension.values[place])
    row[_events(tables, hourly)] = 1
    case = {
        "name": "a line that comes twice counts once, one without its time is set aside",
        "given": [given, given, broken],
        "expect": {
            hourly: [row],
            "daily": [{_events(tables, "daily"): 1}],
            "refused": [{"reason": "missing", "field": subject.identity.event_time}],
            "duplicates": 1,
        },
    }
    hidden = sum(guess.is_protected for guess in shown)
    return Told(case, f"a row of the sample; {many(hidden, 'personal value')} replaced" if hidden else "a row of the sample")


def _events(tables: Mapping[str, Told], table: str) -> str:
    return str(next(iter(tables[table].value["metrics"])))


def _is_good(subject: Subject, place: int) -> bool:
    """Whether the row has all that is required, in its limits, and what the tables are split by."""
    if subject.dimension is not None and subject.dimension.values[place] is None:
        return False
    return all(_fits(guess, place) for guess in subject.fields)


def _fits(guess: Guess, place: int) -> bool:
    value, text = guess.values[place], guess.texts[place]
    if value is None:
        return not guess.required and (text is None or text in guess.null_values)
    if guess.choices is not None and str(value) not in guess.choices:
        return False
    return guess.pattern is None or re.fullmatch(guess.pattern, str(value)) is not None


def _is_shown(guess: Guess, place: int) -> bool:
    return guess.values[place] is not None and guess.type != "json" and guess.classification != "secret"


def _written(guess: Guess, sample: Sample, place: int, row: int) -> Any:
    """The value as it stands in an event; what is protected is replaced, long texts are cut."""
    from strandline.scaffold.personal import placeholder

    if guess.is_protected:
        return placeholder(guess)
    text = str(sample.columns[guess.key].texts[row])
    kinds = sample.columns[guess.key].kinds
    if guess.type == "boolean" and kinds["boolean"]:
        return text == "true"
    if guess.is_numeric and kinds["number"] and _NUMBER.fullmatch(text):
        return float(text) if "." in text else int(text)
    text = ADDRESS.sub("somebody@example.com", text)
    return text[:_LONGEST] if guess.type == "string" and guess.pattern is None else text


def _plain(value: Any) -> Any:
    return value if isinstance(value, (bool, int, str)) else str(value)
