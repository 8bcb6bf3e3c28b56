"""The functions of the language: what each takes and gives. Anything that is not here does not exist.

What an argument may be: `string`, `integer`, `numeric` (integer, number, decimal), `moment` (timestamp, date), `any` (all
alike and comparable), `text` (a text written out), `count` (a whole number written out, from 0), `ordinal` (the same from 1),
`unit` (a unit of time written out) and `pattern` (a regular expression written out).
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Function:
    """One function: its arguments, how many must be given, whether the last may be repeated, and the type it gives.

    `result` is a type, `same` (that of the first argument, numbers staying what they are) or `common` (what all arguments
    share).
    """

    arguments: tuple[str, ...]
    result: str
    least: int
    endless: bool = False
    example: str = ""


def _function(arguments: str, result: str, example: str, least: int | None = None, endless: bool = False) -> Function:
    takes = tuple(arguments.split())
    return Function(takes, result, len(takes) if least is None else least, endless, example)


FUNCTIONS: dict[str, Function] = {
    "abs": _function("numeric", "same", "abs(x)"),
    "round": _function("numeric count", "same", "round(x, 2)", least=1),
    "floor": _function("numeric", "same", "floor(x)"),
    "ceil": _function("numeric", "same", "ceil(x)"),
    "sqrt": _function("numeric", "number", "sqrt(x)"),
    "ln": _function("numeric", "number", "ln(x)"),
    "log10": _function("numeric", "number", "log10(x)"),
    "exp": _function("numeric", "number", "exp(x)"),
    "power": _function("numeric numeric", "number", "power(x, 2)"),
    "greatest": _function("any any", "common", "greatest(x, y)", endless=True),
    "least": _function("any any", "common", "least(x, y)", endless=True),
    "coalesce": _function("any any", "common", "coalesce(x, 0)", endless=True),
    "nullif": _function("any any", "common", "nullif(x, 0)"),
    "lower": _function("string", "string", "lower(x)"),
    "upper": _function("string", "string", "upper(x)"),
    "trim": _function("string", "string", "trim(x)"),
    "length": _function("string", "integer", "length(x)"),
    "substring": _function("string ordinal count", "string", "substring(x, 1, 3)", least=2),
    "contains": _function("string string", "boolean", "contains(x, 'a')"),
    "starts_with": _function("string string", "boolean", "starts_with(x, 'a')"),
    "ends_with": _function("string string", "boolean", "ends_with(x, 'a')"),
    "replace": _function("string text text", "string", "replace(x, 'a', 'b')"),
    "concat": _function("string string", "string", "concat(x, y)", endless=True),
    "regexp_matches": _function("string pattern", "boolean", "regexp_matches(x, '^/api')"),
    "split_part": _function("string text ordinal", "string", "split_part(x, '/', 2)"),
    "date_trunc": _function("unit moment", "timestamp", "date_trunc('hour', x)"),
    "date_diff": _function("unit moment moment", "integer", "date_diff('minute', start, finish)"),
}
SAME_AS = {
    "ceiling": "ceil",
    "pow": "power",
    "substr": "substring",
    "prefix": "starts_with",
    "suffix": "ends_with",
    "datediff": "date_diff",
}
TRUNC_UNITS = ("second", "minute", "hour", "day", "week", "month", "quarter", "year")
