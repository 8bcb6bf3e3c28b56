"""Missed intervals are found and landed by the core, once each; the summary counts what is really there."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from rich.console import Console

from strandline.intervals import Interval
from strandline.lake.lake import Lake
from strandline.local import history, summary
from strandline.runtime import Runtime
from strandline.spec.load import check_streams
from strandline.spec.model import Stream
from strandline.stages.bronze import bronze
from strandline.stages.silver import silver
from strandline.status import Account, Balance, balance, layout
from strandline.units import readable

_CONFIG = Path(__file__).resolve().parents[2] / "config"
_NOW = datetime(2026, 3, 4, 10, 7, tzinfo=UTC)
_KEY = "ab" * 32


@pytest.fixture
def streams(monkeypatch: pytest.MonkeyPatch) -> dict[str, Stream]:
    monkeypatch.setenv("STRANDLINE_KEY", _KEY)
    every, _ = check_streams(_CONFIG)
    return {name: stream for name, stream in every.items() if name in {"api_logs", "iot_sensors"}}


def _land(lake: str, wanted: dict[str, list[Interval]]) -> tuple[history.Landed, list[tuple[int, int]]]:
    told: list[tuple[int, int]] = []
    landed = history.land(_CONFIG, lake, wanted, lambda done, total: told.append((done, total)))
    return landed, told


@pytest.mark.slow
def test_what_was_missed_is_landed_once_and_the_ledger_of_it_balances(tmp_path: Path, streams: dict[str, Stream]) -> None:
    lake = str(tmp_path)
    missed = history.missed(lake, streams, _NOW, timedelta(hours=3))
    assert {name: len(intervals) for name, intervals in missed.items()} == {"api_logs": 36, "iot_sensors": 36}
    assert missed["api_logs"][-1].end == datetime(2026, 3, 4, 10, 5, tzinfo=UTC)

    landed, told = _land(lake, missed)
    assert landed.intervals == 72
    assert told[0] == (0, 72)
    assert told[-1] == (72, 72)
    assert not any(history.missed(lake, streams, _NOW, timedelta(hours=3)).values())

    later = history.missed(lake, streams, _NOW + timedelta(minutes=10), timedelta(hours=3))
    assert [len(intervals) for intervals in later.values()] == [2, 2]
    again, _ = _land(lake, missed)
    assert again.lines == 0

    opened = Lake.open(lake)
    stream = streams["api_logs"]
    runtime = Runtime(opened)
    bronze(runtime, stream, _NOW)
    silver(runtime, stream)
    found = balance(runtime, stream)
    sizes = layout(runtime, streams.values())
    ours = sizes["api_logs"]
    assert found.holds
    assert ours["realtime"].rows == ours["bronze"].rows == found.total.lines
    assert ours["silver"].rows == found.total.good
    assert ours["quarantine"].rows == found.total.quarantined
    assert landed.lines == ours["bronze"].rows + sizes["iot_sensors"]["realtime"].rows


def test_a_stream_from_files_is_left_to_its_first_run(tmp_path: Path, streams: dict[str, Stream]) -> None:
    from dataclasses import replace

    from strandline.spec.model import FilesSource

    files = replace(streams["api_logs"], source=FilesSource(str(tmp_path / "inbox")))
    assert history.missed(str(tmp_path), {"api_logs": files}, _NOW, timedelta(hours=3)) == {"api_logs": []}


@pytest.mark.parametrize(
    ("faults", "balances"),
    [((), True), (("one line is nowhere",), False)],
)
def test_lines_that_are_not_accounted_for_are_marked(faults: tuple[str, ...], balances: bool) -> None:
    console = Console(width=120)
    with console.capture() as shown:
        console.print(summary.ledger_table({"api_logs": Balance(10, Account(10, 7, 2, 1), faults=faults)}))
    assert ("✓" in shown.get()) is balances
    assert ("✗" in shown.get()) is not balances


@pytest.mark.parametrize(
    ("size", "text"), [(0, "0 B"), (999, "999 B"), (1200, "1.2 kB"), (3_400_000, "3.4 MB"), (5e9, "5.0 GB")]
)
def test_sizes_are_told_in_powers_of_a_thousand(size: float, text: str) -> None:
    assert readable(size) == text
