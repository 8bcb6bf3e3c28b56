"""Small generator streams for the tests of this folder."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson

from strandline.intervals import Interval
from strandline.sources.generator import EventModel, micro_batch
from strandline.spec.model import Field, GeneratorSource, Rule, Stream, Team

NOON = datetime(2026, 11, 25, 12, tzinfo=UTC)  # a Wednesday
FIVE_MINUTES = timedelta(minutes=5)


def field(name: str, kind: Any, generate: Any, **more: Any) -> Field:
    """A field named `name` of type `kind` with the given `generate`."""
    return Field(name=name, type=kind, source_name=name, generate=generate, **more)


ID = field("id", "string", "uuid", required=True)
AT = field("at", "timestamp", "event_time", required=True)
READINGS = (
    ID,
    AT,
    field("device", "string", {"entity": {"prefix": "d-", "count": 20}}, required=True),
    field(
        "city",
        "string",
        {"attribute": {"of": "device", "is": {"choice": ["Köln", "Lyon", "Brno"]}}},
        choices=("Köln", "Lyon", "Brno"),
    ),
    field("value", "number", {"normal": {"mean": 20, "std": 5}}, minimum=-100, maximum=200),
    field("count", "integer", {"poisson": {"mean": 3}, "null_rate": 0.1}, minimum=0),
    field("price", "decimal", {"lognormal": {"median": 9, "p99": 80}}, scale=2, minimum=0),
    field("ok", "boolean", {"boolean": 0.9}),
)
ALL_FAULTS: Mapping[str, Any] = {
    "duplicate": 0.1,
    "late": {"rate": 0.1, "max": "6h"},
    "malformed": 0.08,
    "missing": 0.03,
    "wrong_type": 0.03,
    "out_of_range": 0.03,
    "future": 0.02,
    "stale": 0.02,
    "unknown_field": {"rate": 0.1, "field": "extra", "value": {"choice": ["a", "b"]}},
    "breaks": [{"rule": "not_hot", "rate": 0.02, "set": {"value": {"uniform": {"min": 101, "max": 150}}}}],
}


def stream_of(fields: tuple[Field, ...] = READINGS, name: str = "readings", **options: Any) -> Stream:
    """A generator stream of `fields`; `options` are those of its source, about 200 events an interval unless told."""
    return Stream(
        name=name,
        version="1.0.0",
        purpose="Readings of devices.",
        team=Team("tests", "tests@example.com"),
        source=GeneratorSource({"rows": {"mean": 200}, **options}),
        primary_key=("id",),
        event_time="at",
        fields=fields,
        path=Path("readings.yaml"),
    )


def faulty_stream(**options: Any) -> Stream:
    """Readings with every fault there is, and the rule `value <= 100` that `breaks` breaks."""
    return replace(
        stream_of(faults=ALL_FAULTS, **options),
        allowed_lateness=timedelta(hours=8),
        future_skew=timedelta(minutes=10),
        rules=(Rule("not_hot", "value <= 100"),),
    )


def interval_at(start: datetime = NOON, number: int = 0) -> Interval:
    """The five minutes that begin `number` intervals after `start`."""
    return Interval(start + number * FIVE_MINUTES, start + (number + 1) * FIVE_MINUTES)


def events_of(stream: Stream, start: datetime = NOON, intervals: int = 1) -> list[dict[str, Any]]:
    """The events of a stream without faults, in order of arrival."""
    model = EventModel(stream)
    lines = [raw for number in range(intervals) for raw in micro_batch(model, interval_at(start, number))[0]]
    return [orjson.loads(raw) for raw in lines]
