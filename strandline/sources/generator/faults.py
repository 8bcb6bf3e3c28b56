"""Lines that must be refused, each a copy of a good event under a new key with exactly one thing wrong."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from strandline.errors import UsageError
from strandline.intervals import Interval
from strandline.sources.generator.columns import Array, Column, Rows
from strandline.sources.generator.conditions import holds
from strandline.sources.generator.encode import as_declared, json_values, line
from strandline.sources.generator.events import EventModel, Events
from strandline.sources.generator.samplers import sampler
from strandline.sources.generator.truth import Injected
from strandline.spec.model import Field, Stream

Bad = tuple[bytes, Injected]
Record = dict[str, Any]

_WRONG = {"integer": "twelve", "number": "not-a-number", "decimal": "12,5O EUR", "boolean": "maybe", "timestamp": "yesterday"}


def bad_lines(model: EventModel, events: Events) -> list[Bad]:
    """The refused lines of a micro-batch with what is wrong in each (`line` 0: not placed yet), in no meaningful order."""
    if not len(events):
        return []
    made: list[Bad] = []
    for kind, maker in _MAKERS.items():
        rate = model.faults.get(kind, 0)
        if not rate:
            continue
        random = model.random(events.interval, "fault", kind)
        copies = _copies(model, events, random, np.arange(len(events)), rate)
        made.extend(maker(record, model.stream, events.interval, random) for record in copies)
    for number in range(len(model.breaks)):
        made.extend(_broken(model, events, number))
    return made


def _copies(model: EventModel, events: Events, random: np.random.Generator, among: Array, rate: float) -> list[Record]:
    """Some of the events at `among` (with replacement, `rate` of them on average) under new primary keys."""
    count = int(random.binomial(len(among), rate)) if len(among) else 0
    index = among[random.integers(0, len(among), count)] if count else among[:0]
    made = model.records(events, index)
    fresh = Rows(count, random, events.rows.time[index], {})
    for name in model.stream.primary_key:
        field = model.stream.field_named(name)
        if field.generate in (None, "uuid") and field.type == "string":
            for record, key in zip(made, sampler("uuid", "")(fresh).values.tolist(), strict=True):
                record[field.source_name] = key
    return made


def _broken(model: EventModel, events: Events, number: int) -> list[Bad]:
    """Events made to fail one declared rule, by drawing the fields in `set` anew."""
    spec, samplers = model.breaks[number]
    stream = model.stream
    rule = next((r for r in stream.rules if r.name == spec["rule"]), None)
    if rule is None or rule.action == "warn":
        raise UsageError(f"{stream.name}: faults.breaks names a rule that refuses rows (saw {spec['rule']!r})")
    random = model.random(events.interval, "breaks", number)
    among = np.flatnonzero(holds(spec.get("where", {}), events.rows))
    count = int(random.binomial(len(events), spec["rate"])) if len(among) else 0
    index = among[random.integers(0, len(among), count)] if count else among[:0]
    made = model.records(events, index)
    view = events.rows.take(index)
    view.random = random
    changed: dict[str, Column] = {name: made_by(view) for name, made_by in samplers.items()}
    keys = {
        name: sampler("uuid", "")(view) for name in stream.primary_key if stream.field_named(name).generate in (None, "uuid")
    }
    for name, column in {**keys, **changed}.items():
        field = stream.field_named(name)
        for record, value in zip(made, json_values(field, as_declared(field, column)).tolist(), strict=True):
            record[field.source_name] = value
    return [(line(record), Injected(0, "breaks", "rule", rule=rule.name)) for record in made]


def _pick(fields: list[Field], stream: Stream, fault: str, random: np.random.Generator) -> Field:
    if not fields:
        raise UsageError(f"{stream.name}: no declared field can show faults.{fault}")
    return fields[int(random.integers(len(fields)))]


def _malformed(record: Record, stream: Stream, interval: Interval, random: np.random.Generator) -> Bad:
    good, kind = line(record), int(random.integers(4))
    if kind == 0:
        text = good.decode()  # cut between characters, so that what is left is UTF-8 still
        return text[: int(random.integers(2, len(text) - 1))].encode(), Injected(0, "truncated", "not_json")
    if kind == 1:
        noise = random.integers(0x80, 0x100, int(random.integers(8, 120)), dtype=np.uint8).tobytes()
        return b"\xff" + noise, Injected(0, "garbage", "not_utf8")
    if kind == 2:
        return b"[" + good + b"]", Injected(0, "not_object", "not_object")
    key = next(iter(record))
    return good[:-1] + b"," + line({key: record[key]})[1:], Injected(0, "duplicate_key", "duplicate_key")


def _missing(record: Record, stream: Stream, interval: Interval, random: np.random.Generator) -> Bad:
    field = _pick([f for f in stream.fields if f.required], stream, "missing", random)
    if random.random() < 0.5:
        record[field.source_name] = None
    else:
        del record[field.source_name]
    return line(record), Injected(0, "missing", "missing", field.name)


def _wrong_type(record: Record, stream: Stream, interval: Interval, random: np.random.Generator) -> Bad:
    field = _pick([f for f in stream.fields if f.type in _WRONG and f.protect == "keep"], stream, "wrong_type", random)
    record[field.source_name] = _WRONG[field.type]
    return line(record), Injected(0, "wrong_type", "type", field.name)


def _out_of_range(record: Record, stream: Stream, interval: Interval, random: np.random.Generator) -> Bad:
    bounded = [
        f for f in stream.fields if f.protect == "keep" and (f.minimum is not None or f.maximum is not None or f.choices)
    ]
    field = _pick(bounded, stream, "out_of_range", random)
    if field.choices:
        record[field.source_name] = "unheard-of"
        return line(record), Injected(0, "out_of_range", "choice", field.name)
    beyond = int(random.integers(1, 1000))
    value = field.maximum + beyond if field.maximum is not None else (field.minimum or 0) - beyond
    record[field.source_name] = int(value) if field.type == "integer" else value
    return line(record), Injected(0, "out_of_range", "range", field.name)


def _future(record: Record, stream: Stream, interval: Interval, random: np.random.Generator) -> Bad:
    if stream.future_skew is None:
        raise UsageError(f"{stream.name}: faults.future needs schema.future_skew")
    ahead = int(stream.future_skew.total_seconds() * 1000) + int(random.integers(60_000, 86_400_000))
    return _moved(record, stream, int(interval.end.timestamp() * 1000) + ahead, "future", "future")


def _stale(record: Record, stream: Stream, interval: Interval, random: np.random.Generator) -> Bad:
    if stream.allowed_lateness is None:
        raise UsageError(f"{stream.name}: faults.stale needs schema.allowed_lateness")
    behind = int(stream.allowed_lateness.total_seconds() * 1000) + int(random.integers(60_000, 86_400_000))
    return _moved(record, stream, int(interval.end.timestamp() * 1000) - behind, "stale", "late")


def _moved(record: Record, stream: Stream, time: int, kind: str, reason: str) -> Bad:
    field = stream.field_named(stream.event_time)
    record[field.source_name] = json_values(field, Column(np.array([time])))[0]
    return line(record), Injected(0, kind, reason, field.name)


_MAKERS: Mapping[str, Callable[[Record, Stream, Interval, np.random.Generator], Bad]] = {
    "malformed": _malformed,
    "missing": _missing,
    "wrong_type": _wrong_type,
    "out_of_range": _out_of_range,
    "future": _future,
    "stale": _stale,
}
