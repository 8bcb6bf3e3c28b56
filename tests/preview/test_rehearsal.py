"""A rehearsal in memory gives what the pipeline gives on a lake: the same rows in every table."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from strandline.intervals import Interval
from strandline.lake import paths
from strandline.lake.lake import Lake
from strandline.lines.keys import KeyRing
from strandline.rehearsal import Rehearsal, event_times, interval_ending, land_lines, landed_as_it_happened, landed_in, rehearse
from strandline.runtime import Runtime
from strandline.sources.generator import EventModel, GeneratorReader, micro_batch
from strandline.sources.source import RawLine
from strandline.spec.load import load_stream
from strandline.spec.model import Stream
from strandline.stages.bronze import bronze
from strandline.stages.gold import gold
from strandline.stages.land import ingest_intervals
from strandline.stages.silver import silver
from tests.preview.shop import SHOP, lines, opened, order, shop

CONFIG = Path(__file__).parents[2] / "config/streams"
NOON = datetime(2026, 11, 25, 12, tzinfo=UTC)
KEYS = KeyRing({"STRANDLINE_KEY": "5a" * 32})


def rehearsed(stream: Stream, raws: bytes, at: datetime | None = None) -> Rehearsal:
    """The lines, landed until `at` or when they happened."""
    given = [RawLine(raw, "given", number) for number, raw in enumerate(raws.splitlines(), 1)]
    with opened() as (engine, session):
        landed = land_lines(stream, given, KEYS, interval_ending(NOON, stream.interval))
        if at is not None:
            landed = landed_in(landed, interval_ending(at, stream.interval))
        else:
            landed = landed_as_it_happened(stream, landed, event_times(engine, session, stream, landed))
        return rehearse(engine, session, stream, landed)


def bag(table: pa.Table, without: tuple[str, ...] = ("_status",)) -> Counter[str]:
    """The rows as a multiset, columns in the order of their names."""
    names = sorted(name for name in table.schema.names if name not in without)
    return Counter(repr([(name, row[name]) for name in names]) for row in table.to_pylist())


@pytest.mark.parametrize("name", ["api_logs", "financial_transactions"])
def test_every_table_is_what_the_steps_write_to_a_lake(tmp_path: Path, name: str) -> None:
    stream = load_stream(CONFIG / f"{name}.yaml")
    intervals = [Interval(NOON - stream.interval * 2, NOON - stream.interval), Interval(NOON - stream.interval, NOON)]
    runtime = Runtime(Lake.open(str(tmp_path / "lake")), KEYS)
    ingest_intervals(runtime, stream, intervals)
    bronze(runtime, stream, NOON)
    silver(runtime, stream)
    gold(runtime, stream)
    reader = GeneratorReader(stream)
    with opened() as (engine, session):
        landed = [land_lines(stream, list(reader.read(each, None).lines), KEYS, each) for each in intervals]  # type: ignore[arg-type]
        found = rehearse(engine, session, stream, pa.concat_tables(landed))

    def stored(path: str) -> pa.Table:
        snapshot = runtime.lake.table(path).snapshot()
        assert snapshot is not None
        return snapshot.arrow()

    assert bag(found.good) == bag(stored(paths.silver(name)))
    assert bag(found.refused) == bag(stored(paths.quarantine(name)))
    for table in stream.gold:
        assert bag(found.gold[table.name]) == bag(stored(paths.gold(name, table.name))), table.name
    truths = [micro_batch(EventModel(stream), each)[1] for each in intervals]
    assert found.counts.lines == sum(truth.lines for truth in truths) == found.good.num_rows + found.duplicates + sum(
        found.counts.reasons.values()
    )  # fmt: skip


def test_an_alert_opens_only_when_enough_windows_fire_one_after_another(tmp_path: Path) -> None:
    stream = shop(tmp_path)
    two = [order(1, 0), order(2, 1), order(3, 5)]
    outcome = {o.alert.name: o for o in rehearsed(stream, lines(*two)).alerts}["rush"]
    assert (outcome.evaluated, len(outcome.firings), len(outcome.episodes)) == (2, 1, 0)
    outcome = {o.alert.name: o for o in rehearsed(stream, lines(*two, order(4, 6), order(5, 12))).alerts}["rush"]
    assert (outcome.evaluated, len(outcome.firings), len(outcome.episodes)) == (3, 2, 1)
    ((_, run),) = outcome.episodes
    assert (run.start.minute, run.end.minute, run.resolved_at) == (0, 5, datetime(2026, 3, 2, 9, 10, tzinfo=UTC))


def test_rows_that_fire_for_one_key_are_one_episode(tmp_path: Path) -> None:
    given = [order(1, 0, amount=600), order(2, 1, amount=700), order(3, 2, amount=800, buyerName="bob")]
    outcome = {o.alert.name: o for o in rehearsed(shop(tmp_path), lines(*given)).alerts}["big_order"]
    assert (len(outcome.firings), len(outcome.episodes)) == (3, 2)
    assert sorted(run.firings for _, run in outcome.episodes) == [1, 2]


def test_lines_that_land_when_they_happened_are_never_late(tmp_path: Path) -> None:
    stream = shop(tmp_path)
    given = lines(order(1, 0), order(2, 0, at="2025-01-01T00:00:00Z"), "no json", order(3, 0, at="1969-12-31T23:58:00Z"))
    found = rehearsed(stream, given)
    assert found.counts.reasons == {"not_json": 1}
    ends = [row["_landing_end"] for row in found.landed.to_pylist()]
    assert [end - timedelta(minutes=5) for end in ends] == [
        datetime(2026, 3, 2, 9, tzinfo=UTC), datetime(2025, 1, 1, tzinfo=UTC), datetime(2025, 1, 1, tzinfo=UTC),
        datetime(1969, 12, 31, 23, 55, tzinfo=UTC),
    ]  # fmt: skip
    late = rehearsed(stream, given, datetime(2026, 3, 2, 9, 5, tzinfo=UTC))
    assert late.counts.reasons == {"late": 2, "not_json": 1}


@pytest.mark.parametrize("text", ["9999-12-31T23:59:00Z", "0001-01-01T00:00:00Z", "soon", None])
def test_an_event_time_that_no_one_believes_lands_with_the_line_before(tmp_path: Path, text: str | None) -> None:
    found = rehearsed(shop(tmp_path), lines(order(1), order(2, at=text)))
    assert len(set(found.landed["_landing_end"].to_pylist())) == 1
    assert found.counts.lines == 2


def test_no_lines_are_no_rows_and_no_error(tmp_path: Path) -> None:
    found = rehearsed(shop(tmp_path), b"")
    assert (found.counts.lines, found.good.num_rows, found.as_of, found.panels) == (0, 0, None, ())
    assert [outcome.episodes for outcome in found.alerts] == [(), ()]


def test_what_would_stop_a_run_is_said_and_the_rest_is_shown(tmp_path: Path) -> None:
    rules = "quality:\n  - {name: none_free, expect: amount > 0, action: fail}\n"
    rules += "  - {name: few_bad, expect: rejected_ratio < 0.1, per: run, action: fail}\n"
    rules += "  - {name: no_copies, expect: duplicates = 0, per: run, action: warn}\n"
    stream = shop(tmp_path, SHOP.replace("quality:\n", rules))
    found = rehearsed(stream, lines(order(1), order(1), order(2, amount=0)))
    assert len(found.stops) == 2
    assert "none_free: 1 line(s), for example given line 3" in found.stops[0]
    assert found.stops[1] == "the budget few_bad is broken: rejected_ratio < 0.1"
    assert [budget.name for budget in found.budgets] == ["few_bad", "no_copies"]
    assert (found.good.num_rows, found.duplicates, found.counts.quarantined) == (1, 1, 1)


def test_panels_show_the_gold_rows(tmp_path: Path) -> None:
    found = rehearsed(shop(tmp_path), lines(order(1, 0), order(2, 1, amount=700), order(3, 7)))
    panels: Mapping[str, Any] = {panel.panel.title: panel for panel in found.panels}
    assert panels["Orders"].stat.value == 1.0
    assert [point.value for point in panels["Orders by time"].points] == [2.0, 1.0]
    assert [row["turnover"] for row in panels["Best hours"].rows] == [721.0]


def test_protected_values_are_nowhere_in_clear(tmp_path: Path) -> None:
    found = rehearsed(shop(tmp_path), lines(order(1, buyerName="Ada Lovelace"), '{"buyerName": "Ada Lovelace"'))
    everything = [found.landed, found.good, found.refused, *found.gold.values()]
    assert all("Lovelace" not in json.dumps(table.to_pylist(), default=repr) for table in everything)
    assert found.landed["_sealed"].to_pylist() == [False, True]
