"""Files of unified written again: what stays of them, each new one in the order of its event times."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from strandline.errors import StorageError
from strandline.lake import paths
from strandline.lake.snapshot import Snapshot
from strandline.lake.tables import Table
from strandline.plan import schemas
from strandline.runtime import Runtime
from strandline.spec.model import Stream
from strandline.stages import rewrite
from strandline.stages.land import ingest
from strandline.stages.merge import merge
from strandline.stages.rewrite import write_again, write_in_order
from tests.stages.streams import deliver, interval, line

FILES = 4


@pytest.fixture
def table(tmp_path: Path, runtime: Runtime, stream: Stream) -> Table:
    """Unified in files of 40, 30, 20 and 10 events whose times overlap."""
    for number in range(FILES):
        lines = [line(100 * number + n, (7 * n) % 60, value=number) for n in range(10 * (FILES - number))]
        deliver(tmp_path, f"{number:03d}", lines)
        ingest(runtime, stream, interval(number))
        merge(runtime, stream)
    return runtime.lake.table(paths.unified(stream.name))


def opened(table: Table) -> Snapshot:
    snapshot = table.snapshot()
    assert snapshot is not None
    assert [file.rows for file in snapshot.files] == [10 * (FILES - number) for number in range(FILES)]
    return snapshot


def written(runtime: Runtime, stream: Stream, table: Table, how: Callable[..., None]) -> list[list[tuple[datetime, str]]]:
    """Times and keys of the files that are there when of each every third row is gone, and of the third all."""
    snapshot = opened(table)
    writer = table.writer(snapshot, schemas.unified(stream), ())
    with runtime.engine_of(stream).session() as session:
        session.register("read", snapshot.scan_with_files(snapshot.files, ["_landing_start", "_line"]))
        session.materialise("held", "SELECT * FROM read")
        here = f"SELECT * FROM held WHERE _line % 3 = 0 OR _file = '{snapshot.files[2].path}'"
        new = "SELECT _landing_start, _line, CAST(NULL AS STRING) AS _file FROM held"
        session.materialise("gone", f"{here} UNION ALL {new}")
        how(session, snapshot, stream, snapshot.files, writer=writer, gone="gone")
    found = [pq.read_table(Path(table.url) / file.path, partitioning=None) for file in writer.close()]
    return [list(zip(rows["at"].to_pylist(), rows["reading_id"].to_pylist(), strict=True)) for rows in found]


@pytest.mark.parametrize(
    ("how", "in_memory", "rows"),
    [(write_again, 1 << 30, [54]), (write_again, 1, [7, 20, 27]), (write_in_order, 1, [54])],
    ids=["small files as one", "each for itself", "by the engine"],
)
def test_what_stays_is_in_order_of_event_time(
    runtime: Runtime,
    stream: Stream,
    table: Table,
    monkeypatch: pytest.MonkeyPatch,
    how: Callable[..., None],
    in_memory: int,
    rows: list[int],
) -> None:
    monkeypatch.setattr(rewrite, "_IN_MEMORY", in_memory)
    files = written(runtime, stream, table, how)
    assert sorted(map(len, files)) == rows
    assert all([at for at, _ in file] == sorted(at for at, _ in file) for file in files)
    kept = {f"r{100 * number + n}" for number in (0, 1, 3) for n in range(10 * (FILES - number)) if (n + 1) % 3}
    assert sorted(key for file in files for _, key in file) == sorted(kept)


def test_a_damaged_file_is_told_as_damage(runtime: Runtime, stream: Stream, table: Table) -> None:
    first = Path(table.url) / opened(table).files[0].path
    data = first.read_bytes()
    first.write_bytes(data[:4] + bytes(600) + data[604:])
    with pytest.raises(StorageError, match=f"read {paths.unified(stream.name)}: a stored file is damaged"):
        written(runtime, stream, table, write_again)
