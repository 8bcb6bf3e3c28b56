"""The tables are plain Delta: readers that know nothing of the product open them and agree."""

from __future__ import annotations

from pathlib import Path

import duckdb
import polars as pl
import pytest
from deltalake import DeltaTable

from strandline.lake.lake import Lake
from strandline.lake.paths import gold, unified
from strandline.stages.land import ingest
from strandline.stages.merge import merge
from tests.acceptance.real_data import ACCESS_LOG, DATA, batch, deliver, intervals, runtime_on

pytestmark = pytest.mark.skipif(not DATA.is_dir(), reason=f"the real data is not there: {DATA}")


def test_polars_pandas_and_duckdb_agree_on_unified_and_gold(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    runtime, stream = runtime_on(Lake.open(str(tmp_path / "lake"))), ACCESS_LOG.stream
    deliver(ACCESS_LOG, ACCESS_LOG.slices("faulted"))
    interval = next(intervals(stream))
    ingest(runtime, stream, interval)
    batch(runtime, stream, interval.end)
    merge(runtime, stream)
    for path, order in ((unified("access_log"), "event_id"), (gold("access_log", "hourly"), "window_start")):
        url = f"{tmp_path}/lake/{path}"
        by_polars = pl.read_delta(url).sort(order)
        by_pandas = DeltaTable(url).to_pandas().sort_values(order).reset_index(drop=True)
        files = DeltaTable(url).file_uris()
        by_duckdb = duckdb.sql(f"SELECT * FROM read_parquet({files!r}, hive_partitioning = true) ORDER BY {order}").pl()
        assert len(by_polars) == len(by_pandas) == len(by_duckdb) > 80
        for column in by_polars.columns:
            assert by_polars[column].to_list() == by_duckdb[column].cast(by_polars[column].dtype).to_list(), column
        for column in ("status", "requests", "bytes_sum"):
            if column in by_polars.columns:
                assert by_polars[column].to_list() == by_pandas[column].tolist()
