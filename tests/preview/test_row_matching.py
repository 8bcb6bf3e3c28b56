"""Expected and found rows are paired as well as can be, and values are compared by what they mean."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from itertools import permutations
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from strandline.row_matching import ABSENT, RowDifference, is_same, match_rows

ROW = st.dictionaries(st.sampled_from("ab"), st.integers(0, 2))
FOUND = st.fixed_dictionaries({"a": st.integers(0, 2), "b": st.integers(0, 2)})


def left(expected: list[dict[str, Any]], found: list[dict[str, Any]], *always: str) -> list[RowDifference]:
    return match_rows(expected, found, is_same, always)


def can_pair(expected: list[dict[str, int]], found: list[dict[str, int]]) -> bool:
    """By trying every order: an oracle that shares nothing with the matching."""
    if len(expected) != len(found):
        return False
    return any(
        all(wanted.items() <= row.items() for wanted, row in zip(expected, order, strict=True)) for order in permutations(found)
    )


@settings(max_examples=300, deadline=None)
@given(st.lists(ROW, max_size=4), st.lists(FOUND, max_size=4))
def test_nothing_is_left_exactly_when_some_order_pairs_every_row(
    expected: list[dict[str, int]], found: list[dict[str, int]]
) -> None:
    assert (left(expected, found) == []) == can_pair(expected, found)


def test_a_vague_row_leaves_the_exact_one_its_partner() -> None:
    assert left([{"a": 1}, {"a": 1, "b": 2}], [{"a": 1, "b": 2}, {"a": 1, "b": 3}]) == []


def test_a_row_that_differs_is_shown_beside_the_nearest_found() -> None:
    (only,) = left([{"a": 1, "b": 2, "c": 3}], [{"a": 1, "b": 9, "c": 3}])
    assert only.kind == "differs"
    assert [(cell.column, cell.expected, cell.found) for cell in only.cells if not cell.same] == [("b", 2, 9)]


def test_rows_too_few_and_too_many_are_told_apart() -> None:
    assert [row.kind for row in left([{"a": 1}, {"a": 2}], [{"a": 1}])] == ["missing"]
    (extra,) = left([{"a": 1}], [{"a": 1, "w": "x"}, {"a": 1, "w": "y"}], "w")
    assert extra.kind == "unexpected"
    assert {cell.column for cell in extra.cells} == {"w", "a"}


def test_the_text_marks_the_cells_that_differ() -> None:
    (only,) = left([{"city": "Kiel", "n": 2}], [{"city": "Kiel", "n": 1}])
    text = [line.split() for line in only.lines()]
    assert text[1:] == [["expected", "found"], ["city", '"Kiel"', '"Kiel"'], ["✗", "n", "2", "1"]]


@pytest.mark.parametrize(
    ("expected", "found"),
    [
        (1, 1), (1.0, 1), (12.5, Decimal("12.50")), ("12.50", Decimal("12.5")), (0.1, 0.1), (1 / 3, 0.3333333333333),
        (True, True), (None, None), ("x", "x"), ("2026-03-02", date(2026, 3, 2)),
        ("2026-03-02T09:00:00Z", datetime(2026, 3, 2, 9, tzinfo=UTC)), ("2026-03-02T10:00+01:00", datetime(2026, 3, 2, 9)),  # noqa: DTZ001
        ({"a": [1]}, '{"a":[1]}'),
    ],
)  # fmt: skip
def test_values_that_mean_the_same_are_the_same(expected: Any, found: Any) -> None:
    assert is_same("x", expected, found)


@pytest.mark.parametrize(
    ("expected", "found"),
    [
        (1, 2), (12.5, Decimal("12.51")), (1, True), (True, 1), (None, 0), (0, None), (None, ABSENT), ("x", ABSENT), (5, "5"),
        ("x", 1), ("2026-03-03", date(2026, 3, 2)), ("soon", datetime(2026, 3, 2, tzinfo=UTC)), ({"a": 1}, "no json"),
        ("", None), (9007199254740993, 9007199254740992),
    ],
)  # fmt: skip
def test_values_that_mean_something_else_are_not(expected: Any, found: Any) -> None:
    assert not is_same("x", expected, found)
