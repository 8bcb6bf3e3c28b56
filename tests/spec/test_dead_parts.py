"""Parts of a stream that do nothing: always zero, spelt in two ways, read by nobody. And: the quick check is right."""

from __future__ import annotations

import copy
import random
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft7Validator

from strandline.spec.document import read_document, walk
from strandline.spec.load import check_text, load_streams
from strandline.spec.shape import misfits, schema_named
from strandline.spec.unread import unread_fields

ROOT = Path(__file__).parents[2]
STREAM = """
stream: orders
version: 1.0.0
description: {purpose: Orders}
team: {name: shop, owner: shop@example.com}
source: {type: files, location: /data}
schema:
  primary_key: [id]
  event_time: at
  fields:
    - {name: id, type: string}
    - {name: at, type: timestamp}
    - {name: amount, type: decimal}
    - {name: city, type: string}
    - {name: note, type: string}
    - {name: status, type: string, choices: [paid, open]}
"""


def found(text: str) -> list[tuple[str, str, str]]:
    return [(problem.code, problem.field, problem.level) for problem in check_text(STREAM + text, Path("orders.yaml"))[1]]


@pytest.mark.parametrize(
    ("metric", "code"),
    [
        ("{sum: case when status = 'shipped' then amount else 0 end}", "SL413"),
        ("{ratio: [nothing, orders]}", "SL413"),
        ("{expression: nothing}", "SL413"),
        ("{count: status is null and status = 'paid'}", "SL411"),
        ("{sum: amount}", ""),
        ("{sum: case when status = 'paid' then amount else 0 end}", ""),
        ("{ratio: [orders, nothing]}", ""),
    ],
)
def test_a_metric_that_is_always_zero_is_noted(metric: str, code: str) -> None:
    metrics = f"orders: count, nothing: {{sum: case when id = id then 0 end}}, m: {metric}"
    problems = found(f"gold: {{daily: {{grain: day, metrics: {{{metrics}}}}}}}\n")
    own = {code for code, field, _ in problems if field.startswith("gold.daily.metrics.m")}
    assert own - {"SL410"} == ({code} if code else set())


def test_two_spellings_in_two_expressions_are_noted_once_at_the_later() -> None:
    rules = "quality:\n  - {name: a, expect: city <> 'New York'}\n  - {name: b, expect: city <> 'new_york'}\n"
    assert found(rules) == [("SL414", "quality[1].expect", "note")]
    _, problems = check_text(STREAM + rules, Path("orders.yaml"))
    assert problems[0].message == "city is compared with 'new_york' here and with 'New York' in line 18"


def test_two_spellings_that_are_meant_are_not_noted() -> None:
    assert found("quality: [{name: a, expect: \"city not in ('Ulm', 'ULM')\"}, {name: b, expect: city <> 'Ulm'}]\n") == []
    assert found("quality: [{name: a, expect: city <> 'Ulm'}, {name: b, expect: note <> 'ulm'}]\n") == []


def test_choices_in_two_spellings_are_noted() -> None:
    text = STREAM.replace("choices: [paid, open]", "choices: [paid, open, Paid]")
    _, problems = check_text(text, Path("orders.yaml"))
    assert [(problem.code, problem.field) for problem in problems] == [("SL414", "schema.fields[5].choices[2]")]


def test_fields_that_nothing_reads_are_told_with_their_place(tmp_path: Path) -> None:
    path = tmp_path / "orders.yaml"
    rest = "quality: [{name: a, expect: amount > 0}]\ngold: {daily: {grain: day, dimensions: [city], metrics: {n: count}}}\n"
    path.write_text(STREAM + rest, encoding="utf-8")
    stream = check_text(STREAM + rest, path)[0]
    assert stream is not None
    notes = unread_fields(stream)
    assert [(note.field, note.line, note.level) for note in notes] == [
        ("schema.fields[4].name", 15, "note"),
        ("schema.fields[5].name", 16, "note"),
    ]


@pytest.mark.parametrize("name", sorted(load_streams(ROOT / "config")))
def test_the_quick_and_the_thorough_validator_never_disagree(name: str) -> None:
    """The real streams with one value after another replaced, dropped or doubled."""
    schema, made = schema_named("stream"), random.Random(name)
    thorough = Draft7Validator(dict(schema))
    value = read_document(ROOT / "config" / "streams" / f"{name}.yaml").value
    assert misfits(value, schema) == []
    paths = [path for path, _ in walk(value) if path]
    odd: list[Any] = [None, True, 0, -1, 1.5, 10**18, "", "x", "X y", "1.0.0", "5m", [], {}, [1], {"a": 1}, ["a", "a"]]
    for path in made.sample(paths, 30):
        changed = copy.deepcopy(value)
        holder = changed
        for step in path[:-1]:
            holder = holder[step]
        if made.random() < 0.3:
            del holder[path[-1]]
        elif isinstance(holder, dict) and made.random() < 0.3:
            holder[made.choice(["colour", "Type", path[-1]])] = made.choice(odd)
        else:
            holder[path[-1]] = made.choice(odd)
        assert (misfits(changed, schema) == []) == thorough.is_valid(changed), path
