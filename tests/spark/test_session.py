"""A session on a cluster answers as the embedded one: the same relations, the same values in Python."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from datetime import date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as pads
import pytest

from strandline.engines.duckdb import DuckEngine
from strandline.engines.port import Relation, Scan, Session
from strandline.errors import DataError, UsageError
from strandline.lake.lake import Lake
from strandline.lake.snapshot import Snapshot
from strandline.lake.tables import Commit, Table
from tests.spark.rows import DAYS, SCHEMA, STATISTICS, rows

if TYPE_CHECKING:
    from strandline.engines.spark import ClusterSession, SparkEngine
    from tests.conftest import S3Lake

KEYS = pa.schema([("id", pa.int64()), ("text", pa.string()), ("at", pa.timestamp("us", "UTC"))])


class Both:
    """One session of each engine; what they answer has to be the same."""

    def __init__(self, spark: ClusterSession, duck: Session) -> None:
        self.spark, self.duck = spark, duck

    def register(self, name: str, data: Relation) -> None:
        self.spark.register(name, data)
        self.duck.register(name, data)

    def materialise(self, name: str, sql: str) -> None:
        self.spark.materialise(name, sql)
        self.duck.materialise(name, sql)

    def rows(self, sql: str) -> list[dict[str, Any]]:
        found = self.spark.rows(sql)
        assert [repr(row) for row in found] == [repr(row) for row in self.duck.rows(sql)]
        return found


@pytest.fixture
def both(spark_engine: SparkEngine) -> Iterator[Both]:
    with ExitStack() as stack:
        yield Both(stack.enter_context(spark_engine.session()), stack.enter_context(DuckEngine().session()))


@pytest.fixture
def table(s3_lake: S3Lake) -> Table:
    return Lake.open(s3_lake.url, s3_lake.credentials).table("silver/tides")


def put(table: Table, data: pa.Table, partition_by: str | None = "event_date") -> Snapshot:
    """The table with these rows too, by our own writer."""

    def decide(snapshot: Snapshot) -> Commit:
        writer = table.writer(snapshot, data.schema, STATISTICS)
        writer.write(data)
        return Commit(add=writer.close())

    made = table.commit(data.schema, decide, partition_by)
    assert made is not None
    return made


def halves(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """The even ids, halved; refuses batches that are not of the types of the dataset."""
    for batch in batches:
        assert batch.schema.field("at").type == pa.timestamp("us", "UTC")
        assert batch.schema.field("raw").type == pa.binary()
        table = pa.Table.from_batches([batch])
        even = table.filter(pc.equal(pc.bit_wise_and(table["id"], 1), 0))
        halved = [pc.divide(even["id"], 2), even["text"], even["at"]]
        yield from pa.Table.from_arrays(halved, schema=KEYS).to_batches()


def test_a_small_table_in_memory_is_read_with_all_its_values(both: Both) -> None:
    both.register("small", rows(60))
    found = both.rows("SELECT * FROM small ORDER BY id")
    assert len(found) == 60
    assert found[1]["at"] == datetime.fromisoformat("1582-10-10")


def test_a_table_without_rows_keeps_its_columns(both: Both, table: Table) -> None:
    both.register("small", rows(0))
    both.register("files", put(table, rows(3)).dataset(files=[]))
    assert both.rows("SELECT * FROM small") == []
    assert both.rows("SELECT count(*) AS n, max(id) AS top, max(event_date) AS day FROM files") == [
        {"n": 0, "top": None, "day": None}
    ]


def test_files_are_read_with_the_partition_that_their_path_tells(both: Both, table: Table) -> None:
    put(table, rows(40))
    both.register("held", put(table, rows(40, start=40)).dataset())
    assert len(both.rows("SELECT * FROM held ORDER BY id")) == 80
    by_day = both.rows('SELECT event_date, count(*) AS n, min("at") AS low, max(day) AS top FROM held GROUP BY 1 ORDER BY 1')
    assert [row["event_date"] for row in by_day] == DAYS


def test_rows_of_no_day_are_read_as_such(both: Both, table: Table) -> None:
    late = rows(4).set_column(0, "event_date", pa.nulls(4, pa.date32()))
    both.register("held", put(table, late).dataset())
    assert both.rows("SELECT id, event_date FROM held ORDER BY id")[0] == {"id": 0, "event_date": None}


def test_a_table_without_partitions_is_read(both: Both, table: Table) -> None:
    both.register("held", put(table, rows(10), None).dataset())
    assert len(both.rows("SELECT * FROM held ORDER BY id")) == 10


def test_only_the_files_of_the_dataset_are_read(both: Both, table: Table) -> None:
    snapshot = put(table, rows(9))
    put(table, rows(9, start=9))
    both.register("held", snapshot.dataset([DAYS[1]]))
    assert both.rows("SELECT id FROM held ORDER BY id") == [{"id": 1}, {"id": 4}, {"id": 7}]


def test_a_column_that_a_file_lacks_is_null(both: Both, table: Table) -> None:
    put(table, rows(3).drop_columns(["text", "total"]))
    both.register("held", put(table, rows(3, start=3)).dataset())
    found = both.rows("SELECT id, text, total FROM held ORDER BY id")
    assert [row["total"] is None for row in found] == [True] * 3 + [False] * 3


def test_the_file_of_each_row_is_told_as_the_log_names_it(both: Both, table: Table) -> None:
    put(table, rows(6))
    snapshot = put(table, rows(6, start=6))
    both.register("held", snapshot.scan_with_files(snapshot.files, ["id", "event_date"]))
    found = both.rows("SELECT * FROM held ORDER BY id")
    assert {row["_file"] for row in found} == {file.path for file in snapshot.files}


def test_a_scan_gives_the_chosen_columns_and_its_condition_loses_no_row(both: Both, table: Table) -> None:
    data = put(table, rows(30)).dataset()
    both.register("held", Scan(data, ["text", "id"], pads.field("id") >= 20))
    assert list(both.rows("SELECT * FROM held WHERE id >= 20 ORDER BY id")[0]) == ["text", "id"]


def test_batches_go_through_a_function_on_the_executors_with_the_types_of_the_dataset(both: Both, table: Table) -> None:
    data = put(table, rows(30)).dataset()
    columns = [name for name in SCHEMA.names if name != "amount"]
    paid = pads.field("amount") > pa.scalar(Decimal("0.00"), pa.decimal128(18, 2))
    both.register("halved", Scan(data, columns, paid, halves, KEYS))
    assert both.rows("SELECT * FROM halved ORDER BY id") == []
    both.register("more", Scan(data, columns, pads.field("id") >= 10, halves, KEYS))
    assert [row["id"] for row in both.rows("SELECT * FROM more ORDER BY id")] == list(range(5, 15))


def test_scans_are_put_together_by_name(both: Both, table: Table) -> None:
    data = put(table, rows(12)).dataset()
    columns = [name for name in SCHEMA.names if name != "amount"]
    one, other = Scan(data, columns, None, halves, KEYS), Scan(data, KEYS.names, pads.field("id") < 3)
    both.register("all", [one, other])
    assert len(both.rows('SELECT * FROM "all" WHERE id < 3 ORDER BY id, "at", text')) == 6


def test_what_is_kept_can_be_replaced_by_a_query_over_itself(both: Both) -> None:
    both.register("given", rows(20))
    both.materialise("kept", "SELECT id, text FROM given")
    both.materialise("kept", "SELECT id, text FROM kept WHERE id < 5")
    both.register("given", rows(1))
    assert len(both.rows("SELECT * FROM kept ORDER BY id")) == 5


def test_what_is_kept_stays_kept_when_what_it_came_from_is_replaced(spark_engine: SparkEngine) -> None:
    with spark_engine.session() as session:
        session.register("given", rows(20))
        session.materialise("one", "SELECT id FROM given")
        session.materialise("other", "SELECT id + 1 AS id FROM one")
        session.materialise("one", "SELECT id FROM one WHERE id > 2")
        session.register("given", rows(1))
        plans = [session.rows(f"EXPLAIN SELECT * FROM {name}")[0]["plan"] for name in ("one", "other")]
    assert all(plan.split("\n")[1].startswith("InMemoryTableScan") for plan in plans)


def test_sessions_do_not_see_each_others_relations(spark_engine: SparkEngine) -> None:
    with spark_engine.session() as one, spark_engine.session() as other:
        one.register("given", rows(1))
        other.register("given", rows(2))
        one.materialise("kept", "SELECT * FROM given")
        assert one.rows("SELECT count(*) AS n FROM given") == [{"n": 1}]
        assert other.rows("SELECT count(*) AS n FROM given") == [{"n": 2}]
        with pytest.raises(DataError, match="kept"):
            other.rows("SELECT * FROM kept")


def test_a_query_that_is_wrong_is_an_error_of_the_data(spark_engine: SparkEngine) -> None:
    with spark_engine.session() as session:
        with pytest.raises(DataError, match="nowhere"):
            session.rows("SELECT * FROM nowhere")
        with pytest.raises(DataError, match="REMAINDER_BY_ZERO"):
            session.materialise("wrong", "SELECT 1 % id AS x FROM range(3)")


def refusing(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    yield from ()
    raise UsageError("these lines are not wanted")


def test_an_error_of_ours_on_an_executor_is_the_same_error_here(spark_engine: SparkEngine, table: Table) -> None:
    data = put(table, rows(3)).dataset()
    with spark_engine.session() as session:
        session.register("refused", Scan(data, through=refusing, schema=KEYS))
        with pytest.raises(UsageError, match="these lines are not wanted"):
            session.materialise("kept", "SELECT * FROM refused")


def test_a_day_in_a_table_in_memory_is_a_day(both: Both) -> None:
    both.register("small", pa.table({"d": pa.array([date(1, 1, 1), date(9999, 12, 31)])}))
    assert both.rows("SELECT d FROM small ORDER BY d")[0]["d"] == date(1, 1, 1)
