"""What the expression language refuses: where it points, why, and what to write instead."""

from __future__ import annotations

import pytest

from strandline.plan.expressions import ExpressionError, ExpressionType, parse_expression

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


@pytest.mark.parametrize(
    ("text", "code", "offset", "message", "hint"),
    [
        ("stats > 4", "SL402", 0, "unknown column 'stats'", ""),
        ("a > bb", "SL402", 4, "unknown column 'bb'", ""),
        ("timestmp < now", "SL402", 0, "unknown column 'timestmp'", "did you mean timestamp?"),
        ("A > 1", "SL402", 0, "unknown column 'A'", "did you mean a?"),
        ('s = "abc"', "SL402", 4, "unknown column 'abc'", "single quotes"),
        ("lenght(s)", "SL402", 0, "unknown function 'lenght'", "did you mean length?"),
        ("lower(a)", "SL403", 6, "lower needs a string (saw a, an integer)", "cast(a as varchar)"),
        ("a > '4'", "SL403", 4, "> needs an integer, like a (saw '4', a string)", "without quotes"),
        ("s = 4", "SL403", 4, "= needs a string, like s (saw 4, an integer)", "'4'"),
        ("a + s", "SL403", 4, "+ needs a number (saw s, a string)", "cast(s as double)"),
        ("x // 2", "SL403", 0, "// needs an integer", "floor"),
        ("f = 1", "SL403", 4, "= needs a boolean", "f, or not f"),
        ("f > g", "SL403", 0, "> cannot compare f, a boolean", ""),
        ("a and f", "SL403", 0, "and needs a boolean (saw a, an integer)", "a > 0"),
        ("not s", "SL403", 4, "not needs a boolean", ""),
        ("s || 1", "SL403", 5, "|| needs a string", "cast(1 as varchar)"),
        ("a = null", "SL403", 4, "= with null is never true", "is null"),
        ("a in (1, null)", "SL403", 9, "in with null is never true", "is null"),
        ("doc = 'x'", "SL403", 0, "= cannot compare doc", ""),
        ("case when f then a else s end", "SL403", 24, "case needs an integer, like a (saw s, a string)", ""),
        ("coalesce(a, s)", "SL403", 12, "coalesce needs an integer", ""),
        ("at > 'yesterday'", "SL403", 5, "is not a timestamp (saw 'yesterday')", "2024-01-31 12:00:00"),
        ("at - day", "SL403", 5, "- cannot join a timestamp and a date", "date_diff"),
        ("cast(at as varchar)", "SL403", 0, "a timestamp cannot be cast to a string", "cast(cast(x as date) as varchar)"),
        ("extract(hour from day)", "SL403", 18, "a date has no hour", ""),
        ("extract(week from at)", "SL401", 8, "cannot extract 'week'", ""),
        ("date_trunc('hours', at)", "SL403", 11, "'hours' is not a unit", "did you mean 'hour'?"),
        ("interval '1 month' + at", "SL401", 9, "an interval needs a unit", "count days"),
        ("lower()", "SL403", 0, "lower takes 1 argument (saw 0)", "lower(x)"),
        ("round(x, a)", "SL403", 9, "round needs a whole number written out", "round(x, 2)"),
        ("regexp_matches(s, t)", "SL403", 18, "regexp_matches needs a text written out", ""),
        ("cast(1.5 as varchar)", "SL403", 0, "a number cannot be cast to a string", "as decimal(18, 2)"),
        ("regexp_matches(s, '(?i)ä')", "SL403", 18, "a pattern holds ASCII alone", ""),
        ("regexp_matches(s, '(?u)a')", "SL403", 18, "special groups", ""),
        ("regexp_matches(s, 'a{,2}')", "SL403", 18, "without a least number", ""),
        ("regexp_matches(s, '\\u0061')", "SL403", 18, "different things to different engines", ""),
        ("regexp_matches(s, '(?=x)')", "SL403", 18, "look-around", ""),
        ("regexp_matches(s, '(a)\\1')", "SL403", 18, "back-references", ""),
        ("regexp_matches(s, '[')", "SL403", 18, "is not a regular expression", ""),
        ("s like t", "SL403", 7, "like needs a pattern written out", "contains"),
        ("split_part(s, '', 1)", "SL403", 14, "a text that is not empty", ""),
        ("substring(s, 0)", "SL403", 13, "a number from 1", ""),
        ("99999999999999999999", "SL403", 0, "64 bits", ""),
        ("cast(a as int)", "SL404", 10, "cannot cast to 'int'", ""),
        ("cast(a as decimal(38, 2))", "SL401", 17, "a decimal has 18 digits", "decimal(18, 2)"),
        ("null", "SL403", 0, "is always NULL", ""),
        ("", "SL401", 0, "the expression is empty", ""),
        ("-- nothing", "SL401", 0, "the expression is empty", ""),
        ("a +", "SL401", 3, "expected a value (saw the end)", ""),
        ("a b", "SL401", 2, "the expression should end here (saw 'b')", ""),
        ("(a", "SL401", 2, "expected )", ""),
        ("a)", "SL401", 1, "should end here", ""),
        ("'abc", "SL401", 0, "the text opened here is never closed", ""),
        ("a /* b", "SL401", 2, "the comment opened here is never closed", ""),
        ("‘x’", "SL401", 0, "typographic quote", ""),
        ("1 < a < 3", "SL401", 6, "comparisons cannot be chained", "a < b and b < c"),
        ("a in ()", "SL401", 7, "the list of in is empty", ""),
        ("case a end", "SL401", 7, "expected when", ""),
        ("1_000", "SL401", 1, "a number ends before '_'", ""),
        ("select 1", "SL404", 0, "subqueries are not allowed", ""),
        ("(select 1)", "SL404", 1, "subqueries are not allowed", ""),
        ("a; drop table x", "SL404", 1, "statements are not allowed", ""),
        ("sum(a) > 1", "SL404", 0, "aggregates have no place", "gold table"),
        ("count(*)", "SL404", 0, "aggregates have no place", ""),
        ("row_number() over ()", "SL404", 13, "window functions", ""),
        ("a::varchar", "SL404", 1, "casts are written", "cast(x as type)"),
        ("r.a", "SL404", 1, "without a table", ""),
        ("a[1]", "SL404", 1, "lists and indexes", ""),
        ("$1", "SL404", 0, "parameters", ""),
        ("?", "SL404", 0, "parameters", ""),
        ("*", "SL404", 0, "a star is not a column", ""),
        ("s -> 'x'", "SL404", 2, "lambdas", ""),
        ("{'a': 1}", "SL404", 0, "structs", ""),
        ("repeat(s, 1000000000)", "SL404", 0, "fill the memory", ""),
        ("lpad(s, 1000000000, 'x')", "SL404", 0, "fill the memory", ""),
        ("range(1000000000)", "SL404", 0, "fill the memory", ""),
        ("random() < 0.5", "SL404", 0, "random is not allowed: the same row", ""),
        ("at < current_timestamp", "SL404", 5, "wall clock", "now"),
        ("at < now()", "SL404", 5, "now is a value", ""),
        ("read_csv('/etc/passwd')", "SL402", 0, "unknown function 'read_csv'", ""),
        ("getenv('HOME')", "SL402", 0, "unknown function 'getenv'", ""),
        ("a ** 2", "SL404", 2, "** is not in this language", "power"),
        ("f && g", "SL404", 2, "&& is not in this language", "a and b"),
        ("s ilike 'x'", "SL404", 2, "ilike", "lower(x)"),
        ("(" * 60 + "a" + ")" * 60, "SL405", 50, "nested too deeply", ""),
        ("not " * 60 + "f", "SL405", 200, "nested too deeply", ""),
        ("a" + "+a" * 60, "SL405", 0, "nested too deeply", ""),
        ("a" * 2001, "SL405", 0, "too long", ""),
        (" || ".join(["s"] * 65), "SL405", 0, "65 times as long", ""),
        ("replace(replace(s, 'a', 'aaaaaaaaaa'), 'a', 'aaaaaaaaaa')", "SL405", 0, "100 times as long", ""),
    ],
)
def test_what_is_refused_says_where_why_and_what_instead(text: str, code: str, offset: int, message: str, hint: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        parse_expression(text, COLUMNS)
    error = caught.value
    assert (error.code, error.offset) == (code, offset)
    assert message in error.message
    assert hint in error.hint


def test_a_column_that_is_itself_broken_fits_everywhere() -> None:
    columns: dict[str, ExpressionType] = {"broken": "unknown", "a": "integer"}
    for text in (
        "broken + 1 > a",
        "lower(broken)",
        "broken and a > 1",
        "case when broken then broken else a end",
        "coalesce(a, broken)",
    ):
        assert parse_expression(text, columns)


def test_texts_that_grow_are_counted_through_derived_columns() -> None:
    once = parse_expression("s || s || s || s", COLUMNS)
    assert once.growth == 4
    with pytest.raises(ExpressionError, match="256 times as long"):
        parse_expression("d || d || d || d", {"d": "string"}, growths={"d": 64})
