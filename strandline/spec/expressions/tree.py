"""A checked expression as an engine-neutral sqlglot tree. The only module that knows sqlglot; the user's text never reaches it.

Where engines differ, the tree says what is meant, so that every engine gives the same:

* `/` is division of doubles, NULL by zero; `//` and `%` truncate toward zero (`-7 // 2` is -3, `-7 % 2` is -1), NULL by zero.
* Whole numbers that leave 64 bits, times out of range: NULL (`TRY` around the operation; an engine without it must not fail
  either).
* Decimals have 18 digits; a result that does not fit is NULL. (When the scale of a column is
  not given, a result is as wide as it comes.)
* A cast that does not work is NULL. A fraction cast to an integer is rounded, halves away from zero.
* `sqrt`, `ln`, `log10` and `power` are NULL where they have no value.
* `greatest` and `least` pass over NULLs.
* `concat` takes NULL for an empty text; `||` gives NULL.
* `date_diff` counts the borders of the unit crossed; `extract(dow …)` gives 0 for Sunday to 6; weeks start on Monday.
* `date ± interval` is a timestamp. Times are UTC: the session's time zone must be UTC.

Still different between engines, in the last digit or the spelling only: `round(x, n)` of doubles that lie half-way in decimal
(2.675), `log10`, `exp`, `power`; a double cast to a decimal or a text; `upper` and
`lower` of rare letters; `$` in a pattern before a last line break; which texts cast to a boolean or a timestamp. `exp`
and `power` may give infinity.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from sqlglot import exp

from strandline.spec.expressions.nodes import (
    UNKNOWN_SCALE,
    Call,
    Case,
    Cast,
    ColumnName,
    Constant,
    ExpressionType,
    Length,
    Node,
    Operation,
    Test,
)

DIGITS = 18
_TYPES = {
    "string": "VARCHAR",
    "integer": "BIGINT",
    "number": "DOUBLE",
    "boolean": "BOOLEAN",
    "date": "DATE",
    "timestamp": "TIMESTAMPTZ",
}
_COMPARISONS = {"=": exp.EQ, "<>": exp.NEQ, "<": exp.LT, "<=": exp.LTE, ">": exp.GT, ">=": exp.GTE}
_ARITHMETIC = {"+": exp.Add, "-": exp.Sub, "*": exp.Mul, "//": exp.IntDiv, "%": exp.Mod}
_COMPOUND = (exp.Binary, exp.Unary, exp.Between, exp.In, exp.Interval)


def tree_of(node: Node) -> exp.Expression:
    """The tree of a checked node; whole numbers are 64 bits wide whatever the engine makes of a literal."""
    return _Builder().converted(node, node.type, node.scale)


class _Builder:
    def build(self, node: Node) -> exp.Expression:
        match node:
            case Constant():
                return self._constant(node)
            case Length():
                count, unit = (node.count * 7, "day") if node.unit == "week" else (node.count, node.unit)
                return exp.Interval(this=exp.Literal.string(str(count)), unit=exp.var(unit.upper()))
            case ColumnName():
                return exp.column(node.name, quoted=True)
            case Operation():
                return self._operation(node)
            case Test():
                return self._test(node)
            case Case():
                return self._case(node)
            case Cast():
                return self._cast(node)
            case Call():
                return self._call(node)
        raise AssertionError(f"no tree for {type(node).__name__}")

    def inner(self, node: Node) -> exp.Expression:
        """The tree of a part, in parentheses when it is more than a name, a value or a call."""
        return _enclosed(self.build(node))

    def converted(self, node: Node, to: ExpressionType, scale: int = 0) -> exp.Expression:
        """The tree of a part, widened to the type `to` when it is narrower."""
        if node.type == "null":
            return exp.cast(exp.null(), _TYPES[to]) if to in _TYPES else exp.null()
        built = self.build(node)
        if to == "decimal" and (node.type, node.scale) != ("decimal", scale):
            return built if node.type == "decimal" and scale == UNKNOWN_SCALE else _decimal(built, max(0, scale))
        if to == "number" and node.type in ("integer", "decimal"):
            return _cast(built, "number")
        if to == "timestamp" and node.type == "date":
            return _cast(built, "timestamp")
        if to == "integer" and isinstance(node, Constant):
            return _cast(built, "integer")
        return built

    def _constant(self, node: Constant) -> exp.Expression:
        if node.kind == "null":
            return exp.null()
        if node.kind == "boolean":
            return exp.true() if node.text == "true" else exp.false()
        if node.kind == "text":
            return exp.Literal.string(node.text)
        if node.kind in ("timestamp", "date"):
            return _cast(exp.Literal.string(node.text), node.type)
        negative = node.text.startswith("-")
        digits = node.text.lstrip("-")
        literal: exp.Expression = exp.Literal.number(digits if node.kind == "integer" else repr(float(digits)))
        if negative:
            literal = exp.Neg(this=literal)
        if node.kind == "number":
            return _cast(literal, "number")
        if node.text == str(-(2**63)):
            return _cast(exp.Literal.string(node.text), "integer")
        return literal

    # --- operators ---

    def _operation(self, node: Operation) -> exp.Expression:
        operator, operands = node.operator, node.operands
        if operator in ("and", "or"):
            return _balanced(exp.And if operator == "and" else exp.Or, [self.inner(operand) for operand in operands])
        if operator == "not":
            return exp.Not(this=self.inner(operands[0]))
        if operator == "||":
            return _balanced(exp.DPipe, [self.inner(operand) for operand in operands])
        if operator in _COMPARISONS:
            left, right = self._aligned(operands)
            return _COMPARISONS[operator](this=left, expression=right)
        if operator == "pos":
            return self.converted(operands[0], node.type, node.scale)
        if operator == "neg":
            if node.type != "integer":
                return exp.Neg(this=self.inner(operands[0]))
            zero = exp.Literal.number(0)
            return exp.Try(this=exp.Sub(this=zero, expression=_enclosed(self.converted(operands[0], "integer"))))
        return self._arithmetic(node)

    def _arithmetic(self, node: Operation) -> exp.Expression:
        left, right = node.operands
        if node.operator == "/":
            divisor = exp.Nullif(this=self.converted(right, "number"), expression=exp.Literal.number(0))
            return exp.Div(this=_enclosed(self.converted(left, "number")), expression=divisor)
        if node.type in ("timestamp", "interval"):
            sides = [
                _enclosed(self.converted(side, "timestamp" if side.type == "date" else side.type)) for side in (left, right)
            ]
            moved = _ARITHMETIC[node.operator](this=sides[0], expression=sides[1])
            return exp.Try(this=moved) if node.type == "timestamp" else moved
        sides = [self._side(side, node) for side in (left, right)]
        if node.operator in ("//", "%") and not _is_nonzero(right):
            sides[1] = exp.Nullif(this=sides[1], expression=exp.Literal.number(0))
        result = _ARITHMETIC[node.operator](this=_enclosed(sides[0]), expression=_enclosed(sides[1]))
        if node.type == "decimal":
            return exp.Try(this=result) if node.scale == UNKNOWN_SCALE else _decimal(result, node.scale)
        safe = node.operator in ("//", "%") and _is_nonzero(right) and not _is_minus_one(right)
        return exp.Try(this=result) if node.type == "integer" and not safe else result

    def _side(self, side: Node, node: Operation) -> exp.Expression:
        """One side of an arithmetic operation, of the operation's type."""
        if node.type == "number":
            return self.converted(side, "number")
        if node.type == "decimal":
            return self.converted(side, "decimal", side.scale)
        return self.converted(side, "integer") if node.constant else self.build(side)

    def _aligned(self, nodes: Sequence[Node]) -> list[exp.Expression]:
        """The trees of what is compared; dates next to timestamps become timestamps."""
        as_timestamps = any(node.type == "timestamp" for node in nodes)
        return [_enclosed(self.converted(node, "timestamp") if as_timestamps else self.build(node)) for node in nodes]

    def _test(self, node: Test) -> exp.Expression:
        result: exp.Expression
        if node.kind in ("null", "true", "false"):
            value: exp.Expression = exp.null() if node.kind == "null" else exp.true() if node.kind == "true" else exp.false()
            result = exp.Is(this=self.inner(node.operand), expression=value)
        elif node.kind == "like":
            result = exp.Like(this=self.inner(node.operand), expression=self.build(node.others[0]))
        else:
            operand, *others = self._aligned([node.operand, *node.others])
            if node.kind == "between":
                result = exp.Between(this=operand, low=others[0], high=others[1])
            else:
                result = exp.In(this=operand, expressions=others)
        return exp.Not(this=_enclosed(result)) if node.negated else result

    def _case(self, node: Case) -> exp.Expression:
        keys = [condition for condition, _ in node.whens]
        if node.operand:
            operand, *conditions = self._aligned([node.operand, *keys])
        else:
            operand, conditions = None, [self.build(key) for key in keys]
        whens = [
            exp.If(this=condition, true=self.converted(value, node.type, node.scale))
            for condition, (_, value) in zip(conditions, node.whens, strict=True)
        ]
        default = self.converted(node.default, node.type, node.scale) if node.default else None
        return exp.Case(this=operand, ifs=whens, default=default)

    def _cast(self, node: Cast) -> exp.Expression:
        built = self.build(node.operand)
        if node.to == "decimal":
            return _decimal(built, node.scale)
        if node.operand.type == node.to:
            return self.converted(node.operand, node.to)
        if node.to == "integer" and node.operand.type in ("number", "decimal"):
            built = exp.Round(this=built)
        return exp.TryCast(this=built, to=exp.DataType.build(_TYPES[node.to]), safe=True)

    # --- functions ---

    def _call(self, node: Call) -> exp.Expression:
        if node.name in ("coalesce", "greatest", "least", "nullif"):
            first, *rest = [self.converted(argument, node.type, node.scale) for argument in node.arguments]
            if node.name == "nullif":
                return exp.Nullif(this=first, expression=rest[0])
            if node.name == "coalesce":
                return exp.Coalesce(this=first, expressions=rest)
            kind = exp.Greatest if node.name == "greatest" else exp.Least
            return kind(this=first, expressions=rest, ignore_nulls=True)
        if node.name in _NUMBERS:
            return _NUMBERS[node.name]([self.converted(argument, "number") for argument in node.arguments])
        if node.name == "abs":
            built = exp.Abs(this=self.converted(node.arguments[0], node.type, node.scale))
            return exp.Try(this=built) if node.type == "integer" else built
        if node.name in ("floor", "ceil", "round"):
            return self._rounded(node)
        if node.name in ("date_trunc", "date_diff", "extract"):
            return self._time(node)
        return _TEXTS[node.name]([self.build(argument) for argument in node.arguments])

    def _rounded(self, node: Call) -> exp.Expression:
        first = self.converted(node.arguments[0], node.type, node.arguments[0].scale)
        if node.type == "integer":
            return first
        if node.name != "round":
            rounded = exp.Floor(this=first) if node.name == "floor" else exp.Ceil(this=first)
            return _cast(rounded, "number") if node.type == "number" else _decimal(rounded, 0)
        digits = self.build(node.arguments[1]) if len(node.arguments) > 1 else exp.Literal.number(0)
        rounded = exp.Round(this=first, decimals=digits)
        return _decimal(rounded, node.scale) if node.type == "decimal" and node.scale != UNKNOWN_SCALE else rounded

    def _time(self, node: Call) -> exp.Expression:
        if node.name == "extract":
            moment = self.build(node.arguments[0])
            if node.unit == "dow":
                weekday = _enclosed(exp.DayOfWeekIso(this=moment))
                return exp.Mod(this=_cast(weekday, "integer"), expression=exp.Literal.number(7))
            return _cast(exp.Extract(this=exp.var(node.unit.upper()), expression=moment), "integer")
        unit_node, *moments = node.arguments
        assert isinstance(unit_node, Constant)
        unit = exp.var(unit_node.text.upper())
        cut = [exp.TimestampTrunc(this=self.converted(moment, "timestamp"), unit=unit.copy()) for moment in moments]
        if node.name == "date_trunc":
            return cut[0]
        return _cast(exp.DateDiff(this=cut[1], expression=cut[0], unit=unit), "integer")


def _cast(built: exp.Expression, to: str) -> exp.Expression:
    return exp.Cast(this=built, to=exp.DataType.build(_TYPES[to]))


def _decimal(built: exp.Expression, scale: int) -> exp.Expression:
    return exp.TryCast(this=built, to=exp.DataType.build(f"DECIMAL({DIGITS}, {scale})"), safe=True)


def _enclosed(built: exp.Expression) -> exp.Expression:
    return exp.Paren(this=built) if isinstance(built, _COMPOUND) and not isinstance(built, exp.Paren) else built


def _balanced(kind: type[exp.Binary], parts: list[exp.Expression]) -> exp.Expression:
    """The parts joined left to right."""
    joined = parts[0]
    for part in parts[1:]:
        joined = kind(this=joined, expression=part)
    return joined


def _is_nonzero(node: Node) -> bool:
    return isinstance(node, Constant) and node.kind in ("integer", "number") and float(node.text) != 0


def _is_minus_one(node: Node) -> bool:
    return isinstance(node, Constant) and node.text == "-1"


def _positive(built: exp.Expression) -> exp.Expression:
    zero = _cast(exp.Literal.number(0), "number")
    return exp.Nullif(this=exp.Greatest(this=built, expressions=[zero], ignore_nulls=True), expression=zero.copy())


def _value(built: exp.Expression) -> exp.Expression:
    return exp.Nullif(this=built, expression=_cast(exp.Literal.string("NaN"), "number"))


def _joined(parts: list[exp.Expression]) -> exp.Expression:
    return _balanced(exp.DPipe, [exp.Coalesce(this=part, expressions=[exp.Literal.string("")]) for part in parts])


_Make = Callable[[list[exp.Expression]], exp.Expression]
_NUMBERS: dict[str, _Make] = {
    "sqrt": lambda a: _value(exp.Sqrt(this=a[0])),
    "ln": lambda a: exp.Ln(this=_positive(a[0])),
    "log10": lambda a: exp.Log(this=exp.Literal.number(10), expression=_positive(a[0])),
    "exp": lambda a: exp.Exp(this=a[0]),
    "power": lambda a: _value(exp.Pow(this=a[0], expression=a[1])),
}
_TEXTS: dict[str, _Make] = {
    "lower": lambda a: exp.Lower(this=a[0]),
    "upper": lambda a: exp.Upper(this=a[0]),
    "trim": lambda a: exp.Trim(this=a[0]),
    "length": lambda a: _cast(exp.Length(this=a[0]), "integer"),
    "substring": lambda a: exp.Substring(this=a[0], start=a[1], length=a[2] if len(a) > 2 else None),
    "contains": lambda a: exp.Contains(this=a[0], expression=a[1]),
    "starts_with": lambda a: exp.StartsWith(this=a[0], expression=a[1]),
    "ends_with": lambda a: exp.EndsWith(this=a[0], expression=a[1]),
    "replace": lambda a: exp.Replace(this=a[0], expression=a[1], replacement=a[2]),
    "concat": _joined,
    "regexp_matches": lambda a: exp.RegexpLike(this=a[0], expression=a[1]),
    "split_part": lambda a: exp.SplitPart(this=a[0], delimiter=a[1], part_index=a[2]),
}
