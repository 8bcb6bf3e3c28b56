"""The expression language: a closed part of DuckDB's SQL expressions, with types.

The grammar, the functions and the types are this package's own, so what is not written down here does not exist; the SQL that
runs is made from the checked tree (see `tree` for what each operation means), never from the text.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from strandline.spec.expressions.checker import Checker
from strandline.spec.expressions.errors import ExpressionError
from strandline.spec.expressions.growth import growth_of
from strandline.spec.expressions.nodes import UNKNOWN_SCALE, ColumnName, ExpressionType, Node, walk
from strandline.spec.expressions.parser import parse

if TYPE_CHECKING:
    from sqlglot import exp

__all__ = ["ExpressionError", "ExpressionType", "TypedExpression", "mentioned_in", "names_in", "parse_expression"]


@dataclass(frozen=True, slots=True)
class TypedExpression:
    """A checked expression. `type` is a field type, or `interval`; `scale` counts the decimals when it is `decimal`, else None.

    `columns` are the names it uses, without `now`; `uses_now` says whether it reads the end of the landing interval; `growth`
    is how many times longer than its inputs a text can become.
    """

    text: str
    type: ExpressionType
    scale: int | None
    columns: frozenset[str]
    uses_now: bool
    growth: int
    node: Node

    @property
    def tree(self) -> exp.Expression:
        """A new sqlglot tree, engine-neutral; columns are plain quoted `exp.Column`, `now` is the Column named `now`."""
        from strandline.spec.expressions.tree import tree_of

        return tree_of(self.node)

    def sql(self, dialect: str = "duckdb") -> str:
        """The expression as SQL of an engine."""
        return str(self.tree.sql(dialect=dialect))


def parse_expression(
    text: str,
    columns: Mapping[str, ExpressionType],
    *,
    scales: Mapping[str, int] | None = None,
    growths: Mapping[str, int] | None = None,
    now: bool = True,
) -> TypedExpression:
    """The checked expression of `text` over `columns`; raises ExpressionError with the place in the text and a hint.

    `scales` are the decimals of the decimal columns (without them, decimals are left as wide as they come), `growths` the
    `growth` of derived columns; with
    `now=False` there is no `now`. A column of type `unknown` fits everywhere: it keeps one mistake from being reported twice.
    """
    known = {"now": "timestamp", **columns} if now and "now" not in columns else columns
    node = parse(text)
    checker = Checker(text, known, scales or {})
    checker.check(node)
    if node.type == "null":
        raise ExpressionError("is always NULL", node.start, "", "SL403")
    uses_now = "now" in checker.used and "now" not in columns
    used = frozenset(checker.used - ({"now"} if uses_now else set()))
    scale = node.scale if node.type == "decimal" and node.scale != UNKNOWN_SCALE else None
    return TypedExpression(text, node.type, scale, used, uses_now, growth_of(node, growths or {}), node)


def names_in(text: str) -> frozenset[str]:
    """The names an expression mentions, whatever they are; empty when it cannot be read."""
    try:
        return frozenset(node.name for node in walk(parse(text)) if isinstance(node, ColumnName))
    except ExpressionError:
        return frozenset()


def mentioned_in(text: str, names: Iterable[str]) -> frozenset[str]:
    """Which of the `names` an expression mentions; a text that holds none of them, wherever, need not be parsed for that."""
    possible = {name for name in names if name in text}
    return names_in(text) & possible if possible else frozenset()
