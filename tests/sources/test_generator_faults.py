"""Each injected fault is what it says: one thing is wrong with the line, and it is the thing the truth names."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime, timedelta
from functools import cache
from typing import Any

import pytest

from strandline.errors import UsageError
from strandline.intervals import Interval
from strandline.sources.generator import EventModel, Injected, micro_batch, truth
from tests.sources.simulated import faulty_stream, interval_at, stream_of

REQUIRED = {"id", "at", "device"}


@cache
def injected() -> tuple[tuple[Interval, bytes, Injected], ...]:
    """Every injected line of fifty intervals."""
    model = EventModel(faulty_stream())
    found: list[tuple[Interval, bytes, Injected]] = []
    for number in range(50):
        interval = interval_at(number=number)
        lines, known = micro_batch(model, interval)
        found.extend((interval, lines[entry.line - 1], entry) for entry in known.injected)
    return tuple(found)


def of_kind(kind: str) -> list[tuple[Interval, bytes, Injected]]:
    found = [entry for entry in injected() if entry[2].kind == kind]
    assert len(found) > 20, kind
    return found


def no_key_twice(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    assert len({key for key, _ in pairs}) == len(pairs)
    return dict(pairs)


def test_cut_lines_are_text_but_no_json() -> None:
    for _, raw, entry in of_kind("truncated"):
        text = raw.decode("utf-8")
        assert entry.reason == "not_json"
        with pytest.raises(json.JSONDecodeError, match="line 1"):
            json.loads(text)


def test_garbage_is_not_utf8() -> None:
    for _, raw, entry in of_kind("garbage"):
        assert entry.reason == "not_utf8"
        with pytest.raises(UnicodeDecodeError, match="invalid start byte"):
            raw.decode("utf-8")


def test_what_is_not_an_object_is_json_all_the_same() -> None:
    for _, raw, entry in of_kind("not_object"):
        assert entry.reason == "not_object"
        assert isinstance(json.loads(raw), list)


def test_a_key_stands_twice_in_an_object() -> None:
    for _, raw, entry in of_kind("duplicate_key"):
        assert entry.reason == "duplicate_key"
        pairs: list[tuple[str, Any]] = json.loads(raw, object_pairs_hook=list)
        keys = [key for key, _ in pairs]
        assert len(keys) == len(set(keys)) + 1


def test_a_required_field_is_gone_or_null() -> None:
    gone = 0
    for _, raw, entry in of_kind("missing"):
        event = json.loads(raw, object_pairs_hook=no_key_twice)
        assert entry.reason == "missing"
        assert entry.field in REQUIRED
        assert event.get(entry.field) is None
        assert all(event.get(name) is not None for name in REQUIRED - {entry.field})
        gone += entry.field not in event
    assert 0 < gone < len(of_kind("missing"))


def test_a_wrong_type_is_text_that_does_not_convert() -> None:
    fields = set()
    for _, raw, entry in of_kind("wrong_type"):
        event = json.loads(raw, object_pairs_hook=no_key_twice)
        assert entry.reason == "type"
        assert entry.field is not None
        fields.add(entry.field)
        value = event[entry.field]
        assert isinstance(value, str)
        assert value in {"twelve", "not-a-number", "12,5O EUR", "maybe", "yesterday"}
    assert fields == {"at", "value", "count", "price", "ok"}


def test_out_of_range_is_beyond_the_declared_bound_or_choice() -> None:
    stream = faulty_stream()
    for _, raw, entry in of_kind("out_of_range"):
        assert entry.field is not None
        declared = stream.field_named(entry.field)
        value = json.loads(raw)[entry.field]
        if entry.reason == "choice":
            assert value not in (declared.choices or ())
        else:
            assert entry.reason == "range"
            low = declared.minimum if declared.minimum is not None else float("-inf")
            high = declared.maximum if declared.maximum is not None else float("inf")
            assert not low <= value <= high


def test_future_and_stale_events_are_beyond_what_the_stream_allows() -> None:
    for interval, raw, entry in of_kind("future"):
        assert entry.reason == "future"
        assert datetime.fromisoformat(json.loads(raw)["at"]) > interval.end + timedelta(minutes=10)
    for interval, raw, entry in of_kind("stale"):
        assert entry.reason == "late"
        assert datetime.fromisoformat(json.loads(raw)["at"]) < interval.end - timedelta(hours=8)


def test_late_events_and_unknown_fields_are_good_events() -> None:
    for interval, raw, entry in of_kind("late"):
        assert entry.reason is None
        assert datetime.fromisoformat(json.loads(raw)["at"]) < interval.start
    for _, raw, entry in of_kind("unknown_field"):
        assert entry.reason is None
        assert json.loads(raw)["extra"] in ("a", "b")


def test_a_broken_rule_is_named_and_the_event_is_as_declared_otherwise() -> None:
    for _, raw, entry in of_kind("breaks"):
        event = json.loads(raw)
        assert (entry.reason, entry.rule) == ("rule", "not_hot")
        assert 100 < event["value"] <= 150
        assert all(event[name] is not None for name in REQUIRED)


def test_lines_that_are_not_injected_have_exactly_the_declared_fields() -> None:
    stream = faulty_stream()
    lines, known = micro_batch(EventModel(stream), interval_at())
    touched = {entry.line for entry in known.injected}
    plain = [json.loads(raw, object_pairs_hook=no_key_twice) for number, raw in enumerate(lines, 1) if number not in touched]
    assert len(plain) > 100
    assert {tuple(event) for event in plain} == {tuple(f.name for f in stream.fields)}


@pytest.mark.parametrize("fault", ["malformed", "missing", "wrong_type", "out_of_range", "future", "stale", "duplicate"])
def test_a_fault_adds_lines_and_leaves_the_good_events_as_they_are(fault: str) -> None:
    stream = replace(stream_of(faults={fault: 0.2}), allowed_lateness=timedelta(hours=8), future_skew=timedelta(minutes=10))
    clean = micro_batch(EventModel(stream_of()), interval_at())[0]
    lines, known = micro_batch(EventModel(stream), interval_at())
    assert set(clean) <= set(lines)
    assert len(lines) - len(clean) == sum(known.bad.values()) + sum(known.duplicates.values())
    assert 0.1 * len(clean) < len(lines) - len(clean) < 0.3 * len(clean)


@pytest.mark.parametrize(
    ("faults", "message"),
    [
        ({"future": 1}, r"faults\.future needs schema\.future_skew"),
        ({"stale": 1}, r"faults\.stale needs schema\.allowed_lateness"),
        ({"breaks": [{"rule": "no_such", "rate": 1, "set": {"value": 1}}]}, "names a rule that refuses rows.*no_such"),
    ],
)
def test_a_fault_that_the_stream_cannot_show_is_refused(faults: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        truth(stream_of(faults=faults), interval_at())
