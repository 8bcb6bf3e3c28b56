"""What each kind of `generate` draws."""

from __future__ import annotations

import ipaddress
import itertools
import uuid
from collections import Counter, defaultdict
from datetime import UTC, datetime, timedelta
from statistics import fmean, median, pstdev
from typing import Any

import pytest

from strandline.errors import UsageError
from strandline.sources.generator import EventModel
from strandline.spec.model import Field
from tests.sources.simulated import AT, ID, NOON, events_of, field, interval_at, stream_of

DEVICE = field("device", "string", {"entity": {"prefix": "d-", "count": 12}})


def drawn(*fields: Field, rows: int = 2000, start: datetime = NOON, intervals: int = 1, **options: Any) -> list[dict[str, Any]]:
    return events_of(stream_of((ID, AT, *fields), rows={"mean": rows}, **options), start, intervals)


def values(kind: Any, generate: Any, *before: Field, **bounds: Any) -> list[Any]:
    return [event["x"] for event in drawn(*before, field("x", kind, generate, **bounds))]


def test_a_uuid_is_of_version_7_and_tells_the_event_time() -> None:
    events = drawn()
    assert len({event["id"] for event in events}) == len(events)
    for event in events:
        identity = uuid.UUID(event["id"])
        assert (identity.version, identity.variant) == (7, uuid.RFC_4122)
        assert (identity.int >> 80) == round(datetime.fromisoformat(event["at"]).timestamp() * 1000)


def test_addresses_are_never_routed_in_the_internet() -> None:
    network = ipaddress.ip_network("100.64.0.0/10")
    assert all(ipaddress.ip_address(text) in network for text in values("string", "ipv4"))


def test_numbers_follow_their_distribution() -> None:
    assert fmean(values("number", {"normal": {"mean": 20, "std": 5}})) == pytest.approx(20, abs=0.5)
    assert pstdev(values("number", {"normal": {"mean": 20, "std": 5}})) == pytest.approx(5, rel=0.1)
    tail = sorted(values("number", {"lognormal": {"median": 120, "p99": 2500}}))
    assert median(tail) == pytest.approx(120, rel=0.12)
    assert tail[int(len(tail) * 0.99)] == pytest.approx(2500, rel=0.4)
    assert fmean(values("number", {"exponential": {"mean": 14}})) == pytest.approx(14, rel=0.1)
    assert fmean(values("integer", {"poisson": {"mean": 3}})) == pytest.approx(3, rel=0.1)
    flat = values("number", {"uniform": {"min": 2, "max": 4}})
    assert min(flat) >= 2
    assert max(flat) <= 4
    assert fmean(flat) == pytest.approx(3, abs=0.1)
    assert set(values("integer", {"integer": {"min": 1, "max": 6}})) == {1, 2, 3, 4, 5, 6}
    assert fmean(values("boolean", {"boolean": 0.2})) == pytest.approx(0.2, abs=0.04)


def test_choices_follow_their_weights() -> None:
    counts = Counter(values("string", {"choice": ["a", "b", "c"], "weights": [1, 3, 0]}))
    assert set(counts) == {"a", "b"}
    assert counts["b"] / counts["a"] == pytest.approx(3, rel=0.25)
    with pytest.raises(UsageError, match=r"one number a choice \(saw 1 for 2\)"):
        values("string", {"choice": ["a", "b"], "weights": [1]})


def test_entities_are_numbered_and_may_be_skewed() -> None:
    counts = Counter(values("string", {"entity": {"prefix": "d-", "count": 12, "skew": 1}}))
    assert sorted(counts) == [f"d-{number:02d}" for number in range(1, 13)]
    assert counts["d-01"] / counts["d-10"] == pytest.approx(10, rel=0.5)


def test_values_are_rounded_and_kept_within_the_bounds_of_the_field() -> None:
    bounded = values("decimal", {"normal": {"mean": 0, "std": 5}}, scale=2, minimum=-1, maximum=1)
    assert (min(bounded), max(bounded)) == (-1, 1)
    assert all(round(value, 2) == value for value in bounded)
    assert all(isinstance(value, int) for value in values("integer", {"normal": {"mean": 0, "std": 5}}))
    one = values("number", {"uniform": {"min": 0, "max": 1}, "round": 1})
    assert set(one) <= {n / 10 for n in range(11)}
    capped = values("number", {"uniform": {"min": 0, "max": 10}, "at_least": 3, "at_most": 4})
    assert (min(capped), max(capped)) == (3, 4)


def test_a_null_rate_or_condition_leaves_values_out() -> None:
    some = values("integer", {"poisson": {"mean": 3}, "null_rate": 0.25})
    assert some.count(None) / len(some) == pytest.approx(0.25, abs=0.05)
    events = drawn(DEVICE, field("x", "string", {"choice": ["a"], "null_when": {"device": "d-03"}}))
    assert {event["device"] for event in events if event["x"] is None} == {"d-03"}


def test_an_attribute_stays_with_its_entity_in_every_interval() -> None:
    city = field("city", "string", {"attribute": {"of": "device", "is": {"choice": ["x", "y", "z"]}}})
    zone = field("zone", "integer", {"attribute": {"of": "city", "is": {"integer": {"min": 1, "max": 1000}}}})
    seen: defaultdict[str, set[tuple[str, int]]] = defaultdict(set)
    for event in drawn(DEVICE, city, zone, intervals=3):
        seen[event["device"]].add((event["city"], event["zone"]))
    assert len(seen) == 12
    assert all(len(known) == 1 for known in seen.values())
    assert len({zone for known in seen.values() for _, zone in known}) == len(
        {city for known in seen.values() for city, _ in known}
    )


def test_an_attribute_of_nothing_is_null() -> None:
    maybe = field("maybe", "string", {"entity": {"count": 5}, "null_rate": 0.5})
    events = drawn(maybe, field("x", "number", {"attribute": {"of": "maybe", "is": {"normal": {"mean": 1, "std": 1}}}}))
    assert all((event["maybe"] is None) == (event["x"] is None) for event in events)


def test_by_and_when_choose_by_earlier_fields() -> None:
    code = field("code", "integer", {"choice": [200, 500], "weights": [1, 1]})
    events = drawn(code, field("x", "string", {"by": "code", "map": {"200": {"value": "fine"}}, "default": None}))
    assert {(event["code"], event["x"]) for event in events} == {(200, "fine"), (500, None)}
    events = drawn(code, field("x", "number", {"when": {"code": {"above": 400}}, "then": 1, "otherwise": 0}))
    assert {(event["code"], event["x"]) for event in events} == {(200, 0), (500, 1)}


def test_sums_and_products_see_earlier_fields_as_they_are_written() -> None:
    price = field("price", "decimal", {"lognormal": {"median": 20, "p99": 90}}, scale=2)
    quantity = field("quantity", "integer", {"poisson": {"mean": 2}, "null_rate": 0.2})
    total = field("total", "decimal", {"product": ["price", "quantity", {"sum": [1, -0.5]}]}, scale=2)
    for event in drawn(price, quantity, total):
        if event["quantity"] is None:
            assert event["total"] is None
        else:
            assert event["total"] == pytest.approx(event["price"] * event["quantity"] / 2, abs=0.00501)


def test_a_template_holds_earlier_fields() -> None:
    events = drawn(DEVICE, field("x", "string", {"template": "{device}@100%.example.com"}))
    assert all(event["x"] == f"{event['device']}@100%.example.com" for event in events)


def test_a_daily_curve_peaks_at_its_hour() -> None:
    curve = field("x", "number", {"daily": {"mean": 10, "amplitude": 4, "peak": "15h"}})
    for hour, expected in ((15, 14), (3, 6), (9, 10), (21, 10)):
        events = drawn(curve, rows=100, start=datetime(2026, 11, 25, hour, tzinfo=UTC))
        assert fmean(event["x"] for event in events) == pytest.approx(expected, abs=0.15)


def test_a_battery_runs_down_and_starts_again_each_device_at_its_own_pace() -> None:
    battery = field("x", "number", {"sawtooth": {"of": "device", "high": 100, "low": 10, "period": "2h", "spread": 0.3}})
    runs: defaultdict[str, list[float]] = defaultdict(list)
    for event in sorted(drawn(DEVICE, battery, rows=200, intervals=48), key=lambda event: event["at"]):
        runs[event["device"]].append(event["x"])
    for levels in runs.values():
        jumps = [later - earlier for earlier, later in itertools.pairwise(levels) if later > earlier]
        assert 1 <= len(jumps) <= 3
        assert all(jump > 80 for jump in jumps)
        assert 10 <= min(levels) < 16
    assert len({levels[0] for levels in runs.values()}) == 12


CHAIN = {
    "steps": {
        "start": {"view": 1},
        "view": {"view": 3, "cart": 3, "leave": 4},
        "cart": {"buy": 1, "view": 1},
        "buy": {"leave": 1},
    }
}
VISIT = (
    field("visit", "string", {"session": "id"}),
    field("step", "string", {"session": "step"}),
    field("position", "integer", {"session": "position"}),
    field("customer", "string", {"attribute": {"of": "visit", "is": {"entity": {"prefix": "c-", "count": 50}}}}),
    field("country", "string", {"attribute": {"of": "customer", "is": {"choice": ["DE", "FR"]}}}),
    field("product", "string", {"carried": {"new_on": ["view"], "is": {"entity": {"prefix": "p-", "count": 500}}}}),
    field("price", "decimal", {"attribute": {"of": "product", "is": {"lognormal": {"median": 20, "p99": 90}}}}, scale=2),
)


def test_sessions_walk_through_declared_steps_only_and_in_order_of_time() -> None:
    visits: defaultdict[str, list[dict[str, Any]]] = defaultdict(list)
    for event in drawn(*VISIT, sessions=CHAIN):
        visits[event["visit"]].append(event)
    assert 500 < len(visits) < 1000
    for visit in visits.values():
        assert [event["position"] for event in visit] == list(range(1, len(visit) + 1))
        assert [event["at"] for event in visit] == sorted(event["at"] for event in visit)
        steps = ["start", *(event["step"] for event in visit), "leave"]
        for now, following in itertools.pairwise(steps):
            assert following in CHAIN["steps"][now]
        assert len({event["customer"] for event in visit}) == 1
    assert any(event["step"] == "buy" for visit in visits.values() for event in visit)


def test_a_carried_value_changes_at_its_steps_only_and_brings_its_attributes() -> None:
    products: defaultdict[str, set[float]] = defaultdict(set)
    last: dict[str, str] = {}
    changed = 0
    for event in drawn(*VISIT, sessions=CHAIN):
        products[event["product"]].add(event["price"])
        if event["step"] != "view":
            assert event["product"] == last[event["visit"]]
        else:
            changed += last.get(event["visit"]) not in (None, event["product"])
        last[event["visit"]] = event["product"]
    assert changed > 100
    assert all(len(prices) == 1 for prices in products.values())


def test_late_sessions_are_late_as_a_whole() -> None:
    events = drawn(*VISIT, sessions=CHAIN, faults={"late": {"rate": 0.2, "max": "6h"}})
    visits: defaultdict[str, set[bool]] = defaultdict(set)
    for event in events:
        visits[event["visit"]].add(datetime.fromisoformat(event["at"]) < NOON)
    assert all(len(late) == 1 for late in visits.values())
    assert sum(late == {True} for late in visits.values()) / len(visits) == pytest.approx(0.2, abs=0.06)


def test_an_incident_changes_its_fields_in_its_window_and_later_fields_follow() -> None:
    code = field("code", "integer", 200)
    text = field("text", "string", {"by": "code", "map": {"503": {"value": "down"}}, "default": {"value": "up"}})
    incident = {
        "name": "outage",
        "every": "2h",
        "offset": "10m",
        "lasts": "10m",
        "where": {"device": ["d-01", "d-02"]},
        "set": {"code": 503},
    }
    for number, inside in ((1, False), (2, True), (3, True), (4, False)):
        events = events_of(stream_of((ID, AT, DEVICE, code, text), incidents=[incident]), NOON + timedelta(minutes=5 * number))
        touched = {event["device"] for event in events if event["code"] == 503}
        assert touched == ({"d-01", "d-02"} if inside else set())
        assert all((event["code"] == 503) == (event["text"] == "down") for event in events)


def test_an_incident_may_touch_a_share_and_change_the_volume() -> None:
    incident = {"name": "rush", "every": "2h", "lasts": "10m", "volume": 3, "share": 0.5, "set": {"code": 503}}
    model = EventModel(stream_of((ID, AT, field("code", "integer", 200)), rows={"mean": 1000}, incidents=[incident]))
    rush, calm = model.events(interval_at()), model.events(interval_at(number=2))
    assert len(rush) / len(calm) == pytest.approx(3, rel=0.1)
    assert (rush.values["code"] == 503).mean() == pytest.approx(0.5, abs=0.05)


def test_a_field_without_generate_gets_what_its_type_suggests() -> None:
    fields = (
        field("id", "string", None),
        field("at", "timestamp", None),
        field("colour", "string", None, choices=("red", "blue")),
        field("name", "string", None),
        field("n", "integer", None, minimum=1, maximum=3),
        field("x", "number", None),
        field("ok", "boolean", None),
    )
    events = events_of(stream_of(fields))
    assert {event["colour"] for event in events} == {"red", "blue"}
    assert {event["n"] for event in events} == {1, 2, 3}
    assert len({event["id"] for event in events}) == len(events)
    assert len({event["name"] for event in events}) > 20
    with pytest.raises(UsageError, match="blob is a json and needs a `generate`"):
        events_of(stream_of((ID, AT, field("blob", "json", None))))


@pytest.mark.parametrize(
    ("generate", "message"),
    [
        ({"sum": ["later"]}, "refers to later, which is not declared before it"),
        ({"attribute": {"of": "at", "is": 1}}, "hangs on an entity.*at is none of them"),
        ({"sawtooth": {"of": "at", "high": 1, "low": 0, "period": "1h"}}, "runs down per entity; at is none"),
        ({"nonsense": 1}, r"names one kind \(saw nonsense"),
        ({"uniform": {"min": 0, "max": 1}, "boolean": 1}, "names one kind"),
    ],
)
def test_a_description_that_cannot_be_drawn_says_why(generate: Any, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        drawn(field("x", "number", generate), field("later", "number", 1))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"sessions": {"steps": {"start": {"view": 1}, "view": {"by": 1}}}},
            "view leads to by, which is no step .allowed view, leave",
        ),
        ({"sessions": {"steps": {"start": {"view": 1}, "view": {"view": 0}}}}, "view leads nowhere: give `leave` a weight"),
        ({}, "`session` and `carried` need a `sessions` block in the source"),
    ],
)
def test_sessions_that_cannot_be_walked_say_why(options: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        drawn(*VISIT, **options)


def test_a_day_without_any_weight_is_refused() -> None:
    with pytest.raises(UsageError, match="no hour with a weight above 0"):
        events_of(stream_of(rows={"mean": 5, "daily_profile": [0] * 24}))
