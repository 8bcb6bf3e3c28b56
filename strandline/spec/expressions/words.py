"""The trees of single words of the vocabulary, made of the trees of their operands."""

from __future__ import annotations

from collections.abc import Callable

from sqlglot import exp

DIGITS = 18
TYPES = {
    "string": "VARCHAR",
    "integer": "BIGINT",
    "number": "DOUBLE",
    "boolean": "BOOLEAN",
    "date": "DATE",
    "timestamp": "TIMESTAMPTZ",
}
_COMPOUND = (exp.Binary, exp.Unary, exp.Between, exp.In, exp.Interval)


def cast(built: exp.Expression, to: str) -> exp.Expression:
    """The value as one of a field type (no decimal), by a cast that always works."""
    return exp.Cast(this=built, to=exp.DataType.build(TYPES[to]))


def decimal(built: exp.Expression, scale: int) -> exp.Expression:
    """The value as a decimal of 18 digits; NULL where it does not fit."""
    return exp.TryCast(this=built, to=exp.DataType.build(f"DECIMAL({DIGITS}, {scale})"), safe=True)


def rounded_to(built: exp.Expression, places: int) -> exp.Expression:
    """Engines' own rounding to places is of the text or of the exact value; here it is of the number times the power of ten."""
    if not places:
        return exp.Round(this=built)
    power = cast(exp.Literal.number(repr(10.0**places)), "number")
    return exp.Paren(
        this=exp.Div(this=exp.Round(this=exp.Mul(this=enclosed(built), expression=power)), expression=power.copy())
    )


def enclosed(built: exp.Expression) -> exp.Expression:
    """In parentheses when it is more than a name, a value or a call."""
    return exp.Paren(this=built) if isinstance(built, _COMPOUND) and not isinstance(built, exp.Paren) else built


def balanced(kind: type[exp.Binary], parts: list[exp.Expression]) -> exp.Expression:
    """The parts joined left to right."""
    joined = parts[0]
    for part in parts[1:]:
        joined = kind(this=joined, expression=part)
    return joined


def _positive(built: exp.Expression) -> exp.Expression:
    zero = cast(exp.Literal.number(0), "number")
    return exp.Nullif(this=exp.Greatest(this=built, expressions=[zero], ignore_nulls=True), expression=zero.copy())


def _value(built: exp.Expression) -> exp.Expression:
    return exp.Nullif(this=built, expression=cast(exp.Literal.string("NaN"), "number"))


def _joined(parts: list[exp.Expression]) -> exp.Expression:
    return balanced(exp.DPipe, [exp.Coalesce(this=part, expressions=[exp.Literal.string("")]) for part in parts])


_Make = Callable[[list[exp.Expression]], exp.Expression]
NUMBERS: dict[str, _Make] = {
    "sqrt": lambda a: _value(exp.Sqrt(this=a[0])),
    "ln": lambda a: exp.Ln(this=_positive(a[0])),
    "log10": lambda a: exp.Log(this=exp.Literal.number(10), expression=_positive(a[0])),
    "exp": lambda a: exp.Exp(this=a[0]),
    "power": lambda a: _value(exp.Pow(this=a[0], expression=a[1])),
}
TEXTS: dict[str, _Make] = {
    "lower": lambda a: exp.Lower(this=a[0]),
    "upper": lambda a: exp.Upper(this=a[0]),
    "trim": lambda a: exp.Trim(this=a[0]),
    "length": lambda a: cast(exp.Length(this=a[0]), "integer"),
    "substring": lambda a: exp.Substring(this=a[0], start=a[1], length=a[2] if len(a) > 2 else None),
    "contains": lambda a: exp.Contains(this=a[0], expression=a[1]),
    "starts_with": lambda a: exp.StartsWith(this=a[0], expression=a[1]),
    "ends_with": lambda a: exp.EndsWith(this=a[0], expression=a[1]),
    "replace": lambda a: exp.Replace(this=a[0], expression=a[1], replacement=a[2]),
    "concat": _joined,
    "regexp_matches": lambda a: exp.RegexpLike(this=a[0], expression=a[1]),
    "split_part": lambda a: exp.SplitPart(this=a[0], delimiter=a[1], part_index=a[2]),
}
