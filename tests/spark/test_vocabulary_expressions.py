"""Every word of an expression means the same on DuckDB and on Spark, over generated rows; so do random expressions."""

from __future__ import annotations

import re

import pytest

from strandline.plan.expressions import ExpressionError, parse_expression
from strandline.spec.expressions import nodes
from strandline.spec.expressions.checker import _CASTS
from strandline.spec.expressions.functions import FUNCTIONS, SAME_AS, TRUNC_UNITS
from strandline.spec.expressions.nodes import Call, Case, Cast, Constant, Length, Node, Operation, walk
from strandline.spec.expressions.parser import EXTRACT_UNITS, UNITS, parse
from tests.spark.expression_cases import Expressions, cases, families
from tests.spark.vocabulary import SCALES, TYPES, Engines, questions, rows_of

ROWS = 1200
LAST_DIGIT = re.compile(r"\b(ln|log10|exp|power|pow)\(")
OPERATORS = {"and", "or", "not", "||", "=", "<>", "<", "<=", ">", ">=", "+", "-", "*", "/", "//", "%", "neg", "pos"}


def words(node: Node) -> set[str]:
    """The words of the vocabulary that a part of an expression uses."""
    match node:
        case Call(name="extract"):
            return {f"extract {node.unit}"}
        case Call():
            unit = node.arguments[0]
            timed = node.name in ("date_trunc", "date_diff") and isinstance(unit, Constant)
            return {node.name, f"{node.name} {unit.text}"} if timed and isinstance(unit, Constant) else {node.name}
        case Operation():
            return {node.operator}
        case nodes.Test():
            return {f"{'not ' if node.negated else ''}{node.kind}"}
        case Case():
            return {"case of" if node.operand else "case"}
        case Cast():
            return {f"cast {node.operand.type} {node.to}"}
        case Length():
            return {f"interval {node.unit}"}
        case Constant():
            return {f"a {node.kind}"}
    return set()


def test_every_word_of_the_vocabulary_has_a_case() -> None:
    used: set[str] = set()
    written: set[str] = set()
    for text in cases():
        written |= {node.name for node in walk(parse(text)) if isinstance(node, Call)}
        for node in walk(parse_expression(text, TYPES, scales=SCALES).node):
            used |= words(node)
    casts = {f"cast {source} {to}" for source, allowed in _CASTS.items() for to in allowed}
    tests = {f"{negated}{kind}" for negated in ("", "not ") for kind in ("null", "true", "false", "between", "in", "like")}
    units = {f"{name} {unit}" for name in ("date_trunc", "date_diff") for unit in TRUNC_UNITS}
    kinds = {f"a {kind}" for kind in ("text", "integer", "number", "boolean", "null", "timestamp", "date")}
    expected = set(FUNCTIONS) | OPERATORS | casts | tests | units | kinds | {"case", "case of"}
    expected |= {f"extract {unit}" for unit in EXTRACT_UNITS} | {f"interval {unit}" for unit in UNITS}
    assert expected - used == set()
    assert {*FUNCTIONS, *SAME_AS} - written == set()


def test_both_engines_give_every_row_the_same_value_of_every_word(engines: Engines) -> None:
    engines.register("generated", rows_of(TYPES, ROWS, seed=6))
    compared = 0
    for family, texts in families().items():
        asked = questions(text for text in texts if not LAST_DIGIT.search(text))
        found, differences = engines.differences(family, asked, "generated")
        assert differences == []
        assert found == ROWS * len(asked)
        compared += found
    assert compared > 800_000


def test_logarithms_and_powers_differ_in_the_last_digit_at_most(engines: Engines) -> None:
    engines.register("generated", rows_of(TYPES, ROWS, seed=7))
    asked = questions(text for text in cases() if LAST_DIGIT.search(text))
    assert len(asked) > 20
    assert engines.differences("logarithms and powers, but for the last digit", asked, "generated", ulps=1)[1] == []


@pytest.mark.parametrize("seed", [1, 2])
def test_both_engines_agree_on_random_expressions(engines: Engines, seed: int) -> None:
    engines.register("generated", rows_of(TYPES, 400, seed=10 + seed))
    made, texts = Expressions(seed), set[str]()
    while len(texts) < 300:
        text = made.any()
        try:
            parse_expression(text, TYPES, scales=SCALES)
        except ExpressionError:
            continue
        texts.add(text)
    assert engines.differences("random expressions", questions(sorted(texts)), "generated") == (400 * 300, [])
