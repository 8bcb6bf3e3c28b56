"""The tree of an expression before it becomes SQL. `start` and `end` are 0-based characters; the checker fills in `type`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal

from strandline.spec.model import FieldType

UNKNOWN_SCALE = -1
"""The scale of a decimal whose decimals nobody said: what is computed from it is left as wide as it comes."""

ExpressionType = FieldType | Literal["interval", "null", "unknown"]


@dataclass(slots=True, kw_only=True)
class Node:
    """Any part of an expression. `scale` counts the decimals of a `decimal`; `constant` is true when no column is in it."""

    start: int
    end: int
    type: ExpressionType = "unknown"
    scale: int = 0
    constant: bool = False
    height: int = 1


@dataclass(slots=True, kw_only=True)
class Constant(Node):
    """A text, number, true, false or null as written; `kind` text, integer, number, boolean, null, timestamp or date."""

    kind: str
    text: str


@dataclass(slots=True, kw_only=True)
class Length(Node):
    """A fixed length of time: `count` times `unit` (microsecond … week)."""

    count: int
    unit: str


@dataclass(slots=True, kw_only=True)
class ColumnName(Node):
    """A column, by its name."""

    name: str


@dataclass(slots=True, kw_only=True)
class Operation(Node):
    """`operator` over `operands`: `and`, `or` and `||` over two or more, `not` and `neg` over one, all others over two."""

    operator: str
    operands: list[Node]


@dataclass(slots=True, kw_only=True)
class Test(Node):
    """A question with a yes or no: `kind` null, true, false, between, in or like; `others` are what it is compared with."""

    kind: str
    operand: Node
    others: list[Node] = field(default_factory=list)
    negated: bool = False


@dataclass(slots=True, kw_only=True)
class Case(Node):
    """`case [operand] when … then … else … end`."""

    operand: Node | None
    whens: list[tuple[Node, Node]]
    default: Node | None


@dataclass(slots=True, kw_only=True)
class Call(Node):
    """A function, or `extract` (`name` extract, `unit` set)."""

    name: str
    arguments: list[Node]
    unit: str = ""


@dataclass(slots=True, kw_only=True)
class Cast(Node):
    """`cast(operand as to)`."""

    operand: Node
    to: FieldType


def walk(node: Node) -> Iterator[Node]:
    """The node and every part of it, parents first, in the order they are written."""
    waiting = [node]
    while waiting:
        part = waiting.pop()
        yield part
        waiting.extend(reversed(_parts(part)))


def _parts(node: Node) -> Sequence[Node]:
    match node:
        case Operation():
            return node.operands
        case Test():
            return [node.operand, *node.others]
        case Case():
            parts = [node.operand, *(part for pair in node.whens for part in pair), node.default]
            return [part for part in parts if part is not None]
        case Call():
            return node.arguments
        case Cast():
            return [node.operand]
    return ()
