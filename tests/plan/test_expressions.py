"""The expression language: what it accepts and what it means, asked of DuckDB itself."""

from __future__ import annotations

from typing import Any

import duckdb
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from strandline.plan.expressions import ExpressionError, ExpressionType, TypedExpression, parse_expression

COLUMNS: dict[str, ExpressionType] = {
    "a": "integer",
    "b": "integer",
    "x": "number",
    "s": "string",
    "t": "string",
    "f": "boolean",
    "g": "boolean",
    "at": "timestamp",
    "day": "date",
    "price": "decimal",
    "doc": "json",
    "end": "string",
    "timestamp": "timestamp",
}
DUCKDB_TYPES = {
    "integer": "BIGINT",
    "number": "DOUBLE",
    "string": "VARCHAR",
    "json": "VARCHAR",
    "boolean": "BOOLEAN",
    "timestamp": "TIMESTAMP WITH TIME ZONE",
    "date": "DATE",
    "interval": "INTERVAL",
}


@pytest.fixture(scope="module")
def rows() -> duckdb.DuckDBPyConnection:
    """A table `rows` of the columns: a full row, a row of NULLs and rows of edge values."""
    connection = duckdb.connect()
    connection.execute("set timezone = 'UTC'")
    connection.execute(
        'create table rows (a bigint, b bigint, x double, s varchar, t varchar, f boolean, g boolean, "at" timestamptz,'
        ' "day" date, price decimal(18, 2), doc varchar, "end" varchar, "timestamp" timestamptz, now timestamptz)'
    )
    connection.execute(
        "insert into rows values"
        " (7, 2, 2.5, 'abc', 'b', true, false, '2024-03-03 10:20:30+00', '2024-02-29',"
        "  12.34, '{}', 'q', '2024-01-01', '2024-03-04'),"
        " (null, null, null, null, null, null, null, null, null, null, null, null, null, '2024-03-04'),"
        " (-3, 0, -0.5, '', ' ', false, true, '1970-01-01', '1969-12-31', -0.01, '[]', '', '2024-03-04', '2024-03-04'),"
        " (9223372036854775807, -1, 1e300, 'ü%_', '%', true, null, '2024-12-31 23:59:59.999999+00', '2024-12-31',"
        "  9999999999999999.99, 'null', 'x', '2024-03-03', '2024-03-04')"
    )
    return connection


def parsed(text: str, **options: Any) -> TypedExpression:
    return parse_expression(text, COLUMNS, scales={"price": 2}, **options)


def values(rows: duckdb.DuckDBPyConnection, text: str) -> list[Any]:
    return [row[0] for row in rows.execute(f"select {parsed(text).sql()} from rows").fetchall()]


# --- what it means ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "type_", "first"),
    [
        ("a >= 5", "boolean", True),
        ("cast(a // 2 as varchar) || 'xx'", "string", "3xx"),
        ("a between 1 and 7 and not g", "boolean", True),
        ("a not in (1, 2)", "boolean", True),
        ("s like 'a%' and s not like '%z'", "boolean", True),
        ("case when a > 5 then 'many' else 'few' end", "string", "many"),
        ("case a when 7 then 1 else 2.5 end", "number", 1.0),
        ("-7 // 2", "integer", -3),
        ("-7 % 2", "integer", -1),
        ("a / b", "number", 3.5),
        ("1 / 2", "number", 0.5),
        ("2147483647 + 1", "integer", 2147483648),
        ("price * b", "decimal", 24.68),
        ("price / 2", "number", 6.17),
        ("cast(x as integer)", "integer", 3),
        ("cast('12' as integer) + 1", "integer", 13),
        ("cast(price * 1.19 as decimal(18, 2))", "decimal", 14.68),
        ("round(x)", "number", 3.0),
        ("floor(-0.5)", "number", -1.0),
        ("length(s)", "integer", 3),
        ("substring(s, 2, 1)", "string", "b"),
        ("split_part('a/b/c', '/', 2)", "string", "b"),
        ("concat(s, null, t)", "string", "abcb"),
        ("regexp_matches(s, '^a.c$')", "boolean", True),
        ("replace(s, 'b', '')", "string", "ac"),
        ("greatest(a, b, null)", "integer", 7),
        ("least(a, x)", "number", 2.5),
        ("coalesce(null, a)", "integer", 7),
        ("nullif(a, 7)", "integer", None),
        ("extract(dow from date '2024-01-07')", "integer", 0),
        ("extract(dow from date '2024-01-06')", "integer", 6),
        ("extract(hour from at)", "integer", 10),
        ("date_diff('day', day, at)", "integer", 3),
        ("date_diff('hour', timestamp '2024-01-01 10:59', timestamp '2024-01-01 11:01')", "integer", 1),
        ("date_diff('week', date '2024-01-07', date '2024-01-08')", "integer", 1),
        ("at > now - interval '26 hours'", "boolean", True),
        ("at >= '2024-03-03' and day = '2024-02-29'", "boolean", True),
        ("now - at > interval '13 hours'", "boolean", True),
        ("day + interval 1 day > timestamp '2024-02-29 12:00'", "boolean", True),
        ("\"end\" = 'q'", "boolean", True),
        ("timestamp < now", "boolean", True),
        ("f is not false and g is false", "boolean", True),
        ("a is not null", "boolean", True),
        ("a <> 3 and b != 2 or f == true", "boolean", True),
        ("a -- the rest is a comment", "integer", 7),
        ("a /* in between */ + 1", "integer", 8),
        ("'it''s'", "string", "it's"),
        ("- - a", "integer", 7),
        ("1 + 2 * 3", "integer", 7),
        ("(1 + 2) * 3", "integer", 9),
        ("log10(1000)", "number", 3.0),
        ("abs(-2.5) + power(2, 3) + sqrt(4) + exp(0) + ln(1)", "number", 13.5),
        ("date_trunc('month', day) = timestamp '2024-02-01'", "boolean", True),
    ],
)
def test_an_expression_has_a_type_and_a_value(rows: duckdb.DuckDBPyConnection, text: str, type_: str, first: object) -> None:
    assert parsed(text).type == type_
    found = values(rows, text)[0]
    assert (float(found) if type_ == "decimal" else found) == first


@pytest.mark.parametrize(
    "text",
    [
        "a / 0",
        "a // 0",
        "a % 0",
        "x / 0.0",
        "price / 0",
        "price % 0",
        "9223372036854775807 + 1",
        "-9223372036854775807 - 2",
        "3037000500 * 3037000500",
        "ln(0)",
        "ln(-1)",
        "log10(0)",
        "sqrt(-1)",
        "power(-1, 0.5)",
        "cast('x' as integer)",
        "cast('' as double)",
        "cast('2024-13-01' as date)",
        "cast(1e300 as integer)",
        "cast(9999999999999999.99 as decimal(18, 18))",
        "abs(-9223372036854775808)",
        "- (-9223372036854775808)",
        "x * 1e300 * 1e300",
        "exp(1000)",
        "x * 1e18",
        "at + interval '3000000 days'",
        "at - interval '1000000 days'",
        "cast('1e18' as double)",
        "cast('0000-01-01' as date)",
        "cast('yes' as boolean)",
        "cast(' 12' as integer)",
        "cast('1e3' as integer)",
        "(-9223372036854775808) // -1",
        "s || null",
    ],
)
def test_what_has_no_value_is_null_and_fails_no_row(rows: duckdb.DuckDBPyConnection, text: str) -> None:
    assert values(rows, text)[0] is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("round(2.675, 2)", 2.68),
        ("round(-2.675, 2)", -2.68),
        ("cast(cast(2.675 as decimal(18, 2)) as double)", 2.68),
        ("cast('7.0' as integer)", 7),
        ("cast('.5' as double)", 0.5),
        ("cast('TRUE' as boolean)", True),
    ],
)
def test_roundings_and_casts_mean_one_thing_on_every_engine(rows: duckdb.DuckDBPyConnection, text: str, expected: Any) -> None:
    assert values(rows, text)[0] == expected


def test_an_integer_that_overflows_in_one_row_leaves_the_others_alone(rows: duckdb.DuckDBPyConnection) -> None:
    assert values(rows, "a + 1") == [8, None, -2, None]
    assert values(rows, "a * 2") == [14, None, -6, None]


def test_money_is_added_without_error_and_overflows_to_null(rows: duckdb.DuckDBPyConnection) -> None:
    assert [value if value is None else str(value) for value in values(rows, "price + price + price")] == [
        "37.02",
        None,
        "-0.03",
        None,
    ]
    assert parsed("price * price").scale == 4
    assert parsed("price * price * price * price * price * price * price").type == "number"


def test_decimals_that_nobody_said_the_scale_of_lose_nothing(rows: duckdb.DuckDBPyConnection) -> None:
    for text, first in [
        ("price * price", "152.2756"),
        ("price * 0.5", "6.17"),
        ("price + 1", "13.34"),
        ("-price", "-12.34"),
        ("round(price, 1)", "12.3"),
        ("coalesce(price, 0) + price * price", "164.6156"),
        ("case when f then price * price else 0 end", "152.2756"),
    ]:
        found = parse_expression(text, COLUMNS)
        assert found.scale is None
        row = rows.execute(f"select {found.sql()} from rows").fetchone()
        assert row is not None
        assert str(row[0]) == first


def test_the_end_of_the_landing_interval_stays_a_column_named_now() -> None:
    found = parsed("at > now and a > 1")
    assert found.uses_now
    assert found.columns == {"at", "a"}
    assert '"now"' in found.sql()
    with pytest.raises(ExpressionError, match="unknown column 'now'"):
        parsed("at > now", now=False)


def test_the_tree_is_new_each_time_and_holds_plain_columns() -> None:
    from sqlglot import exp

    found = parsed("a + 1 > b")
    assert found.tree is not found.tree
    columns = list(found.tree.find_all(exp.Column))
    assert {column.name for column in columns} == {"a", "b"}
    assert all(not column.table for column in columns)


@pytest.mark.parametrize("dialect", ["duckdb", "spark", "trino"])
def test_a_text_never_leaves_its_quotes_in_any_dialect(dialect: str) -> None:
    import sqlglot

    for text in ("'; drop table x; --", "\\' or 1 = 1", "a'b", '"', "\\", "$$"):
        quoted = "'" + text.replace("'", "''") + "'"
        sql = parsed(f"s = {quoted}").sql(dialect)
        again = sqlglot.parse_one(sql, dialect=dialect)
        assert [literal.this for literal in again.find_all(sqlglot.exp.Literal)] == [text]


# --- properties -------------------------------------------------------------------------------------------------------------

# fmt: off
WORDS = [
    "a", "b", "x", "s", "f", "g", "1", "2.5", "'t'", "null", "true", "and", "or", "not", "is", "in", "between", "like",
    "+", "-", "*", "/", "//", "%", "=", "<>", "<", ">=", "(", ")", ",", "||", "case", "when", "then", "else", "end",
    "lower", "coalesce", "cast", "as", "integer", "interval", "day", "at", "date_trunc", ".", ";", "::", "[", "--",
    "/*", '"', "extract", "from",
]
# fmt: on


def outcome(text: str) -> tuple[TypedExpression | None, ExpressionError | None]:
    try:
        return parsed(text), None
    except ExpressionError as error:
        return None, error


FEW = settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.filter_too_much]
)


@FEW
@given(st.one_of(st.text(max_size=60), st.lists(st.sampled_from(WORDS), max_size=14).map(" ".join)))
def test_any_text_is_an_expression_or_an_error_that_points_into_it(text: str) -> None:
    found, error = outcome(text)
    if error is not None:
        assert 0 <= error.offset <= len(text)
        assert error.message
    if found is not None:
        assert found.sql()
        assert found.sql("spark")


def numbers(depth: int) -> st.SearchStrategy[str]:
    leaf = st.sampled_from(["a", "b", "1", "2", "0", "-3"])
    if depth == 0:
        return leaf
    inner = numbers(depth - 1)
    return st.one_of(
        leaf,
        st.builds(lambda left, op, right: f"{left} {op} {right}", inner, st.sampled_from(["+", "-", "*"]), inner),
        st.builds("({})".format, inner),
        st.builds("- {}".format, inner),
        st.builds("coalesce({}, {})".format, inner, inner),
        st.builds("case when {} then {} else {} end".format, conditions(depth - 1), inner, inner),
        st.builds("nullif({}, {})".format, inner, inner),
    )


def conditions(depth: int) -> st.SearchStrategy[str]:
    leaf = st.sampled_from(["f", "g", "a = 7", "b is null", "s like 'a%'", "true"])
    if depth == 0:
        return leaf
    inner, number = conditions(depth - 1), numbers(depth - 1)
    comparison = st.sampled_from(["=", "<>", "<", "<=", ">", ">="])
    return st.one_of(
        leaf,
        st.builds(lambda left, op, right: f"{left} {op} {right}", inner, st.sampled_from(["and", "or"]), inner),
        st.builds("not {}".format, inner),
        st.builds("({})".format, inner),
        st.builds(lambda left, op, right: f"{left} {op} {right}", number, comparison, number),
        st.builds("{} between {} and {}".format, number, number, number),
        st.builds("{} not in ({}, {})".format, number, number, number),
        st.builds("{} is not null".format, inner),
        st.builds("({}) is not true".format, inner),
    )


@FEW
@given(st.one_of(conditions(3), numbers(3)))
def test_what_is_generated_means_what_duckdb_reads_in_the_text(rows: duckdb.DuckDBPyConnection, text: str) -> None:
    """The oracle is DuckDB's own parser: precedence and NULLs must be read alike, parentheses left out at random."""
    found, _ = outcome(text)
    assume(found is not None)
    assert found is not None
    query = f"select ({text}) is not distinct from ({found.sql()}) from rows where a is null or a < 1000"
    assert [row[0] for row in rows.execute(query).fetchall()] == [True, True, True]


@FEW
@given(st.one_of(conditions(2), numbers(2)))
def test_the_type_found_is_the_type_duckdb_gives(rows: duckdb.DuckDBPyConnection, text: str) -> None:
    found, _ = outcome(text)
    assume(found is not None)
    assert found is not None
    row = rows.execute(f"select typeof({found.sql()}) from rows limit 1").fetchone()
    assert row is not None
    assert row[0] == DUCKDB_TYPES[found.type]


@FEW
@given(
    st.sampled_from(
        [
            "{} + 1",
            "abs({})",
            "case when f then {} else 0 end",
            "{} / 2",
            "{} % 3",
            "round({})",
            "{} * {}",
            "- {}",
            "coalesce({}, 0)",
            "greatest({}, 1)",
            "sqrt({})",
            "ln({})",
            "power({}, 2)",
            "cast({} as integer)",
            "floor({})",
            "cast({} as double)",
            "{} - {}",
        ]
    ),
    st.lists(
        st.sampled_from(["a", "b", "x", "price", "1.5", "2", "length(s)", "extract(day from at)"]), min_size=2, max_size=2
    ),
)
def test_arithmetic_gives_the_type_promised_and_fails_no_row(
    rows: duckdb.DuckDBPyConnection, shape: str, operands: list[str]
) -> None:
    found = parsed(shape.format(*operands))
    row = rows.execute(f"select any_value(typeof({found.sql()})) from rows").fetchone()
    assert row is not None
    expected = f"DECIMAL(18,{found.scale})" if found.type == "decimal" else DUCKDB_TYPES[found.type]
    assert row[0] == expected
