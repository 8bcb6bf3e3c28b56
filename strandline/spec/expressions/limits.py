"""What a value may be, as trees: the same on every engine, and never more than one mention of the operand.

* A number is finite and below 1e18 in magnitude, a moment lies in the years 1 to 9999: what is beyond is NULL.
* A text becomes a value of another type only where it is written in one of the forms below.
"""

from __future__ import annotations

from sqlglot import exp

LARGEST = 1e18
_YEAR = "(?:000[1-9]|00[1-9][0-9]|0[1-9][0-9]{2}|[1-9][0-9]{3})"
_DAY = f"{_YEAR}-[0-9]{{2}}-[0-9]{{2}}"
_CLOCK = "(?:[01][0-9]|2[0-3]):[0-5][0-9]"
_ZONE = "(?:Z|[+-](?:0[0-9]|1[0-7]):[0-5][0-9])"
_FORMS = {
    "integer": r"^([+-]?[0-9]{1,19})(?:\.0+)?$",
    "number": r"^([+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)$",
    "decimal": r"^([+-]?[0-9]+(?:\.[0-9]+)?)$",
    "boolean": "^([tT][rR][uU][eE]|[fF][aA][lL][sS][eE])$",
    "date": f"^({_DAY})$",
    "timestamp": rf"^({_DAY}(?:[T ]{_CLOCK}(?::[0-5][0-9](?:\.[0-9]{{1,9}})?{_ZONE}?)?)?)$",
}


def written_as(built: exp.Expression, to: str) -> exp.Expression:
    """The part of a text that can be read as a value of the type `to`; NULL where the text has another form."""
    form, first = exp.Literal.string(_FORMS[to]), exp.Literal.number(1)
    return exp.Nullif(this=exp.RegexpExtract(this=built, expression=form, group=first), expression=exp.Literal.string(""))


def below_largest(built: exp.Expression) -> exp.Expression:
    """The number; NULL when it is not finite or not below 1e18 in magnitude (NaN is the greatest number)."""
    over = exp.Cast(this=exp.Literal.number(repr(LARGEST)), to=exp.DataType.build("DOUBLE"))
    return _between(built, exp.Neg(this=over), over)


def within_time(built: exp.Expression) -> exp.Expression:
    """The moment; NULL when it is not in the years 1 to 9999."""
    under = exp.Sub(this=_moment("0001-01-01 00:00:00+00:00"), expression=_microsecond())
    over = exp.Add(this=_moment("9999-12-31 23:59:59.999999+00:00"), expression=_microsecond())
    return _between(built, under, over)


def _between(built: exp.Expression, under: exp.Expression, over: exp.Expression) -> exp.Expression:
    """The value between both; what is not is moved to one of them, and that made NULL."""
    capped = exp.Least(this=built, expressions=[over], ignore_nulls=True)
    held = exp.Greatest(this=capped, expressions=[under], ignore_nulls=True)
    return exp.Nullif(this=exp.Nullif(this=held, expression=over.copy()), expression=under.copy())


def _moment(text: str) -> exp.Expression:
    return exp.Cast(this=exp.Literal.string(text), to=exp.DataType.build("TIMESTAMPTZ"))


def _microsecond() -> exp.Expression:
    return exp.Interval(this=exp.Literal.string("1"), unit=exp.var("MICROSECOND"))
