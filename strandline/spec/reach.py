"""What a condition can come to, given what the fields declare: whether it can hold at all, and whether it can fail.

Sound, not complete: what is said to be impossible is impossible for every good row. NULL is left out: a rule takes it as
satisfied, a filter and an alert do not.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from strandline.spec.expressions.nodes import Call, Case, ColumnName, Constant, Node, Operation, Test, walk

_EVERYTHING = (-math.inf, math.inf)
_PARTS = {"month": (1.0, 12.0), "day": (1.0, 31.0), "hour": (0.0, 23.0), "minute": (0.0, 59.0), "dow": (0.0, 6.0)}
Range = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Domain:
    """The values a column can have: numbers from `low` to `high`, or one of `choices` when they are declared."""

    low: float = -math.inf
    high: float = math.inf
    choices: frozenset[str] | None = None


@dataclass(frozen=True, slots=True)
class Reach:
    """Whether a condition can be true for some row, and whether it can be false for some row."""

    true: bool = True
    false: bool = True


Domains = Mapping[str, Domain]


def reach_of(node: Node, domains: Domains) -> Reach:
    """What the condition can come to; both when nothing is known."""
    match node:
        case Operation(operator="and"):
            parts = [reach_of(part, domains) for part in node.operands]
            return Reach(all(part.true for part in parts), any(part.false for part in parts))
        case Operation(operator="or"):
            parts = [reach_of(part, domains) for part in node.operands]
            return Reach(any(part.true for part in parts), all(part.false for part in parts))
        case Operation(operator="not"):
            part = reach_of(node.operands[0], domains)
            return Reach(part.false, part.true)
        case Operation(operator="=" | "<>" | "<" | "<=" | ">" | ">="):
            return _compared(node, domains)
        case Test(kind="in" | "between"):
            found = _between(node, domains) if node.kind == "between" else _in(node, domains)
            return Reach(found.false, found.true) if node.negated else found
    return Reach()


def dead_values(node: Node, domains: Domains) -> Iterator[tuple[Constant, str, frozenset[str]]]:
    """Each text compared with a column that never has it: the text, the column, and the values that it has."""
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
            choices = _choices(column, domains)
            if choices is None or not isinstance(column, ColumnName) or not isinstance(value, Constant):
                continue
            if value.kind == "text" and value.text not in choices:
                yield value, column.name, choices


def range_of(node: Node, domains: Domains) -> Range:
    """The least and greatest number a part can have."""
    match node:
        case Constant(kind="integer" | "number"):
            return float(node.text), float(node.text)
        case ColumnName():
            domain = domains.get(node.name, Domain())
            return domain.low, domain.high
        case Operation(operator="neg"):
            low, high = range_of(node.operands[0], domains)
            return -high, -low
        case Operation(operator="+" | "-" | "*"):
            return _arithmetic(node, domains)
        case Call(name="abs"):
            low, high = range_of(node.arguments[0], domains)
            return (max(0.0, low, -high), max(abs(low), abs(high)))
        case Call(name="length"):
            return 0.0, math.inf
        case Call(name="extract"):
            return _PARTS.get(node.unit, _EVERYTHING)
    return _EVERYTHING


def _arithmetic(node: Operation, domains: Domains) -> Range:
    (a, b), (c, d) = (range_of(part, domains) for part in node.operands)
    if node.operator == "+":
        ends = [a + c, b + d]
    elif node.operator == "-":
        ends = [a - d, b - c]
    else:
        ends = [a * c, a * d, b * c, b * d]
    return _EVERYTHING if any(math.isnan(end) for end in ends) else (min(ends), max(ends))


def _compared(node: Operation, domains: Domains) -> Reach:
    left, right = node.operands
    if left.type == "string":
        for column, value in ((left, right), (right, left)):
            choices = _choices(column, domains)
            if choices is not None and isinstance(value, Constant) and value.kind == "text" and node.operator in ("=", "<>"):
                equal = Reach(value.text in choices, choices != {value.text})
                return equal if node.operator == "=" else Reach(equal.false, equal.true)
        return Reach()
    if not _are_numbers(left, right):
        return Reach()
    return _COMPARED[node.operator](range_of(left, domains), range_of(right, domains))


def _between(node: Test, domains: Domains) -> Reach:
    low, high = node.others
    if not _are_numbers(node.operand, low, high):
        return Reach()
    value = range_of(node.operand, domains)
    above, below = _at_least(value, range_of(low, domains)), _at_least(range_of(high, domains), value)
    return Reach(above.true and below.true, above.false or below.false)


def _in(node: Test, domains: Domains) -> Reach:
    choices = _choices(node.operand, domains)
    texts = {other.text for other in node.others if isinstance(other, Constant) and other.kind == "text"}
    if choices is not None and len(texts) == len({id(other) for other in node.others}):
        return Reach(bool(texts & choices), not choices <= texts)
    return Reach()


def _choices(node: Node, domains: Domains) -> frozenset[str] | None:
    return (
        domains[node.name].choices if isinstance(node, ColumnName) and node.type == "string" and node.name in domains else None
    )


def _are_numbers(*nodes: Node) -> bool:
    return all(node.type in ("integer", "number", "decimal") for node in nodes)


def _equal(left: Range, right: Range) -> Reach:
    return Reach(left[0] <= right[1] and right[0] <= left[1], not left[0] == left[1] == right[0] == right[1])


def _less(left: Range, right: Range) -> Reach:
    return Reach(left[0] < right[1], left[1] >= right[0])


def _at_least(left: Range, right: Range) -> Reach:
    less = _less(left, right)
    return Reach(less.false, less.true)


def _swapped(reach: Reach) -> Reach:
    return Reach(reach.false, reach.true)


_COMPARED: dict[str, Callable[[Range, Range], Reach]] = {
    "=": _equal,
    "<>": lambda left, right: _swapped(_equal(left, right)),
    "<": _less,
    ">=": _at_least,
    ">": lambda left, right: _less(right, left),
    "<=": lambda left, right: _at_least(right, left),
}
