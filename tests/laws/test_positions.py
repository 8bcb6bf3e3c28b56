"""What a table says of its source, which side of the line a row is on, which line of an event wins."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from strandline.lake import paths
from strandline.runtime import Runtime
from strandline.spec.model import Stream
from strandline.stages.bronze import bronze
from strandline.stages.generate import landings
from strandline.stages.gold import gold
from strandline.stages.land import ingest
from strandline.stages.merge import merge
from strandline.stages.silver import silver
from tests.stages.streams import deliver, interval, readings


def line(name: str) -> bytes:
    return json.dumps({"reading_id": name, "at": "2026-03-01T10:00:00Z", "value": 1}).encode()


def statuses(runtime: Runtime) -> dict[str, str]:
    unified = runtime.lake.table(paths.unified("readings")).snapshot()
    assert unified is not None
    return {row["reading_id"]: row["_status"] for row in unified.arrow().to_pylist()}


@pytest.mark.parametrize("lines", [[], [b"{}"]], ids=["without a line", "with one"])
def test_an_object_counts_as_taken(runtime: Runtime, stream: Stream, tmp_path: Path, lines: list[bytes]) -> None:
    deliver(tmp_path, "m", lines)
    ingest(runtime, stream, interval(0))
    assert landings(runtime, stream).has_object("m")
    assert not landings(runtime, stream).has_object("l")


@pytest.mark.parametrize("last", ["x", "é", "\U0010ffff"])
def test_an_object_with_a_long_name_counts_as_taken(runtime: Runtime, stream: Stream, tmp_path: Path, last: str) -> None:
    """The log holds bounds of 256 characters; what was taken lies within them all the same."""
    folders = "/".join(["a" * 90, "b" * 90, "c" * 90])
    names = [f"{folders}/{letter}" for letter in ("a", last)]
    for number, name in enumerate(names):
        deliver(tmp_path, name, [line(name)])
        ingest(runtime, stream, interval(number))
    taken = landings(runtime, stream)
    assert [taken.has_object(name) for name in names] == [True, True]
    assert not taken.has_object(f"{folders}/b")


def test_a_source_goes_on_where_the_latest_interval_ended(runtime: Runtime, stream: Stream, tmp_path: Path) -> None:
    for number, name in enumerate(("a", "b")):
        deliver(tmp_path, name, [line(name)])
        ingest(runtime, stream, interval(number))
        assert landings(runtime, stream).cursor["last"] == name


def test_rows_are_provisional_above_the_line_and_final_below(runtime: Runtime, stream: Stream, tmp_path: Path) -> None:
    for number, name in enumerate(("a", "b")):
        deliver(tmp_path, name, [line(name)])
        ingest(runtime, stream, interval(number))
    merge(runtime, stream)
    assert statuses(runtime) == {"a": "provisional", "b": "provisional"}
    bronze(runtime, stream, interval(0).end)
    silver(runtime, stream)
    gold(runtime, stream)
    merge(runtime, stream)
    assert statuses(runtime) == {"a": "final", "b": "provisional"}


def test_of_the_lines_of_an_event_the_greatest_version_wins_then_the_last_to_land(
    runtime: Runtime, stream: Stream, tmp_path: Path
) -> None:
    versioned = replace(stream, sequence_by=("count",))

    def version(name: str, value: int, count: int | None = None) -> bytes:
        known = {} if count is None else {"count": count}
        return json.dumps({"reading_id": name, "at": "2026-03-01T10:00:00Z", "value": value, **known}).encode()

    first = [version("a", 1, 1), version("a", 2, 2), version("a", 3, 1), version("b", 1), version("b", 2), version("c", 1, 5)]
    deliver(tmp_path, "1", first)
    deliver(tmp_path, "2", [version("b", 3), version("c", 2, 4), version("c", 3)])
    for number in range(2):
        ingest(runtime, versioned, interval(number))
        merge(runtime, versioned)
        unified = runtime.lake.table(paths.unified("readings")).snapshot()
        assert unified is not None
        values = {row["reading_id"]: row["value"] for row in unified.arrow().to_pylist()}
        assert values == {"a": 2, "b": 2 + number, "c": 1}


def test_the_bounds_of_a_range_are_inside(runtime: Runtime, tmp_path: Path) -> None:
    bounded = readings(tmp_path, more="- {name: level, type: integer, minimum: 0, maximum: 9}")
    lines = [json.dumps({"reading_id": f"r{n}", "at": "2026-03-01T10:00:00Z", "level": n}).encode() for n in (-1, 0, 9, 10)]
    deliver(tmp_path, "a", lines)
    ingest(runtime, bounded, interval(0))
    merge(runtime, bounded)
    assert set(statuses(runtime)) == {"r0", "r9"}


def test_a_batch_that_was_killed_after_quarantine_is_ended_before_the_next(
    runtime: Runtime, stream: Stream, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Killed(BaseException):
        pass

    def killed(*given: object) -> None:
        raise Killed

    def take(number: int) -> dict[str, int]:
        deliver(tmp_path, f"{number}", [line(f"r{number}"), b"{", *[line("again")] * number])
        ingest(runtime, stream, interval(number))
        bronze(runtime, stream, interval(number).end)
        return silver(runtime, stream)

    with monkeypatch.context() as dying:
        dying.setattr("strandline.stages.silver._commit_silver", killed)
        with pytest.raises(Killed):
            take(0)
    assert take(1) == {"lines": 5, "good": 3, "duplicates": 0, "quarantined": 2, "unknown_fields": 0}
    ledger = runtime.lake.table(paths.LEDGER).snapshot()
    assert ledger is not None
    batches = sorted((row["batch"], row["lines"]) for row in ledger.arrow().to_pylist())
    assert batches == [(1, 2), (2, 3)]
