"""Goal 5: merge refresh with 1, 30 and 365 days of history. Not measured yet."""

from __future__ import annotations

from benchmarks.measure import machine
from benchmarks.results import Found, Size, Verdict


def measure(size: Size) -> list[Found]:
    """A line that says that it is not measured."""
    return [
        Found(
            5,
            size,
            [
                Verdict(
                    "5",
                    "merge refresh with 1, 30 and 365 days of history",
                    "-",
                    "365 days <= 1.2 x 1 day; >= 20 x a full recompute",
                    None,
                )
            ],
            {},
            machine(),
        )
    ]
