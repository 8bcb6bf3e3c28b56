"""How much of what DuckDB and Spark answer was compared in this run of pytest, and how much of it differed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass


@dataclass
class Count:
    """Rows, values or steps that were compared, and how many of them differ."""

    compared: int = 0
    differing: int = 0

    def add(self, compared: int, differing: int = 0) -> None:
        """Count some more."""
        self.compared += compared
        self.differing += differing


ROWS: dict[tuple[str, str, str], Count] = {}
"""Rows of tables, by stream, variant of its lines and table."""
VALUES: dict[str, Count] = {}
"""Values of expressions, conversions and aggregates, by family of the vocabulary."""
STEPS: dict[str, int] = {}
"""Of histories with alternating engines: how many there were, their steps, and the steps that each engine computed."""


def rows(stream: str, variant: str, table: str) -> Count:
    """The count of a table's rows."""
    return ROWS.setdefault((stream, variant, table), Count())


def values(family: str) -> Count:
    """The count of a family's values."""
    return VALUES.setdefault(family, Count())


def lines() -> Iterator[str]:
    """All counts, a line each with its totals; nothing when nothing was compared."""
    if ROWS:
        yield f"{'stream':24}{'variant':22}{'table':40}{'rows':>10}{'differing':>11}"
        for (stream, variant, table), count in ROWS.items():
            yield f"{stream:24}{variant:22}{table:40}{count.compared:>10,}{count.differing:>11,}"
        yield f"{'all':24}{'':22}{f'{len(ROWS)} tables':40}{_total(ROWS.values())}"
    if VALUES:
        yield f"{'vocabulary':86}{'values':>10}{'differing':>11}"
        for family, count in VALUES.items():
            yield f"{family:86}{count.compared:>10,}{count.differing:>11,}"
        yield f"{'all':24}{'':22}{f'{len(VALUES)} families':40}{_total(VALUES.values())}"
    if STEPS:
        yield "alternating histories: " + ", ".join(f"{number:,} {what}" for what, number in STEPS.items())


def _total(counts: Iterable[Count]) -> str:
    found = list(counts)
    return f"{sum(count.compared for count in found):>10,}{sum(count.differing for count in found):>11,}"
