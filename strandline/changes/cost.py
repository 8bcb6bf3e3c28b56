"""What a rebuild and the merge after it would read and write, estimated from the tables' logs alone."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date

from strandline.lake import paths
from strandline.lake.snapshot import DataFile
from strandline.runtime import Runtime
from strandline.spec.model import Stream
from strandline.stages.rejudge import Tables

_READ_BYTES = 8 << 20
_LOG_READS, _COMMIT_WRITES = 4, 1
"""Reading a table's log: one list, its last commits. A commit is one put; a checkpoint now and then is left out."""


@dataclass(frozen=True, slots=True)
class Cost:
    """Bytes read and written, and S3 requests (GET and LIST; PUT). A file is read by its footer and then 8 MB a request; what
    is written is taken to be as large as what it replaces.
    """

    bytes_read: int
    bytes_written: int
    reads: int
    writes: int


def cost(runtime: Runtime, stream: Stream, tables: Tables, partitions: Mapping[str, tuple[date, ...]]) -> Cost:
    """The estimate for these days (by table), of a rebuild that has to judge all of bronze."""
    read: list[DataFile] = [f for f in tables.bronze.files if f.ordinal <= tables.taken] if tables.bronze else []
    read += [f for table in (tables.silver, tables.quarantine) if table for f in table.files]
    written: list[DataFile] = []
    logs = 4
    for path, days in partitions.items():
        snapshot = runtime.lake.table(path).snapshot()
        logs += 1
        if snapshot is None:
            continue
        replaced = snapshot.files_of(days)
        written += replaced
        if not path.startswith(paths.silver(stream.name)) and not path.startswith(paths.quarantine(stream.name)):
            read += replaced
    return Cost(
        sum(f.size for f in read),
        sum(f.size for f in written),
        _requests(read) + logs * _LOG_READS,
        len(written) + len(partitions) * _COMMIT_WRITES + _COMMIT_WRITES,
    )


def _requests(files: Iterable[DataFile]) -> int:
    return sum(1 + math.ceil(f.size / _READ_BYTES) for f in files)
