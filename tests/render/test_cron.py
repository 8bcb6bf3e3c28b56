"""Cron expressions are refused before Airflow sees them, and only those that Airflow would refuse or read otherwise."""

from __future__ import annotations

import pytest

from strandline.cron import cron_fault


@pytest.mark.parametrize("text", ["* * * * *", "*/5 * * * *", "0 2 * * *", "0,30 8-18/2 1 1-12 0-7", "59 23 31 12 7"])
def test_what_cron_takes_is_taken(text: str) -> None:
    assert cron_fault(text) is None


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("0 2 * *", "4 fields"),
        ("0 0 2 * * *", "6 fields"),
        ("@daily", "1 fields"),
        ("60 * * * *", "minute"),
        ("* 24 * * *", "hour"),
        ("* * 0 * *", "day of month"),
        ("* * * 13 *", "month"),
        ("* * * * MON", "day of week"),
        ("30-10 * * * *", "minute"),
        ("*/0 * * * *", "step"),
        ("1,,2 * * * *", "minute"),
    ],
)
def test_what_cron_does_not_take_is_said_with_the_field(text: str, said: str) -> None:
    assert said in (cron_fault(text) or "nothing")
