"""Numbers as people read them."""

from __future__ import annotations

import pytest

from strandline.units import duration, pace, per_second


@pytest.mark.parametrize(
    ("done", "total", "seconds", "told"),
    [
        (0, None, 5.0, ""),
        (0, 1200, 5.0, "0 of 1,200"),
        (1200, None, 4.0, "1,200, 300 a second"),
        (1200, 3000, 24.0, "1,200 of 3,000 (40 %), 50 a second, 36 s left"),
        (3, 300, 30.0, "3 of 300 (1 %), 0.1 a second, 50 min left"),
        (3000, 3000, 24.0, "3,000 of 3,000 (100 %), 125 a second"),
    ],
)
def test_a_pace_says_how_far_how_fast_and_how_long_yet(done: int, total: int | None, seconds: float, told: str) -> None:
    assert pace(done, total, seconds) == told


def test_a_duration_is_told_in_the_unit_that_fits() -> None:
    assert [duration(s) for s in (0.4, 89, 90, 5000, 7500)] == ["0 s", "89 s", "2 min", "83 min", "2 h 5 min"]


def test_a_rate_over_no_time_is_a_number() -> None:
    assert per_second(5, 0.0) == "5,000"
