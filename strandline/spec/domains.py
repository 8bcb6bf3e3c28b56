"""The values a column can have, as far as a declaration says: numbers between two bounds, or some texts."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import NamedTuple

Range = tuple[float, float]
EVERYTHING: Range = (-math.inf, math.inf)


class Domain(NamedTuple):
    """Numbers from `low` to `high` (only those in `numbers`, when these are known); texts, or true and false, out of `choices`.

    What does not say anything of the column's type says nothing. `nullable` tells whether NULL is among the values.
    """

    low: float = -math.inf
    high: float = math.inf
    choices: frozenset[str] | None = None
    nullable: bool = True
    numbers: frozenset[float] | None = None

    @property
    def is_empty(self) -> bool:
        """No value but NULL is left."""
        low, high, choices, _, numbers = self
        return low > high or (choices is not None and not choices) or (numbers is not None and not numbers)

    @property
    def range(self) -> Range:
        """The bounds."""
        return self.low, self.high

    def present(self) -> Domain:
        """Without NULL."""
        return Domain(self.low, self.high, self.choices, False, self.numbers) if self.nullable else self

    def within(self, low: float, high: float) -> Domain:
        """The numbers that also lie between two bounds."""
        numbers = self.numbers
        if numbers is not None:
            numbers = frozenset(number for number in numbers if low <= number <= high)
        return Domain(max(self.low, low), min(self.high, high), self.choices, self.nullable, numbers)

    def among(self, choices: frozenset[str]) -> Domain:
        """The texts that are also among these."""
        kept = choices if self.choices is None else self.choices & choices
        return Domain(self.low, self.high, kept, self.nullable, self.numbers)

    def overlap(self, other: Domain) -> Domain:
        """What is in both."""
        found = self.within(other.low, other.high)
        if other.choices is not None:
            found = found.among(other.choices)
        if other.numbers is not None:
            kept = other.numbers if found.numbers is None else found.numbers & other.numbers
            found = found._replace(numbers=frozenset(number for number in kept if found.low <= number <= found.high))
        return found._replace(nullable=self.nullable and other.nullable)


ANYTHING = Domain()
NOTHING = Domain(math.inf, -math.inf, frozenset(), True, frozenset())
"""NULL alone."""
FLAG = Domain(choices=frozenset(("true", "false")))
Domains = Mapping[str, Domain]


def union(domains: Iterable[Domain]) -> Domain:
    """What is in any of them; NULL alone when there is none."""
    low, high = math.inf, -math.inf
    choices: frozenset[str] | None = frozenset()
    numbers: frozenset[float] | None = frozenset()
    nullable = False
    for domain in domains:
        nullable = nullable or domain.nullable
        if domain.is_empty:
            continue
        low, high = min(low, domain.low), max(high, domain.high)
        choices = None if choices is None or domain.choices is None else choices | domain.choices
        numbers = None if numbers is None or domain.numbers is None else numbers | domain.numbers
    if low > high:
        return NOTHING
    return Domain(low, high, choices or None, nullable, numbers or None)


def of_numbers(values: Iterable[float]) -> Domain:
    """Just these numbers."""
    found = frozenset(float(value) for value in values)
    exact = found if all(value.is_integer() and abs(value) < 2**53 for value in found) else None
    return Domain(min(found), max(found), numbers=exact) if found else NOTHING


def added(a: Range, b: Range) -> Range:
    """The bounds of a sum."""
    return _outward([a[0] + b[0], a[1] + b[1]])


def subtracted(a: Range, b: Range) -> Range:
    """The bounds of a difference."""
    return _outward([a[0] - b[1], a[1] - b[0]])


def multiplied(a: Range, b: Range) -> Range:
    """The bounds of a product."""
    return _outward([a[0] * b[0], a[0] * b[1], a[1] * b[0], a[1] * b[1]])


def _outward(ends: list[float]) -> Range:
    return EVERYTHING if any(math.isnan(end) for end in ends) else (min(ends), max(ends))


def widened(bounds: Range, share: float) -> Range:
    """The bounds moved outward by a share of themselves, at least by the share itself: what rounding may do."""
    low, high = bounds
    return low - share * max(1.0, abs(low)), high + share * max(1.0, abs(high))


def whole(bounds: Range) -> Range:
    """The bounds moved outward to whole numbers."""
    low, high = bounds
    return (low if math.isinf(low) else math.floor(low)), (high if math.isinf(high) else math.ceil(high))
