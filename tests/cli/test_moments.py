"""Moments as one types them."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from strandline.cli.moments import moment
from strandline.errors import UsageError

NOW = datetime(2026, 11, 26, 6, 3, 20, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-11-26T05:00", "2026-11-26T05:00:00+00:00"),
        ("2026-11-26T05:00Z", "2026-11-26T05:00:00+00:00"),
        ("2026-11-26T05:00:30+02:00", "2026-11-26T03:00:30+00:00"),
        ("2026-11-26 05:00", "2026-11-26T05:00:00+00:00"),
        ("2026-11-25", "2026-11-25T00:00:00+00:00"),
        ("now", "2026-11-26T06:03:20+00:00"),
        ("Today", "2026-11-26T00:00:00+00:00"),
        ("yesterday", "2026-11-25T00:00:00+00:00"),
        ("-26h", "2026-11-25T04:03:20+00:00"),
        ("-15m", "2026-11-26T05:48:20+00:00"),
        ("-2d", "2026-11-24T06:03:20+00:00"),
        ("-1w", "2026-11-19T06:03:20+00:00"),
    ],
)
def test_a_moment_is_read_in_utc(text: str, expected: str) -> None:
    assert moment(text, NOW).isoformat() == expected


@pytest.mark.parametrize("text", ["tomorrow", "26h", "-26", "+3h", "2026-13-01", "", "5 o'clock"])
def test_anything_else_is_a_usage_error_that_says_what_is_allowed(text: str) -> None:
    with pytest.raises(UsageError, match="2026-11-26T05:00"):
        moment(text, NOW)
