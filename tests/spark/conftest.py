"""A small Spark cluster, once a session; without PySpark, Java or the jars, the tests that ask for it are skipped."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from strandline.local import spark_jars
from strandline.local.seaweed import Seaweed
from tests.conftest import s3_credentials
from tests.spark import counts
from tests.spark.vocabulary import engines, local_spark

__all__ = ["engines", "local_spark"]

if TYPE_CHECKING:
    from strandline.engines.spark import SparkEngine
    from strandline.local.spark import SparkCluster

_JAVA = "-XX:TieredStopAtLevel=1 -XX:ReservedCodeCacheSize=256m -XX:+UseSerialGC"
SMALL = {
    "spark.sql.shuffle.partitions": "2", "spark.sql.adaptive.enabled": "false", "spark.sql.codegen.wholeStage": "false",
    "spark.ui.enabled": "false", "spark.driver.extraJavaOptions": _JAVA, "spark.executor.extraJavaOptions": _JAVA,
}  # fmt: skip
"""For thousands of queries on a few rows each: to compile them would take three times as long as to run them."""


@pytest.fixture(scope="session")
def spark_cluster(tmp_path_factory: pytest.TempPathFactory, seaweed: Seaweed) -> Iterator[SparkCluster]:
    """A running cluster of two workers with Spark Connect, on the S3 server of the tests."""
    if problem := spark_jars.missing():
        pytest.skip(problem)
    from strandline.local.spark import SparkCluster

    with SparkCluster(tmp_path_factory.mktemp("spark"), s3_credentials(seaweed), port=0, settings=SMALL) as cluster:
        yield cluster


@pytest.fixture(scope="session")
def spark_engine(spark_cluster: SparkCluster, seaweed: Seaweed) -> SparkEngine:
    """Spark behind Spark Connect."""
    from strandline.engines.spark import SparkEngine

    return SparkEngine(spark_cluster.address, s3_credentials(seaweed))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """What was compared, and how much of it differs."""
    lines = list(counts.lines())
    if lines:
        terminalreporter.section("DuckDB against Spark")
    for line in lines:
        terminalreporter.write_line(line)
