"""Numbers as people read them."""

from __future__ import annotations


def readable(size: float) -> str:
    """A number of bytes in powers of 1000: `1.2 MB`."""
    for unit in ("B", "kB", "MB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} GB"
