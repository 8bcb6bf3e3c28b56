"""Goal 7: event to unified under Airflow. Not measured yet."""

from __future__ import annotations

from benchmarks.measure import machine
from benchmarks.results import Found, Size, Verdict


def measure(size: Size) -> list[Found]:
    """A line that says that it is not measured."""
    return [
        Found(
            7,
            size,
            [Verdict("7", "event to unified under Airflow", "-", "<= 10 min as scheduled; <= 30 s asset-triggered", None)],
            {},
            machine(),
        )
    ]
