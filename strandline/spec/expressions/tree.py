"""A checked expression as an engine-neutral sqlglot tree; the user's text never reaches it.

Where engines differ, the tree says what is meant, so that every engine gives the same:

* `/` is division of doubles, NULL by zero; `//` and `%` truncate toward zero (`-7 // 2` is -3, `-7 % 2` is -1), NULL by zero.
* Whole numbers that leave 64 bits: NULL (`TRY` around the operation; an engine without it must not fail either).
* A computed moment lies in the years 1 to 9999, a number that an expression gives is finite and below 1e18 in magnitude; what
  does not is NULL.
* Decimals have 18 digits; a result that does not fit is NULL. (When the scale of a column is
  not given, a result is as wide as it comes.)
* A cast that does not work is NULL; a text is cast only where it has one of the forms in `limits`. A fraction cast to an
  integer is rounded, halves away from zero; a number rounded to places, or cast to a decimal, is multiplied by the power of
  ten and then rounded so.
* `sqrt`, `ln`, `log10` and `power` are NULL where they have no value.
* `greatest` and `least` pass over NULLs.
* `concat` takes NULL for an empty text; `||` gives NULL.
* `date_diff` counts the borders of the unit crossed; `extract(dow …)` gives 0 for Sunday to 6; weeks start on Monday.
* `date ± interval` is a timestamp. Times are UTC: the session's time zone must be UTC.

Each part says its type in `meta` (`type`, and `scale` of a decimal), for an engine on which an operation depends on it. Still
different between engines, in the last digit only: `ln`, `log10`, `exp`, `power`. They may give infinity within an expression.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlglot import exp

from strandline.spec.expressions.limits import LARGEST, below_largest, within_time, written_as
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
from strandline.spec.expressions.words import NUMBERS, TEXTS, TYPES, balanced, cast, decimal, enclosed, rounded_to

_COMPARISONS = {"=": exp.EQ, "<>": exp.NEQ, "<": exp.LT, "<=": exp.LTE, ">": exp.GT, ">=": exp.GTE}
_ARITHMETIC = {"+": exp.Add, "-": exp.Sub, "*": exp.Mul, "//": exp.IntDiv, "%": exp.Mod}


def tree_of(node: Node) -> exp.Expression:
    """The tree of a checked node; whole numbers are 64 bits wide whatever the engine makes of a literal."""
    built = _Builder().converted(node, node.type, node.scale)
    return built if node.type != "number" or _is_small(node) else below_largest(built)


class _Builder:
    def build(self, node: Node) -> exp.Expression:
        built = self._built(node)
        built.meta.update(type=node.type, scale=node.scale)
        return built

    def _built(self, node: Node) -> exp.Expression:
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
        return enclosed(self.build(node))

    def converted(self, node: Node, to: ExpressionType, scale: int = 0) -> exp.Expression:
        """The tree of a part, widened to the type `to` when it is narrower."""
        if node.type == "null":
            return exp.cast(exp.null(), TYPES[to]) if to in TYPES else exp.null()
        built = self.build(node)
        if to == "decimal" and (node.type, node.scale) != ("decimal", scale):
            return built if node.type == "decimal" and scale == UNKNOWN_SCALE else decimal(built, max(0, scale))
        if to == "number" and node.type in ("integer", "decimal"):
            return cast(built, "number")
        if to == "timestamp" and node.type == "date":
            return cast(built, "timestamp")
        if to == "integer" and isinstance(node, Constant):
            return cast(built, "integer")
        return built

    def _constant(self, node: Constant) -> exp.Expression:
        if node.kind == "null":
            return exp.null()
        if node.kind == "boolean":
            return exp.true() if node.text == "true" else exp.false()
        if node.kind == "text":
            return exp.Literal.string(node.text)
        if node.kind in ("timestamp", "date"):
            return cast(exp.Literal.string(node.text), node.type)
        negative = node.text.startswith("-")
        digits = node.text.lstrip("-")
        literal: exp.Expression = exp.Literal.number(digits if node.kind == "integer" else repr(float(digits)))
        if negative:
            literal = exp.Neg(this=literal)
        if node.kind == "number":
            return cast(literal, "number")
        if node.text == str(-(2**63)):
            return cast(exp.Literal.string(node.text), "integer")
        return literal

    # --- operators ---

    def _operation(self, node: Operation) -> exp.Expression:
        operator, operands = node.operator, node.operands
        if operator in ("and", "or"):
            return balanced(exp.And if operator == "and" else exp.Or, [self.inner(operand) for operand in operands])
        if operator == "not":
            return exp.Not(this=self.inner(operands[0]))
        if operator == "||":
            return balanced(exp.DPipe, [self.inner(operand) for operand in operands])
        if operator in _COMPARISONS:
            left, right = self._aligned(operands)
            return _COMPARISONS[operator](this=left, expression=right)
        if operator == "pos":
            return self.converted(operands[0], node.type, node.scale)
        if operator == "neg":
            if node.type != "integer":
                return exp.Neg(this=self.inner(operands[0]))
            zero = exp.Literal.number(0)
            return exp.Try(this=exp.Sub(this=zero, expression=enclosed(self.converted(operands[0], "integer"))))
        return self._arithmetic(node)

    def _arithmetic(self, node: Operation) -> exp.Expression:
        left, right = node.operands
        if node.operator == "/":
            divisor = exp.Nullif(this=self.converted(right, "number"), expression=exp.Literal.number(0))
            return exp.Div(this=enclosed(self.converted(left, "number")), expression=divisor)
        if node.type in ("timestamp", "interval"):
            sides = [
                enclosed(self.converted(side, "timestamp" if side.type == "date" else side.type)) for side in (left, right)
            ]
            moved = _ARITHMETIC[node.operator](this=sides[0], expression=sides[1])
            return within_time(exp.Try(this=moved)) if node.type == "timestamp" else moved
        sides = [self._side(side, node) for side in (left, right)]
        if node.operator in ("//", "%") and not _is_nonzero(right):
            sides[1] = exp.Nullif(this=sides[1], expression=exp.Literal.number(0))
        result = _ARITHMETIC[node.operator](this=enclosed(sides[0]), expression=enclosed(sides[1]))
        if node.type == "decimal":
            return exp.Try(this=result) if node.scale == UNKNOWN_SCALE else decimal(result, node.scale)
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
        """The trees of what is compared: dates next to timestamps become timestamps, all numbers of more than two become of one
        type.
        """
        types = {node.type for node in nodes}
        to: ExpressionType | None = "timestamp" if "timestamp" in types else None
        if len(nodes) > 2 and "number" in types and types & {"integer", "decimal"}:
            to = "number"
        return [enclosed(self.converted(node, to) if to else self.build(node)) for node in nodes]

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
        return exp.Not(this=enclosed(result)) if node.negated else result

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
        if node.operand.type == "string" and node.to != "string":
            built = written_as(built, node.to)
        if node.to == "decimal":
            return decimal(built, node.scale)
        if node.operand.type == node.to:
            return self.converted(node.operand, node.to)
        if node.to == "integer" and node.operand.type in ("number", "decimal"):
            built = exp.Round(this=built)
        tried = exp.TryCast(this=built, to=exp.DataType.build(TYPES[node.to]), safe=True)
        if node.operand.type != "string" or node.to not in ("number", "timestamp"):
            return tried
        return below_largest(tried) if node.to == "number" else within_time(tried)

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
        if node.name in NUMBERS:
            numbers = [self.converted(argument, "number") for argument in node.arguments]
            if node.name == "power":
                numbers = [n if _is_small(a) else below_largest(n) for n, a in zip(numbers, node.arguments, strict=True)]
            return NUMBERS[node.name](numbers)
        if node.name == "abs":
            built = exp.Abs(this=self.converted(node.arguments[0], node.type, node.scale))
            return exp.Try(this=built) if node.type == "integer" else built
        if node.name in ("floor", "ceil", "round"):
            return self._rounded(node)
        if node.name in ("date_trunc", "date_diff", "extract"):
            return self._time(node)
        return TEXTS[node.name]([self.build(argument) for argument in node.arguments])

    def _rounded(self, node: Call) -> exp.Expression:
        first = self.converted(node.arguments[0], node.type, node.arguments[0].scale)
        if node.type == "integer":
            return first
        if node.name != "round":
            rounded = exp.Floor(this=first) if node.name == "floor" else exp.Ceil(this=first)
            return cast(rounded, "number") if node.type == "number" else decimal(rounded, 0)
        digits = self.build(node.arguments[1]) if len(node.arguments) > 1 else exp.Literal.number(0)
        if node.type == "number":
            return rounded_to(first, int(digits.name))
        rounded = exp.Round(this=first, decimals=digits)
        return decimal(rounded, node.scale) if node.type == "decimal" and node.scale != UNKNOWN_SCALE else rounded

    def _time(self, node: Call) -> exp.Expression:
        if node.name == "extract":
            moment = self.build(node.arguments[0])
            if node.unit == "dow":
                weekday = enclosed(exp.DayOfWeekIso(this=moment))
                return exp.Mod(this=cast(weekday, "integer"), expression=exp.Literal.number(7))
            return cast(exp.Extract(this=exp.var(node.unit.upper()), expression=moment), "integer")
        unit_node, *moments = node.arguments
        assert isinstance(unit_node, Constant)
        unit = exp.var(unit_node.text.upper())
        cut = [exp.TimestampTrunc(this=self.converted(moment, "timestamp"), unit=unit.copy()) for moment in moments]
        if node.name == "date_trunc":
            return cut[0]
        return cast(exp.DateDiff(this=cut[1], expression=cut[0], unit=unit), "integer")


def _is_small(node: Node) -> bool:
    """Whether a number is below the largest one because all it comes from are."""
    match node:
        case ColumnName():
            return node.type == "number"
        case Constant():
            return node.kind == "null" or abs(float(node.text)) < LARGEST
        case Cast():
            return node.operand.type == "string"  # bounded where it is cast
        case Call():
            if node.name in ("ln", "log10"):
                return True
            same = ("abs", "round", "floor", "ceil", "coalesce", "greatest", "least", "nullif")
            return node.name in same and all(_is_small(argument) for argument in node.arguments)
        case Case():
            return all(_is_small(value) for value in (*(value for _, value in node.whens), node.default) if value)
    return False


def _is_nonzero(node: Node) -> bool:
    return isinstance(node, Constant) and node.kind in ("integer", "number") and float(node.text) != 0


def _is_minus_one(node: Node) -> bool:
    return isinstance(node, Constant) and node.text == "-1"
