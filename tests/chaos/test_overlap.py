"""A few rounds of what `make chaos` plays two hundred of, and what the judges see when something is wrong."""

from __future__ import annotations

import json
import random
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from strandline.local.seaweed import Seaweed
from strandline.stages.merge import Pointer
from tests.chaos.handed_in import FIRST, HOUR, START, Inbox, served
from tests.chaos.overlap import KINDS, kinds, table, try_rounds
from tests.chaos.reader import aggregated, older


@pytest.mark.slow
def test_processes_that_race_each_other_lose_nothing_and_show_nothing_torn(tmp_path: Path) -> None:
    with Seaweed(tmp_path, port=0) as server:
        tally = try_rounds(server, 5, 3, streams=("parcels",), is_short=True)
    assert tally.is_right, "\n".join([table(tally), *tally.wrong])
    assert tally.rounds.total() == 5
    assert tally.reads > 0


def test_every_kind_of_round_is_played() -> None:
    assert set(kinds(6, random.Random(1))) == set(KINDS)
    assert set(kinds(40, random.Random(1))[20:]) == set(KINDS)


POINTER = Pointer(4, {"daily": 4, "hourly": 5}, 3, 1, "2026-03-01T00:00:00+00:00", None)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"unified": 3}, "unified from 4 to 3"),
        ({"analytics": {"daily": 3, "hourly": 5}}, "daily from 4 to 3"),
        ({"watermark": None}, "watermark"),
        ({"unified": 5, "realtime": 4, "watermark": "2026-03-02T00:00:00+00:00"}, ""),
    ],
)
def test_a_reader_sees_a_pointer_that_goes_back(change: dict[str, Any], said: str) -> None:
    found = older(POINTER, replace(POINTER, **change))
    assert said in found
    assert bool(said) == bool(found)


def test_windows_are_counted_by_hour_and_by_day() -> None:
    minutes, values = (59, 61, 62), ((Decimal("1.10"), "web"), (Decimal("2.20"), "web"), (None, "shop"))
    events = [
        {"at": START + timedelta(minutes=minute), "price": price, "channel": channel}
        for minute, (price, channel) in zip(minutes, values, strict=True)
    ]
    hourly = {(START,): (1, Decimal("1.10")), (START + HOUR,): (2, Decimal("2.20"))}
    assert aggregated(events, "at", False, []) == hourly
    daily = {(START, "web"): (2, Decimal("3.30")), (START, "shop"): (1, None)}
    assert aggregated(events, "at", True, ["channel"]) == daily


def test_the_newest_version_of_an_event_is_expected_once() -> None:
    inbox = Inbox(random.Random(5))
    for hour in range(FIRST, FIRST + 4):
        inbox.next_object(hour)
    expected = inbox.expected(0)
    lines = [json.loads(line) for lines in inbox.objects.values() for line in lines if line.endswith(b"}")]
    good = [line for line in lines if line["channel"] != "fax"]
    assert len(good) > len(expected) == 4 * 8
    assert max(revision for _, revision, _, _ in expected.values()) > 1
    assert len(inbox.expected(20)) < len(expected)
    with pytest.raises(ValueError, match="served twice"):
        served([{"parcel_id": "p", "seen_at": START, "revision": 1, "price": 1, "channel": "web"}] * 2)
