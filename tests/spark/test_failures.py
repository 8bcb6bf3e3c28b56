"""A lost executor costs time; a lost driver costs the attempt: the next one makes the same table."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pytest

from strandline.engines.port import Scan
from strandline.errors import StrandlineError, TransientError
from strandline.intervals import intervals_between
from strandline.lake import paths
from strandline.lake.lake import Lake
from strandline.lake.snapshot import Snapshot
from strandline.lake.tables import Commit, Table
from strandline.local import ports, spark_jars
from strandline.stages.land import ingest_intervals
from strandline.stages.merge import merge
from tests.conftest import s3_credentials
from tests.spark.conftest import SMALL
from tests.spark.equality import differing_rows
from tests.spark.rows import SCHEMA, STATISTICS, rows
from tests.spark.test_streams import EVENING, STREAMS, batch, sides_of

if TYPE_CHECKING:
    from strandline.engines.spark import SparkEngine
    from strandline.local.seaweed import Seaweed
    from strandline.local.spark import SparkCluster
    from tests.conftest import S3Lake


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory, seaweed: Seaweed) -> Iterator[SparkCluster]:
    """A cluster of its own, since it is going to be hurt."""
    if problem := spark_jars.missing():
        pytest.skip(problem)
    from strandline.local.spark import SparkCluster

    with SparkCluster(tmp_path_factory.mktemp("hurt"), s3_credentials(seaweed), port=0, settings=SMALL) as running:
        yield running


@pytest.fixture
def engine(cluster: SparkCluster, seaweed: Seaweed) -> SparkEngine:
    from strandline.engines.spark import SparkEngine

    return SparkEngine(cluster.start().address, s3_credentials(seaweed))


@pytest.fixture
def lake(s3_lake: S3Lake) -> Lake:
    return Lake.open(s3_lake.url, s3_lake.credentials)


@pytest.fixture
def source(lake: Lake) -> Table:
    table = lake.table("bronze/tides")

    def decide(snapshot: Snapshot) -> Commit:
        writer = table.writer(snapshot, SCHEMA)
        writer.write(rows(90))
        return Commit(add=writer.close())

    assert table.commit(SCHEMA, decide, "event_date") is not None
    return table


def slowly(begun: Path, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """The batches; whoever is the first to see one says so, and takes a while."""
    for one in batches:
        try:
            begun.touch(exist_ok=False)
            time.sleep(15)
        except FileExistsError:
            pass
        yield one


def copy(engine: SparkEngine, source: Table, target: Table, begun: Path) -> Snapshot | None:
    """The target with the source's rows, once."""
    held = source.snapshot()
    assert held is not None

    def decide(snapshot: Snapshot) -> Commit | None:
        if snapshot.position("copy"):
            return None
        writer = target.writer(snapshot, SCHEMA, STATISTICS)
        session.write("SELECT * FROM given ORDER BY event_date, id", writer)
        return Commit(add=writer.close(), positions={"copy": 1})

    with engine.session() as session:
        session.register("given", Scan(held.dataset(), through=partial(slowly, begun), schema=SCHEMA))
        return target.commit(SCHEMA, decide, "event_date")


def hurt_while(work: Callable[[], object], begun: Callable[[], bool], hurt: Callable[[], object]) -> StrandlineError | None:
    """The error with which the work ended, if any, after it was hurt in its midst."""
    with ThreadPoolExecutor(1) as pool:
        working = pool.submit(work)
        while not begun():
            assert not working.done(), working.result()
            time.sleep(0.05)
        hurt()
        error = working.exception()
    if error is not None and not isinstance(error, StrandlineError):
        raise error
    return error


def kill_executors(cluster: SparkCluster) -> None:
    """All of them; the workers start others."""
    for pid in cluster.executors():
        os.kill(pid, signal.SIGKILL)


def held_by(table: Table) -> pa.Table:
    snapshot = table.snapshot()
    assert snapshot is not None
    return snapshot.arrow().select(SCHEMA.names).sort_by("id").combine_chunks()


@pytest.mark.slow
def test_an_executor_killed_in_the_midst_of_a_write_changes_no_row(
    engine: SparkEngine, cluster: SparkCluster, lake: Lake, source: Table, tmp_path: Path
) -> None:
    target, begun = lake.table("silver/tides"), tmp_path / "begun"

    assert hurt_while(lambda: copy(engine, source, target, begun), begun.exists, partial(kill_executors, cluster)) is None
    assert held_by(target).equals(rows(90))


def test_what_a_lost_executor_kept_is_computed_again(engine: SparkEngine, cluster: SparkCluster, source: Table) -> None:
    held = source.snapshot()
    assert held is not None
    with engine.session() as session:
        session.register("given", held.dataset())
        session.materialise("kept", "SELECT id FROM given")
        for pid in cluster.executors():
            os.kill(pid, signal.SIGKILL)
        assert session.rows("SELECT count(*) AS n, sum(id) AS total FROM kept") == [{"n": 90, "total": 4_005}]


@pytest.mark.slow
def test_a_driver_killed_in_the_midst_of_a_write_is_a_retry_with_the_same_table(
    engine: SparkEngine, cluster: SparkCluster, lake: Lake, source: Table, tmp_path: Path
) -> None:
    target, begun = lake.table("silver/tides"), tmp_path / "begun"
    error = hurt_while(lambda: copy(engine, source, target, begun), begun.exists, cluster.connect.kill)
    assert isinstance(error, TransientError)
    assert held_by(target).num_rows == 0
    cluster.start()
    assert copy(engine, source, target, begun) is not None
    assert copy(engine, source, target, begun) is None
    assert held_by(target).equals(rows(90))


@pytest.mark.slow
@pytest.mark.parametrize("victim", ["executors", "driver"])
def test_a_batch_whose_cluster_is_hurt_leaves_the_tables_of_an_undisturbed_one(
    cluster: SparkCluster, s3_lake: S3Lake, victim: str
) -> None:
    """Hurt as soon as there is anything of silver: the executors are replaced, the driver's loss ends the attempt."""
    stream = STREAMS["iot_sensors"]
    intervals = list(intervals_between(EVENING, EVENING + timedelta(hours=2), stream.interval))
    sides = sides_of(s3_lake, cluster.start())
    for side in sides:
        ingest_intervals(side.runtime, side.of(stream), intervals)
    undisturbed, hurt = (partial(batch, side.runtime, side.of(stream), intervals[-1].end) for side in sides)
    undisturbed()
    objects = sides[1].runtime.lake.objects
    kill = partial(kill_executors, cluster) if victim == "executors" else cluster.connect.kill
    error = hurt_while(hurt, lambda: any(True for _ in objects.list(f"{paths.silver(stream.name)}/")), kill)
    if victim == "executors":
        assert error is None
    else:
        assert isinstance(error, TransientError)
        cluster.start()
        hurt()
    for side in sides:
        merge(side.runtime, side.of(stream))
    differ = differing_rows(sides[0].runtime.lake, sides[1].runtime.lake, stream, f"{victim} killed")
    assert not any(differ.values()), differ


@pytest.mark.slow
def test_a_driver_that_came_back_knows_no_session_of_before(
    engine: SparkEngine, cluster: SparkCluster, seaweed: Seaweed
) -> None:
    with pytest.raises(TransientError), engine.session() as session:  # noqa: PT012 - what comes before it must be inside
        session.register("given", rows(3))
        assert session.rows("SELECT count(*) AS n FROM given") == [{"n": 3}]
        cluster.connect.kill()
        cluster.start()
        session.rows("SELECT count(*) AS n FROM given")


def test_a_cluster_that_is_not_there_is_asked_again_later() -> None:
    pytest.importorskip("pyspark")
    from strandline.engines.spark import SparkEngine

    address = f"sc://{ports.LOOPBACK}:{ports.scattered()}"
    with pytest.raises(TransientError, match="Spark"), SparkEngine(address).session():
        pass
