"""Numbers as people read them."""

from __future__ import annotations

ENGINE_MEMORY = "400MB"
"""What the engine in a process may use, unless told otherwise; what does not fit spills to disk."""


def readable(size: float) -> str:
    """A number of bytes in powers of 1000: `1.2 MB`."""
    for unit in ("B", "kB", "MB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} GB"


def pace(done: int, total: int | None, seconds: float) -> str:
    """How far work has come in so many seconds: `1,200 of 3,000 (40 %), 52 a second, 34 s left`; empty: unknown."""
    if not done:
        return f"0 of {total:,}" if total else ""
    parts = [f"{done:,} of {total:,} ({100 * done // total} %)" if total else f"{done:,}"]
    if seconds > 0:
        parts.append(f"{per_second(done, seconds)} a second")
        if total and total > done:
            parts.append(f"{duration((total - done) * seconds / done)} left")
    return ", ".join(parts)


def per_second(count: int, seconds: float) -> str:
    """A rate: `52,300`, or `0.4` where it is small."""
    rate = count / max(seconds, 0.001)
    return f"{rate:,.0f}" if rate >= 10 else f"{rate:.1f}"


def duration(seconds: float) -> str:
    """Seconds in the unit that fits: `34 s`, `12 min`, `2 h 5 min`."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60} min"
