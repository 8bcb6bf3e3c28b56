"""Files are put together without being decoded: same rows, same statistics, nothing that differs is mixed, damage is seen."""

from __future__ import annotations

import io
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from strandline.errors import StorageError
from strandline.lake.copies import Bounds, copy_files
from strandline.lake.footers import Footer, JoinedFile
from strandline.lake.lake import Lake
from strandline.lake.snapshot import DataFile, Snapshot
from strandline.lake.tables import Commit, Table

DAY = date(2026, 3, 1)
SCHEMA = pa.schema(
    [
        ("landing_date", pa.date32()),
        ("_line", pa.int64()),
        ("_source", pa.string()),
        ("_at", pa.timestamp("us", "UTC")),
        ("_contract_version", pa.string()),
        ("text", pa.string()),
    ]
)
STATISTICS = ("_line", "_source", "_at", "_contract_version")


def rows(first: int, count: int, source: str | None = "a", version: str = "1.0.0", day: date = DAY) -> pa.Table:
    moment = datetime(2026, 3, 1, tzinfo=UTC)
    found = [
        {
            "landing_date": day,
            "_line": n,
            "_source": source,
            "_at": moment + timedelta(seconds=n),
            "_contract_version": version,
            "text": f"line {n}" if n % 3 else None,
        }
        for n in range(first, first + count)
    ]
    return pa.Table.from_pylist(found, schema=SCHEMA)


def landed(table: Table, parts: Sequence[pa.Table], wider: str | None = None) -> Snapshot:
    """The table after a commit with a file for each part."""

    def decide(snapshot: Snapshot) -> Commit:
        written = []
        for part in parts:
            writer = table.writer(snapshot, SCHEMA, STATISTICS).lean()
            writer.write(part)
            if wider:
                writer.widen("_source", [wider])
            written += writer.close()
        return Commit(add=written)

    made = table.commit(SCHEMA, decide, "landing_date")
    assert made is not None
    return made


def copied(source: Snapshot, target: Table, files: Sequence[DataFile] | None = None) -> Snapshot:
    def decide(snapshot: Snapshot) -> Commit:
        writer = target.writer(snapshot, SCHEMA, STATISTICS)
        copy_files(source, source.files if files is None else files, writer)
        return Commit(add=writer.close())

    made = target.commit(SCHEMA, decide, "landing_date")
    assert made is not None
    return made


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake.open(str(tmp_path))


def sorted_rows(snapshot: Snapshot) -> pa.Table:
    return snapshot.arrow().sort_by("_line")


def test_many_small_files_become_one_with_the_same_rows(lake: Lake) -> None:
    source = landed(lake.table("one"), [rows(1 + 10 * n, 10) for n in range(40)])
    target = copied(source, lake.table("other"))
    assert len(target.files) == 1
    assert target.rows == 400
    assert sorted_rows(target).equals(sorted_rows(source))
    path = f"{lake.url}/other/{target.files[0].path}"
    assert duckdb.sql(f"SELECT count(*), sum(_line), count(text) FROM '{path}'").fetchall() == [(400, 80_200, 267)]


def test_a_day_stays_a_day(lake: Lake) -> None:
    source = landed(lake.table("one"), [rows(1, 5), rows(6, 5), rows(11, 5, day=DAY + timedelta(days=1))])
    ordered = sorted(source.files, key=lambda f: (f.partition, f.path))
    target = copied(source, lake.table("other"), ordered)
    assert sorted((f.partition, f.rows) for f in target.files) == [(DAY, 10), (DAY + timedelta(days=1), 5)]


def test_the_log_says_of_the_copy_what_holds_for_all_its_rows(lake: Lake) -> None:
    source = landed(lake.table("one"), [rows(11, 10, "b"), rows(1, 10, None), rows(21, 5, "c")], wider="z")
    file = copied(source, lake.table("other")).files[0]
    assert (file.rows, file.minimum["_line"], file.maximum["_line"]) == (25, 1, 25)
    assert (file.minimum["_source"], file.maximum["_source"]) == ("b", "z")
    assert file.maximum["_at"] == datetime(2026, 3, 1, 0, 0, 25, tzinfo=UTC)


def test_a_column_without_bounds_in_one_file_has_none_in_the_copy() -> None:
    known = Bounds(2, {"a": 1}, {"a": 2}, {"a": 0})
    unknown, empty = Bounds(3, {}, {}, {"a": 0}), Bounds(3, {}, {}, {"a": 3})
    assert known.and_(unknown) == Bounds(5, {}, {}, {"a": 0})
    assert known.and_(empty) == Bounds(5, {"a": 1}, {"a": 2}, {"a": 3})
    assert empty.and_(known) == Bounds(5, {"a": 1}, {"a": 2}, {"a": 3})


def test_row_groups_of_the_copy_can_still_be_skipped(lake: Lake) -> None:
    source = landed(lake.table("one"), [rows(1 + 10 * n, 10) for n in range(5)])
    target = copied(source, lake.table("other"))
    data = (Path(lake.url) / "other" / target.files[0].path).read_bytes()
    metadata = pq.read_metadata(io.BytesIO(data))
    names = metadata.schema.to_arrow_schema().names
    bounds = [metadata.row_group(g).column(names.index("_line")).statistics for g in range(metadata.num_row_groups)]
    assert sorted((s.min, s.max) for s in bounds) == [(1, 10), (11, 20), (21, 30), (31, 40), (41, 50)]


def test_lines_of_another_contract_version_stand_in_a_file_of_their_own(lake: Lake) -> None:
    source = landed(lake.table("one"), [rows(1, 5), rows(6, 5, version="1.1.0"), rows(11, 5, version="1.1.0")])
    ordered = sorted(source.files, key=lambda f: f.minimum["_line"])
    target = copied(source, lake.table("other"), ordered)
    assert sorted((f.minimum["_contract_version"], f.maximum["_contract_version"], f.rows) for f in target.files) == [
        ("1.0.0", "1.0.0", 5),
        ("1.1.0", "1.1.0", 10),
    ]


def test_a_flipped_bit_is_seen_wherever_it_is_and_nothing_is_copied(lake: Lake) -> None:
    source = landed(lake.table("one"), [rows(1, 10), rows(11, 10)])
    path = Path(lake.url) / "one" / source.files[1].path
    whole = path.read_bytes()
    for place in range(5, len(whole), 97):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 4]) + whole[place + 1 :])
        with pytest.raises(StorageError, match=r"a stored file is damaged: one/landing_date=2026-03-01/.*\.parquet"):
            copied(source, lake.table("other"))
    path.write_bytes(whole)
    assert copied(source, lake.table("other")).rows == 20


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"write_page_index": True},
        {"compression": "none", "use_dictionary": False},
        {"data_page_version": "2.0", "data_page_size": 100, "write_page_checksum": True},
        {"row_group_size": 7, "write_statistics": False},
    ],
    ids=str,
)
def test_pages_of_any_kind_are_found_where_they_were_moved(settings: dict[str, Any]) -> None:
    parts = [rows(1 + 50 * n, 50 + n, f"source {n}") for n in range(20)]
    files = []
    for part in parts:
        sink = io.BytesIO()
        pq.write_table(part, sink, store_schema=False, **settings)
        files.append(sink.getvalue())
    joined = JoinedFile(Footer.of(files[0]))
    for file in files:
        joined.add(file, Footer.of(file))
    read = pq.ParquetFile(io.BytesIO(joined.close()), page_checksum_verification="write_page_checksum" in settings)
    assert read.read().equals(pa.concat_tables(parts))
    assert read.metadata.num_rows == joined.rows == sum(part.num_rows for part in parts)
    whole = read.metadata.num_row_groups == joined.groups
    assert whole
    if "write_page_index" in settings:
        assert all(read.metadata.row_group(g).column(2).has_offset_index for g in range(joined.groups))


@pytest.mark.parametrize("data", [b"", b"PAR1", b"PAR1PAR1", b"PAR1\xff\xff\xff\x7fPAR1", b"PAR1\x15\x04\x00\x00\x00PAR1" * 3])
def test_what_is_no_parquet_file_is_refused(data: bytes) -> None:
    with pytest.raises(StorageError, match=r"no Parquet file|damaged|not known"):
        Footer.of(data)


def test_files_with_other_columns_are_told_apart() -> None:
    def shape(table: pa.Table) -> bytes:
        sink = io.BytesIO()
        pq.write_table(table, sink, store_schema=False)
        return Footer.of(sink.getvalue()).shape

    one = rows(1, 5)
    assert shape(one) == shape(rows(6, 7, "other"))
    assert shape(one) != shape(one.drop_columns(["text"]))
    assert shape(one) != shape(one.set_column(1, "_line", one["_line"].cast(pa.int32())))
