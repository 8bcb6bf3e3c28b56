"""The JSON Schema of an event accepts what is judged good, and refuses what is refused for its shape or values."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from strandline.engines.duckdb import DuckEngine
from strandline.export.json_schema import json_schema
from strandline.lines.keys import KeyRing
from strandline.rehearsal import interval_ending, land_lines, rehearse
from strandline.sources.source import RawLine
from strandline.spec.load import check_text, load_stream, load_streams
from strandline.spec.model import GeneratorSource, Stream

ROOT = Path(__file__).parents[2]
FILES = sorted([*(ROOT / "config/streams").glob("*.yaml"), *(ROOT / "tests/fixtures/valid").glob("*.yaml")])
AT = datetime(2026, 3, 2, 12, tzinfo=UTC)
SHAPE = {"missing", "type", "range", "choice", "pattern", "length", "unknown_field", "not_object"}

EVERYTHING = """\
stream: everything
version: 1.0.0
description: {purpose: Every type and every limit}
team: {name: tests, owner: tests@example.com}
source: {type: files, location: /nowhere}
schema:
  primary_key: [id]
  event_time: at
  unknown_fields: quarantine
  fields:
    - {name: id,      type: string,  required: true}
    - {name: at,      type: timestamp, required: true}
    - {name: whole,   type: integer, minimum: -3, maximum: 5}
    - {name: free,    type: integer, null_values: ["-"]}
    - {name: ratio,   type: number,  minimum: 0, from: "Ra tio"}
    - {name: price,   type: decimal, scale: 2, maximum: 100}
    - {name: yes_no,  type: boolean}
    - {name: level,   type: integer, choices: [1, 2, 3]}
    - {name: kind,    type: string,  choices: [a, b], required: true}
    - {name: code,    type: string,  pattern: "[A-Z]{2}[0-9]+"}
    - {name: note,    type: string,  max_length: 4, null_values: ["", n/a]}
    - {name: day,     type: date}
    - {name: extra,   type: json}
    - {name: who,     type: string,  classification: pii, protect: hash}
    - {name: gone,    type: string,  classification: secret, protect: drop}
"""


def everything() -> Stream:
    stream, problems = check_text(EVERYTHING, Path("everything.yaml"))
    assert stream is not None, problems
    return stream


STREAM = everything()
VALIDATOR = Draft202012Validator(json_schema(STREAM))

VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-5, 7),
    st.sampled_from([2**63 - 1, 2**63, -(2**63), 5.0, 0.5, 1e17, 1e18, 99.99, 99.999, 12.5, 100, 101]),
    st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from(
        ["-", "", "n/a", "a", "b", "AB1", "AB", "xAB1", "AB1\n", "abcde", "ünï€", "5", "1.50", "true", "False", "+3", "1e2"]
    ),
    st.sampled_from(
        ["2026-03-02", "2026-03-02T10:00:00Z", "2026-03-02 10:00", "2026-02-30", "2026-03-02T10:00:00.5+02:00", "1 May"]
    ),
    st.just({"a": [1, {}]}),
    st.just([]),
)
FITTING: dict[str, st.SearchStrategy[Any]] = {
    "id": st.text("abc", min_size=1, max_size=3),
    "at": st.sampled_from(["2026-03-02T10:00:00Z", "2026-03-02 10:00", "2026-03-02"]),
    "kind": st.sampled_from(["a", "b"]),
}


@st.composite
def events(draw: st.DrawFn) -> dict[str, Any]:
    """An event that is mostly as declared, with one to three keys drawn at random."""
    event = {name: draw(values) for name, values in FITTING.items()}
    keys = [field.source_name for field in STREAM.fields] + ["unheard_of"] * draw(st.integers(0, 1))
    for key in draw(st.lists(st.sampled_from(keys), min_size=1, max_size=3, unique=True)):
        event[key] = draw(VALUES)
    if not draw(st.integers(0, 15)):
        event.pop(draw(st.sampled_from(list(event))))
    return event


def as_declared(event: Mapping[str, Any]) -> dict[str, Any]:
    """The event with the documented conversions made, each without loss: texts of numbers and booleans, and their texts."""
    kinds = {field.source_name: field for field in STREAM.fields}
    found = dict(event)
    for key, value in event.items():
        if key not in kinds or kinds[key].protect != "keep":
            continue
        type_ = kinds[key].type
        if isinstance(value, str) and value in kinds[key].null_values:
            continue
        if type_ in ("integer", "number", "decimal") and isinstance(value, str):
            found[key] = int(value) if value.lstrip("+-").isdigit() else float(value)
        elif type_ == "boolean" and isinstance(value, str):
            found[key] = value.lower() == "true"
        elif type_ in ("string", "timestamp", "date") and isinstance(value, (bool, int, float)):
            found[key] = json.dumps(value)
    return found


def judged(batch: list[dict[str, Any]]) -> list[str | None]:
    """For each event None when it is good (or a copy), else the reason it was refused for."""
    stream, engine = STREAM, DuckEngine()
    lines = [RawLine(json.dumps(event).encode(), "test", number, None) for number, event in enumerate(batch, 1)]
    landed = land_lines(stream, lines, KeyRing({"STRANDLINE_KEY": "77" * 32}), interval_ending(AT, stream.interval))
    with engine.session() as session:
        refused = rehearse(engine, session, stream, landed).refused
    reasons = dict(zip(refused["_line"].to_pylist(), refused["_reason"].to_pylist(), strict=True))
    return [reasons.get(number) for number in range(1, len(batch) + 1)]


@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(events(), min_size=30, max_size=60))
def test_a_good_line_validates_once_its_conversions_are_made(batch: list[dict[str, Any]]) -> None:
    for event, reason in zip(batch, judged(batch), strict=True):
        if reason is None:
            assert [error.message for error in VALIDATOR.iter_errors(as_declared(event))] == [], event


@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(events(), min_size=30, max_size=60))
def test_an_event_that_validates_is_not_refused_for_its_values(batch: list[dict[str, Any]]) -> None:
    valid = [event for event in batch if VALIDATOR.is_valid(event)]
    for event, reason in zip(valid, judged(valid), strict=True):
        assert reason not in SHAPE or _beyond_a_schema(event), (event, reason)


def _beyond_a_schema(event: Mapping[str, Any]) -> bool:
    """What JSON Schema has no word for: days that are none, decimals with too many places, integers written as 1e17; and a
    last line feed, which Python's `$` lets pass.
    """
    price = event.get("price")
    places = isinstance(price, float) and not math.isclose(price * 100, round(price * 100), abs_tol=1e-9)
    huge = isinstance(price, (int, float)) and (abs(price) >= 1e15 or "e" in json.dumps(price))
    whole = any("e" in json.dumps(event.get(key)) for key in ("whole", "free", "level") if isinstance(event.get(key), float))
    fed = any(isinstance(value, str) and value.endswith("\n") for value in event.values())
    return places or huge or whole or fed or "2026-02-30" in event.values()


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_stream_has_a_valid_schema(path: Path) -> None:
    Draft202012Validator.check_schema(json_schema(load_stream(path)))


@pytest.mark.parametrize("name", ["api_logs", "ecommerce_clickstream", "financial_transactions", "iot_sensors", "social_media"])
def test_the_simulated_events_that_are_good_validate(name: str) -> None:
    from strandline.sample import take_sample

    stream, engine = load_streams(ROOT / "config")[name], DuckEngine()
    assert isinstance(stream.source, GeneratorSource)
    validator = Draft202012Validator(json_schema(stream))
    with engine.session() as session:
        sample = take_sample(engine, session, stream, file=None, rows=300, at=AT, now=AT)
        refused = set(rehearse(engine, session, stream, sample.landed).refused["_raw"].to_pylist())
    good = [
        raw for raw, line in zip(sample.landed["_raw"].to_pylist(), sample.landed["_line"].to_pylist(), strict=True) if line
    ]
    checked = [json.loads(raw) for raw in good if raw not in refused]
    assert len(checked) > 200
    assert [error.message for event in checked for error in validator.iter_errors(event)] == []


def test_keys_are_those_of_the_source_and_undeclared_ones_follow_the_contract() -> None:
    schema = json_schema(STREAM)
    assert "Ra tio" in schema["properties"]
    assert schema["additionalProperties"] is False
    assert schema["required"] == ["id", "at", "kind"]
    assert json_schema(load_streams(ROOT / "config")["api_logs"])["additionalProperties"] is True
