"""How much longer than what it reads a text can become: the guard against expressions that fill the memory."""

from __future__ import annotations

from collections.abc import Mapping

from strandline.spec.expressions.errors import ExpressionError
from strandline.spec.expressions.nodes import Call, Case, ColumnName, Constant, Node, Operation

MAX_GROWTH = 64


def growth_of(node: Node, known: Mapping[str, int]) -> int:
    """The factor by which a text can grow, 1 when it cannot; `known` are those of derived columns. ExpressionError past 64."""
    factor = _factor(node, known)
    if factor > MAX_GROWTH:
        hint = "join fewer texts, or replace by shorter ones"
        raise ExpressionError(f"can make a text {factor} times as long (allowed {MAX_GROWTH})", node.start, hint, "SL405")
    return factor


def _factor(node: Node, known: Mapping[str, int]) -> int:
    match node:
        case ColumnName():
            return known.get(node.name, 1)
        case Operation(operator="||"):
            return sum(_factor(part, known) for part in node.operands)
        case Call(name="concat"):
            return sum(_factor(part, known) for part in node.arguments)
        case Call(name="replace"):
            return _factor(node.arguments[0], known) * _longer(node.arguments[1], node.arguments[2])
        case Call():
            return max((_factor(part, known) for part in node.arguments), default=1)
        case Case():
            values = [value for _, value in node.whens] + ([node.default] if node.default else [])
            return max(_factor(value, known) for value in values)
    return 1


def _longer(searched: Node, replacement: Node) -> int:
    if not isinstance(searched, Constant) or not isinstance(replacement, Constant):
        return MAX_GROWTH + 1
    return max(1, -(-len(replacement.text) // max(1, len(searched.text))))
