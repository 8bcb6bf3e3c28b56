"""Numbers, moments and durations as people read them; every moment in UTC."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from strandline.publish.panels import Unit

MISSING = "–"


def full(value: float | None, unit: Unit) -> str:
    """The value with its unit, exact enough to compare: `12,345`, `1.25 %`, `118.4 ms`."""
    if value is None:
        return MISSING
    if unit.percent:
        return f"{value * 100:.2f} %"
    return _with_unit(_number(value), unit.text)


def short(value: float | None, unit: Unit) -> tuple[str, str]:
    """(the value in few digits, its unit) for a tile: `1.24M`, `38.2`, `1.25`."""
    if value is None:
        return MISSING, ""
    if unit.percent:
        return f"{value * 100:.1f}" if abs(value) >= 0.1 else f"{value * 100:.2f}", "%"
    for size, letter in ((1e9, "B"), (1e6, "M"), (1e5, "k")):
        if abs(value) >= size:
            return f"{value / (1e3 if letter == 'k' else size):.3g}{letter}", unit.text
    return _number(value), unit.text


def _number(value: float) -> str:
    if value == int(value) and abs(value) < 1e15:
        return f"{int(value):,}"
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    if abs(value) >= 100:
        return f"{value:,.1f}"
    return f"{value:,.2f}" if abs(value) >= 0.1 else f"{value:.3g}"


def _with_unit(number: str, unit: str) -> str:
    return f"{number} {unit}" if unit else number


def places(values: Iterable[Any]) -> int:
    """How many decimals a column of these values shows, so that its digits stand under each other."""
    numbers = [abs(v) for v in values if isinstance(v, int | float) and not isinstance(v, bool)]
    if all(v == int(v) for v in numbers):
        return 0
    return 0 if max(numbers) >= 10_000 else (1 if max(numbers) >= 100 else 2)


def cell(value: Any, unit: Unit | None, decimals: int | None = None) -> str:
    """A table cell: metrics with their unit's form, moments as minutes UTC, nothing as a dash."""
    if value is None:
        return MISSING
    if isinstance(value, datetime):
        return moment(value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int | float) and unit is not None:
        if unit.percent:
            return f"{value * 100:.2f} %"
        return _number(value) if decimals is None else f"{value:,.{decimals}f}"
    return str(value)


def moment(at: datetime | None) -> str:
    """`2026-11-26 05:00`, a dash when there is none; the zone is UTC and is said next to it."""
    return f"{at:%Y-%m-%d %H:%M}" if at is not None else MISSING


def change(ratio: float | None) -> str:
    """A relative change with its sign: `+12 %`, `−3.4 %`, `0 %`."""
    if ratio is None:
        return ""
    percent = ratio * 100
    digits = f"{abs(percent):,.0f}" if abs(percent) >= 10 else f"{abs(percent):.1f}"
    if float(digits.replace(",", "")) == 0:
        return "0 %"
    return f"{'+' if percent > 0 else '−'}{digits} %"


def lasting(length: timedelta) -> str:
    """A duration in its two greatest units: `2 d 4 h`, `35 min`, `0 min`."""
    minutes = int(length.total_seconds() // 60)
    days, rest = divmod(minutes, 1440)
    hours, left = divmod(rest, 60)
    if days:
        return f"{days} d {hours} h" if hours else f"{days} d"
    if hours:
        return f"{hours} h {left} min" if left else f"{hours} h"
    return f"{left} min"
