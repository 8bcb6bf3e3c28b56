"""What SQL has and this language leaves out, with what to write instead."""

from __future__ import annotations

_AGGREGATE = (
    "aggregates have no place in an expression (saw {})",
    "a rule or column sees one row; sums over many are metrics of a gold table",
)
_AGGREGATES = (
    "count sum avg mean min max median mode quantile quantile_cont quantile_disc percentile_cont stddev variance string_agg "
    "array_agg list first last any_value arg_max arg_min approx_count_distinct bool_and bool_or histogram"
)
_FUNCTIONS = {
    "repeat": ("repeat is not allowed: it can fill the memory", ""),
    "lpad": ("lpad is not allowed: it can fill the memory", ""),
    "rpad": ("rpad is not allowed: it can fill the memory", ""),
    "range": ("range is not allowed: it can fill the memory", ""),
    "generate_series": ("generate_series is not allowed: it can fill the memory", ""),
    "try_cast": ("try_cast is not a function here", "cast(x as type) is already NULL when x does not convert"),
    "if": ("if is not a function here", "case when … then … else … end"),
    "ifnull": ("ifnull is not a function here", "coalesce(x, y)"),
    "len": ("len is not a function here", "length(x)"),
    "random": ("random is not allowed: the same row must always give the same value", ""),
    "uuid": ("uuid is not allowed: the same row must always give the same value", ""),
    "now": ("now is a value, not a function", "write now, without parentheses"),
    "year": ("year is not a function here", "extract(year from x)"),
    "month": ("month is not a function here", "extract(month from x)"),
    "day": ("day is not a function here", "extract(day from x)"),
    "hour": ("hour is not a function here", "extract(hour from x)"),
    "minute": ("minute is not a function here", "extract(minute from x)"),
    "dayofweek": ("dayofweek is not a function here", "extract(dow from x)"),
    "regexp_replace": ("regexp_replace is not a function here", "replace(x, 'a', 'b') replaces a fixed text"),
    "exists": ("subqueries are not allowed", "an expression sees one row"),
}
_WORDS = {
    "select": ("subqueries are not allowed", "an expression sees one row"),
    "with": ("subqueries are not allowed", "an expression sees one row"),
    "over": ("window functions are not allowed", "an expression sees one row"),
    "filter": ("aggregates are not allowed", "a metric of a gold table has `where`"),
    "ilike": ("ilike is not in this language", "lower(x) like 'a%'"),
    "similar": ("similar to is not in this language", "regexp_matches(x, 'pattern')"),
    "escape": ("escape is not in this language", "contains, starts_with and ends_with take every character as it is"),
    "xor": ("xor is not in this language", "a <> b"),
    "div": ("div is not in this language", "a // b"),
    "mod": ("mod is not in this language", "a % b"),
    "current_timestamp": (
        "the wall clock is not readable: the same row must always judge alike",
        "now is the end of the landing interval",
    ),
    "current_date": ("the wall clock is not readable: the same row must always judge alike", "cast(now as date)"),
    "isnull": ("isnull is not in this language", "x is null"),
    "notnull": ("notnull is not in this language", "x is not null"),
}
_SYMBOLS = {
    ";": ("statements are not allowed: one expression only", "remove the ;"),
    "::": ("casts are written cast(x as type)", "cast(x as type)"),
    ".": ("columns are named without a table", "name the column alone"),
    "->": ("lambdas and JSON arrows are not allowed", ""),
    "?": ("parameters are not allowed", "write the value"),
    "$": ("parameters are not allowed", "write the value"),
    ":": ("parameters and slices are not allowed", ""),
    "[": ("lists and indexes are not allowed", "split_part(x, ',', 1), or in (…)"),
    "]": ("lists and indexes are not allowed", ""),
    "{": ("structs are not allowed", ""),
    "}": ("structs are not allowed", ""),
    "*": ("a star is not a column", "name the column"),
    "**": ("** is not in this language", "power(x, y)"),
    "^": ("^ is not in this language", "power(x, y)"),
    "&&": ("&& is not in this language", "a and b"),
    "!": ("! is not in this language", "not a, or a <> b"),
    "|": ("bit operations are not in this language", "a or b; texts are joined by ||"),
    "&": ("bit operations are not in this language", "a and b"),
    "~": ("~ is not in this language", "regexp_matches(x, 'pattern')"),
    "@": ("@ is not in this language", "abs(x)"),
    "#": ("# is not in this language", "comments start with --"),
}


def left_out_word(word: str) -> tuple[str, str] | None:
    """Message and hint for a word (`over`) or function (`repeat()`) that is left out; None for any other."""
    if not word.endswith("()"):
        return _WORDS.get(word)
    name = word[:-2]
    if name in _AGGREGATES.split():
        return _AGGREGATE[0].format(name), _AGGREGATE[1]
    known = _WORDS.get(name)
    return _FUNCTIONS.get(name) or known


def left_out_symbol(symbol: str) -> tuple[str, str] | None:
    """Message and hint for a symbol that is left out; None for any other."""
    return _SYMBOLS.get(symbol)
