"""Conditions that can never hold or never fail, given what the fields declare."""

from __future__ import annotations

from itertools import product
from pathlib import Path

import duckdb
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from strandline.spec.domains import Domain
from strandline.spec.expressions import ExpressionError, ExpressionType, parse_expression
from strandline.spec.load import check_text
from strandline.spec.ranges import domain_of
from strandline.spec.reach import Reach, reach_of

COLUMNS: dict[str, ExpressionType] = {
    "q": "integer", "p": "integer", "s": "string", "free": "integer", "n": "integer", "flag": "boolean",
    "d": "decimal", "x": "number",
}  # fmt: skip
DOMAINS = {
    "q": Domain(0, 4, nullable=False),
    "p": Domain(-2, 1),
    "s": Domain(choices=frozenset(("a", "b", "c"))),
    "n": Domain(1, 5, numbers=frozenset((1.0, 5.0))),
    "d": Domain(0.1, 0.3),
    "x": Domain(-0.5, 1.5),
}


def reach(text: str) -> Reach:
    return reach_of(parse_expression(text, COLUMNS, scales={"d": 1}).node, DOMAINS)


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
        ("s = 'a' and s = 'b'", False, True),
        ("s <> 'a' and s <> 'b' and s <> 'c'", False, True),
        ("free = 3 and free > 4", False, True),
        ("free > 3 and free < 4", False, True),
        ("free > 3 or free <= 3", True, False),
        ("x > 1 and x < 1.1", True, True),
        ("q is null", False, True),
        ("p is null and p > 0", False, True),
        ("p is null or p <= 1", True, False),
        ("n = 3", False, True),
        ("n in (2, 3, 4)", False, True),
        ("n <> 1 and n <> 5", False, True),
        ("n > 1 and n < 5", False, True),
        ("flag and not flag", False, True),
        ("flag = true and flag = false", False, True),
        ("d + d <= 0.6", True, True),
        ("d + d < 0.2", True, True),
        ("coalesce(p, 0) > 1", False, True),
        ("case when q > 9 then 100 else q end > 4", False, True),
        ("case s when 'a' then 1 when 'b' then 2 end in (3, 4)", False, True),
        ("lower(s) = 'A'", False, True),
        ("upper(s) = 'A'", True, True),
        ("q // 2 > 2", False, True),
        ("q % 3 >= 3", True, True),
        ("(s = 'a') = (s <> 'a')", True, True),
        ("free = free + 1", True, True),
    ],
)
def test_what_a_condition_can_come_to(text: str, true: bool, false: bool) -> None:
    assert reach(text) == Reach(true, false)


TERMS = st.sampled_from(
    ["q", "p", "n", "d", "x", "q + p", "q - p", "q * p", "- q", "abs(p)", "d + d", "d * d", "x * x", "x - d", "q / 2", "p // 2",
     "q % 3", "coalesce(p, 7)", "greatest(p, n)", "least(q, x)", "case when q > 2 then p else 9 end",
     "case when flag then 1 end", "cast(x as integer)",
     "round(x)", "nullif(q, 3)", "length(s)", "0", "1", "4", "-2", "7", "2.5", "0.2", "0.6", "0.1"]
)  # fmt: skip
TEXTS = st.sampled_from(
    ["s", "'a'", "'b'", "'d'", "upper(s)", "coalesce(s, 'z')", "case when q > 4 then 'q' else s end", "lower('A')", "s || ''"]
)
LEAVES = st.one_of(
    st.builds("{} {} {}".format, TERMS, st.sampled_from(["=", "<>", "<", "<=", ">", ">="]), TERMS),
    st.builds("{} between {} and {}".format, TERMS, TERMS, TERMS),
    st.builds("{} not between {} and {}".format, TERMS, TERMS, TERMS),
    st.builds("{} {} {}".format, TEXTS, st.sampled_from(["=", "<>"]), TEXTS),
    st.builds(
        "{} {} ('{}', '{}')".format, TEXTS, st.sampled_from(["in", "not in"]), st.sampled_from("abcd"), st.sampled_from("abcd")
    ),
    st.builds("{} {} (1, {})".format, TERMS, st.sampled_from(["in", "not in"]), TERMS),
    st.builds("{} is {}null".format, st.sampled_from(["q", "p", "s", "flag", "d"]), st.sampled_from(["", "not "])),
    st.sampled_from(["flag", "flag is true", "flag is not true", "flag is false", "flag = true", "flag <> false"]),
)
CONDITIONS = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.builds("({}) and ({})".format, inner, inner),
        st.builds("({}) or ({})".format, inner, inner),
        st.builds("not ({})".format, inner),
        st.builds("({}) is {}true".format, inner, st.sampled_from(["", "not "])),
        st.builds("({}) {} ({})".format, inner, st.sampled_from(["=", "<>"]), inner),
    ),
    max_leaves=5,
)


@pytest.fixture(scope="module")
def rows() -> duckdb.DuckDBPyConnection:
    """Rows over the ends and the middle of every domain, with NULL where the domain has it."""
    connection = duckdb.connect()
    connection.execute("create table rows (q bigint, p bigint, s varchar, n bigint, flag boolean, d decimal(18, 1), x double)")
    values = [
        (0, 2, 3, 4),
        (-2, 0, 1, None),
        ("a", "b", "c", None),
        (1, 5, None),
        (True, False, None),
        ("0.1", "0.2", "0.3", None),
    ]
    reals = (-0.5, 0.0, 1.1, 1.5)
    found = [(*row, reals[index % 4]) for index, row in enumerate(product(*values))]
    connection.executemany("insert into rows values (?, ?, ?, ?, ?, ?, ?)", found)
    return connection


@settings(max_examples=250, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(CONDITIONS)
def test_what_is_said_to_be_impossible_happens_in_no_row(rows: duckdb.DuckDBPyConnection, text: str) -> None:
    """The oracle runs the condition over every row."""
    try:
        checked = parse_expression(text, COLUMNS, scales={"d": 1})
    except ExpressionError:
        assume(False)
        raise
    said, sql = reach_of(checked.node, DOMAINS), checked.sql()
    counted = rows.execute(f"select count(*) filter ({sql}), count(*) filter (not ({sql})) from rows").fetchone()
    assert counted is not None
    assert said.true or counted[0] == 0
    assert said.false or counted[1] == 0


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.one_of(TERMS, TEXTS))
def test_no_row_leaves_what_an_expression_is_said_to_come_to(rows: duckdb.DuckDBPyConnection, text: str) -> None:
    checked = parse_expression(text, COLUMNS, scales={"d": 1})
    domain = domain_of(checked.node, DOMAINS)
    for (value,) in rows.execute(f"select distinct {checked.sql()} from rows").fetchall():
        if isinstance(value, str):
            assert domain.choices is None or value in domain.choices
        elif value is not None:
            assert domain.low <= float(value) <= domain.high


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
