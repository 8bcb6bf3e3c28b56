"""Expressions that between them use every word of the vocabulary, and random ones made of the same words."""

from __future__ import annotations

import random
from itertools import product

from strandline.spec.expressions.functions import TRUNC_UNITS
from strandline.spec.expressions.parser import EXTRACT_UNITS, UNITS

PATTERNS = [
    "^a", "a$", "^a.c$", "^$", "a|b", "(a|b)+c?", r"\d+", r"\D", r"\w+$", r"\W", r"\s", r"\S", r"^\s+$", r"\ba", r"b\b",
    r"\B",
    "[a-c]+", "[^a-c]", r"[\d\s]", r"[\D]", r"[^\D]", r"[^\s\d]", r"[\W_]", "[]a]", "[^]a]", "[-a]", "[a-]", "[a^]", "[.$|]",
    "[&~]",
    "a{2}", "a{2,}", "a{1,3}$", "a*?b", "(?:ab){2}", "(?i)abc", "(?i)k", "(?i)s", "(?i)[a-z]+$", "(?i)[^a]", "(?i)[k]",
    "(?m)^b$",
    "(?m)a$", "(?m)^", "(?m)^$", "(?s)a.", "(?s)^.$", "a.", "(?im)^A$", r"\t", r"\n$", r"\x41", r"\v", r"\.", r"\/", r"\$",
    r"\\", r"\\d", "é", "[ß-ÿ]", "😀", "[😀-😂]", ".", "^.$", "^..$", "#", " ", "'", '"', "x y", "a{", "a}", "]", r"\-",
    "[a\\]b]",
    r"\A", r"[\x00-\x1f]", "[\\t-\\r]", "^(?:[A-Z]{2,3}|\\d+)[^a-z]?\\.\\w*$", "[A-Z]{3}", "a(b(c)?)?$", "/api/v[0-9]+/",
]  # fmt: skip
LIKES = ["a%", "%a", "%a%", "_", "__", "%", "", "a_b%", "%\n", "%😀%", "A%", "%.%", "[a]", "^a$", "%(%", "a", "%'%"]
_NUMBERS = ("a", "x", "p")
_COMPARED = [("a", "b"), ("x", "y"), ("p", "r"), ("s", "t"), ("at", "bt"), ("d", "e"), ("a", "x"), ("p", "x"), ("p", "a"),
             ("d", "at"), ("r", "x")]  # fmt: skip
_CAST = {
    "varchar": ["s", "a", "p", "r", "f", "d", "doc", "p * 3", "cast(a as decimal(18, 0))", "cast(0.0000001 as decimal(18, 7))"],
    "integer": ["s", "a", "x", "p", "r", "f", "x * 1e10", "x + 0.5"],
    "double": ["s", "a", "x", "p", "r"],
    "decimal(18, 2)": ["s", "a", "x", "p", "r"],
    "decimal(18, 0)": ["s", "a", "x", "p"],
    "decimal(18, 9)": ["s", "a", "x", "p", "r"],
    "decimal(18, 18)": ["s", "a", "x", "r"],
    "boolean": ["s", "a", "f"],
    "date": ["s", "d", "at"],
    "timestamp": ["s", "d", "at"],
}


def quoted(text: str) -> str:
    """The text as a literal of the language."""
    return "'" + text.replace("'", "''") + "'"


def _operators() -> list[str]:
    found = []
    for (left, right), operator in product(_COMPARED, ("=", "<>", "<", "<=", ">", ">=")):
        found.append(f"{left} {operator} {right}")
    for left, right in product(("a", "x", "p", "r", "2", "0.5"), ("b", "y", "p", "r", "3", "0", "-1", "1.5")):
        found += [f"{left} {operator} {right}" for operator in ("+", "-", "*", "/", "%")]
    found += [f"{left} // {right}" for left, right in product(("a", "7", "-7"), ("b", "2", "-1", "0", "-2"))]
    found += ["- a", "+ a", "- x", "- p", "- (- a)", "-a - b", "a + b * 2 - 3", "(a + b) // (a - b)", "a * b + a % b"]
    found += ["f and g", "f or g", "not f", "f and not g or f", "f = g", "f <> g", "s || t", "s || '-' || t", "s || null"]
    for column in ("a", "x", "p", "s", "f", "at", "d"):
        found += [f"{column} is null", f"{column} is not null"]
    found += [
        f"{test}{value}" for test, value in product(("f is ", "f is not ", "(a > b) is ", "(a > b) is not "), ("true", "false"))
    ]
    return found


def _tests() -> list[str]:
    found = [f"{column} {word} between {low} and {high}" for word in ("", "not") for column, low, high in [
        ("a", "0", "b"), ("a", "b", "x"), ("x", "-1", "y"), ("p", "r", "100"), ("s", "t", "'z'"), ("at", "bt", "now"),
        ("d", "e", "'2026-01-01'"), ("at", "d", "e")]]  # fmt: skip
    found += [f"{column} {word} in ({values})" for word in ("", "not") for column, values in [
        ("a", "1, 2, b"), ("a", "x, b"), ("a", "9223372036854775807, 1.5"), ("x", "0, 0.5, y"), ("p", "0, 12.34, r"), ("s",
        "'a', t, ''"),
        ("f", "g, true"), ("d", "'2026-01-31', e"), ("at", "bt, d")]]  # fmt: skip
    found += [f"s {word} like {quoted(pattern)}" for word in ("", "not") for pattern in LIKES]
    found += [
        "case when f then a when g then b end", "case when f then a else x end", "case when f then p else r end",
        "case when a > b then s else t end",
        "case a when b then 'same' when 7 then 'seven' else 'other' end", "case x when a then 1 when y then 2.5 end",
        "case s when t then 1 when '' then 2 else 3 end",
        "case at when bt then 1 else 0 end", "case when f then null else d end", "case when f then at else d end",
        "case f when g then 1 else 0 end",
    ]  # fmt: skip
    return found


def _functions() -> list[str]:
    found = []
    for name, column in product(
        ("abs", "floor", "ceil", "ceiling", "round", "sqrt", "ln", "log10", "exp"), ("a", "x", "p", "r")
    ):
        found.append(f"{name}({column})")
    found += [f"round({column}, {n})" for column in ("a", "x", "y / 3", "p", "r", "x * 1e300") for n in (0, 1, 2, 5, 12, 15)]
    found += [
        f"{name}({arguments})" for name in ("power", "pow") for arguments in ("x, 2", "x, y", "a, b", "p, 0.5", "x, -1", "2, a")
    ]
    for name in ("greatest", "least", "coalesce", "nullif"):
        found += [
            f"{name}({left}, {right})"
            for left, right in [("f", "g"), *_COMPARED]
            if name in ("coalesce", "nullif") or left != "f"
        ]
    found += [
        "greatest(a, b, 3, null)",
        "least(s, t, 'm')",
        "coalesce(null, x, a, 1)",
        "coalesce(s, t, '')",
        "nullif(a / b, 1)",
    ]
    found += [f"{name}({column})" for name in ("lower", "upper", "trim", "length") for column in ("s", "t", "s || t")]
    found += [
        f"{name}(s, {n})" for name in ("substring", "substr") for n in ("1", "2", "100", "1, 0", "1, 1", "2, 3", "3, 1000000")
    ]
    for name in ("contains", "starts_with", "ends_with", "prefix", "suffix"):
        found += [f"{name}(s, {other})" for other in ("t", "'a'", "''", "'😀'", "'\n'", "'%'")]
    found += [
        f"replace(s, {quoted(a)}, {quoted(b)})"
        for a, b in [("a", "b"), ("a", ""), ("aa", "a"), ("😀", "'"), ("\\", "/"), (".", "$1")]
    ]
    found += ["concat(s, t)", "concat(s, null, t)", "concat(s, '-', t, '\\n')", "concat(lower(s), upper(t))"]
    found += [f"split_part(s, {quoted(d)}, {n})" for d in ("/", "a", ".", "|", "😀", "//", "\\", " ") for n in (1, 2, 3, 100)]
    found += [f"regexp_matches(s, {quoted(pattern)})" for pattern in PATTERNS]
    return found


def _times() -> list[str]:
    found = [f"date_trunc('{unit}', {column})" for unit, column in product(TRUNC_UNITS, ("at", "d"))]
    found += [f"date_diff('{unit}', {pair})" for unit, pair in product(TRUNC_UNITS, ("at, bt", "d, e", "d, at", "bt, now"))]
    found += ["datediff('day', at, bt)"]
    found += [
        f"extract({unit} from {column})"
        for unit, column in product(EXTRACT_UNITS, ("at", "d"))
        if (unit, column) not in (("hour", "d"), ("minute", "d"))
    ]
    for unit, count in product(UNITS, (0, 1, 5, -3, 1000, 999_999_999)):
        if unit == "week" and count > 10**6:
            continue  # DuckDB has no interval of so many days
        found += [
            f"at + interval '{count} {unit}'",
            f"at - interval {abs(count)} {unit}",
            f"d + interval '{count} {unit}'",
            f"at - bt > interval '{count} {unit}'",
        ]
    found += ["interval '1 day' + at", "at - bt", "at - interval '1 day' - interval '1 hour'",
        "now - at > interval '13 hours'", "at < now",
              "extract(year from at + interval '9999999 days')", "date_trunc('month', at - interval '3650000 days')",
              "cast(at + interval '1 microsecond' as date)", "coalesce(at - bt, interval '1 day') > interval '36 hours'",
              "at > '2026-01-01'",
              "at >= '2026-01-01T12:00:00+02:00'", "d = '2024-02-29'", "at < date '2026-01-31'",
              "at = timestamp '2026-01-01 00:05:00'", "greatest(at, bt)"]  # fmt: skip
    return found


def _nested() -> list[str]:
    return [
        "cast(cast(cast(x as decimal(18, 2)) as double) as decimal(18, 4))", "round(round(x, 3), 2)",
        "floor(ceil(x / 3) * 0.1)",
        "(a // b) // (b // a)", "((a // b) % 7) // -1", "round(floor(x) + ceil(y), 2)",
        "cast(round(x, 2) as decimal(18, 2)) * 3",
        "cast(a // 2 as varchar) || 'xx'", "cast(s as integer) + 1", "coalesce(cast(s as double), 0) * 2",
        "upper(lower(upper(s)))",
        "x * 1e300 * 1e300", "x * 1e300 * 1e300 > 5", "exp(x) > 5", "x / 1e-320", "cast(x * 1e17 as integer)",
        "cast(a as double) * 1000",
        "(x * 1e300 * 1e300) - (x * 1e300 * 1e300) = 0", "date_diff('day', cast(s as date), d)",
        "cast(cast(d as varchar) as date) = d",
        "abs(a) // abs(b)", "cast(cast(a as double) as integer)", "abs(-9223372036854775808)", "- (-9223372036854775808)",
        "trim(lower(s)) || cast(length(t) as varchar)",
        "p * p", "p * r", "r * r", "r * r * r", "p + p + p", "p - r", "p % r", "r % p", "round(p * 1.19, 2)",
    ]  # fmt: skip


def families() -> dict[str, list[str]]:
    """Every word of the vocabulary, in at least one expression, by what it is; no expression twice."""
    whole = {
        "operators": _operators(),
        "tests and cases": _tests(),
        "functions": _functions(),
        "dates, times, intervals": _times(),
        "casts": [f"cast({column} as {to})" for to, columns in _CAST.items() for column in columns],
        "words within words": _nested(),
    }
    seen: set[str] = set()
    found: dict[str, list[str]] = {}
    for family, texts in whole.items():
        found[family] = [text for text in dict.fromkeys(texts) if text not in seen]
        seen.update(texts)
    return found


def cases() -> list[str]:
    """The expressions of all families."""
    return [text for texts in families().values() for text in texts]


class Expressions:
    """A seeded source of expressions of any type, three levels deep. Without `ln`, `log10`, `exp` and `power`."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)

    def any(self) -> str:
        """The next expression."""
        return self.of(self.random.choice(["integer", "number", "decimal", "string", "boolean", "timestamp", "date"]), 3)

    def of(self, type_: str, depth: int) -> str:
        """An expression of a type."""
        if depth == 0 or self.random.random() < 0.15:
            return self.random.choice(_LEAVES[type_])
        shape = self.random.choice(_SHAPES[type_] + _CHOICES)
        for kind in ("integer", "number", "decimal", "string", "boolean", "timestamp", "date", "same"):
            while f"{{{kind}}}" in shape:
                part = self.of(type_ if kind == "same" else kind, depth - 1)
                shape = shape.replace(f"{{{kind}}}", f"({part})", 1)
        return shape


_CHOICES = ["coalesce({same}, {same})", "nullif({same}, {same})", "case when {boolean} then {same} else {same} end"]
_LEAVES = {
    "integer": ["a", "b", "1", "-2", "0", "7", "length(s)"], "number": ["x", "y", "0.5", "-1.5", "1e3"], "decimal": ["p", "r"],
    "string": ["s", "t", "'a'", "''"], "boolean": ["f", "g", "true"], "timestamp": ["at", "bt", "now"], "date": ["d", "e"],
}  # fmt: skip
_SHAPES: dict[str, list[str]] = {
    "integer": ["{integer} + {integer}", "{integer} - {integer}", "{integer} * {integer}", "{integer} // {integer}",
    "{integer} % {integer}",
                "- {integer}", "abs({integer})", "length({string})", "cast({number} as integer)", "cast({string} as integer)",
                "extract(year from {timestamp})", "extract(dow from {date})", "date_diff('day', {timestamp}, {timestamp})",
                "greatest({integer}, {integer})", "least({integer}, {integer}, {integer})", "cast({boolean} as integer)"],
    "number": ["{number} + {number}", "{number} - {number}", "{number} * {number}", "{number} / {number}",
    "{number} % {number}", "- {number}",
               "{integer} / {integer}", "{integer} * {number}", "{decimal} * {number}", "floor({number})", "ceil({number})",
               "round({number}, 2)",
               "round({number})", "abs({number})", "sqrt({number})", "cast({decimal} as double)", "cast({string} as double)",
               "greatest({number}, {integer})"],
    "decimal": ["{decimal} + {decimal}", "{decimal} - {decimal}", "- {decimal}", "{decimal} + {integer}",
    "cast({number} as decimal(18, 2))",
                "cast({integer} as decimal(18, 6))", "round({decimal}, 1)", "floor({decimal})", "abs({decimal})",
                "greatest({decimal}, {decimal})"],
    "string": ["{string} || {string}", "lower({string})", "upper({string})", "trim({string})", "substring({string}, 2, 3)",
    "concat({string}, {string})",
               "replace({string}, 'a', 'b')", "split_part({string}, '/', 1)", "cast({integer} as varchar)",
               "cast({decimal} as varchar)", "cast({date} as varchar)"],
    "boolean": ["{integer} < {integer}", "{number} >= {number}", "{decimal} = {number}", "{integer} <> {number}",
    "{string} < {string}", "{timestamp} <= {date}",
                "{boolean} and {boolean}", "{boolean} or {boolean}", "not {boolean}",
                "{integer} between {integer} and {number}", "{string} in ({string}, 'a')",
                "{number} in ({integer}, {number})", "{string} like '%a_'", "contains({string}, {string})",
                "starts_with({string}, {string})", "{number} is null",
                "{boolean} is not true", "{timestamp} - {timestamp} > interval '3 hours'",
                "regexp_matches({string}, '^[a-z]+$')", "cast({string} as boolean)"],
    "timestamp": ["{timestamp} + interval '90 minutes'", "{timestamp} - interval '3 days'", "date_trunc('week', {timestamp})",
    "{date} + interval '1 hour'",
                  "date_trunc('month', {date})", "greatest({timestamp}, {timestamp})", "cast({date} as timestamp)",
                  "cast({string} as timestamp)"],
    "date": ["cast({timestamp} as date)", "least({date}, {date})", "cast({string} as date)"],
}  # fmt: skip
