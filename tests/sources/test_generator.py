"""The generator as a source: the same bytes always, and a truth that an independent count confirms."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from strandline.errors import UsageError
from strandline.sources.generator import EventModel, Truth, micro_batch, open_reader, total, truth
from strandline.sources.source import RawLine, open_source
from strandline.spec.model import FilesSource
from tests.sources.simulated import FIVE_MINUTES, NOON, faulty_stream, interval_at, stream_of


@dataclass(frozen=True)
class Nowhere:
    """The position before the first landing interval."""

    cursor: Mapping[str, Any] = field(default_factory=dict)

    def is_landed(self, source: str) -> bool:
        return False


def lines_at(number: int) -> list[bytes]:
    return micro_batch(EventModel(faulty_stream()), interval_at(number=number))[0]


def unreachable(location: str, connection: str | None) -> Any:
    raise AssertionError(f"a generator reads nothing (asked for {location})")


def test_the_same_interval_gives_the_same_bytes_whatever_was_generated_before() -> None:
    model = EventModel(faulty_stream())
    forwards = [micro_batch(model, interval_at(number=n))[0] for n in range(20)]
    backwards = [micro_batch(model, interval_at(number=n))[0] for n in reversed(range(20))]
    assert forwards == backwards[::-1]
    assert forwards[7] == lines_at(7)


def test_another_process_with_another_hash_seed_gives_the_same_bytes() -> None:
    program = (
        "import hashlib; from tests.sources.test_generator import lines_at;"
        "print(hashlib.sha256(b'\\n'.join(lines_at(3))).hexdigest())"
    )
    digests = {
        subprocess.run(
            [sys.executable, "-c", program],
            env={**os.environ, "PYTHONHASHSEED": seed},
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(digests) == 1


def test_another_interval_seed_or_name_gives_other_events() -> None:
    first = micro_batch(EventModel(stream_of()), interval_at())[0]
    for other in (
        micro_batch(EventModel(stream_of()), interval_at(number=1)),
        micro_batch(EventModel(stream_of(seed=1)), interval_at()),
        micro_batch(EventModel(stream_of(name="others")), interval_at()),
    ):
        assert not set(first) & set(other[0])


def test_the_values_of_a_field_do_not_change_when_another_field_is_added() -> None:
    stream = stream_of()
    longer = replace(stream, fields=(*stream.fields, replace(stream.fields[4], name="more", source_name="more")))
    before, after = (EventModel(each).events(interval_at()) for each in (stream, longer))
    assert {name: values.tolist() for name, values in after.values.items() if name != "more"} == {
        name: values.tolist() for name, values in before.values.items()
    }
    assert after.values["more"].tolist() != after.values["value"].tolist()


def test_it_reads_as_a_source_with_lines_counted_from_one_and_no_position_to_keep() -> None:
    reader = open_source(faulty_stream(), objects=unreachable)
    batch = reader.read(interval_at(), Nowhere())
    lines = list(batch.lines)
    assert [line.raw for line in lines] == lines_at(0)
    assert [line.source_line for line in lines] == list(range(1, len(lines) + 1))
    assert {(line.source, line.header) for line in lines} == {("generator", None)}
    assert isinstance(lines[0], RawLine)
    assert batch.position() == {"cursor": {}, "objects": []}


def test_no_line_holds_a_line_end() -> None:
    assert not [raw for number in range(10) for raw in lines_at(number) if b"\n" in raw or b"\r" in raw or not raw]


def test_a_stream_of_files_is_not_simulated() -> None:
    stream = replace(stream_of(), source=FilesSource("/data"))
    with pytest.raises(UsageError, match="readings has a files source"):
        open_reader(stream, unreachable, lambda connection: {})


class Ledger:
    """Counts landed lines the slow way: by their bytes, with nothing but the JSON parser."""

    def __init__(self, refused: int) -> None:
        self.seen: set[bytes] = set()
        self.good = self.duplicates = 0
        self.quarantined = refused

    def take(self, raw: bytes) -> None:
        if raw in self.seen:
            self.duplicates += 1
        else:
            self.seen.add(raw)
            self.good += 1


def test_the_totals_are_what_a_count_of_the_lines_gives() -> None:
    model = EventModel(faulty_stream())
    truths: list[Truth] = []
    ledger = Ledger(0)
    for number in range(40):
        lines, known = micro_batch(model, interval_at(number=number))
        truths.append(known)
        refused = {entry.line for entry in known.injected if entry.reason}
        ledger.quarantined += len(refused)
        for line_number, raw in enumerate(lines, 1):
            if line_number not in refused:
                ledger.take(raw)
    counts = total(truths)
    assert counts.lines == sum(known.lines for known in truths)
    assert (counts.good, counts.duplicates, counts.quarantined) == (ledger.good, ledger.duplicates, ledger.quarantined)
    assert counts.duplicates > 100
    assert counts.good + counts.duplicates + counts.quarantined == counts.lines


def test_keys_of_good_events_are_unique_and_never_shared_with_a_refused_line() -> None:
    model = EventModel(faulty_stream())
    good: dict[str, bytes] = {}
    refused_keys: set[str] = set()
    for number in range(30):
        lines, known = micro_batch(model, interval_at(number=number))
        refused = {entry.line for entry in known.injected if entry.reason}
        for line_number, raw in enumerate(lines, 1):
            if line_number in refused:
                if raw.startswith(b"{") and raw.endswith(b"}"):
                    refused_keys.add(json.loads(raw).get("id"))
            else:
                event = json.loads(raw)
                assert good.setdefault(event["id"], raw) == raw
    assert not refused_keys & set(good)


def test_a_micro_batch_balances_and_lists_what_was_injected() -> None:
    known = truth(faulty_stream(), interval_at())
    assert known.lines == known.good + sum(known.duplicates.values()) + sum(known.bad.values())
    assert sum(known.reasons.values()) == sum(known.bad.values())
    kinds = [entry.kind for entry in known.injected]
    assert kinds.count("late") == known.late > 0
    assert kinds.count("unknown_field") == known.unknown_fields > 0
    assert all(1 <= entry.line <= known.lines for entry in known.injected)


def test_copies_are_the_bytes_of_their_event_and_come_at_most_an_hour_later() -> None:
    model = EventModel(faulty_stream())
    batches = {interval_at(number=n).key: micro_batch(model, interval_at(number=n))[0] for n in range(-12, 6)}
    copies = 0
    for number in range(6):
        interval = interval_at(number=number)
        lines, known = micro_batch(model, interval)
        for entry in known.injected:
            if entry.kind not in known.duplicates:
                continue
            assert entry.origin is not None
            origin = entry.origin[0]
            raw = lines[entry.line - 1]
            copies += 1
            if entry.kind == "duplicate_same_interval":
                assert origin == interval.key
                assert lines.count(raw) >= 2
            else:
                assert (interval.start - timedelta(hours=1)).strftime("%Y%m%dT%H%M%SZ") <= origin < interval.key
                assert raw in batches[origin]
    assert copies > 50


def test_copies_of_events_that_never_landed_count_as_good_once() -> None:
    known = truth(faulty_stream(), interval_at())
    strangers = {entry.origin for entry in known.injected if entry.kind == "duplicate_earlier_interval"}
    assert strangers
    assert total([known]).good == known.good + len(strangers)


def test_events_lie_within_their_interval_unless_they_are_late() -> None:
    model = EventModel(faulty_stream())
    interval = interval_at()
    events = model.events(interval)
    times = [datetime.fromisoformat(text) for text in events.values["at"].tolist()]
    for moment, late in zip(times, events.late.tolist(), strict=True):
        if late:
            assert interval.end - timedelta(hours=6) <= moment < interval.start
        else:
            assert interval.start <= moment < interval.end
    assert 5 <= events.late.sum() <= 60


def test_late_must_reach_further_than_two_intervals() -> None:
    with pytest.raises(UsageError, match=r"faults\.late\.max is longer than two landing intervals \(saw 10m\)"):
        truth(stream_of(faults={"late": {"rate": 0.1, "max": "10m"}}), interval_at())


def rows_at(moment: datetime, **rows: Any) -> float:
    model = EventModel(stream_of(rows={"mean": 400, **rows}))
    return sum(len(model.events(interval_at(moment, n))) for n in range(6)) / 6


def test_the_number_of_events_follows_the_mean_the_hour_and_the_weekend() -> None:
    saturday = NOON + timedelta(days=3)
    assert rows_at(NOON) == pytest.approx(400, rel=0.08)
    assert rows_at(NOON, daily_profile="office_hours") > 1.4 * rows_at(NOON - timedelta(hours=9), daily_profile="office_hours")
    assert rows_at(NOON, daily_profile=[0] * 11 + [12, 12] + [0] * 11) == pytest.approx(400 * 12, rel=0.08)
    assert rows_at(NOON + timedelta(hours=6), daily_profile=[0] * 11 + [12, 12] + [0] * 11) == 0
    assert rows_at(saturday, weekend=0.25) == pytest.approx(100, rel=0.15)
    assert rows_at(saturday) == pytest.approx(400, rel=0.08)


def test_a_day_of_any_profile_holds_the_mean() -> None:
    midnight = datetime(2026, 11, 25, tzinfo=UTC)
    for profile in ("flat", "office_hours", "evening", "commute", "market_hours"):
        model = EventModel(
            stream_of((stream_of().fields[0], stream_of().fields[1]), rows={"mean": 50, "daily_profile": profile})
        )
        counts = [len(model.events(interval_at(midnight, n))) for n in range(timedelta(days=1) // FIVE_MINUTES)]
        assert sum(counts) / len(counts) == pytest.approx(50, rel=0.05), profile


def test_an_interval_without_events_is_empty() -> None:
    lines, known = micro_batch(EventModel(faulty_stream(rows={"mean": 0.000001})), interval_at())
    assert lines == []
    assert (known.lines, known.good, known.injected) == (0, 0, ())
