"""What the executors write becomes part of a table by our commit, and any reader reads it: the laws of the log stay ours."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import date
from typing import TYPE_CHECKING

import duckdb
import orjson
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable

from strandline.errors import StorageError
from strandline.lake.lake import Lake
from strandline.lake.parquet import PartitionedWriter
from strandline.lake.snapshot import Snapshot
from strandline.lake.tables import Commit, Table
from tests.conftest import s3_credentials
from tests.spark.rows import SCHEMA, STATISTICS, rows

if TYPE_CHECKING:
    from strandline.engines.spark import SparkEngine
    from strandline.local.seaweed import Seaweed
    from strandline.local.spark import SparkCluster
    from tests.conftest import S3Lake

ORDERED = 'SELECT * FROM given ORDER BY event_date, "id" DESC'


@pytest.fixture(scope="module")
def spark_engine(spark_cluster: SparkCluster, seaweed: Seaweed) -> SparkEngine:
    """Spark as clusters are: a write gathers what is small, so that a day is one file."""
    from strandline.engines.spark import SparkEngine

    return SparkEngine(spark_cluster.address, s3_credentials(seaweed), {"spark.sql.adaptive.enabled": "true"})


@pytest.fixture
def lake(s3_lake: S3Lake) -> Lake:
    return Lake.open(s3_lake.url, s3_lake.credentials)


@pytest.fixture
def table(lake: Lake) -> Table:
    return lake.table("silver/tides")


def commit(table: Table, fill: Callable[[PartitionedWriter], None], partition_by: str | None = "event_date") -> Snapshot:
    def decide(snapshot: Snapshot) -> Commit:
        writer = table.writer(snapshot, SCHEMA, STATISTICS)
        fill(writer)
        return Commit(add=writer.close())

    made = table.commit(SCHEMA, decide, partition_by)
    assert made is not None
    return made


def write(
    engine: SparkEngine, table: Table, data: pa.Table, sql: str = ORDERED, partition_by: str | None = "event_date"
) -> Snapshot:
    with engine.session() as session:
        session.register("given", data)
        session.materialise("given", "SELECT * FROM given")
        return commit(table, lambda writer: session.write(ORDERED, writer), partition_by)


def by_id(found: pa.Table) -> pa.Table:
    return found.select(SCHEMA.names).sort_by("id").cast(SCHEMA).combine_chunks()


def test_rows_written_by_executors_are_the_same_for_every_reader(spark_engine: SparkEngine, lake: Lake, table: Table) -> None:
    commit(table, lambda writer: writer.write(rows(50)))
    snapshot = write(spark_engine, table, rows(50, start=50))
    expected = by_id(rows(100))
    assert by_id(snapshot.arrow()).equals(expected)

    delta = DeltaTable(table.url, storage_options=lake.storage_options)
    assert by_id(delta.to_pyarrow_table()).equals(expected)

    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'")
    connection.register("held", snapshot.dataset())
    assert by_id(connection.sql("SELECT * FROM held").to_arrow_table()).equals(expected)

    with spark_engine.session() as session:
        found = session.table(f"SELECT * FROM delta.`{table.url.replace('s3://', 's3a://')}`")
    assert by_id(found).equals(expected)


def test_the_log_tells_of_them_what_it_tells_of_our_own_files(spark_engine: SparkEngine, table: Table) -> None:
    commit(table, lambda writer: writer.write(rows(40)))
    snapshot = write(spark_engine, table, rows(40))
    ours = {file.partition: file for file in snapshot.files if file.ordinal == 1}
    theirs = {file.partition: file for file in snapshot.files if file.ordinal == 2}
    assert ours.keys() == theirs.keys()
    for day, file in theirs.items():
        assert file.rows == ours[day].rows
        assert file.minimum == ours[day].minimum
        assert file.maximum == ours[day].maximum
        of_ours, of_theirs = (orjson.loads(snapshot.state.adds[f.path]["stats"]) for f in (ours[day], file))
        assert of_ours == of_theirs


def test_files_hold_their_rows_in_the_order_of_the_query(spark_engine: SparkEngine, lake: Lake, table: Table) -> None:
    snapshot = write(spark_engine, table, rows(5_000))
    for file in snapshot.files:
        found = pq.read_table(f"{lake.root}/{table.path}/{file.path}", filesystem=lake.filesystem, columns=["id"])["id"]
        assert found.to_pylist() == sorted(found.to_pylist(), reverse=True)


def test_files_are_compressed_and_their_pages_carry_checksums(spark_engine: SparkEngine, lake: Lake, table: Table) -> None:
    snapshot = write(spark_engine, table, rows(600))
    file = snapshot.files[0]
    key = f"{table.path}/{file.path}"
    column = pq.read_metadata(f"{lake.root}/{key}", filesystem=lake.filesystem).row_group(0).column(0)
    assert column.compression == "ZSTD"
    data = bytearray(lake.objects.get(key))
    data[column.data_page_offset + column.total_compressed_size - 3] ^= 0xFF
    lake.objects.put(key, bytes(data))
    with pytest.raises(StorageError):
        snapshot.arrow()
    with spark_engine.session() as session:
        session.register("held", snapshot.dataset())
        with pytest.raises(StorageError, match="damaged"):
            session.rows("SELECT sum(id) AS total FROM held")


def test_no_rows_make_no_file_and_a_day_that_was_touched_gets_an_empty_one(spark_engine: SparkEngine, table: Table) -> None:
    with spark_engine.session() as session:
        session.register("given", rows(6))

        def fill(writer: PartitionedWriter) -> None:
            session.write("SELECT * FROM given WHERE id > 100", writer)
            writer.touch(date(2026, 3, 2))

        snapshot = commit(table, fill)
    assert [(file.rows, file.partition, file.ordinal) for file in snapshot.files] == [(0, date(2026, 3, 2), 1)]


def test_rows_of_no_day_and_tables_without_days_are_written(spark_engine: SparkEngine, lake: Lake, table: Table) -> None:
    late = rows(10).set_column(0, "event_date", pa.nulls(10, pa.date32()))
    assert by_id(write(spark_engine, table, late).arrow()).equals(by_id(late))
    whole = lake.table("gold/whole")
    snapshot = write(spark_engine, whole, rows(10), partition_by=None)
    assert by_id(snapshot.arrow()).equals(by_id(rows(10)))
    assert len(snapshot.files) == 1
    assert write(spark_engine, whole, rows(0), partition_by=None).files == snapshot.files


def test_nothing_of_the_staging_table_stays_but_its_files(spark_engine: SparkEngine, lake: Lake, table: Table) -> None:
    snapshot = write(spark_engine, table, rows(10))
    stored = {info.key for info in lake.objects.list(f"{table.path}/") if "_delta_log/" not in info.key or "0-" in info.key}
    assert stored == {f"{table.path}/{file.path}" for file in snapshot.files} | {f"{table.path}/_head"}


def test_what_a_write_that_came_to_no_commit_left_is_vacuumed(spark_engine: SparkEngine, lake: Lake, table: Table) -> None:
    snapshot = write(spark_engine, table, rows(10))
    orphan = f"{table.path}/000000000002-0123456789ab"
    data = lake.objects.get(f"{table.path}/{snapshot.files[0].path}")
    for key in ("event_date=2026-03-01/part-0.parquet", "_delta_log/00000000000000000000.json", "part-1.parquet"):
        lake.objects.put(f"{orphan}/{key}", data)
    assert table.vacuum(keep_hours=168) == 0
    time.sleep(1.1)  # the age of a file is told in whole seconds
    assert table.vacuum(keep_hours=0) == 3
    assert not list(lake.objects.list(f"{orphan}/"))
    after = table.snapshot()
    assert after is not None
    assert by_id(after.arrow()).equals(by_id(rows(10)))


def test_spark_s_own_vacuum_leaves_the_files_of_the_table(spark_engine: SparkEngine, table: Table) -> None:
    commit(table, lambda writer: writer.write(rows(10)))
    write(spark_engine, table, rows(10, start=10))
    with spark_engine.session() as session:
        session.rows(f"VACUUM delta.`{table.url.replace('s3://', 's3a://')}` RETAIN 168 HOURS")
    after = table.snapshot()
    assert after is not None
    assert by_id(after.arrow()).equals(by_id(rows(20)))


def test_spark_reads_a_table_of_many_versions_with_checkpoints_and_removals(spark_engine: SparkEngine, table: Table) -> None:
    for number in range(25):
        commit(table, lambda writer, number=number: writer.write(rows(2, start=2 * number)))  # type: ignore[misc]

    def without_first(snapshot: Snapshot) -> Commit:
        return Commit(remove=snapshot.files[:1])

    assert table.commit(SCHEMA, without_first, "event_date") is not None
    snapshot = table.snapshot()
    assert snapshot is not None
    expected = by_id(snapshot.arrow())
    with spark_engine.session() as session:
        found = session.table(f"SELECT * FROM delta.`{table.url.replace('s3://', 's3a://')}`")
    assert by_id(found).equals(expected)
    assert pc.min(found["id"]).as_py() == 1
