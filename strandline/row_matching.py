"""Expected rows against found ones, in any order: which have no counterpart, and how the nearest ones differ."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from enum import Enum
from typing import Any, Literal


class Absent(Enum):
    """The value of what is not there, which is another thing than NULL."""

    absent = "absent"


ABSENT = Absent.absent
Row = Mapping[str, Any]
Same = Callable[[str, Any, Any], bool]


@dataclass(frozen=True, slots=True)
class Cell:
    """One column of both rows; ABSENT where one of them is not there, or does not have it."""

    column: str
    expected: Any
    found: Any
    same: bool


@dataclass(frozen=True, slots=True)
class RowDifference:
    """A row that differs from the nearest found one, is missing, or was not expected; `number` is 1-based, in its own list."""

    kind: Literal["differs", "missing", "unexpected"]
    number: int
    cells: tuple[Cell, ...]

    def lines(self) -> list[str]:
        """The row as an aligned table of text, a line a column; a cross marks what differs."""
        titles = {
            "differs": f"row {self.number} differs:",
            "missing": f"row {self.number} is missing:",
            "unexpected": "a row that was not expected:",
        }
        rows = [("", "expected", "found")]
        rows += [(cell.column, shown(cell.expected), shown(cell.found)) for cell in self.cells]
        if self.kind != "differs":
            chosen = 1 if self.kind == "missing" else 2
            rows = [(row[0], row[chosen], "") for row in rows[1:]]
        marks = [" ", *(" " if cell.same else "✗" for cell in self.cells)] if self.kind == "differs" else [" "] * len(rows)
        widths = [max(len(row[n]) for row in rows) for n in range(3)]
        texts = ["  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)) for row in rows]
        return [f"  {titles[self.kind]}", *(f"    {mark} {text}".rstrip() for mark, text in zip(marks, texts, strict=True))]


def match_rows(expected: Sequence[Row], found: Sequence[Row], same: Same, always: Sequence[str] = ()) -> list[RowDifference]:
    """What is left when as many rows as possible are paired; empty when each has its counterpart.

    Only the columns that an expected row names are compared. `always` are columns that tell an unexpected row apart.
    """
    fits = [[j for j, row in enumerate(found) if _differing(want, row, same) == 0] for want in expected]
    pairs = _paired(fits)
    wanted = [i for i in range(len(expected)) if i not in pairs]
    taken = set(pairs.values())
    left = [j for j in range(len(found)) if j not in taken]
    near = sorted((_differing(expected[i], found[j], same), i, j) for i in wanted for j in left)
    nearest: dict[int, int] = {}
    for _, i, j in near:
        if i not in nearest and j not in nearest.values():
            nearest[i] = j
    differences = []
    for i in wanted:
        row = found[nearest[i]] if i in nearest else None
        differences.append(_difference(i + 1, expected[i], row, same))
    columns = list(dict.fromkeys([*always, *(name for row in expected for name in row)]))
    for j in left:
        if j not in nearest.values():
            shown_columns = columns or list(found[j])
            cells = tuple(Cell(name, ABSENT, found[j].get(name, ABSENT), False) for name in shown_columns)
            differences.append(RowDifference("unexpected", j + 1, cells))
    return differences


def _differing(want: Row, row: Row, same: Same) -> int:
    return sum(not same(name, value, row.get(name, ABSENT)) for name, value in want.items())


def _difference(number: int, want: Row, row: Row | None, same: Same) -> RowDifference:
    if row is None:
        return RowDifference("missing", number, tuple(Cell(name, value, ABSENT, False) for name, value in want.items()))
    cells = []
    for name, value in want.items():
        other = row.get(name, ABSENT)
        cells.append(Cell(name, value, other, same(name, value, other)))
    return RowDifference("differs", number, tuple(cells))


def _paired(fits: Sequence[Sequence[int]]) -> dict[int, int]:
    """A greatest matching of expected rows (by number) with found ones. Source: augmenting paths (Kuhn)."""
    owner: dict[int, int] = {}

    def settle(i: int, seen: set[int]) -> bool:
        for j in fits[i]:
            if j not in seen:
                seen.add(j)
                if j not in owner or settle(owner[j], seen):
                    owner[j] = i
                    return True
        return False

    for i in range(len(fits)):
        settle(i, set())
    return {i: j for j, i in owner.items()}


def is_same(name: str, expected: Any, found: Any) -> bool:
    """Whether a value of a table is the one that a YAML text means; `name` is not looked at.

    Decimals and whole numbers to the last digit, floats to nine; times and dates by what they mean, in UTC; texts exactly.
    """
    if found is ABSENT or found is None or expected is None:
        return found is None and expected is None
    if isinstance(found, bool) or isinstance(expected, bool):
        return isinstance(found, bool) and isinstance(expected, bool) and found == expected
    if isinstance(found, datetime):
        return _moment(expected) == (found if found.tzinfo else found.replace(tzinfo=UTC))
    if isinstance(found, date):
        return str(expected) == found.isoformat()
    if isinstance(found, (int, float, Decimal)):
        return _same_number(expected, found)
    if isinstance(expected, (dict, list)):
        return isinstance(found, str) and _json(found) == expected
    return bool(found == expected)


def _same_number(expected: Any, found: float | Decimal) -> bool:
    try:
        wanted = Decimal(str(expected))
    except InvalidOperation:
        return False
    if isinstance(found, float):
        return math.isclose(float(wanted), found, rel_tol=1e-9, abs_tol=1e-12)
    return wanted == found


def _moment(text: Any) -> datetime | None:
    try:
        moment = datetime.fromisoformat(str(text))
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return ABSENT


def shown(value: Any) -> str:
    """A value as the diff shows it: NULL, texts in quotes, times in UTC; a dash where there is none."""
    if value is ABSENT:
        return "–"
    if value is None:
        return "NULL"
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Decimal):
        return f"{value:f}"
    return str(value)
