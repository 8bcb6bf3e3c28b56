"""`config/defaults.yaml`: what streams take from it, where problems point, and how a resolved stream is shown."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from strandline.errors import ConfigError
from strandline.intervals import Interval
from strandline.render import check as check_all
from strandline.render import render_one
from strandline.sources.generator.events import EventModel
from strandline.spec.defaults import Defaults, with_defaults
from strandline.spec.document import parse_document
from strandline.spec.load import check_streams, check_text, load_stream, load_streams
from strandline.spec.resolved import BUILT_IN, resolved

ROOT = Path(__file__).parents[2]
ORDERS = """\
stream: orders
version: 1.0.0
description: {purpose: Orders}
team: {name: shop}
source: {type: files, location: /data}
schema:
  primary_key: [id]
  event_time: at
  fields:
    - {name: id, type: string}
    - {name: at, type: timestamp}
retention: {quarantine: 30d}
"""
DEFAULTS = """\
team: {name: data-platform, owner: oncall@example.com}
interval: 15m
tags: [production]
schema: {future_skew: 10m}
budgets:
  reject_budget: rejected_ratio < 0.1
  repeat_budget: {expect: duplicate_ratio < 0.5, action: warn}
retention: {realtime: 14d, quarantine: 90d}
"""


def configured(folder: Path, defaults: str | None = DEFAULTS, **streams: str) -> Path:
    (folder / "streams").mkdir()
    if defaults is not None:
        (folder / "defaults.yaml").write_text(defaults, encoding="utf-8")
    for name, text in (streams or {"orders": ORDERS}).items():
        (folder / "streams" / f"{name}.yaml").write_text(text, encoding="utf-8")
    return folder


def places(config: Path) -> list[tuple[str, int, int, str]]:
    return [(problem.path.name, problem.line, problem.column, problem.code) for problem in check_streams(config)[1]]


def test_a_stream_takes_what_it_does_not_say(tmp_path: Path) -> None:
    stream = load_streams(configured(tmp_path))["orders"]
    assert (stream.team.name, stream.team.owner) == ("shop", "oncall@example.com")
    assert (stream.interval, stream.tags, stream.future_skew) == (timedelta(minutes=15), ("production",), timedelta(minutes=10))
    assert (stream.retention.realtime, stream.retention.quarantine) == (timedelta(days=14), timedelta(days=30))
    assert [(budget.name, budget.action) for budget in stream.budgets] == [("reject_budget", "fail"), ("repeat_budget", "warn")]


def test_what_a_stream_says_stands_alone_but_for_mappings(tmp_path: Path) -> None:
    text = (
        ORDERS
        + "tags: [shop]\nbudgets: {reject_budget: {expect: rejected_ratio < 0.5, action: warn}, repeat_budget: lines > 0}\n"
    )
    stream = load_streams(configured(tmp_path, orders=text))["orders"]
    assert stream.tags == ("shop",)
    assert {budget.name: (budget.expect, budget.action) for budget in stream.budgets} == {
        "reject_budget": ("rejected_ratio < 0.5", "warn"),
        "repeat_budget": ("lines > 0", "fail"),
    }


def test_without_the_file_nothing_changes(tmp_path: Path) -> None:
    config = configured(tmp_path, None, orders=ORDERS.replace("name: shop}", "name: shop, owner: a@example.com}"))
    stream = load_streams(config)["orders"]
    assert (stream.interval, stream.budgets, stream.retention.realtime) == (timedelta(minutes=5), (), None)


def test_every_way_to_a_stream_has_the_defaults(tmp_path: Path) -> None:
    config = configured(tmp_path)
    stream = load_streams(config)["orders"]
    assert load_stream(config / "streams" / "orders.yaml") == stream
    (config / "dags").mkdir()
    speed = ROOT / "config" / "dags" / "speed.yaml"
    (config / "dags" / "speed.yaml").write_text(speed.read_text(encoding="utf-8"), encoding="utf-8")
    dag = render_one(config, "2-orders_realtime_ingest")
    assert dag == check_all(config).dags["2-orders_realtime_ingest"]
    assert dag["schedule"]["__args__"] == ["*/15 * * * *"]


@pytest.mark.parametrize(
    ("change", "place"),
    [
        (("interval: 15m", "interval: 7m"), ("defaults.yaml", 2, 11, "SL204")),
        (("tags: [production]", "tegs: [production]"), ("defaults.yaml", 3, 1, "SL201")),
        (("tags: [production]", "stream: orders"), ("defaults.yaml", 3, 1, "SL201")),
        (("{future_skew: 10m}", "{future_skew: soon}"), ("defaults.yaml", 4, 23, "SL205")),
        (("rejected_ratio < 0.1", "rejectd_ratio < 0.1"), ("defaults.yaml", 6, 18, "SL402")),
        (("duplicate_ratio < 0.5", "duplicate_ratio < 0"), ("defaults.yaml", 7, 27, "SL411")),
        (("interval: 15m", "interval: 15m\ninterval: 5m"), ("defaults.yaml", 3, 1, "SL105")),
        (("tags: [production]", "tags: &all [production]"), ("defaults.yaml", 3, 7, "SL106")),
        (("tags: [production]", "tags: [production"), ("defaults.yaml", 3, 7, "SL102")),
    ],
)
def test_a_problem_of_the_defaults_is_told_once_and_there_and_no_stream_is_good(
    tmp_path: Path, change: tuple[str, str], place: tuple[str, int, int, str]
) -> None:
    visits = ORDERS.replace("stream: orders", "stream: visits")
    config = configured(tmp_path, DEFAULTS.replace(*change), orders=ORDERS, visits=visits)
    assert [found for found in places(config) if found[0] == "defaults.yaml"] == [place]
    assert check_streams(config)[0] == {}
    with pytest.raises(ConfigError, match=r"defaults\.yaml"):
        load_stream(config / "streams" / "visits.yaml")


def test_a_problem_of_the_streams_own_value_points_to_the_stream(tmp_path: Path) -> None:
    config = configured(tmp_path, orders=ORDERS.replace("quarantine: 30d", "quarantine: soon"))
    assert places(config) == [("orders.yaml", 12, 25, "SL205")]


def test_a_name_taken_by_a_rule_of_the_stream_is_told_with_the_line_of_the_budget(tmp_path: Path) -> None:
    text = ORDERS + "quality: [{name: reject_budget, expect: id <> ''}]\n"
    assert places(configured(tmp_path, orders=text)) == [("defaults.yaml", 6, 3, "SL303")]


@pytest.mark.parametrize("name", sorted(path.stem for path in (ROOT / "config" / "streams").glob("*.yaml")))
def test_a_resolved_stream_is_the_same_stream_and_needs_no_defaults(name: str) -> None:
    text = resolved(ROOT / "config", name)
    stream, problems = check_text(text, ROOT / "config" / "streams" / f"{name}.yaml")
    assert [problem for problem in problems if problem.level == "error"] == []
    assert stream is not None
    original = load_streams(ROOT / "config")[name]
    assert replace(stream, source=original.source) == original
    start = datetime(2026, 3, 2, 9, tzinfo=UTC)
    drawn, again = (EventModel(each).events(Interval(start, start + each.interval)) for each in (original, stream))
    assert {key: values.tolist() for key, values in drawn.values.items()} == {k: v.tolist() for k, v in again.values.items()}


def test_each_line_says_where_it_is_from(tmp_path: Path) -> None:
    lines = dict(line.rsplit("  # ", 1) for line in resolved(configured(tmp_path), "orders").splitlines())
    origins = {key.strip(): origin for key, origin in lines.items()}
    assert origins["stream: orders"] == "streams/orders.yaml:1"
    assert origins["owner: oncall@example.com"] == "defaults.yaml:1"
    assert origins["realtime: 14d"] == "defaults.yaml:8"
    assert origins["quarantine: 30d"] == "streams/orders.yaml:12"
    assert origins["unknown_fields: keep"] == BUILT_IN
    assert origins["reject_budget: rejected_ratio < 0.1"] == "defaults.yaml:6"


VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.text("ab", max_size=3), st.lists(st.integers(), max_size=2)),
    lambda inner: st.dictionaries(st.text("abc", min_size=1, max_size=1), inner, max_size=3),
    max_leaves=8,
)
MAPPINGS = st.dictionaries(st.text("abc", min_size=1, max_size=1), VALUES, max_size=3)


def leaves(value: Any, path: tuple[str, ...] = ()) -> dict[tuple[str, ...], Any]:
    """What stands where, mappings that hold something taken apart."""
    if not isinstance(value, dict) or (not value and path):
        return {path: value}
    return {at: leaf for key, child in value.items() for at, leaf in leaves(child, (*path, key)).items()}


@settings(max_examples=150, deadline=None)
@given(MAPPINGS, MAPPINGS)
def test_the_merge_keeps_all_of_the_stream_and_adds_only_what_it_leaves_open(
    own: dict[str, Any], given_: dict[str, Any]
) -> None:
    stream = parse_document("a: 1", Path("s.yaml"))
    lender = parse_document("a: 1", Path("d.yaml"))
    document = type(stream)(stream.path, own, stream.positions, ())
    defaults = Defaults(type(lender)(lender.path, given_, lender.positions, ()))
    merged = with_defaults(document, defaults)
    for path, leaf in leaves(merged.value).items():
        source = given_ if merged.origin(path).path == lender.path else own
        value: Any = source
        for step in path:
            value = value[step]
        assert value == leaf or (leaf == {} and isinstance(value, dict))
    kept = leaves(merged.value)
    for path, leaf in leaves(own).items():
        if leaf != {}:
            assert kept[path] == leaf
