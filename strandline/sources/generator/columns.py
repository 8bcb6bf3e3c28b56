"""The working set of one simulated micro-batch: columns of equal length, and views on some of their rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from strandline.errors import UsageError

Array = npt.NDArray[Any]

SESSION, STEP, POSITION = "session:id", "session:step", "session:position"


@dataclass(frozen=True, slots=True)
class Column:
    """The values of one field. NULL is NaN in a numeric array and None in an object array.

    Where the values come from a pool (an entity, a choice, a session), `codes` are each row's index into it and `pool` its
    size, so that attributes can hang on them. `lasting` pools are the same in every micro-batch; a pool of sessions is not.
    """

    values: Array
    codes: Array | None = None
    pool: int = 0
    lasting: bool = True

    def take(self, index: Array) -> Column:
        """The rows at `index`, in that order."""
        codes = None if self.codes is None else self.codes[index]
        return Column(self.values[index], codes, self.pool, self.lasting)

    def without(self, gone: Array) -> Column:
        """NULL where `gone`; the codes stay."""
        if not gone.any():
            return self
        numeric = self.values.dtype.kind in "iuf"
        values = self.values.astype(np.float64 if numeric else object)
        values[gone] = np.nan if numeric else None
        return Column(values, self.codes, self.pool, self.lasting)


class Rows:
    """`n` rows being simulated: their event times (UTC milliseconds), the columns made so far, one random generator for
    the field."""

    def __init__(self, n: int, random: np.random.Generator, time: Array, columns: Mapping[str, Column]) -> None:
        self.n = n
        self.random = random
        self.time = time
        self._columns = columns
        self._parent: tuple[Rows, Array] | None = None

    def column(self, name: str) -> Column:
        """The column `name`; raises UsageError when it is not made yet (fields are made in the order they are declared)."""
        if self._parent is not None:
            rows, index = self._parent
            return rows.column(name).take(index)
        try:
            return self._columns[name]
        except KeyError:
            if name in (SESSION, STEP, POSITION):
                raise UsageError("`session` and `carried` need a `sessions` block in the source") from None
            raise UsageError(f"`generate` refers to {name}, which is not declared before it") from None

    def take(self, index: Array) -> Rows:
        """A view on the rows at `index` that draws from the same random generator."""
        view = Rows(len(index), self.random, self.time[index], {})
        view._parent = (self, index)
        return view


def as_text(value: Any) -> str | None:
    """The text a value is compared by: `true`, `500`, `visa`; None for NULL."""
    if value is None or (isinstance(value, float) and value != value):
        return None
    if isinstance(value, (bool, np.bool_)):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


def text_codes(column: Column, texts: Mapping[str, int], default: int = -1) -> Array:
    """For each row the number `texts` gives to its value's text, or `default`; one look-up a distinct value."""

    def number(value: Any) -> int:
        text = as_text(value)
        return default if text is None else texts.get(text, default)

    if column.values.dtype == object:
        values = column.values.tolist()
        numbers = {value: number(value) for value in set(values)}
        return np.array([numbers[value] for value in values], np.int64)
    uniques, codes = np.unique(column.values, return_inverse=True)
    found: Array = np.array([number(value) for value in uniques.tolist()], np.int64)[codes]
    return found


def is_null(values: Array) -> Array:
    """Where the values of a column are NULL."""
    if values.dtype.kind == "f":
        return np.isnan(values)
    if values.dtype == object:
        return np.array([value is None for value in values], np.bool_)
    return np.zeros(len(values), np.bool_)


def as_objects(values: Array) -> Array:
    """`values` as an object array of plain Python values with None for NULL."""
    if values.dtype == object:
        return values
    objects = values.astype(object)
    if values.dtype.kind == "f":
        objects[np.isnan(values)] = None
    return objects


def scatter(n: int, parts: list[tuple[Array, Array]]) -> Array:
    """One array of `n` from (index, values) parts that cover it, later parts winning: numeric when all are, else objects."""
    kinds = {values.dtype.kind for index, values in parts if len(index)}
    if kinds <= {"i", "u", "f"}:
        merged = np.full(n, np.nan)
        for index, values in parts:
            merged[index] = values
        return merged
    if kinds == {"b"}:
        flags = np.zeros(n, dtype=bool)
        for index, values in parts:
            flags[index] = values
        return flags
    objects = np.full(n, None, dtype=object)
    for index, values in parts:
        objects[index] = as_objects(values)
    return objects
