"""The values a part of an expression can have: numbers as bounds, texts and booleans as a set. Sound: never too few."""

from __future__ import annotations

import math

from strandline.spec import reach
from strandline.spec.domains import (
    ANYTHING,
    EVERYTHING,
    FLAG,
    Domain,
    Domains,
    Range,
    added,
    multiplied,
    subtracted,
    union,
    whole,
    widened,
)
from strandline.spec.expressions.nodes import Call, Case, Cast, ColumnName, Constant, Node, Operation, Test

_PARTS = {"month": (1.0, 12.0), "day": (1.0, 31.0), "hour": (0.0, 23.0), "minute": (0.0, 59.0), "dow": (0.0, 6.0)}
_NUMERIC = ("integer", "number", "decimal")
_EXACT = 2.0**53


def domain_of(node: Node, domains: Domains) -> Domain:
    """What an expression can come to."""
    if isinstance(node, ColumnName):
        return domains.get(node.name, ANYTHING)
    if node.type in _NUMERIC:
        return Domain(*range_of(node, domains))
    return Domain(choices=texts_of(node, domains))


def range_of(node: Node, domains: Domains) -> Range:
    """The least and greatest number a part can have; the least above the greatest when it is always NULL."""
    match node:
        case Constant(kind="integer" | "number"):
            value = float(node.text)
            return (value, value) if abs(value) < _EXACT else widened((value, value), 1e-15)
        case ColumnName():
            return domains.get(node.name, ANYTHING).range
        case Operation():
            return _operation(node, domains)
        case Case():
            return union(Domain(*range_of(value, inner)) for value, inner in _values(node, domains)).range
        case Cast():
            return _cast(node, domains)
        case Call():
            return _call(node, domains)
    return EVERYTHING


def _operation(node: Operation, domains: Domains) -> Range:
    parts = [range_of(part, domains) for part in node.operands]
    if any(low > high for low, high in parts):
        return math.inf, -math.inf
    match node.operator:
        case "pos":
            return parts[0]
        case "neg":
            return -parts[0][1], -parts[0][0]
        case "+":
            return _rounded(node, added(*parts))
        case "-":
            return _rounded(node, subtracted(*parts))
        case "*":
            return _rounded(node, multiplied(*parts))
        case "/" | "//" | "%":
            return _divided(node, *parts)
    return EVERYTHING


def _rounded(node: Node, bounds: Range) -> Range:
    """The bounds with room for what the engine's arithmetic rounds otherwise than ours."""
    if node.type == "integer" and all(abs(end) < _EXACT or math.isinf(end) for end in bounds):
        return bounds
    return widened(bounds, 1e-9 if node.type == "decimal" else 1e-12)


def _divided(node: Operation, a: Range, b: Range) -> Range:
    """Division by a positive constant; anything for others."""
    if b[0] != b[1] or b[0] <= 0 or math.isinf(b[0]):
        return EVERYTHING
    if node.operator == "%":
        return (0.0 if a[0] >= 0 else -b[0]), (0.0 if a[1] <= 0 else b[0])
    low, high = a[0] / b[0], a[1] / b[0]
    if node.operator == "/":
        return widened((low, high), 1e-12)
    return whole((low, high))


def _cast(node: Cast, domains: Domains) -> Range:
    if node.operand.type == "boolean":
        return 0.0, 1.0
    if node.operand.type not in _NUMERIC or node.to not in _NUMERIC:
        return EVERYTHING
    bounds = range_of(node.operand, domains)
    return widened(bounds, 1e-12) if node.to == "number" else whole(bounds)


def _call(node: Call, domains: Domains) -> Range:
    if node.name == "length":
        return 0.0, math.inf
    if node.name == "extract":
        return _PARTS.get(node.unit, EVERYTHING)
    if not all(part.type in _NUMERIC for part in node.arguments) or not node.arguments:
        return EVERYTHING
    bounds = [range_of(part, domains) for part in node.arguments]
    low, high = bounds[0]
    match node.name:
        case "abs":
            return (low, high) if low > high else (max(0.0, low, -high), max(abs(low), abs(high)))
        case "coalesce" | "greatest" | "least":
            return union(Domain(*each) for each in bounds).range
        case "nullif":
            return low, high
        case "floor" | "ceil" | "round" if len(bounds) == 1:
            return whole((low, high))
        case "sqrt" | "exp":
            return 0.0, math.inf
    return EVERYTHING


def _values(node: Case, domains: Domains) -> list[tuple[Node, Domains]]:
    """The values a `case` can give, each with what the columns can be when it does."""
    found: list[tuple[Node, Domains]] = []
    for key, value in node.whens:
        inner: Domains | None = domains
        if node.operand is None:
            inner = reach.narrowed(key, True, domains)
        if inner is not None:
            found.append((value, inner))
    if node.default is not None:
        found.append((node.default, domains))
    return found


def texts_of(node: Node, domains: Domains) -> frozenset[str] | None:
    """The texts (or `true`, `false`) a part can have; None when they are not known."""
    match node:
        case Constant(kind="text" | "boolean"):
            return frozenset((node.text,))
        case ColumnName():
            known = domains.get(node.name, ANYTHING).choices
            return FLAG.choices if known is None and node.type == "boolean" else known
        case Case():
            return _together([texts_of(value, inner) for value, inner in _values(node, domains)])
        case Call(name="coalesce"):
            return _together([texts_of(part, domains) for part in node.arguments])
        case Call(name="lower" | "upper"):
            known = texts_of(node.arguments[0], domains)
            if known is None or not all(text.isascii() for text in known):
                return None
            return frozenset(text.lower() if node.name == "lower" else text.upper() for text in known)
        case Operation(operator="and" | "or" | "not" | "=" | "<>" | "<" | "<=" | ">" | ">=") | Test():
            can = reach.reach_of(node, domains)
            return frozenset(text for text, possible in (("true", can.true), ("false", can.false)) if possible)
    return None


def _together(parts: list[frozenset[str] | None]) -> frozenset[str] | None:
    known = [part for part in parts if part is not None]
    return frozenset().union(*known) if len(known) == len(parts) else None
