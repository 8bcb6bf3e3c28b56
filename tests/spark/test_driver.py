"""A driver in this process, for a master URL: the same session as behind Spark Connect."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow.dataset as pads
import pytest

from strandline.engines.port import Scan
from strandline.errors import DataError
from strandline.lake.lake import Lake
from strandline.lake.snapshot import Snapshot
from strandline.lake.tables import Commit
from strandline.local import ports, spark_jars
from tests.conftest import s3_credentials
from tests.spark.rows import SCHEMA, STATISTICS, rows
from tests.spark.test_session import KEYS, halves

if TYPE_CHECKING:
    from strandline.engines.spark import SparkEngine
    from strandline.local.seaweed import Seaweed
    from tests.conftest import S3Lake


@pytest.fixture(scope="module")
def engine(seaweed: Seaweed) -> Iterator[SparkEngine]:
    if problem := spark_jars.missing():
        pytest.skip(problem)
    from strandline.engines.spark import SparkEngine

    settings = {
        "spark.driver.extraClassPath": f"{spark_jars.folder()}/*",
        "spark.driver.memory": "1g",
        "spark.driver.host": ports.LOOPBACK,
        "spark.driver.bindAddress": ports.LOOPBACK,
        "spark.ui.enabled": "false",
        "spark.sql.shuffle.partitions": "2",
    }
    yield SparkEngine("local[2]", s3_credentials(seaweed), settings)
    from pyspark import SparkContext

    SparkContext.getOrCreate().stop()


def test_a_driver_in_this_process_reads_keeps_and_writes(engine: SparkEngine, s3_lake: S3Lake) -> None:
    table = Lake.open(s3_lake.url, s3_lake.credentials).table("silver/tides")
    with engine.session() as session:
        session.register("given", rows(30))
        session.materialise("kept", "SELECT * FROM given WHERE id < 20")
        session.materialise("kept", "SELECT * FROM kept WHERE id >= 10")

        def decide(snapshot: Snapshot) -> Commit:
            writer = table.writer(snapshot, SCHEMA, STATISTICS)
            session.write("SELECT * FROM kept ORDER BY event_date, id", writer)
            return Commit(add=writer.close())

        made = table.commit(SCHEMA, decide, "event_date")
        assert made is not None
        session.register("halved", Scan(made.dataset(), None, pads.field("id") >= 15, halves, KEYS))
        assert [row["id"] for row in session.rows("SELECT id FROM halved ORDER BY id")] == [8, 9]
        with pytest.raises(DataError, match="nowhere"):
            session.rows("SELECT * FROM nowhere")
    assert made.arrow().select(SCHEMA.names).sort_by("id").combine_chunks().equals(rows(10, start=10))


def test_a_driver_leaves_nothing_in_the_working_directory(engine: SparkEngine) -> None:
    with engine.session() as session:
        session.rows("SELECT 1 AS n")
    assert not Path("spark-warehouse").exists()


def test_a_session_sees_nothing_of_another_one(engine: SparkEngine) -> None:
    with engine.session() as one, engine.session() as other:
        one.register("mine", rows(3))
        with pytest.raises(DataError, match="mine"):
            other.rows("SELECT * FROM mine")
