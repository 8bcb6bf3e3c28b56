"""A user's expression in Spark's SQL: the trees of `strandline.spec.expressions.tree`, node by node, and nothing else.

With ANSI on, Spark stops a query where DuckDB's `TRY` gives NULL, so nothing written here can fail: what may overflow or not
convert is asked for by a `try_…` function. Where Spark means something else by a word, what is meant is written out; what
needs its operand twice binds it first, so that the text grows with the tree and not with its power.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import count

from sqlglot import exp

from strandline.engines.duckdb import letter_cases
from strandline.engines.spark_patterns import java_pattern

SPACES = "\u0020\u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u202f\u205f\u3000"
"""What `trim` takes off: the space separators of Unicode. No tabs, no line breaks."""
_LEAST = "CAST('-9223372036854775808' AS BIGINT)"
_TWO_63 = "9.223372036854775807E18D"
_WHOLE = "4503599627370496D"
"""2^52: a double from here on has no fraction."""
_MICROSECONDS = {"MICROSECOND": 1, "MILLISECOND": 1_000, "SECOND": 1_000_000, "MINUTE": 60_000_000, "HOUR": 3_600_000_000,
                 "DAY": 86_400_000_000}  # fmt: skip
_LONGEST = 106_751_990 * _MICROSECONDS["DAY"]
_TYPES = {"VARCHAR": "STRING", "TIMESTAMPTZ": "TIMESTAMP"}
_KINDS = {"DOUBLE": "number", "DECIMAL": "decimal", "BIGINT": "integer", "VARCHAR": "string"}
_INFIX: dict[type[exp.Expression], str] = {
    exp.And: "AND", exp.Or: "OR", exp.EQ: "=", exp.NEQ: "<>", exp.LT: "<", exp.LTE: "<=", exp.GT: ">", exp.GTE: ">=",
    exp.Add: "+", exp.Sub: "-", exp.Mul: "*", exp.Div: "/", exp.Mod: "%", exp.IntDiv: "div", exp.DPipe: "||",
    exp.Like: "LIKE", exp.Is: "IS",
}  # fmt: skip
_CALLS: dict[type[exp.Expression], tuple[str, ...]] = {
    exp.Coalesce: ("coalesce", "this", "expressions"), exp.Greatest: ("greatest", "this", "expressions"),
    exp.Least: ("least", "this", "expressions"), exp.Nullif: ("nullif", "this", "expression"), exp.Abs: ("abs", "this"),
    exp.Sqrt: ("sqrt", "this"), exp.Ln: ("ln", "this"), exp.Log: ("log10", "expression"), exp.Exp: ("exp", "this"),
    exp.Pow: ("power", "this", "expression"), exp.Length: ("char_length", "this"),
    exp.Substring: ("substring", "this", "start", "length"), exp.Contains: ("contains", "this", "expression"),
    exp.StartsWith: ("startswith", "this", "expression"), exp.EndsWith: ("endswith", "this", "expression"),
    exp.Replace: ("replace", "this", "expression", "replacement"),
    exp.SplitPart: ("split_part", "this", "delimiter", "part_index"),
}  # fmt: skip


def spark_literal(text: str) -> str:
    """The string as a literal; no part of it is read as an escape."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def spark_name(name: str) -> str:
    """The identifier, quoted."""
    return "`" + name.replace("`", "``") + "`"


def spark_decimal(value: str, precision: int, scale: int) -> str:
    """A double (its SQL) as a decimal of at most 18 digits: times the power of ten, rounded halves away from zero; else NULL.

    Spark itself rounds the text of a double.
    """
    whole = f"try_cast(round({value} * 1e{scale}D) AS BIGINT)" if scale else f"try_cast(round({value}) AS BIGINT)"
    digits = f"CAST({whole} AS DECIMAL(19, 0))"
    shifted = f"{digits} * 0.{'0' * (scale - 1)}1BD" if scale else digits
    return f"try_cast({shifted} AS DECIMAL({precision}, {scale}))"


def spark_expression(tree: exp.Expression) -> str:
    """The SQL of the tree; evaluating it fails no row."""
    return _Writer().text(tree)


class _Writer:
    def __init__(self) -> None:
        self.numbers = count(1)

    def text(self, node: exp.Expression) -> str:
        """The SQL of a node."""
        kind = type(node)
        special = _SPECIAL.get(kind)
        if special:
            return special(self, node)
        if kind in _CALLS:
            name, *arguments = _CALLS[kind]
            return f"{name}({', '.join(self._arguments(node, arguments))})"
        if kind in _INFIX:
            return f"({self.text(node.this)} {_INFIX[kind]} {self.text(node.expression)})"
        raise AssertionError(f"no words of Spark for {kind.__name__}")

    def _arguments(self, node: exp.Expression, names: Sequence[str]) -> list[str]:
        found = []
        for name in names:
            part = node.args.get(name)
            found += [self.text(each) for each in (part if isinstance(part, list) else [part]) if each is not None]
        return found

    def bound(self, value: str, body: Callable[[str], str]) -> str:
        """The body over a value that it may mention more than once."""
        if value.startswith("`") and value.count("`") == 2:
            return body(value)
        name = f"_v{next(self.numbers)}"
        return f"transform(array({value}), {name} -> {body(name)})[0]"

    def attempt(self, node: exp.Expression) -> str:
        """What may go wrong in one row."""
        inner = node.this
        if isinstance(inner, exp.Add | exp.Sub | exp.Mul):
            left, right = inner.this, inner.expression
            if isinstance(_bare(left), exp.Interval):
                left, right = right, left
            name = {exp.Add: "try_add", exp.Sub: "try_subtract", exp.Mul: "try_multiply"}[type(inner)]
            return f"{name}({self.text(left)}, {self.text(right)})"
        if isinstance(inner, exp.Abs):
            return f"abs(nullif({self.text(inner.this)}, {_LEAST}))"
        if isinstance(inner, exp.IntDiv):
            return self.bound(
                self.text(inner.this), lambda a: self.bound(self.text(inner.expression), lambda b: _divided(a, b))
            )
        return self.text(inner)

    def cast(self, node: exp.Expression) -> str:
        """A cast; one to be tried gives NULL where it does not work."""
        to, value = node.args["to"], self.text(node.this)
        name = to.this.value
        sizes = [int(size.this.this) for size in to.expressions]
        if isinstance(node, exp.TryCast) and _kind(node.this) == "number":
            if name == "DECIMAL":
                return spark_decimal(value, *sizes)
            if name == "BIGINT":  # Spark takes 2^63 for the last integer
                value = f"nullif(least({value}, {_TWO_63}), {_TWO_63})"
        size = f"({', '.join(str(each) for each in sizes)})" if sizes else ""
        word = "try_cast" if isinstance(node, exp.TryCast) else "CAST"
        return f"{word}({value} AS {_TYPES.get(name, name)}{size})"

    def whole(self, node: exp.Expression) -> str:
        """Up or down to a whole number; Spark's own gives an integer, which a double may be too large for."""
        name, value = ("floor" if isinstance(node, exp.Floor) else "ceil"), self.text(node.this)
        if _kind(node.this) != "number":
            return f"{name}({value})"
        return self.bound(value, lambda x: f"CASE WHEN abs({x}) < {_WHOLE} THEN CAST({name}({x}) AS DOUBLE) ELSE {x} END")

    def rounded(self, node: exp.Expression) -> str:
        """Rounded to decimals, halves away from zero."""
        digits = node.args.get("decimals")
        return f"round({self.text(node.this)}, {int(digits.name) if digits else 0})"

    def case(self, node: exp.Expression) -> str:
        """A choice."""
        operand, default = node.this, node.args.get("default")
        whens = "".join(f" WHEN {self.text(each.this)} THEN {self.text(each.args['true'])}" for each in node.args["ifs"])
        start = f"CASE {self.text(operand)}" if operand else "CASE"
        return f"{start}{whens}{f' ELSE {self.text(default)}' if default else ''} END"

    def difference(self, node: exp.Expression) -> str:
        """How many units lie between two moments that start one."""
        return f"timestampdiff({node.args['unit'].name}, {self.text(node.expression)}, {self.text(node.this)})"

    def letters(self, node: exp.Expression) -> str:
        """Lower or upper, letter by letter."""
        before, after = letter_cases()["lower" if isinstance(node, exp.Lower) else "upper"]
        return f"translate({self.text(node.this)}, {spark_literal(before)}, {spark_literal(after)})"

    def match(self, node: exp.Expression) -> str:
        """Whether a text holds what a pattern describes, or that part of it."""
        value, pattern = self.text(node.this), spark_literal(java_pattern(node.expression.this))
        if isinstance(node, exp.RegexpLike):
            return f"rlike({value}, {pattern})"
        return f"regexp_extract({value}, {pattern}, {node.args['group'].this})"

    def among(self, node: exp.Expression) -> str:
        """Whether a value is one of some."""
        return f"({self.text(node.this)} IN ({', '.join(self.text(each) for each in node.expressions)}))"


def _divided(a: str, b: str) -> str:
    """Whole division; the least integer by -1 is the one that overflows."""
    return f"CASE WHEN {b} = -1 THEN try_subtract(CAST(0 AS BIGINT), {a}) ELSE {a} div {b} END"


def _interval(node: exp.Expression) -> str:
    """A length of time; one that leads out of time from any moment stands for all longer ones."""
    total = int(node.this.this) * _MICROSECONDS[node.args["unit"].name]
    days, rest = divmod(min(abs(total), _LONGEST), _MICROSECONDS["DAY"])
    seconds, fraction = divmod(rest, 1_000_000)
    clock = f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}.{fraction:06}"
    return f"INTERVAL '{'-' if total < 0 else ''}{days} {clock}' DAY TO SECOND"


def _bare(node: exp.Expression) -> exp.Expression:
    return _bare(node.this) if isinstance(node, exp.Paren) else node


def _kind(node: exp.Expression) -> str:
    """The type of a part, as far as an operation depends on it."""
    known = node.meta.get("type")
    if known:
        return str(known)
    if isinstance(node, exp.Cast):
        return _KINDS.get(node.to.this.value, "")
    if isinstance(node, exp.RegexpExtract):
        return "string"
    same = (exp.Paren, exp.Nullif, exp.Greatest, exp.Least, exp.Round, exp.Floor, exp.Ceil, exp.Abs, exp.Try)
    return _kind(node.this) if isinstance(node, same) else ""


_SPECIAL: dict[type[exp.Expression], Callable[[_Writer, exp.Expression], str]] = {
    exp.Paren: lambda w, n: w.text(n.this),
    exp.Column: lambda w, n: spark_name(n.name),
    exp.Literal: lambda w, n: spark_literal(n.this) if n.is_string else str(n.this),
    exp.Null: lambda w, n: "NULL",
    exp.Boolean: lambda w, n: "TRUE" if n.this else "FALSE",
    exp.Interval: lambda w, n: _interval(n),
    exp.Not: lambda w, n: f"(NOT {w.text(n.this)})",
    exp.Neg: lambda w, n: f"(- {w.text(n.this)})",
    exp.Between: lambda w, n: f"({w.text(n.this)} BETWEEN {w.text(n.args['low'])} AND {w.text(n.args['high'])})",
    exp.In: _Writer.among,
    exp.Case: _Writer.case,
    exp.Try: _Writer.attempt,
    exp.Cast: _Writer.cast,
    exp.TryCast: _Writer.cast,
    exp.Floor: _Writer.whole,
    exp.Ceil: _Writer.whole,
    exp.Round: _Writer.rounded,
    exp.Lower: _Writer.letters,
    exp.Upper: _Writer.letters,
    exp.RegexpLike: _Writer.match,
    exp.RegexpExtract: _Writer.match,
    exp.DateDiff: _Writer.difference,
    exp.Trim: lambda w, n: f"trim(BOTH {spark_literal(SPACES)} FROM {w.text(n.this)})",
    exp.TimestampTrunc: lambda w, n: f"date_trunc('{n.args['unit'].name}', {w.text(n.this)})",
    exp.Extract: lambda w, n: f"extract({n.this.name} FROM {w.text(n.expression)})",
    exp.DayOfWeekIso: lambda w, n: f"(weekday({w.text(n.this)}) + 1)",
}
