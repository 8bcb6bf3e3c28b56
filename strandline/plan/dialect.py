"""The port between the plan and an engine's SQL: every piece of SQL on which engines differ, by what it means."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

from strandline.spec.model import FieldType, Grain

if TYPE_CHECKING:
    from sqlglot import exp


class Dialect(Protocol):
    """An engine's words for the closed vocabulary of the plan. All arguments and results are SQL texts; timestamps are UTC."""

    name: str

    def quote(self, name: str) -> str:
        """The identifier, quoted."""
        ...

    def literal(self, text: str) -> str:
        """The string as a literal."""
        ...

    def expression(self, tree: exp.Expression) -> str:
        """A user's expression, as `strandline.spec.expressions.tree` makes it; an error in one row is NULL for that row."""
        ...

    def type_name(self, type_: FieldType, scale: int | None = None, precision: int = 18) -> str:
        """The name of the column type."""
        ...

    def full_match(self, text: str, pattern: str) -> str:
        """Whether the whole text matches the RE2 pattern."""
        ...

    def convert(self, text: str, type_: FieldType, scale: int | None = None) -> str:
        """The text as a value of the type; NULL where that would lose anything."""
        ...

    def sum(self, value: str, type_: FieldType, scale: int) -> str:
        """The exact sum as a value of the type, whatever the order of the rows; NULL of no values, or where it does not fit.

        A number counts as a decimal of that scale: multiplied by the power of ten and rounded, halves away from zero.
        """
        ...

    def average(self, value: str, type_: FieldType, scale: int) -> str:
        """The double nearest to the exact sum, divided by the count."""
        ...

    def quantile(self, value: str, q: float) -> str:
        """The quantile with linear interpolation between neighbours, exact over the window."""
        ...

    def first(self, value: str, order: Sequence[str]) -> str:
        """The value of the first row of the order that has one."""
        ...

    def last(self, value: str, order: Sequence[str]) -> str:
        """The value of the last row of the order that has one."""
        ...

    def hash(self, columns: Sequence[str]) -> str:
        """A number of a row that is the same for equal values, within one run."""
        ...

    def digest(self, columns: Sequence[str]) -> str:
        """A digest of a group's rows that does not depend on their order; equal rows give equal digests within one run."""
        ...

    def window_start(self, moment: str, grain: Grain) -> str:
        """The start of the window of that grain (UTC; a week starts on Monday)."""
        ...
