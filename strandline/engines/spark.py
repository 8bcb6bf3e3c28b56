"""The engine for what outgrows one machine: Spark SQL on a cluster that exists, reached as a client.

The rows stay on the cluster: it reads the lake's files itself and writes them; only small results come to the worker. What is
written becomes part of a table by the same commit as everything else.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import sys
import tempfile
from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.dataset as pads

from strandline.engines import spark_lake
from strandline.engines.port import Relation, Scan
from strandline.engines.spark_dialect import SparkDialect
from strandline.engines.spark_errors import ClusterLostError, as_ours
from strandline.errors import TransientError
from strandline.lake.lake import Lake
from strandline.lake.objects import S3Credentials

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

    from strandline.lake.parquet import PartitionedWriter

SETTINGS: Mapping[str, str] = {
    **SparkDialect.SETTINGS,
    "spark.sql.parquet.compression.codec": "zstd",
    "spark.sql.sources.parallelPartitionDiscovery.parallelism": "32",
    "spark.databricks.delta.stats.collect": "false",
    "spark.databricks.delta.writeChecksumFile.enabled": "false",
    "spark.databricks.delta.snapshotPartitions": "1",
}
"""What every session is told: what the dialect needs, few tasks to look at many files, and no work on staging tables that
nobody reads.
"""
DELTA: Mapping[str, str] = {
    "spark.sql.extensions": "io.delta.sql.DeltaSparkSessionExtension",
    "spark.sql.catalog.spark_catalog": "org.apache.spark.sql.delta.catalog.DeltaCatalog",
}
"""What an application has to be started with so that Spark knows Delta Lake."""
_RETRIES = 6
"""Tries of a call to a cluster that does not answer, about half a minute in all; a task is tried again later."""


class ClusterSession:
    """One session on a cluster; its relations are temporary views, its tables are kept by the executors."""

    dialect = SparkDialect()
    rows_at_once = None

    def __init__(self, spark: SparkSession, credentials: S3Credentials | None) -> None:
        self._spark, self._credentials = spark, credentials
        self._numbers = itertools.count()
        self._kept: dict[str, DataFrame] = {}
        self._newest: dict[str, str] = {}
        self._views: set[str] = set()
        self._lost: ClusterLostError | None = None

    def register(self, name: str, data: Relation) -> None:
        """Make rows readable as `name`: those of files are read by the executors, with page checksums verified."""
        with self._asking():
            self._view(name, self._frame(data))

    def materialise(self, name: str, sql: str) -> None:
        """Keep the rows of a query as the relation `name` in the executors' memory and on their disks; what a lost executor
        held is computed again.
        """
        with self._asking():
            inner = f"{name}__{next(self._numbers)}"  # a query may read the relation that it replaces
            self._view(inner, self._spark.sql(sql))
            kept = self._kept[inner] = self._spark.table(inner).persist()
            kept.count()
            self._view(name, kept)
            older, self._newest[name] = self._newest.get(name), inner
            if older is not None:
                self._kept.pop(older).unpersist()

    def rows(self, sql: str) -> list[dict[str, Any]]:
        """A small result as dictionaries; moments are without a zone."""
        found: list[dict[str, Any]] = self.table(sql).to_pylist()
        return found

    def table(self, sql: str) -> pa.Table:
        """A result in memory of the worker: for small ones."""
        with self._asking():
            found = self._spark.sql(sql).toArrow()
        fields = [f.with_type(pa.timestamp("us")) if pa.types.is_timestamp(f.type) else f for f in found.schema]
        return found.cast(pa.schema(fields))

    def write(self, sql: str, writer: PartitionedWriter, rows: int | None = None) -> None:
        """Let the executors write all rows of a query, in its order, as files of the writer's table; how many at once is
        theirs to choose.
        """
        with self._asking():
            spark_lake.write(self._spark.sql(sql), writer, Lake(writer.objects, self._credentials))

    def close(self) -> None:
        """Let go of everything that the session made, unless the cluster is gone, and that with it."""
        with contextlib.suppress(TransientError), self._asking():
            for kept in self._kept.values():
                kept.unpersist()
            for name in self._views:
                self._spark.catalog.dropTempView(name)

    @contextlib.contextmanager
    def _asking(self) -> Iterator[None]:
        """A session that is gone is not asked again: it would take half a minute to hear nothing."""
        if self._lost is not None:
            raise ClusterLostError(str(self._lost)) from self._lost
        try:
            with as_ours():
                yield
        except ClusterLostError as error:
            self._lost = error
            raise

    def _frame(self, data: Relation) -> DataFrame:
        if isinstance(data, pa.Table):
            return spark_lake.held_in_memory(self._spark, data)
        if isinstance(data, pads.FileSystemDataset):
            data = Scan(data)
        return spark_lake.read(self._spark, [data] if isinstance(data, Scan) else data)

    def _view(self, name: str, frame: DataFrame) -> None:
        if name in self._views:  # to replace a view would uncache everything that was computed from it
            self._spark.catalog.dropTempView(name)
        frame.createTempView(name)
        self._views.add(name)


class SparkEngine:
    """Spark at an address: `sc://host:port/;token=…` of a Spark Connect server, for which the client alone is enough, or a
    master URL (`local[2]`, `spark://…`), whose driver then runs in this process.

    A cluster behind Spark Connect has the lake's credentials itself; a driver in this process is given `credentials`.
    `settings` are further settings of Spark: of the session with Spark Connect, else of the application.
    """

    dialect = SparkDialect()
    keeps_bytes_apart = False

    def __init__(
        self, address: str, credentials: S3Credentials | None = None, settings: Mapping[str, str] | None = None
    ) -> None:
        self._address, self._credentials, self._settings = address, credentials, dict(settings or {})

    @contextlib.contextmanager
    def session(self) -> Iterator[ClusterSession]:
        """A session of its own: what it makes is temporary, and gone at its end. Raises `UsageError` when PySpark is not
        installed, `TransientError` when the cluster does not answer.
        """
        remote = self._address.startswith("sc://")
        with as_ours():
            spark = self._connected() if remote else self._driver.newSession()
        try:
            with as_ours():
                for name, value in {**SETTINGS, **(self._settings if remote else {})}.items():
                    spark.conf.set(name, value)
            with contextlib.closing(ClusterSession(spark, self._credentials)) as session:
                yield session
        except ClusterLostError:
            if remote:
                spark.release_session_on_close = False  # whoever does not answer is not asked again
            raise
        finally:
            if remote:
                with as_ours():
                    spark.stop()

    def _connected(self) -> SparkSession:
        from pyspark.sql.connect.client.retries import DefaultPolicy
        from pyspark.sql.connect.session import SparkSession as Remote

        spark: SparkSession = Remote.builder.remote(self._address).create()
        spark.client.set_retry_policies([DefaultPolicy(max_retries=_RETRIES, max_backoff=10_000)])
        return spark

    @cached_property
    def _driver(self) -> SparkSession:
        """The driver in this process; all engines of one process share it."""
        from pyspark import SparkConf, SparkContext
        from pyspark.sql import SparkSession

        if self._address.startswith("local"):
            os.environ.setdefault("PYSPARK_PYTHON", sys.executable)  # it would take the first `python3` of the path
        lake = {f"spark.hadoop.{name}": value for name, value in spark_lake.s3a_settings(self._credentials).items()}
        warehouse = Path(tempfile.gettempdir(), "strandline-spark-warehouse").as_uri()  # empty; else it is made right here
        told = {"spark.app.name": "strandline", "spark.ui.showConsoleProgress": "false", "spark.sql.warehouse.dir": warehouse}
        told |= {**DELTA, **lake, **self._settings}
        conf = SparkConf().setMaster(self._address).setAll(list(told.items()))
        return SparkSession(SparkContext.getOrCreate(conf))
