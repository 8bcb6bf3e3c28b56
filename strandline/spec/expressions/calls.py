"""Whether a call of a function fits its declaration, and the type it gives."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

from strandline.spec.expressions.errors import ExpressionError
from strandline.spec.expressions.functions import FUNCTIONS, SAME_AS, TRUNC_UNITS, Function
from strandline.spec.expressions.left_out import left_out_word
from strandline.spec.expressions.nodes import UNKNOWN_SCALE, Call, Constant, Node
from strandline.spec.patterns import refused_pattern

if TYPE_CHECKING:
    from strandline.spec.expressions.checker import Checker

_MOST_DECIMALS = 15
_MOST_ARGUMENTS = 20


def check_call(checker: Checker, node: Call) -> None:
    """Fills in the type of a call whose arguments have theirs; raises ExpressionError."""
    if node.name == "extract" and node.unit:
        checker.need(node.arguments[0], ("timestamp", "date"), "extract")
        if node.arguments[0].type == "date" and node.unit in ("hour", "minute"):
            raise ExpressionError(f"a date has no {node.unit}", node.arguments[0].start, "", "SL403")
        node.type = "integer"
        return
    node.name = SAME_AS.get(node.name, node.name)
    function = FUNCTIONS.get(node.name)
    if function is None:
        raise _unknown(node)
    _count(node, function)
    for index, argument in enumerate(node.arguments):
        _argument(checker, node.name, function.arguments[min(index, len(function.arguments) - 1)], argument)
    _result(checker, node, function)


def _unknown(node: Call) -> ExpressionError:
    known = left_out_word(node.name + "()")
    if known:
        return ExpressionError(known[0], node.start, known[1], "SL404")
    close = difflib.get_close_matches(node.name, [*FUNCTIONS, *SAME_AS, "cast", "extract"], 1, 0.6)
    hint = f"did you mean {close[0]}?" if close else f"there are {', '.join(sorted(FUNCTIONS))}, cast, extract"
    return ExpressionError(f"unknown function '{node.name[:60]}'", node.start, hint, "SL402")


def _count(node: Call, function: Function) -> None:
    most = _MOST_ARGUMENTS if function.endless else len(function.arguments)
    count = len(node.arguments)
    if function.least <= count <= most:
        return
    allowed = str(most) if most == function.least else f"{function.least} to {most}"
    plural = "" if allowed == "1" else "s"
    raise ExpressionError(f"{node.name} takes {allowed} argument{plural} (saw {count})", node.start, function.example, "SL403")


def _argument(checker: Checker, name: str, wanted: str, argument: Node) -> None:
    if wanted in ("string", "integer"):
        checker.need(argument, (wanted,), name)
    elif wanted == "numeric":
        checker.need(argument, ("integer", "number", "decimal"), name)
    elif wanted == "moment":
        checker.need(argument, ("timestamp", "date"), name)
    elif wanted != "any":
        _written_out(name, wanted, argument)


def _written_out(name: str, wanted: str, argument: Node) -> None:
    example = FUNCTIONS[name].example
    kind = "integer" if wanted in ("count", "ordinal") else "text"
    if not isinstance(argument, Constant) or argument.kind != kind:
        what = "a whole number" if kind == "integer" else "a text"
        raise ExpressionError(f"{name} needs {what} written out here", argument.start, example, "SL403")
    if kind == "integer":
        least, most = (1, 1_000_000) if wanted == "ordinal" else (0, _MOST_DECIMALS if name == "round" else 1_000_000)
        if not least <= int(argument.text) <= most:
            message = f"{name} needs a number from {least} to {most} here (saw {argument.text})"
            raise ExpressionError(message, argument.start, example, "SL403")
    elif wanted == "unit" and argument.text.lower() not in TRUNC_UNITS:
        message = f"'{argument.text[:30]}' is not a unit of {name} (allowed {', '.join(TRUNC_UNITS)})"
        close = difflib.get_close_matches(argument.text.lower(), TRUNC_UNITS, 1, 0.6)
        raise ExpressionError(message, argument.start, f"did you mean '{close[0]}'?" if close else example, "SL403")
    elif wanted == "pattern":
        refused = refused_pattern(argument.text)
        if refused:
            raise ExpressionError(refused, argument.start, "", "SL403")


def _result(checker: Checker, node: Call, function: Function) -> None:
    first = node.arguments[0]
    if function.result == "common":
        node.type, node.scale = checker.common(node.arguments, node.name)
        if node.name in ("greatest", "least") and node.type in ("boolean", "interval"):
            raise ExpressionError(f"{node.name} cannot compare {checker.saw(first)}", first.start, "", "SL403")
    elif function.result == "same":
        node.type = first.type
        node.scale = 0 if node.name in ("floor", "ceil") else first.scale
        if node.name == "round" and first.type == "decimal" and first.scale != UNKNOWN_SCALE:
            digits = node.arguments[1] if len(node.arguments) > 1 else None
            node.scale = min(first.scale, int(digits.text)) if isinstance(digits, Constant) else 0
    else:
        node.type = function.result  # type: ignore[assignment]
    if node.name in ("replace", "split_part"):
        _not_empty(node)


def _not_empty(node: Call) -> None:
    searched = node.arguments[1]
    if isinstance(searched, Constant) and not searched.text:
        raise ExpressionError(f"{node.name} needs a text that is not empty here", searched.start, "", "SL403")
