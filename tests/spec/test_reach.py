"""Conditions that can never hold or never fail, given what the fields declare."""

from __future__ import annotations

from itertools import product
from pathlib import Path

import duckdb
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from strandline.spec.expressions import ExpressionError, ExpressionType, parse_expression
from strandline.spec.load import check_text
from strandline.spec.reach import Domain, Reach, reach_of

COLUMNS: dict[str, ExpressionType] = {"q": "integer", "p": "integer", "s": "string", "free": "integer"}
DOMAINS = {"q": Domain(0, 4), "p": Domain(-2, 1), "s": Domain(choices=frozenset(("a", "b", "c")))}


def reach(text: str) -> Reach:
    return reach_of(parse_expression(text, COLUMNS).node, DOMAINS)


def reach_if_typed(text: str) -> Reach | None:
    try:
        return reach(text)
    except ExpressionError:
        return None


@pytest.mark.parametrize(
    ("text", "true", "false"),
    [
        ("q >= 0", True, False),
        ("q > 4", False, True),
        ("q > 3", True, True),
        ("q <= 4 and p < 5", True, False),
        ("q < 0 or p > 1", False, True),
        ("not q < 0", True, False),
        ("q + p > 5", False, True),
        ("q * p >= -8", True, False),
        ("q between 0 and 4", True, False),
        ("q not between 5 and 9", True, False),
        ("q = 7", False, True),
        ("q <> 7", True, False),
        ("s = 'd'", False, True),
        ("s in ('a', 'b', 'c', 'd')", True, False),
        ("s in ('a')", True, True),
        ("s not in ('x', 'y')", True, False),
        ("abs(p) <= 2", True, False),
        ("length(s) < 0", False, True),
        ("free > 3", True, True),
        ("free > 3 and q > 9", False, True),
        ("q / 2 > 9", False, True),
        ("s < 'a'", True, True),
    ],
)
def test_what_a_condition_can_come_to(text: str, true: bool, false: bool) -> None:
    assert reach(text) == Reach(true, false)


TERMS = st.sampled_from(["q", "p", "q + p", "q - p", "q * p", "- q", "abs(p)", "0", "1", "4", "-2", "7", "2.5"])
LEAVES = st.one_of(
    st.builds("{} {} {}".format, TERMS, st.sampled_from(["=", "<>", "<", "<=", ">", ">="]), TERMS),
    st.builds("{} between {} and {}".format, TERMS, TERMS, TERMS),
    st.builds("{} not between {} and {}".format, TERMS, TERMS, TERMS),
    st.builds("s {} '{}'".format, st.sampled_from(["=", "<>"]), st.sampled_from("abcd")),
    st.builds("s {} ('{}', '{}')".format, st.sampled_from(["in", "not in"]), st.sampled_from("abcd"), st.sampled_from("abcd")),
)
CONDITIONS = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.builds("({}) and ({})".format, inner, inner),
        st.builds("({}) or ({})".format, inner, inner),
        st.builds("not ({})".format, inner),
    ),
    max_leaves=4,
)


@pytest.fixture(scope="module")
def rows() -> duckdb.DuckDBPyConnection:
    """Every row the domains allow."""
    connection = duckdb.connect()
    connection.execute("create table rows (q bigint, p bigint, s varchar)")
    connection.executemany("insert into rows values (?, ?, ?)", list(product(range(5), range(-2, 2), "abc")))
    return connection


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(CONDITIONS)
def test_what_is_said_to_be_impossible_happens_in_no_row(rows: duckdb.DuckDBPyConnection, text: str) -> None:
    """The oracle runs the text itself over every row there can be."""
    said = reach_if_typed(text)
    assume(said is not None)
    assert said is not None
    counted = rows.execute(f"select count(*) filter ({text}), count(*) filter (not ({text})) from rows").fetchone()
    assert counted is not None
    assert said.true or counted[0] == 0
    assert said.false or counted[1] == 0


STREAM = """
stream: orders
version: 1.0.0
description: {purpose: Orders}
team: {name: shop, owner: shop@example.com}
source: {type: files, location: /data}
schema:
  primary_key: [id]
  event_time: at
  fields:
    - {name: id, type: string}
    - {name: at, type: timestamp}
    - {name: quantity, type: integer, minimum: 0}
    - {name: status, type: string, choices: [paid, open]}
"""


def test_a_rule_that_can_never_fail_is_a_note_and_the_stream_is_good() -> None:
    text = STREAM + "quality:\n  - {name: a, expect: quantity >= 0}\n"
    stream, problems = check_text(text, Path("orders.yaml"))
    assert stream is not None
    assert [(problem.code, problem.level, problem.line) for problem in problems] == [("SL412", "note", 16)]


def test_a_value_that_is_never_there_is_an_error_when_it_looks_like_a_typo_and_a_note_otherwise() -> None:
    for value, level, good in (("payed", "error", False), ("refunded", "note", True)):
        stream, problems = check_text(STREAM + f"silver: {{derive: {{x: status = '{value}'}}}}\n", Path("orders.yaml"))
        assert (stream is not None) == good
        assert [(problem.code, problem.level) for problem in problems] == [("SL410", level)]


def test_a_filter_that_null_can_fail_is_not_called_pointless() -> None:
    text = STREAM + "gold: {daily: {grain: day, where: quantity >= 0, metrics: {orders: count}}}\n"
    assert check_text(text, Path("orders.yaml"))[1] == []
