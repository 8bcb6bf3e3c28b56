"""Rows of every type that a table of ours has, with what is hard about each."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pyarrow as pa

DAYS = [date(2026, 3, 1), date(2026, 3, 2), date(2026, 3, 3)]
SCHEMA = pa.schema(
    [
        ("event_date", pa.date32()),
        ("id", pa.int64()),
        ("at", pa.timestamp("us", "UTC")),
        ("text", pa.string()),
        ("amount", pa.decimal128(18, 2)),
        ("total", pa.decimal128(38, 6)),
        ("value", pa.float64()),
        ("raw", pa.binary()),
        ("ok", pa.bool_()),
        ("day", pa.date32()),
    ]
)
STATISTICS = ("id", "at", "text", "amount", "day")
_TEXTS = ["", "tide", "ébb", "\U0001f30a high", 'a"b\\c', "line\nbreak", None]
_MOMENTS = [
    datetime(1, 1, 1, tzinfo=UTC),
    datetime(1582, 10, 10, tzinfo=UTC),
    datetime(1969, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC),
    datetime(2026, 3, 29, 1, 30, tzinfo=UTC),
    datetime(9999, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC),
    None,
]
_VALUES = [0.0, -0.0, 1 / 3, 1e-300, -9.9e17, None]


def rows(count: int, start: int = 0) -> pa.Table:
    """`count` rows with ids from `start` on, over three days."""
    return pa.Table.from_pylist([_row(number) for number in range(start, start + count)], schema=SCHEMA)


def _row(number: int) -> dict[str, object]:
    moment = _MOMENTS[number % len(_MOMENTS)]
    return {
        "event_date": DAYS[number % len(DAYS)],
        "id": number,
        "at": moment,
        "text": _TEXTS[number % len(_TEXTS)],
        "amount": None if number % 5 == 0 else Decimal(number - 50) / 100,
        "total": Decimal(number) * Decimal("12345678901234567890.123456"),
        "value": _VALUES[number % len(_VALUES)],
        "raw": None if number % 11 == 0 else bytes([255, number % 256, 0]),
        "ok": [True, False, None][number % 3],
        "day": None if moment is None else (date(1, 1, 1) + timedelta(days=number * 1_000 % 3_600_000)),
    }
