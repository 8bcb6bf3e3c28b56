"""Cron expressions of five fields, checked without Airflow."""

from __future__ import annotations

import re

_FIELDS = (("minute", 0, 59), ("hour", 0, 23), ("day of month", 1, 31), ("month", 1, 12), ("day of week", 0, 7))
_PART = re.compile(r"(?:\*|(\d{1,2})(?:-(\d{1,2}))?)(?:/(\d{1,2}))?")


def cron_fault(text: str) -> str | None:
    """What is wrong with the expression, as the end of a sentence; None when Airflow will take it.

    Numbers, `*`, ranges, steps and lists are taken; names (`MON`), `@daily` and seconds are not.
    """
    parts = text.split()
    if len(parts) != len(_FIELDS):
        return f"has {len(parts)} fields, not 5 (minute, hour, day of month, month, day of week)"
    for part, (name, low, high) in zip(parts, _FIELDS, strict=True):
        for item in part.split(","):
            match = _PART.fullmatch(item)
            numbers = [int(number) for number in match.groups()[:2] if number] if match else []
            if match is None or numbers != sorted(numbers) or any(not low <= number <= high for number in numbers):
                return f"has a {name} that is none: {item!r} ({low} to {high}, `*`, ranges, steps and lists of them)"
            if match.group(3) == "0" or match.group(3) == "00":
                return f"has a {name} with a step of nothing: {item!r}"
    return None
