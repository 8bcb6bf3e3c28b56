"""What a condition can come to, given what the columns can be: whether it can hold at all, and whether it can fail.

Sound, not complete: what is said to be impossible is impossible for every row whose columns lie in the domains. NULL makes
neither true nor false. A condition is followed part by part, and each part that must hold narrows what the columns can be for
the others, so that `status = 'paid' and status = 'open'` is found to hold never.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from strandline.spec import ranges
from strandline.spec.domains import ANYTHING, NOTHING, Domain, Domains, Range
from strandline.spec.expressions.nodes import Case, ColumnName, Constant, Node, Operation, Test, walk

__all__ = ["Compared", "Domain", "Domains", "Reach", "dead_values", "narrowed", "reach_of", "texts_compared"]

_NUMERIC = ("integer", "number", "decimal")
Compared = Sequence[tuple[ColumnName, Constant]]
_OPPOSITE = {"=": "<>", "<>": "=", "<": ">=", ">=": "<", ">": "<=", "<=": ">"}
_TURNED = {"=": "=", "<>": "<>", "<": ">", ">": "<", "<=": ">=", ">=": "<="}


@dataclass(frozen=True, slots=True)
class Reach:
    """Whether a condition can be true for some row, and whether it can be false for some row."""

    true: bool = True
    false: bool = True


def reach_of(node: Node, domains: Domains) -> Reach:
    """What the condition can come to; both when nothing is known."""
    return Reach(narrowed(node, True, domains) is not None, narrowed(node, False, domains) is not None)


def narrowed(node: Node, truth: bool, domains: Domains) -> Domains | None:
    """What the columns can be in rows where the condition is true (or false); None when there is no such row."""
    match node:
        case Constant(kind="boolean"):
            return domains if (node.text == "true") == truth else None
        case ColumnName():
            return _choose(node, frozenset(("true" if truth else "false",)), domains)
        case Operation(operator="not"):
            return narrowed(node.operands[0], not truth, domains)
        case Operation(operator="and" | "or"):
            return _chain(node, truth, domains)
        case Operation(operator="=" | "<>" | "<" | "<=" | ">" | ">="):
            operator = node.operator if truth else _OPPOSITE[node.operator]
            return _compared(operator, node.operands[0], node.operands[1], domains)
        case Test():
            return _tested(node, truth != node.negated, domains)
    return domains


def _chain(node: Operation, truth: bool, domains: Domains) -> Domains | None:
    if (node.operator == "and") != truth:
        return domains if any(narrowed(part, truth, domains) is not None for part in node.operands) else None
    held: Domains | None = domains
    for part in (*node.operands, *node.operands[:-1]):  # a later part may narrow what an earlier one needs
        held = None if held is None else narrowed(part, truth, held)
    return held


def _tested(node: Test, holds: bool, domains: Domains) -> Domains | None:
    operand, others = node.operand, node.others
    match node.kind:
        case "null":
            return _absent(operand, domains) if holds else _present(operand, domains)
        case "true" | "false":
            return narrowed(operand, node.kind == "true", domains) if holds else domains
        case "between":
            ways = ((">=" if holds else "<", others[0]), ("<=" if holds else ">", others[1]))
            if not holds:
                return domains if any(_compared(o, operand, end, domains) is not None for o, end in ways) else None
            inner = _compared(ways[0][0], operand, ways[0][1], domains)
            return None if inner is None else _compared(ways[1][0], operand, ways[1][1], inner)
        case "in":
            return _in(operand, others, domains) if holds else _not_in(operand, others, domains)
    return _present(operand, domains)


def _in(operand: Node, others: list[Node], domains: Domains) -> Domains | None:
    if not any(_compared("=", operand, other, domains) is not None for other in others):
        return None
    texts = frozenset(other.text for other in others if isinstance(other, Constant) and other.kind == "text")
    if isinstance(operand, ColumnName) and operand.type == "string" and all(isinstance(other, Constant) for other in others):
        return _choose(operand, texts, domains)
    return _present(operand, domains)


def _not_in(operand: Node, others: list[Node], domains: Domains) -> Domains | None:
    held: Domains | None = domains
    for other in others:
        held = None if held is None else _compared("<>", operand, other, held)
    return held


def _compared(operator: str, left: Node, right: Node, domains: Domains) -> Domains | None:
    """What the columns can be where the comparison is true."""
    if left.type in _NUMERIC and right.type in _NUMERIC:
        return _numbers(operator, left, right, domains)
    if left.type in ("string", "boolean") and right.type == left.type and operator in ("=", "<>"):
        return _texts(operator, left, right, domains)
    held = _present(left, domains)
    return None if held is None else _present(right, held)


def _numbers(operator: str, left: Node, right: Node, domains: Domains) -> Domains | None:
    a, b = ranges.range_of(left, domains), ranges.range_of(right, domains)
    if a[0] > a[1] or b[0] > b[1] or not _possible(operator, a, b):
        return None
    held = _bound(left, operator, b, domains)
    return None if held is None else _bound(right, _TURNED[operator], a, held)


def _possible(operator: str, a: Range, b: Range) -> bool:
    match operator:
        case "=":
            return a[0] <= b[1] and b[0] <= a[1]
        case "<>":
            return not a[0] == a[1] == b[0] == b[1]
        case "<":
            return a[0] < b[1]
        case "<=":
            return a[0] <= b[1]
        case ">":
            return a[1] > b[0]
    return a[1] >= b[0]


def _bound(node: Node, operator: str, other: Range, domains: Domains) -> Domains | None:
    """Narrows a column that is compared with something between the bounds `other`."""
    if not isinstance(node, ColumnName):
        return domains
    domain, (low, high) = domains.get(node.name, ANYTHING).present(), other
    if operator == "<>":
        if low == high and domain.numbers is not None:
            domain = Domain(domain.low, domain.high, domain.choices, False, domain.numbers - {low})
    elif operator == "=":
        domain = domain.within(low, high)
    elif operator in ("<", "<="):
        domain = domain.within(-math.inf, _below(high, node.type) if operator == "<" else high)
    else:
        domain = domain.within(_above(low, node.type) if operator == ">" else low, math.inf)
    return None if domain.is_empty else {**domains, node.name: domain}


def _below(bound: float, kind: str) -> float:
    """The greatest value of a type below a bound; decimals may lie closer to it than this can say."""
    if math.isinf(bound) or kind == "decimal" or abs(bound) >= 2**53:
        return bound
    return math.ceil(bound) - 1.0 if kind == "integer" else math.nextafter(bound, -math.inf)


def _above(bound: float, kind: str) -> float:
    return -_below(-bound, kind)


def _texts(operator: str, left: Node, right: Node, domains: Domains) -> Domains | None:
    a, b = ranges.texts_of(left, domains), ranges.texts_of(right, domains)
    held: Domains | None = domains
    for node, own, other in ((left, a, b), (right, b, a)):
        if held is None or own == frozenset():
            return None
        if operator == "=":
            held = held if other is None else _kept(node, own, other, held)
        elif own is not None and other is not None and len(other) == 1:
            held = _kept(node, own, own - other, held)
        else:
            held = _present(node, held)
    return held


def _kept(node: Node, own: frozenset[str] | None, allowed: frozenset[str], domains: Domains) -> Domains | None:
    if own is not None and not own & allowed:
        return None
    return _choose(node, allowed, domains) if isinstance(node, ColumnName) else domains


def _choose(node: ColumnName, allowed: frozenset[str], domains: Domains) -> Domains | None:
    domain = domains.get(node.name, ANYTHING).present().among(allowed)
    return None if domain.is_empty else {**domains, node.name: domain}


def _present(node: Node, domains: Domains) -> Domains | None:
    """Where the part has a value."""
    if not isinstance(node, ColumnName):
        return domains
    domain = domains.get(node.name, ANYTHING)
    if domain.is_empty:
        return None
    return {**domains, node.name: domain.present()} if domain.nullable else domains


def _absent(node: Node, domains: Domains) -> Domains | None:
    if not isinstance(node, ColumnName):
        return domains
    return {**domains, node.name: NOTHING} if domains.get(node.name, ANYTHING).nullable else None


def dead_values(compared: Compared, domains: Domains) -> Iterator[tuple[Constant, str, frozenset[str]]]:
    """Each text compared with a column that never has it: the text, the column, and the values that it has."""
    for column, value in compared:
        choices = domains.get(column.name, ANYTHING).choices if column.type == "string" else None
        if choices is not None and value.text not in choices:
            yield value, column.name, choices


def texts_compared(node: Node) -> Iterator[tuple[ColumnName, Constant]]:
    """Each column and text that are compared for equality, in the order they are written."""
    if isinstance(node, ColumnName):
        return
    for part in walk(node):
        if isinstance(part, Operation) and part.operator in ("=", "<>"):
            pairs = [(part.operands[0], part.operands[1]), (part.operands[1], part.operands[0])]
        elif isinstance(part, Test) and part.kind == "in":
            pairs = [(part.operand, other) for other in part.others]
        elif isinstance(part, Case) and part.operand is not None:
            pairs = [(part.operand, key) for key, _ in part.whens]
        else:
            continue
        for column, value in pairs:
            if isinstance(column, ColumnName) and isinstance(value, Constant) and value.kind == "text":
                yield column, value
