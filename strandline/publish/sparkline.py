"""Sparklines as SVG paths."""

from __future__ import annotations

from collections.abc import Sequence


def sparkline(values: Sequence[float | None], width: int = 120, height: int = 32) -> str:
    """The `d` of an SVG path through the values, scaled to the box; gaps where a value is None, empty when there is nothing."""
    known = [v for v in values if v is not None]
    if len(known) < 2:
        return ""
    low, high = min(0.0, *known) if min(known) < 0.5 * max(known) else min(known), max(known)
    span = (high - low) or 1.0
    step = width / max(len(values) - 1, 1)
    parts: list[str] = []
    pen = "M"
    for index, value in enumerate(values):
        if value is None:
            pen = "M"
            continue
        y = height - 2 - (value - low) / span * (height - 4)
        parts.append(f"{pen}{index * step:.1f},{y:.1f}")
        pen = "L"
    return "".join(parts)
