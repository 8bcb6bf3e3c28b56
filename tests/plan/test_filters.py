"""A condition on rows in files gives what it gives on rows in memory, and reaches the files' statistics."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.dataset as pads
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from strandline.engines import datasets
from strandline.engines.duckdb import DuckEngine
from strandline.errors import StorageError

START = datetime(2026, 3, 1, tzinfo=UTC)
SCHEMA = pa.schema([("moment", pa.timestamp("us", "UTC")), ("day", pa.date32()), ("n", pa.int64()), ("s", pa.string())])
ROWS = 60
ENGINE = DuckEngine("200MB", 1)

MOMENTS = st.integers(-10, ROWS + 10).map(lambda n: f"TIMESTAMP '{START + n * timedelta(hours=1):%Y-%m-%d %H:%M:%S}'")
DAYS = st.integers(-1, 4).map(lambda n: f"DATE '{START.date() + timedelta(days=n)}'")
VALUES = {"moment": MOMENTS, "day": DAYS, "n": st.integers(-2, 12).map(str), "s": st.sampled_from(["'a'", "'b'", "'zz'"])}


def _simple(column: str) -> st.SearchStrategy[str]:
    value = VALUES[column]
    return st.one_of(
        st.tuples(st.sampled_from(["=", "<>", "<", "<=", ">", ">="]), value).map(lambda t: f"{column} {t[0]} {t[1]}"),
        st.tuples(value, value).map(lambda t: f"{column} BETWEEN {t[0]} AND {t[1]}"),
        st.lists(value, min_size=1, max_size=4).map(lambda some: f"{column} IN ({', '.join(some)})"),
        st.sampled_from([f"{column} IS NULL", f"{column} IS NOT NULL"]),
    )


CONDITIONS = st.recursive(
    st.sampled_from(sorted(VALUES)).flatmap(_simple),
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from(["AND", "OR"]), inner).map(lambda t: f"({t[0]} {t[1]} {t[2]})"),
        inner.map(lambda text: f"NOT ({text})"),
    ),
    max_leaves=5,
)


def rows() -> pa.Table:
    def row(n: int) -> dict[str, Any]:
        at = START + n * timedelta(hours=1)
        return {
            "moment": None if n % 11 == 7 else at,
            "day": at.date(),
            "n": n % 13 or None,
            "s": "ab"[n % 2] if n % 5 else None,
        }

    return pa.Table.from_pylist([row(n) for n in range(ROWS)], schema=SCHEMA)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("rows")
    for number in range(3):
        part = rows().slice(number * 20, 20)
        written = {"row_group_size": 5, "use_dictionary": False, "write_page_checksum": True, "store_schema": False}
        pq.write_table(part, folder / f"{number}.parquet", **written)
    return folder


def dataset(folder: Path) -> pads.FileSystemDataset:
    kind = pads.ParquetFileFormat(
        default_fragment_scan_options=pads.ParquetFragmentScanOptions(page_checksum_verification=True)
    )
    return pads.dataset(sorted(str(path) for path in folder.iterdir()), SCHEMA, kind)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(condition=CONDITIONS)
def test_rows_in_files_are_chosen_like_rows_in_memory(files: Path, condition: str) -> None:
    sql = f"SELECT * FROM t WHERE {condition} ORDER BY day, n, s, moment"
    with ENGINE.session() as session:
        session.register("t", dataset(files))
        found = session.rows(sql)
    with duckdb.connect() as memory:
        memory.register("t", rows().cast(pa.schema([SCHEMA.field("moment").with_type(pa.timestamp("us")), *list(SCHEMA)[1:]])))
        assert found == memory.sql(sql).to_arrow_table().to_pylist()


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("count(*) AS found FROM t WHERE moment >= '2026-03-02 20:00:00'", "15"),
        ("min(moment) AS found FROM t WHERE moment BETWEEN '2026-03-02' AND '2026-03-03'", "2026-03-02 00:00:00"),
        ("a.moment AS found FROM t a JOIN (SELECT max(moment) AS m FROM t) b ON a.moment = b.m", "2026-03-03 11:00:00"),
        ("moment AS found FROM t WHERE moment IS NOT NULL ORDER BY moment DESC LIMIT 1", "2026-03-03 11:00:00"),
        ("count(*) AS found FROM t WHERE moment > TIMESTAMPTZ '2026-03-03 06:00:00+02'", "7"),
    ],
)
def test_times_as_people_write_them(files: Path, sql: str, expected: str) -> None:
    with ENGINE.session() as session:
        session.register("t", dataset(files))
        assert [str(row["found"]) for row in session.rows(f"SELECT {sql}")] == [expected]


def test_a_time_leaves_out_what_cannot_hold_it(files: Path, tmp_path: Path) -> None:
    """The first rows are damaged: who asks for later ones does not read them."""
    for path in files.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    first = tmp_path / "0.parquet"
    column = pq.read_metadata(first).row_group(0).column(2)
    data = bytearray(first.read_bytes())
    data[column.data_page_offset + column.total_compressed_size - 1] ^= 0xFF
    first.write_bytes(data)
    with ENGINE.session() as session:
        session.register("t", dataset(tmp_path))
        assert session.rows("SELECT sum(n) AS n FROM t WHERE moment >= '2026-03-01 05:00:00'")[0]["n"] > 0
        with pytest.raises(StorageError):
            session.rows("SELECT sum(n) AS n FROM t WHERE moment >= '2026-03-01 04:00:00'")


def test_what_waits_for_the_engine_is_a_few_files_at_most(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = 1_000_000
    for number in range(12):
        pq.write_table(
            pa.table({"n": np.arange(rows) + number * rows}), tmp_path / f"{number:02}.parquet", row_group_size=rows // 10
        )
    data = pads.dataset(str(tmp_path), format="parquet")
    monkeypatch.setattr(datasets, "_WAITING", 8 * rows)
    before = pa.total_allocated_bytes()
    most = seen = 0
    for batch in datasets.ZonelessFiles(data).scanner(columns=["n"]).to_reader():
        time.sleep(0.01)  # an engine that takes its time
        most = max(most, pa.total_allocated_bytes() - before)
        seen += batch.num_rows
    assert seen == 12 * rows
    assert most < 5 * 8 * rows
