"""The list of deliberate mistakes keeps pace with the core that they are made in."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tests.mutants.mutation import Mutation
from tests.mutants.mutations import MUTATIONS

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda m: m.name)
def test_the_text_stands_once_and_the_mistake_is_python(mutation: Mutation) -> None:
    text = (ROOT / mutation.file).read_text()
    assert text.count(mutation.old) == 1
    ast.parse(text.replace(mutation.old, mutation.new))


def test_there_are_at_least_forty_of_different_names() -> None:
    assert len({m.name for m in MUTATIONS}) == len(MUTATIONS) >= 40
