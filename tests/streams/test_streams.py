"""The five streams are alive: every rule refuses, every metric moves, every alert opens and resolves, no name is in clear."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from strandline.intervals import intervals_between
from strandline.lines.parse import parse_lines
from strandline.sources.generator import EventModel, micro_batch, total
from strandline.sources.generator.samplers import KINDS
from strandline.spec.load import load_streams
from strandline.spec.model import GeneratorSource, Stream
from tests.streams.day import BEGIN, Day, simulate, watch

CONFIG = Path(__file__).parents[2] / "config"
NAMES = ("api_logs", "ecommerce_clickstream", "financial_transactions", "iot_sensors", "social_media")
NOON = BEGIN.replace(hour=12)
MALFORMED = {"truncated", "garbage", "not_object", "duplicate_key"}
PERSONAL = {
    "client_ip",
    "user_id",
    "user_name",
    "email",
    "profile_url",
    "account_id",
    "card_number",
    "card_holder",
    "serviced_by",
}


@pytest.fixture(scope="module")
def streams() -> Mapping[str, Stream]:
    return load_streams(CONFIG)


@pytest.fixture(scope="module", params=NAMES)
def day(request: pytest.FixtureRequest, streams: Mapping[str, Stream]) -> Day:
    return simulate(streams[request.param])


@pytest.fixture(params=NAMES)
def stream(request: pytest.FixtureRequest, streams: Mapping[str, Stream]) -> Stream:
    return streams[request.param]


def test_the_five_streams_of_the_mission_are_declared(streams: Mapping[str, Stream]) -> None:
    assert set(NAMES) <= set(streams)


def test_good_events_meet_every_rule_that_refuses(day: Day) -> None:
    for rule in day.stream.rules:
        if rule.action != "warn":
            assert day.count(f"select count(*) from good where not ({rule.expect})") == 0, rule.name


def test_every_rule_that_refuses_does_refuse_and_alone(day: Day) -> None:
    refusing = [rule for rule in day.stream.rules if rule.action != "warn"]
    assert {rule.name for rule in refusing} == day.broken
    for rule in refusing:
        made = day.count(f"select count(*) from broken_{rule.name}")
        assert made >= 20
        for other in refusing:
            unmet = day.count(f"select count(*) from broken_{rule.name} where not ({other.expect})")
            assert unmet == (made if other is rule else 0), (rule.name, other.name)


def test_every_rule_that_warns_does_warn_but_seldom(day: Day) -> None:
    rows = day.count("select count(*) from good")
    for rule in day.stream.rules:
        if rule.action == "warn":
            warned = day.count(f"select count(*) from good where not ({rule.expect})")
            assert 20 <= warned < 0.06 * rows, rule.name


def test_no_landing_interval_exceeds_the_budgets(day: Day) -> None:
    assert day.stream.budgets
    for budget in day.stream.budgets:
        for truth in day.truths:
            counts = total([truth])
            rejected, duplicate = counts.quarantined / counts.lines, counts.duplicates / counts.lines
            values = f"{rejected} as rejected_ratio, {duplicate} as duplicate_ratio"
            assert day.count(f"select ({budget.expect})::int from (select {values})") == 1, (budget.name, truth.interval)


def test_faults_are_there_but_a_small_part(day: Day) -> None:
    counts = total(day.truths)
    assert counts.lines == counts.good + counts.duplicates + counts.quarantined
    assert 0.01 < counts.duplicates / counts.lines < 0.05
    assert 0.01 < counts.quarantined / counts.lines < 0.04
    assert {"missing", "type", "range", "rule", "not_json", "not_utf8", "not_object", "duplicate_key"} <= set(counts.reasons)
    assert sum(truth.late for truth in day.truths) > 0


def test_the_parser_refuses_each_malformed_line_for_the_reason_it_was_made(stream: Stream) -> None:
    model, seen = EventModel(stream), set()
    for interval in intervals_between(NOON, NOON + timedelta(hours=4), stream.interval):
        lines, truth = micro_batch(model, interval)
        made = {entry.line: entry.reason for entry in truth.injected if entry.kind in MALFORMED}
        found = parse_lines(stream, lines).reason
        assert {number: reason for number, reason in enumerate(found, 1) if reason is not None} == made
        seen |= set(made.values())
    assert seen == {"not_json", "not_utf8", "not_object", "duplicate_key"}


def test_every_field_takes_several_values(day: Day) -> None:
    for field in day.stream.fields:
        assert day.count(f'select count(distinct "{field.name}") from good') >= 2, field.name
        for choice in field.choices or ():
            assert day.count(f"""select count(*) from good where "{field.name}" = '{choice}'""") > 0, (field.name, choice)


def test_every_derived_column_takes_several_values(day: Day) -> None:
    for derived in day.stream.derived:
        assert day.count(f'select count(distinct "{derived.name}") from silver') >= 2, derived.name


def test_every_metric_moves(day: Day) -> None:
    for table in day.stream.gold:
        assert day.count(f"select count(*) from {table.name} where window_start is not null") > 0
        for metric in table.metrics:
            different = day.count(f"select count(distinct {metric.name}) from {table.name} where {metric.name} <> 0")
            assert different >= 2, f"{table.name}.{metric.name}"


def test_every_alert_opens_and_resolves_and_is_mostly_quiet(day: Day) -> None:
    for alert in day.stream.alerts:
        seen = watch(day, alert)
        assert seen.opened >= 1, alert.name
        assert seen.resolved >= 1, alert.name
        assert seen.share < 0.2, alert.name
        assert seen.opened <= 60, alert.name


def test_a_stream_is_complete_enough_to_be_an_example(stream: Stream) -> None:
    assert 10 <= len(stream.fields) <= 20
    assert len(stream.gold) >= 2
    assert len({table.grain for table in stream.gold}) >= 2
    assert 4 <= len(stream.dashboard) <= 6
    assert len({panel.kind for panel in stream.dashboard}) >= 3
    assert 2 <= len(stream.alerts) <= 4
    assert 1 <= len(stream.tests) <= 3
    assert {rule.action for rule in stream.rules} >= {"warn", "quarantine"}
    assert stream.retention.realtime
    assert stream.retention.quarantine


def test_every_derived_column_is_used(stream: Stream) -> None:
    metrics = [metric for table in stream.gold for metric in table.metrics]
    dimensions = [name for table in stream.gold for name in table.dimensions]
    texts = [metric.expression or "" for metric in metrics] + [metric.where or "" for metric in metrics]
    texts += [table.where or "" for table in stream.gold] + [alert.when for alert in stream.alerts] + dimensions
    for derived in stream.derived:
        assert any(re.search(rf"\b{derived.name}\b", text) for text in texts), derived.name


def test_personal_fields_are_classified_and_protected(stream: Stream) -> None:
    for field in stream.fields:
        if field.name in PERSONAL:
            assert (field.classification, field.protect) in {("pii", "hash"), ("pii", "drop")}, field.name
        else:
            assert field.protect == "keep", field.name
    assert stream.protected


def test_a_quarter_of_the_mean_to_twice_the_mean_lands_in_five_minutes(stream: Stream) -> None:
    assert isinstance(stream.source, GeneratorSource)
    assert 120 <= stream.source.options["rows"]["mean"] <= 500


def test_every_kind_of_generate_is_used_by_some_stream(streams: Mapping[str, Stream]) -> None:
    used = {kind for name in NAMES for kind in _kinds(streams[name])}
    assert used == set(KINDS)


def _kinds(stream: Stream) -> Iterator[str]:
    assert isinstance(stream.source, GeneratorSource)
    yield from _kinds_in([field.generate for field in stream.fields])
    yield from _kinds_in(stream.source.options)


def _kinds_in(node: Any) -> Iterator[str]:
    if isinstance(node, str):
        if node in KINDS:
            yield node
    elif isinstance(node, Mapping):
        for key, value in node.items():
            if key in KINDS:
                yield key
            yield from _kinds_in(value)
    elif isinstance(node, (list, tuple)):
        for entry in node:
            yield from _kinds_in(entry)
