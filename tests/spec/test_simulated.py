"""What a generator is said to draw contains what it draws, and the notes about simulated data."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from strandline.intervals import Interval
from strandline.sources.generator.events import EventModel
from strandline.spec.load import check_text, load_streams
from strandline.spec.model import GeneratorSource, Stream
from strandline.spec.simulated import simulated_domains

ROOT = Path(__file__).parents[2]
START = datetime(2026, 3, 2, 9, tzinfo=UTC)


def assert_contained(stream: Stream, intervals: int) -> None:
    """Draws some intervals and looks for values outside of what was said; values that would be refused are passed over."""
    assert isinstance(stream.source, GeneratorSource)
    domains = simulated_domains(stream.source.options, stream.fields)
    model = EventModel(stream)
    for number in range(intervals):
        start = START + number * timedelta(hours=1)
        values = model.events(Interval(start, start + stream.interval)).values
        for field in stream.fields:
            domain, found = domains[field.name], {v for v in values[field.name].tolist() if v is not None}
            for value in found:
                if isinstance(value, bool):
                    assert domain.choices is None or str(value).lower() in domain.choices, field.name
                elif isinstance(value, str):
                    assert domain.choices is None or value in domain.choices, field.name
                elif (field.minimum is None or value >= field.minimum) and (field.maximum is None or value <= field.maximum):
                    assert domain.low <= value <= domain.high, field.name
                    assert domain.numbers is None or value in domain.numbers, field.name


@pytest.mark.parametrize("name", sorted(load_streams(ROOT / "config")))
def test_the_projects_streams_draw_only_what_is_said(name: str) -> None:
    assert_contained(load_streams(ROOT / "config")[name], 12)


NUMBERS = st.one_of(st.integers(-50, 50), st.floats(-50, 50, allow_nan=False).map(lambda x: round(x, 3)))
PAIRS = st.tuples(st.integers(-20, 20), st.integers(0, 30)).map(lambda pair: {"min": pair[0], "max": pair[0] + pair[1]})
KINDS: st.SearchStrategy[Any] = st.one_of(
    NUMBERS,
    st.none(),
    st.builds(lambda value: {"value": value}, NUMBERS),
    st.builds(lambda values: {"choice": values}, st.lists(NUMBERS, min_size=1, max_size=4)),
    st.builds(lambda pair: {"integer": pair}, PAIRS),
    st.builds(lambda pair: {"uniform": pair}, PAIRS),
    st.just({"lognormal": {"median": 2, "p99": 9}}),
    st.just({"exponential": {"mean": 3}}),
    st.just({"poisson": {"mean": 0.5}}),
    st.just({"normal": {"mean": 1, "std": 4}}),
    st.builds(lambda mean, swing: {"daily": {"mean": mean, "amplitude": swing}}, NUMBERS, NUMBERS),
    st.builds(lambda high, low: {"sawtooth": {"of": "who", "high": high, "low": low, "period": "1h"}}, NUMBERS, NUMBERS),
    st.builds(lambda inner: {"attribute": {"of": "who", "is": {"integer": inner}}}, PAIRS),
)
DESCRIPTIONS = st.recursive(
    KINDS,
    lambda inner: st.one_of(
        st.builds(lambda a, b: {"when": {"who": "u-1"}, "then": a, "otherwise": b}, inner, inner),
        st.builds(lambda a, b: {"by": "who", "map": {"u-1": a, "u-2": b}}, inner, inner),
        st.builds(lambda a, b: {"sum": ["base", {"when": {"who": "u-1"}, "then": a, "otherwise": b}]}, inner, inner),
        st.builds(lambda a: {"product": ["base", {"when": {"who": "u-1"}, "then": a}, 2]}, inner),
        st.builds(lambda a, least: {"when": {"who": "u-1"}, "then": a, "at_least": least}, inner, NUMBERS),
        st.builds(lambda a, most: {"by": "who", "map": {"u-2": a}, "at_most": most}, inner, NUMBERS),
    ),
    max_leaves=4,
)


@settings(max_examples=60, deadline=None)
@given(
    DESCRIPTIONS,
    st.sampled_from([{"type": "integer"}, {"type": "number"}, {"type": "decimal", "scale": 1}]),
    st.sampled_from([{}, {"minimum": -3}, {"minimum": 0.5, "maximum": 7}]),
    st.one_of(st.none(), KINDS),
)
def test_no_draw_leaves_what_was_said(description: Any, kind: dict[str, Any], limits: dict[str, Any], incident: Any) -> None:
    declared: dict[str, Any] = {
        "stream": "drawn", "version": "1.0.0", "description": {"purpose": "x"}, "team": {"name": "a", "owner": "b"},
        "source": {"type": "generator", "rows": {"mean": 60}},
        "schema": {
            "primary_key": ["id"],
            "event_time": "at",
            "fields": [
                {"name": "id", "type": "string", "generate": "uuid"},
                {"name": "at", "type": "timestamp", "generate": "event_time"},
                {"name": "who", "type": "string", "generate": {"entity": {"prefix": "u-", "count": 3}}},
                {"name": "base", "type": "number", "generate": {"uniform": {"min": -2, "max": 2}}},
                {"name": "value", **kind, **limits, "generate": description},
            ],
        },
    }  # fmt: skip
    if incident is not None:
        declared["source"]["incidents"] = [{"name": "i", "every": "1h", "lasts": "3m", "set": {"value": incident}}]
    stream, problems = check_text(json.dumps(declared), Path("drawn.yaml"))
    assert stream is not None, problems
    assert_contained(stream, 1)


HEAD = """
stream: orders
version: 1.0.0
description: {purpose: Orders}
team: {name: shop, owner: shop@example.com}
schema:
  primary_key: [id]
  event_time: at
  fields:
    - {name: id, type: string, generate: uuid}
    - {name: at, type: timestamp, generate: event_time}
    - {name: size, type: integer, minimum: 0, generate: {integer: {min: 1, max: 6}}}
    - {name: city, type: string, generate: {choice: [Ulm, Bonn]}}
"""
CALM = "source: {type: generator, rows: {mean: 10}}\n"
TABLE = "gold: {daily: {grain: day, dimensions: [city], metrics: {orders: count, most: {max: size}}}}\n"


def notes(text: str) -> list[tuple[str, str]]:
    stream, problems = check_text(HEAD + text, Path("orders.yaml"))
    assert stream is not None, problems
    assert {problem.level for problem in problems} <= {"note"}
    return [(problem.code, problem.field) for problem in problems]


def test_a_rule_that_no_simulated_row_breaks_is_noted_until_a_break_does() -> None:
    rule = "quality: [{name: small, expect: size < 10}]\n"
    broken = "source: {type: generator, rows: {mean: 10}, faults: {breaks: [{rule: small, rate: 0.1, set: {size: 12}}]}}\n"
    assert notes(CALM + rule) == [("SL415", "quality[0].expect")]
    assert notes(broken + rule) == []


def test_a_filter_that_keeps_no_simulated_row_is_noted() -> None:
    assert notes(CALM + "gold: {daily: {grain: day, where: size > 6, metrics: {orders: count}}}\n") == [
        ("SL415", "gold.daily.where")
    ]
    assert notes(CALM + "gold: {daily: {grain: day, where: size > 5, metrics: {orders: count}}}\n") == []


def test_an_alert_that_no_simulated_window_fires_is_noted_until_an_incident_does() -> None:
    alert = "alerts: [{name: big, on: daily, when: most > 20}, {name: far, on: daily, when: city = 'Rome'}]\n"
    changes = "incidents: [{name: i, every: 6h, lasts: 1h, set: {size: 30, city: {value: Rome}}}]"
    incident = f"source: {{type: generator, rows: {{mean: 10}}, {changes}}}\n"
    assert notes(CALM + TABLE + alert) == [("SL415", "alerts[0].when"), ("SL415", "alerts[1].when")]
    assert notes(incident + TABLE + alert) == []


def test_what_a_file_may_hold_is_not_judged_by_what_a_generator_would_draw() -> None:
    assert notes("source: {type: files, location: /data}\nquality: [{name: small, expect: size < 10}]\n") == []


def test_a_draw_that_the_choices_have_spelt_otherwise_is_noted() -> None:
    text = (HEAD + CALM).replace("{name: city, type: string, ", "{name: city, type: string, choices: [ulm, Bonn], ")
    stream, problems = check_text(text, Path("orders.yaml"))
    assert stream is not None
    assert [(problem.code, problem.message) for problem in problems] == [
        ("SL414", "is spelt in two ways: the generator draws 'Ulm', the choices have 'ulm'")
    ]
