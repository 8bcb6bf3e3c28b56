"""Gives every node of a tree its type, or says which part does not fit. Texts next to times become times."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime

from strandline.spec.expressions.calls import check_call
from strandline.spec.expressions.errors import ExpressionError
from strandline.spec.expressions.left_out import left_out_word
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

NUMERIC = ("integer", "number", "decimal")
_ORDERED = (*NUMERIC, "string", "timestamp", "date", "interval")
_MOST_SCALE = 12
_CONSTANTS: dict[str, ExpressionType] = {
    "text": "string", "integer": "integer", "number": "number", "boolean": "boolean", "null": "null",
}  # fmt: skip
_CASTS: dict[str, tuple[str, ...]] = {
    "string": ("string", "integer", "number", "decimal", "boolean", "date", "timestamp"),
    "integer": ("string", "integer", "number", "decimal", "boolean"),
    "number": ("integer", "number", "decimal"),
    "decimal": ("string", "integer", "number", "decimal"),
    "boolean": ("string", "integer", "boolean"),
    "timestamp": ("date", "timestamp"),
    "date": ("string", "date", "timestamp"),
    "json": ("string",),
}


@dataclass(slots=True)
class Checker:
    """Types one expression. `columns` are the names it may use, `scales` the decimals of decimal columns."""

    text: str
    columns: Mapping[str, ExpressionType]
    scales: Mapping[str, int]
    used: set[str] = field(default_factory=set)

    def check(self, node: Node) -> None:
        """Fills in `type`, `scale` and `constant` of the node and all below; raises ExpressionError."""
        match node:
            case ColumnName():
                self._column(node)
            case Constant():
                self._constant(node)
            case Length():
                node.type = "interval"
            case Operation():
                self._operation(node)
            case Test():
                self._test(node)
            case Case():
                self._case(node)
            case Cast():
                self._cast(node)
            case Call():
                for argument in node.arguments:
                    self.check(argument)
                node.constant = all(argument.constant for argument in node.arguments)
                check_call(self, node)

    # --- what the pieces are ---

    def _constant(self, node: Constant) -> None:
        if node.kind in ("timestamp", "date"):
            self._moment(node, node.kind)
            return
        if node.kind == "integer" and not -(2**63) <= int(node.text) < 2**63:
            raise ExpressionError("a whole number must fit into 64 bits", node.start, "write it with a point: 1e20", "SL403")
        if node.kind == "number" and float(node.text) in (float("inf"), float("-inf")):
            raise ExpressionError("the number is too large", node.start, "", "SL403")
        node.type = _CONSTANTS[node.kind]

    def _moment(self, node: Constant, kind: str) -> None:
        """Makes a constant text a timestamp (UTC when it names no zone) or a date."""
        try:
            if kind == "date":
                node.text = date.fromisoformat(node.text).isoformat()
            else:
                moment = datetime.fromisoformat(node.text)
                moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
                node.text = moment.isoformat(sep=" ")
        except (ValueError, OverflowError):
            example = "2024-01-31" if kind == "date" else "2024-01-31 12:00:00"
            raise ExpressionError(
                f"is not a {kind} (saw '{node.text[:40]}')", node.start, f"write it like '{example}'", "SL403"
            ) from None
        node.kind = kind
        node.type = "date" if kind == "date" else "timestamp"

    def _column(self, node: ColumnName) -> None:
        if node.name in self.columns:
            node.type = self.columns[node.name]
            node.scale = self.scales.get(node.name, UNKNOWN_SCALE) if node.type == "decimal" else 0
            self.used.add(node.name)
            return
        left_out = left_out_word(node.name.lower())
        if left_out:
            raise ExpressionError(left_out[0], node.start, left_out[1], "SL404")
        close = difflib.get_close_matches(node.name.lower(), self.columns, 1, 0.6)
        hint = f"did you mean {close[0]}?" if close else "texts stand in single quotes" if self.text[node.start] == '"' else ""
        if not hint and len(self.columns) <= 12:
            hint = f"there are {', '.join(self.columns)}"
        raise ExpressionError(f"unknown column '{node.name[:60]}'", node.start, hint, "SL402")

    def _operation(self, node: Operation) -> None:
        for operand in node.operands:
            self.check(operand)
        node.constant = all(operand.constant for operand in node.operands)
        if node.operator in ("and", "or", "not"):
            for operand in node.operands:
                self.need(operand, ("boolean",), node.operator)
            node.type = "boolean"
        elif node.operator == "||":
            for operand in node.operands:
                self.need(operand, ("string",), "||")
            node.type = "string"
        elif node.operator in ("=", "<>", "<", "<=", ">", ">="):
            self.alike(node.operands, node.operator, ordered=node.operator not in ("=", "<>"))
            node.type = "boolean"
        else:
            self._arithmetic(node)

    def _arithmetic(self, node: Operation) -> None:
        types = [operand.type for operand in node.operands]
        if len(types) == 2 and node.operator in ("+", "-") and {"timestamp", "date", "interval"} & set(types):
            self._time_arithmetic(node)
            return
        allowed = ("integer",) if node.operator == "//" else NUMERIC
        for operand in node.operands:
            self.need(operand, allowed, "-" if node.operator == "neg" else "+" if node.operator == "pos" else node.operator)
        node.type = "number" if node.operator == "/" else self.common_number(node.operands)
        if node.type == "decimal":
            scales = [operand.scale for operand in node.operands]
            if UNKNOWN_SCALE in scales:
                node.scale = UNKNOWN_SCALE
                return
            node.scale = sum(scales) if node.operator == "*" else max(scales)
            if node.scale > max(_MOST_SCALE, *scales):
                node.type, node.scale = "number", 0

    def _time_arithmetic(self, node: Operation) -> None:
        left, right = node.operands
        moments = ("timestamp", "date")
        if (left.type in moments and right.type == "interval") or (
            left.type == "interval" and right.type in moments and node.operator == "+"
        ):
            node.type = "timestamp"
        elif left.type == right.type == "timestamp" and node.operator == "-":
            node.type = "interval"
        else:
            hint = "date_diff('day', a, b) counts days; add an interval: x + interval '1 day'"
            message = f"{node.operator} cannot join {_a(left.type)} and {_a(right.type)}"
            raise ExpressionError(message, right.start, hint, "SL403")

    def _test(self, node: Test) -> None:
        self.check(node.operand)
        for other in node.others:
            self.check(other)
        node.type = "boolean"
        node.constant = all(part.constant for part in (node.operand, *node.others))
        if node.kind in ("true", "false"):
            self.need(node.operand, ("boolean",), f"is {node.kind}")
        elif node.kind in ("between", "in"):
            self.alike([node.operand, *node.others], node.kind, ordered=node.kind == "between")
        elif node.kind == "like":
            self._like(node)

    def _like(self, node: Test) -> None:
        self.need(node.operand, ("string",), "like")
        pattern = node.others[0]
        if not isinstance(pattern, Constant) or pattern.kind != "text":
            raise ExpressionError(
                "like needs a pattern written out", pattern.start, "contains(x, y) compares two columns", "SL403"
            )
        if "\\" in pattern.text:
            hint = "% and _ cannot be escaped: use contains, starts_with or ends_with"
            raise ExpressionError("a like pattern cannot hold a backslash", pattern.start, hint, "SL404")

    def _case(self, node: Case) -> None:
        if node.operand:
            self.check(node.operand)
        for condition, value in node.whens:
            self.check(condition)
            self.check(value)
            if node.operand is None:
                self.need(condition, ("boolean",), "when")
        if node.operand:
            self.alike([node.operand, *(condition for condition, _ in node.whens)], "case")
        if node.default:
            self.check(node.default)
        values = [value for _, value in node.whens] + ([node.default] if node.default else [])
        conditions = [condition for condition, _ in node.whens] + ([node.operand] if node.operand else [])
        node.constant = all(part.constant for part in values + conditions)
        node.type, node.scale = self.common(values, "case")

    def _cast(self, node: Cast) -> None:
        self.check(node.operand)
        node.type, node.constant = node.to, node.operand.constant
        source = node.operand.type
        if source in ("unknown", "null") or node.to in _CASTS.get(source, ()):
            return
        hint = "date_diff('second', a, b) counts the seconds" if source == "interval" else ""
        if source == "timestamp" and node.to == "string":
            hint = "engines write timestamps differently: cast(cast(x as date) as varchar), or extract(hour from x)"
        if source == "number" and node.to == "string":
            hint = "engines write them differently: cast(cast(x as decimal(18, 2)) as varchar)"
        raise ExpressionError(f"{_a(source)} cannot be cast to {_a(node.to)}", node.start, hint, "SL403")

    # --- what fits together ---

    def need(self, node: Node, allowed: Sequence[str], who: str) -> None:
        """Raises ExpressionError unless the node is of one of the `allowed` types (or NULL, or of a type not known)."""
        if node.type in allowed or node.type in ("null", "unknown"):
            return
        wanted = "a number" if tuple(allowed) == NUMERIC else " or ".join(_a(kind) for kind in allowed)
        hint = ""
        if allowed[0] == "string" and "string" in _CASTS.get(node.type, ()):
            hint = f"cast({self.source(node)} as varchar)"
        elif allowed[0] == "boolean" and node.type in NUMERIC:
            hint = f"compare it: {self.source(node)} > 0"
        elif allowed[0] == "integer" and node.type in NUMERIC:
            hint = f"cast({self.source(node)} as integer)" if who != "//" else "for a part of a number: floor(a / b)"
        elif node.type == "string" and isinstance(node, Constant) and "integer" in allowed:
            hint = "numbers stand without quotes"
        elif node.type == "string" and "integer" in allowed:
            hint = f"cast({self.source(node)} as {'integer' if allowed == ('integer',) else 'double'})"
        raise ExpressionError(f"{who} needs {wanted} (saw {self.saw(node)})", node.start, hint, "SL403")

    def alike(self, nodes: Sequence[Node], who: str, *, ordered: bool = False) -> None:
        """Makes texts next to times times, and raises ExpressionError unless all nodes can be compared with the first."""
        first = next((node for node in nodes if node.type not in ("null", "unknown")), None)
        for node in nodes:
            if (
                isinstance(node, Constant)
                and node.kind == "null"
                and who not in ("coalesce", "nullif", "case", "greatest", "least")
            ):
                raise ExpressionError(f"{who} with null is never true", node.start, "x is null", "SL403")
        if first is None:
            return
        for kind in ("timestamp", "date"):
            if any(node.type == kind for node in nodes):
                for node in nodes:
                    if isinstance(node, Constant) and node.kind == "text":
                        self._moment(node, "timestamp" if kind == "timestamp" or len(node.text) > 10 else "date")
                break
        first = next(node for node in nodes if node.type not in ("null", "unknown"))
        for node in nodes:
            if not _comparable(first.type, node.type):
                self._unlike(first, node, who)
            if node.type == "json" or (ordered and node.type not in (*_ORDERED, "null", "unknown")):
                raise ExpressionError(f"{who} cannot compare {self.saw(node)}", node.start, "", "SL403")

    def _unlike(self, first: Node, node: Node, who: str) -> None:
        hint = ""
        if isinstance(node, Constant) and node.kind == "text" and first.type in NUMERIC:
            hint = "numbers stand without quotes"
        elif first.type == "boolean" and isinstance(node, Constant):
            hint = f"{self.source(first)}, or not {self.source(first)}"
        elif first.type == "string" and isinstance(node, Constant):
            hint = f"texts stand in quotes: '{self.source(node)}'"
        message = f"{who} needs {_a(first.type)}, like {self.source(first)} (saw {self.saw(node)})"
        raise ExpressionError(message, node.start, hint, "SL403")

    def common(self, nodes: Sequence[Node], who: str) -> tuple[ExpressionType, int]:
        """The type that holds the values of all nodes, and its scale; raises ExpressionError when there is none."""
        self.alike(nodes, who)
        types = {node.type for node in nodes} - {"null"}
        if not types:
            return "null", 0
        if "unknown" in types:
            return "unknown", 0
        if types <= set(NUMERIC):
            kind = self.common_number(nodes)
            scales = [node.scale for node in nodes]
            return kind, 0 if kind != "decimal" else UNKNOWN_SCALE if UNKNOWN_SCALE in scales else max(scales)
        if types == {"date", "timestamp"}:
            return "timestamp", 0
        return types.pop(), 0

    def common_number(self, nodes: Sequence[Node]) -> ExpressionType:
        """integer, decimal or number: the least of them that holds all nodes."""
        types = {node.type for node in nodes}
        if types <= {"null", "unknown"}:
            return "unknown" if "unknown" in types else "integer"
        return "number" if "number" in types else "decimal" if "decimal" in types else "integer"

    def source(self, node: Node) -> str:
        """The text the node was written as, at most 30 characters of it."""
        text = " ".join(self.text[node.start : node.end].split())
        return text if len(text) <= 30 else text[:29] + "…"

    def saw(self, node: Node) -> str:
        """The node as an error names it: `status_code, an integer`."""
        return f"{self.source(node)}, {_a(node.type)}"


def _comparable(left: str, right: str) -> bool:
    if left == right or "null" in (left, right) or "unknown" in (left, right):
        return True
    return {left, right} <= set(NUMERIC) or {left, right} == {"date", "timestamp"}


def _a(kind: str) -> str:
    return "NULL" if kind == "null" else f"an {kind}" if kind[0] in "aeiou" else f"a {kind}"
