"""Small charts in text: sparklines and bars out of block characters."""

from __future__ import annotations

from collections.abc import Sequence

_LEVELS = "▁▂▃▄▅▆▇█"
_EIGHTHS = " ▏▎▍▌▋▊▉"


def spark(values: Sequence[float | None], width: int = 60) -> str:
    """A character a value, of the last `width` values; a blank where there is none. A flat line stands in the middle,
    at zero on the ground.

    The scale begins at 0 where the values come near it, else at the smallest.
    """
    shown = list(values)[-width:]
    known = [value for value in shown if value is not None]
    if not known:
        return ""
    low = min(0.0, *known) if min(known) < 0.5 * max(known) else min(known)
    span = max(known) - low
    if not span:
        flat = "▄" if max(known) else "▁"
        return "".join(" " if value is None else flat for value in shown)
    return "".join(" " if value is None else _LEVELS[min(7, int((value - low) / span * 8))] for value in shown)


def bar(value: float | None, most: float, width: int = 30) -> str:
    """A bar of up to `width` characters, to an eighth of one; `most` fills it. Nothing for none, zero and less."""
    if value is None or value <= 0 or most <= 0:
        return ""
    eighths = max(1, round(min(value / most, 1) * width * 8))
    return ("█" * (eighths // 8) + _EIGHTHS[eighths % 8]).rstrip()
