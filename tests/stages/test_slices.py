"""A day in slices of event time: each row is in one of them, and what is written is what would be written at once."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from strandline.engines.duckdb import DuckEngine, DuckSession
from strandline.lake.parquet import PartitionedWriter
from strandline.spec.load import load_stream
from strandline.spec.model import Field, FilesSource, Grain, Stream, Team
from strandline.stages.bronze import bronze
from strandline.stages.land import ingest
from strandline.stages.silver import silver
from strandline.stages.slices import slices, write_by_time
from tests.stages.streams import deliver, interval, readings, runtime_in

STREAM = Stream(
    "events", "1.0.0", "a test", Team("t", "t@example.com"), FilesSource("x"), ("n",), "at",
    (Field("n", "integer", "n"), Field("at", "timestamp", "at")), Path("t.yaml"),
)  # fmt: skip
DATED = replace(STREAM, fields=(Field("n", "integer", "n"), Field("at", "date", "at")))
SPANS: dict[Grain, timedelta] = {"5 minutes": timedelta(minutes=5), "hour": timedelta(hours=1), "day": timedelta(days=1)}
BEGINNINGS = [
    datetime.fromisoformat(text) for text in ("0001-01-02", "1969-12-31 22:00", "2026-03-01 23:00", "9999-12-30 20:00")
]
ENGINE = DuckEngine(threads=1)
MOMENTS = st.lists(st.integers(0, 6 * 3600).map(lambda second: timedelta(seconds=second)), min_size=1, max_size=40)


def table(moments: list[datetime], *, dated: bool = False, timeless: int = 0) -> pa.Table:
    """Rows at some moments, numbered, and after them some without one."""
    rows = [{"n": n, "at": at.date() if dated else at, "event_date": at.date()} for n, at in enumerate(moments)]
    rows += [{"n": len(moments) + n, "at": None, "event_date": moments[0].date()} for n in range(timeless)]
    at = pa.date32() if dated else pa.timestamp("us")
    return pa.Table.from_pylist(rows, schema=pa.schema([("n", pa.int64()), ("at", at), ("event_date", pa.date32())]))


@settings(max_examples=150, deadline=None)
@given(MOMENTS, st.sampled_from(BEGINNINGS), st.sampled_from([*SPANS]), st.integers(1, 12), st.booleans(), st.integers(0, 3))
def test_each_row_is_in_one_slice_in_order_and_windows_stay_whole(
    offsets: list[timedelta], beginning: datetime, grain: Grain, most: int, dated: bool, timeless: int
) -> None:
    stream, moments = DATED if dated else STREAM, [beginning + offset for offset in offsets]
    with ENGINE.session() as session:
        session.register("given_rows", table(moments, dated=dated, timeless=timeless))
        conditions = slices(session, stream, "given_rows", len(moments) + timeless, most, grain)
        whole = [session.table(f'SELECT n, CAST("at" AS TIMESTAMP) AS "at" FROM given_rows WHERE {c}') for c in conditions]
    assert sorted(n for each in whole for n in each["n"].to_pylist()) == list(range(len(moments) + timeless))
    assert sum(each["at"].null_count for each in whole[:-1]) == 0, "rows without a time come last"
    found = [each.filter(each["at"].is_valid()) for each in whole]
    windows = [sorted({(at - beginning.min) // SPANS[grain] for at in each["at"].to_pylist()}) for each in found]
    assert all(windows), "no slice is empty"
    assert [w for each in windows for w in each] == sorted({w for each in windows for w in each}), "each window is in one slice"
    for each, held in zip(found, windows, strict=True):
        assert each.num_rows <= most or len(held) == 1
    for one, held, other, following in zip(found, windows, found[1:], windows[1:], strict=False):
        begins = sum((at - beginning.min) // SPANS[grain] == following[0] for at in other["at"].to_pylist())
        assert one.num_rows + begins > most, f"{held} had room for what follows"


def test_an_engine_that_spreads_rows_itself_is_asked_once() -> None:
    moments = [BEGINNINGS[2] + timedelta(minutes=5 * n) for n in range(30)]
    with ENGINE.session() as session:
        session.register("given_rows", table(moments))
        assert slices(session, STREAM, "given_rows", 30, None) == ["TRUE"]
        assert slices(session, STREAM, "given_rows", 30, 30) == ["TRUE"]
        assert len(slices(session, STREAM, "given_rows", 30, 29)) == 2


class _Kept:
    """Stands for a writer: the rows as they come."""

    def __init__(self) -> None:
        self.rows: list[dict[str, Any]] = []

    def write_all(self, batches: Any) -> None:
        self.rows += [row for batch in batches for row in batch.to_pylist()]


@pytest.mark.parametrize("most", [1, 7, 1_000])
def test_rows_are_written_in_order_whatever_the_slices(monkeypatch: pytest.MonkeyPatch, most: int) -> None:
    moments = [BEGINNINGS[2] + timedelta(seconds=(n * 7919) % 10_800) for n in range(200)]
    kept = _Kept()
    with ENGINE.session() as session:
        monkeypatch.setattr(DuckSession, "rows_at_once", most)
        session.register("given_rows", table(moments))
        write_by_time(session, STREAM, "(SELECT * FROM given_rows)", 200, cast("PartitionedWriter", kept))
    assert [row["at"].replace(tzinfo=None) for row in kept.rows] == sorted(moments)
    assert {row["event_date"] for row in kept.rows} == {date(2026, 3, 1), date(2026, 3, 2)}


@pytest.mark.parametrize("most", [2, 1_000])
def test_rows_held_from_before_another_field_became_the_event_time_stay(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, most: int
) -> None:
    monkeypatch.setattr(DuckSession, "rows_at_once", most)
    runtime, stream = runtime_in(tmp_path), readings(tmp_path, more="- {name: moved, type: timestamp}")
    stream.path.write_text(stream.path.read_text().replace("event_time: at", "event_time: moved").replace("2.3.0", "3.0.0"))
    for number, (contract, field) in enumerate([(stream, ""), (load_stream(stream.path), ', "moved": "%s"')]):
        times = [f"2026-03-01T09:{minute:02}:00Z" for minute in range(9)]
        moved = [field % time if field else "" for time in times]
        lines = [f'{{"reading_id": "{number}-{n}", "at": "{time}"{moved[n]}}}'.encode() for n, time in enumerate(times)]
        deliver(tmp_path, f"{number}.ndjson", lines)
        ingest(runtime, contract, interval(number))
        bronze(runtime, contract, interval(number).end)
        assert silver(runtime, contract)["good"] == 9
    held = runtime.lake.table("batch/silver/readings").snapshot()
    assert held is not None
    rows = held.arrow(["reading_id", "moved"])
    assert (rows.num_rows, len(set(rows["reading_id"].to_pylist())), rows["moved"].null_count) == (18, 18, 9)
