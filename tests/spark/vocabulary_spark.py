"""Spark in a process of its own, for asking it what words mean: a line of JSON in, an Arrow file and a line out.

A process has either a session of its own or one behind Spark Connect, so the tests of the two keep apart.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

SETTINGS = {
    "spark.driver.memory": "1g", "spark.ui.enabled": "false", "spark.sql.shuffle.partitions": "2", "spark.log.level": "OFF",
    "spark.driver.host": "127.0.0.1", "spark.driver.bindAddress": "127.0.0.1", "spark.sql.adaptive.enabled": "false",
}  # fmt: skip


class LocalSpark:
    """Spark on two threads of this machine."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        environment = {name: value for name, value in os.environ.items() if not name.startswith("SPARK_")}
        command = [sys.executable, "-m", "tests.spark.vocabulary_spark", str(folder)]
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment, text=True
        )

    def show(self, name: str, path: Path) -> None:
        """Make a Parquet file readable as `name`."""
        self._asked({"name": name, "path": str(path)})

    def table(self, sql: str) -> pa.Table:
        """The answer to a query."""
        self._asked({"sql": sql})
        with pa.OSFile(str(self.folder / "answer.arrow"), "rb") as file:
            return pa.ipc.open_file(file).read_all()

    def _asked(self, question: dict[str, str]) -> None:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps(question) + "\n")
        self.process.stdin.flush()
        answer = json.loads(self.process.stdout.readline() or '{"error": "Spark has ended"}')
        assert not answer.get("error"), f"{answer['error']}\n{question}"

    def close(self) -> None:
        """End the process."""
        with self.process:  # closes the pipes, which ends it
            pass


@pytest.fixture(scope="session")
def local_spark(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalSpark]:
    """Spark, or a reason to skip."""
    if find_spec("pyspark") is None:
        pytest.skip("PySpark is not installed (the extra strandline[spark])")
    if shutil.which("java") is None:
        pytest.skip("Java is not installed: Spark needs it")
    spark = LocalSpark(tmp_path_factory.mktemp("vocabulary"))
    yield spark
    spark.close()


def serve(folder: Path) -> None:
    """Answers questions until there are no more."""
    from pyspark.errors import PySparkException
    from pyspark.sql import SparkSession

    from strandline.engines.spark_dialect import SparkDialect

    builder: Any = SparkSession.builder.master("local[2]").appName("vocabulary")
    for name, value in (SETTINGS | SparkDialect.SETTINGS | {"spark.sql.warehouse.dir": str(folder / "warehouse")}).items():
        builder = builder.config(name, value)
    session = builder.getOrCreate()
    for line in sys.stdin:
        question, error = json.loads(line), ""
        try:
            if "sql" in question:
                table = session.sql(question["sql"]).toArrow()
                with pa.OSFile(str(folder / "answer.arrow"), "wb") as file, pa.ipc.new_file(file, table.schema) as writer:
                    writer.write_table(table)
            else:
                session.read.parquet(question["path"]).createOrReplaceTempView(question["name"])
        except PySparkException as problem:
            error = str(problem)[:2000]
        print(json.dumps({"error": error}), flush=True)
    session.stop()


if __name__ == "__main__":
    serve(Path(sys.argv[1]))
