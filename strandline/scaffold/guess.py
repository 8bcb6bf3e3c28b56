"""What is guessed of one field, with the reason in plain words."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from functools import cached_property
from typing import Any, Literal

from strandline.scaffold.names import words
from strandline.spec.model import FieldType

Value = str | int | float | Decimal | bool | datetime | date
ADDRESS = re.compile(r"[^\s@,;<>()]+@[^\s@,;<>()]+")
NUMERIC = ("integer", "number", "decimal")


@dataclass(eq=False)
class Guess:
    """A field in the making: what its YAML will say, and `values`, one a row: converted, None where there is none or where
    the text is not of the type (`misfits` of them)."""

    key: str
    name: str
    type: FieldType
    values: list[Value | None]
    texts: list[str | None]
    misfits: int = 0
    scale: int | None = None
    required: bool = False
    minimum: float | int | None = None
    maximum: float | int | None = None
    choices: list[str | int | bool] | None = None
    pattern: str | None = None
    max_length: int | None = None
    unit: str = ""
    null_values: list[str] = field(default_factory=list)
    classification: Literal["internal", "pii", "secret"] = "internal"
    protect: Literal["keep", "hash", "drop"] = "keep"
    personal: str = ""
    generate: Any = None
    why: list[str] = field(default_factory=list)

    @cached_property
    def counts(self) -> Counter[Value]:
        """How often each value stands there."""
        return Counter(value for value in self.values if value is not None)

    @cached_property
    def present(self) -> int:
        """Rows with a value of the type."""
        return sum(self.counts.values())

    @cached_property
    def nulls(self) -> int:
        """Rows without a value; texts that are not of the type are no such rows."""
        return len(self.values) - self.present - self.misfits

    @property
    def distinct(self) -> int:
        """Different values."""
        return len(self.counts)

    @property
    def is_numeric(self) -> bool:
        """A number of some kind."""
        return self.type in NUMERIC

    @property
    def is_protected(self) -> bool:
        """Whether its values must not be shown, here or anywhere."""
        return self.protect != "keep"

    @cached_property
    def words(self) -> frozenset[str]:
        """The words of its name."""
        return frozenset(words(self.name))

    @cached_property
    def numbers(self) -> list[float]:
        """Its values as doubles in ascending order, for a numeric field."""
        return sorted(float(value) for value in self.values if isinstance(value, (int, float, Decimal)))

    @cached_property
    def mentions_people(self) -> bool:
        """Whether some of its texts hold an e-mail address; such texts are not shown."""
        return any(isinstance(value, str) and ADDRESS.search(value) for value in self.counts)

    def quantile(self, q: float) -> float:
        """The q-quantile of its numbers (the nearest one below)."""
        return self.numbers[min(len(self.numbers) - 1, int(q * len(self.numbers)))]

    def keep(self, rows: list[int]) -> Guess:
        """The same guess over some of the rows."""
        values, texts = [self.values[row] for row in rows], [self.texts[row] for row in rows]
        misfits = sum(v is None and t is not None and t not in self.null_values for v, t in zip(values, texts, strict=True))
        return Guess(
            self.key, self.name, self.type, values, texts, misfits, self.scale, null_values=self.null_values, why=self.why
        )


def many(number: int, noun: str) -> str:
    """The number and the noun, in the plural where it is one: `1 row`, `9,999 rows`."""
    plural = noun if number == 1 else f"{noun[:-1]}ies" if noun.endswith("y") and noun[-2:] != "ey" else f"{noun}s"
    return f"{number:,} {plural}"
