"""Text → tree, by recursive descent over the grammar of DuckDB's SQL expressions, as far as this language has them.

From loosest to tightest: `or`; `and`; `not`; `is`; comparison (not chained); `between`, `in`, `like`; `||`; `+ -`; `* / //
%`; sign. Source: https://duckdb.org/docs/stable/sql/expressions/overview, and PostgreSQL's "Operator Precedence", which
DuckDB follows.
"""

from __future__ import annotations

import re

from strandline.spec.expressions.cursor import MAX_DEPTH, Cursor, too_deep
from strandline.spec.expressions.errors import ExpressionError
from strandline.spec.expressions.left_out import left_out_word
from strandline.spec.expressions.nodes import Call, Case, Cast, ColumnName, Constant, Length, Node, Operation, Test
from strandline.spec.expressions.tokens import Token, tokens_of
from strandline.spec.model import FieldType

MAX_LENGTH = 2000

UNITS = ("microsecond", "millisecond", "second", "minute", "hour", "day", "week")
EXTRACT_UNITS = ("year", "month", "day", "hour", "minute", "dow")
CAST_TYPES: dict[str, FieldType] = {
    "varchar": "string", "string": "string", "text": "string", "integer": "integer", "bigint": "integer", "double": "number",
    "decimal": "decimal", "numeric": "decimal", "boolean": "boolean", "date": "date", "timestamp": "timestamp",
}  # fmt: skip
_COMPARISONS = {"=": "=", "==": "=", "<>": "<>", "!=": "<>", "<": "<", "<=": "<=", ">": ">", ">=": ">="}
_SUMS = ("+", "-")
_PRODUCTS = ("*", "/", "//", "%")
_ARITHMETIC = (*_SUMS, *_PRODUCTS)
KEYWORDS = frozenset(
    ("and", "or", "not", "in", "is", "null", "like", "between", "case", "when", "then", "else", "end", "true", "false", "as")
)

_is_name = re.compile(r"[a-z][a-z0-9_]*\Z").match


def parse(text: str) -> Node:
    """The tree of `text`; raises ExpressionError when it is not exactly one expression of this language."""
    if len(text) > MAX_LENGTH:
        raise ExpressionError(f"is too long (saw {len(text):,} characters, allowed {MAX_LENGTH:,})", 0, code="SL405")
    if _is_name(text) and text not in KEYWORDS:
        return ColumnName(start=0, end=len(text), name=text)
    tokens = tokens_of(text)
    if len(tokens) == 1:
        raise ExpressionError("the expression is empty", 0)
    parser = _Parser(tokens)
    try:
        node = parser.expression()
    except RecursionError:
        raise too_deep(0) from None
    if parser.now.kind != "end":
        raise parser.unexpected("the expression should end here")
    return node


class _Parser(Cursor):
    # --- from loosest to tightest ---

    def expression(self) -> Node:
        self.enter()
        operands = [self._and()]
        while self.now.word == "or":
            self.take()
            operands.append(self._and())
        self.leave()
        return operands[0] if len(operands) == 1 else self._operation("or", operands)

    def _and(self) -> Node:
        operands = [self._not()]
        while self.now.word == "and":
            self.take()
            operands.append(self._not())
        return operands[0] if len(operands) == 1 else self._operation("and", operands)

    def _not(self) -> Node:
        if self.now.word != "not":
            return self._is()
        start = self.take().start
        self.enter()
        operand = self._not()
        self.leave()
        return _deep(Operation(start=start, end=operand.end, operator="not", operands=[operand], height=operand.height + 1))

    def _is(self) -> Node:
        node = self._comparison()
        while self.now.word == "is":
            self.take()
            negated = self.skip_word("not")
            if not self.is_word("null", "true", "false"):
                raise self.unexpected("expected null, true or false after is")
            last = self.take()
            node = _deep(
                Test(start=node.start, end=last.end, kind=last.word, operand=node, negated=negated, height=node.height + 1)
            )
        return node

    def _comparison(self) -> Node:
        left = self._range()
        if self.now.symbol not in _COMPARISONS:
            return left
        operator = _COMPARISONS[self.take().text]
        node = self._operation(operator, [left, self._range()])
        if self.now.symbol in _COMPARISONS:
            raise ExpressionError("comparisons cannot be chained", self.now.start, "write a < b and b < c")
        return node

    def _range(self) -> Node:
        node = self._concatenation()
        if not self.now.word:
            return node
        negated = self.is_word("not") and self.following().word in ("in", "like", "between")
        if negated:
            self.take()
        if self.is_word("between"):
            self.take()
            low = self._concatenation()
            self.expect_word("and", "between the two ends of between")
            return self._test("between", node, [low, self._concatenation()], negated)
        if self.is_word("like"):
            self.take()
            return self._test("like", node, [self._concatenation()], negated)
        if self.is_word("in"):
            self.take()
            self.expect_symbol("(", "and a list of values after in")
            others = self._arguments("the values of in")
            if not others:
                raise ExpressionError("the list of in is empty", self.now.start)
            return self._test("in", node, others, negated)
        return node

    def _concatenation(self) -> Node:
        operands = [self._sum()]
        while self.now.symbol == "||":
            self.take()
            operands.append(self._sum())
        return operands[0] if len(operands) == 1 else self._operation("||", operands)

    def _sum(self) -> Node:
        node = self._sign()
        if self.now.symbol not in _ARITHMETIC:
            return node
        node = self._product(node)
        while self.now.symbol in _SUMS:
            node = self._operation(self.take().text, [node, self._product(self._sign())])
        return node

    def _product(self, first: Node) -> Node:
        node = first
        while self.now.symbol in _PRODUCTS:
            node = self._operation(self.take().text, [node, self._sign()])
        return node

    def _sign(self) -> Node:
        if self.now.symbol not in _SUMS:
            return self._primary()
        sign = self.take()
        self.enter()
        node = self._sign()
        self.leave()
        if (
            isinstance(node, Constant)
            and node.kind in ("integer", "number")
            and sign.text == "-"
            and not node.text.startswith("-")
        ):
            return Constant(start=sign.start, end=node.end, kind=node.kind, text="-" + node.text, constant=True)
        operator = "neg" if sign.text == "-" else "pos"
        return _deep(Operation(start=sign.start, end=node.end, operator=operator, operands=[node], height=node.height + 1))

    # --- values ---

    def _primary(self) -> Node:
        token = self.now
        if token.kind in ("integer", "number", "text"):
            self.take()
            return Constant(start=token.start, end=token.end, kind=token.kind, text=token.text, constant=True)
        if token.kind == "quoted":
            self.take()
            return self._column(token, token.text)
        if self.is_symbol("("):
            self.take()
            node = self.expression()
            if self.is_symbol(","):
                raise ExpressionError("expected ) (saw ',')", self.now.start, "lists of values stand after in")
            self.expect_symbol(")", "")
            return node
        if token.kind == "name":
            return self._named(token)
        raise self.unexpected("expected a value")

    def _named(self, token: Token) -> Node:
        word, next_ = token.word, self.following()
        if word in ("true", "false", "null"):
            self.take()
            return Constant(
                start=token.start, end=token.end, kind="null" if word == "null" else "boolean", text=word, constant=True
            )
        if word == "case":
            return self._case()
        if word == "interval" and next_.kind in ("text", "integer"):
            return self._interval()
        if word in ("timestamp", "date") and next_.kind == "text":
            self.take()
            text = self.take()
            return Constant(start=token.start, end=text.end, kind=word, text=text.text, constant=True)
        if word in KEYWORDS:
            raise self.unexpected("expected a value")
        if next_.kind == "symbol" and next_.text == "(":
            return self._call()
        self.take()
        return self._column(token, token.text)

    def _column(self, token: Token, name: str) -> Node:
        if self.is_symbol("."):
            raise ExpressionError("columns are named without a table", self.now.start, "name the column alone", "SL404")
        return ColumnName(start=token.start, end=token.end, name=name)

    def _case(self) -> Node:
        start = self.take().start
        operand = None if self.is_word("when") else self.expression()
        whens: list[tuple[Node, Node]] = []
        while self.skip_word("when"):
            condition = self.expression()
            self.expect_word("then", "after the condition of when")
            whens.append((condition, self.expression()))
        if not whens:
            raise self.unexpected("expected when after case")
        default = self.expression() if self.skip_word("else") else None
        end = self.now.end
        self.expect_word("end", "at the end of case")
        parts = [part for pair in whens for part in pair] + [part for part in (operand, default) if part]
        return _deep(Case(start=start, end=end, operand=operand, whens=whens, default=default, height=_height(parts)))

    def _interval(self) -> Node:
        start, amount = self.take().start, self.take()
        words = amount.text.split()
        if amount.kind == "text" and len(words) == 2:
            unit_at, unit, end = amount.start, words[1], amount.end
        else:
            unit_at, unit, end = self.now.start, self.now.word or self.now.text, self.now.end
            self.take()
        unit = unit.lower().rstrip("s")
        if unit not in UNITS:
            hint = "months and years have no fixed length: count days" if unit in ("month", "year", "quarter") else ""
            raise ExpressionError(f"an interval needs a unit (saw '{unit}', allowed {', '.join(UNITS)})", unit_at, hint)
        if not words or not words[0].lstrip("-").isdigit() or len(words[0]) > 9:
            raise ExpressionError(
                "an interval needs a whole number (saw '" + amount.text[:20] + "')", amount.start, "interval '5 minutes'"
            )
        return Length(start=start, end=end, count=int(words[0]), unit=unit, constant=True)

    def _call(self) -> Node:
        token = self.take()
        self.take()
        name = token.word
        known = left_out_word(name + "()")
        if known:
            raise ExpressionError(known[0], token.start, known[1], "SL404")
        if name == "cast":
            return self._cast(token)
        if name == "extract" and self.following().word == "from":
            unit = self.take()
            if unit.word not in EXTRACT_UNITS:
                raise ExpressionError(f"cannot extract '{unit.text}' (allowed {', '.join(EXTRACT_UNITS)})", unit.start)
            self.take()
            argument = self.expression()
            end = self.expect_symbol(")", "at the end of extract").end
            return _deep(
                Call(start=token.start, end=end, name=name, unit=unit.word, arguments=[argument], height=argument.height + 1)
            )
        arguments = self._arguments(f"the arguments of {name}")
        if self.is_word("over", "filter", "within"):
            raise self.unexpected("")
        end = self.tokens[self.at - 1].end
        return _deep(Call(start=token.start, end=end, name=name, arguments=arguments, height=_height(arguments)))

    def _cast(self, token: Token) -> Node:
        operand = self.expression()
        self.expect_word("as", "and a type at the end of cast")
        to = self.now
        if to.word not in CAST_TYPES:
            allowed = ", ".join(CAST_TYPES)
            raise ExpressionError(f"cannot cast to '{to.text}' (allowed {allowed})", to.start, code="SL404")
        self.take()
        scale = self._scale() if CAST_TYPES[to.word] == "decimal" else 0
        end = self.expect_symbol(")", "at the end of cast").end
        return _deep(
            Cast(start=token.start, end=end, operand=operand, to=CAST_TYPES[to.word], scale=scale, height=operand.height + 1)
        )

    def _scale(self) -> int:
        """The decimals of `(18, decimals)`; decimals always have 18 digits."""
        start = self.now.start
        self.expect_symbol("(", "after decimal: decimal(18, 2)")
        digits = self.take()
        self.expect_symbol(",", "after the digits: decimal(18, 2)")
        scale = self.take()
        self.expect_symbol(")", "after the decimals: decimal(18, 2)")
        if digits.text != "18" or scale.kind != "integer" or int(scale.text) > 18:
            saw = f"decimal({digits.text}, {scale.text})"
            raise ExpressionError(f"a decimal has 18 digits and 0 to 18 decimals (saw {saw})", start, "write decimal(18, 2)")
        return int(scale.text)

    def _arguments(self, what: str) -> list[Node]:
        """What stands between an opening parenthesis, already taken, and the closing one."""
        arguments: list[Node] = []
        if self.is_symbol(")"):
            self.take()
            return arguments
        while True:
            arguments.append(self.expression())
            if self.is_symbol(","):
                self.take()
                continue
            self.expect_symbol(")", f"after {what}")
            return arguments

    def _operation(self, operator: str, operands: list[Node]) -> Node:
        start, end = operands[0].start, operands[-1].end
        return _deep(Operation(start=start, end=end, operator=operator, operands=operands, height=_height(operands)))

    def _test(self, kind: str, operand: Node, others: list[Node], negated: bool) -> Node:
        end = self.tokens[self.at - 1].end
        height = _height([operand, *others])
        return _deep(
            Test(start=operand.start, end=end, kind=kind, operand=operand, others=others, negated=negated, height=height)
        )


def _height(parts: list[Node]) -> int:
    return 1 + max((part.height for part in parts), default=0)


def _deep(node: Node) -> Node:
    if node.height > MAX_DEPTH:
        raise too_deep(node.start)
    return node
