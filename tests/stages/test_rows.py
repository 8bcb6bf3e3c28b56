"""Which rows are one event, and where refused lines stand: the narrow way gives what the plain one gives."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.dataset as pads
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from strandline.engines.datasets import in_pieces
from strandline.engines.duckdb import DuckEngine
from strandline.errors import StorageError
from strandline.plan.judge import deduplicate
from strandline.spec.model import Field, FilesSource, Stream, Team
from strandline.stages.places import Places
from strandline.stages.rows import bytes_at, repeats, together

START = datetime(2026, 1, 1, tzinfo=UTC)
FIELDS = (Field("id", "string", "id"), Field("part", "number", "part"), Field("at", "timestamp", "at"))
STREAM = Stream(
    "events", "1.0.0", "a test", Team("t", "t@example.com"), FilesSource("x"), ("id", "part"), "at", FIELDS, Path("t.yaml")
)
SCHEMA = pa.schema(
    [
        ("event_date", pa.date32()),
        ("id", pa.string()),
        ("part", pa.float64()),
        ("at", pa.timestamp("us", tz="UTC")),
        ("_landing_start", pa.timestamp("us", tz="UTC")),
        ("_line", pa.int64()),
        ("_held", pa.bool_()),
    ]
)
ENGINE = DuckEngine()
EVENTS = st.tuples(
    st.integers(0, 1), st.sampled_from(["", "a", "b", "é"]), st.sampled_from([0.0, -0.0, 1.5]), st.none() | st.integers(0, 2)
)


def table(events: list[tuple[int, str, float, int | None]]) -> pa.Table:
    """Rows in two landing intervals, those of the first one held already."""
    rows = []
    for number, (day, key, part, second) in enumerate(events):
        side = number % 2
        row: dict[str, Any] = {"event_date": date(2026, 1, 1 + day), "id": key, "part": part}
        row["at"] = None if second is None else START + timedelta(seconds=second)
        rows.append({**row, "_landing_start": START + timedelta(minutes=5 * side), "_line": number + 1, "_held": not side})
    return pa.Table.from_pylist(rows, schema=SCHEMA)


@settings(max_examples=60, deadline=None)
@given(st.lists(EVENTS, max_size=12), st.sampled_from(["event_date", "stream"]), st.booleans())
def test_the_rows_that_are_no_repeats_are_those_that_deduplication_keeps(
    events: list[tuple[int, str, float, int | None]], within: Any, by_time: bool
) -> None:
    stream = replace(STREAM, deduplicate_within=within, sequence_by=("at",) if by_time else ())
    with ENGINE.session() as session:
        session.register("given_rows", table(events))
        kept = {row["_line"] for row in session.rows(deduplicate(stream, ENGINE.dialect, "given_rows AS r", ("_line",)))}
        gone = [row["_line"] for row in session.rows(repeats(stream, ENGINE.dialect, "given_rows"))]
    assert len(gone) == len(set(gone))
    assert kept == set(range(1, len(events) + 1)) - set(gone)


def test_a_line_that_stands_on_both_sides_is_left_once() -> None:
    twice = pa.concat_tables([table([(0, "a", 1.0, 1)]), table([(0, "a", 1.0, 1)])])
    both = twice.set_column(6, "_held", pa.array([True, False]))
    with ENGINE.session() as session:
        session.register("given_rows", both)
        assert len(session.rows(repeats(STREAM, ENGINE.dialect, "given_rows"))) == 1


@settings(max_examples=200, deadline=None)
@given(st.lists(st.lists(st.integers(0, 40), min_size=1, max_size=6), max_size=8), st.integers(1, 50))
def test_lines_given_together_are_all_lines_in_their_order_and_few_bytes(lengths: list[list[int]], size: int) -> None:
    lines = [[bytes([65 + n % 26]) * length for length in each] for n, each in enumerate(lengths)]
    given_lines = [line for each in lines for line in each]
    tables = list(together((pa.record_batch({"_raw": each}) for each in lines), size))
    found = [line for each in tables for line in each["_raw"].to_pylist()]
    assert found == given_lines
    held = [[len(line) for line in each["_raw"].to_pylist()] for each in tables]
    assert all(sum(each[1:]) <= size for each in held)
    assert len(held) <= sum(map(len, given_lines)) // size + 1


def test_files_in_pieces_hold_the_same_rows_in_their_order(tmp_path: Path) -> None:
    rows = pa.table({"a": range(1000)})
    pq.write_table(rows, tmp_path / "1.parquet", row_group_size=100)
    pq.write_table(rows.slice(0, 0), tmp_path / "2.parquet")
    pq.write_table(rows.slice(0, 7), tmp_path / "3.parquet")
    files = pads.dataset([str(tmp_path / f"{n}.parquet") for n in (1, 2, 3)])
    for size, pieces in ((1, 12), (2_000, 7), (1 << 30, 3)):
        found = in_pieces(files, size)
        assert len(list(found.get_fragments())) == pieces
        assert found.to_table().equals(files.to_table())
        assert in_pieces(found, 1).to_table().equals(files.to_table())


def test_damage_that_is_met_where_refused_bytes_are_read_is_told_as_damage(tmp_path: Path) -> None:
    line = {"_raw": b"x" * 5_000, "_digest": b"d" * 32, "_landing_start": START, "_line": 1}
    path = tmp_path / "1.parquet"
    pq.write_table(pa.Table.from_pylist([line]), path, compression="none", use_dictionary=False, write_page_checksum=True)
    data = bytearray(path.read_bytes())
    data[data.index(b"x" * 1_000) + 500] ^= 1
    path.write_bytes(data)
    options = pads.ParquetFragmentScanOptions(page_checksum_verification=True)
    files = pads.dataset([str(path)], format=pads.ParquetFileFormat(default_fragment_scan_options=options))
    with pytest.raises(StorageError, match="the bytes of refused lines"):
        list(bytes_at(files, Places.of(pa.Table.from_pylist([line]))))
