"""Gathering unified's small files: every merge leaves one, and a reader pays for each.

Files of a day are sorted into levels by size, each level eight times the one below. Eight of one level become one of the next,
so a row is written again once a level and a day never holds many files. Nothing is news to who follows the table.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import TYPE_CHECKING

from strandline.lake.parquet import FILE_BYTES, WrittenFile
from strandline.lake.snapshot import DataFile, Snapshot
from strandline.lake.tables import Table
from strandline.plan import schemas
from strandline.spec.model import Stream
from strandline.stages.rewrite import write_as_one
from strandline.stages.touched import Touched

if TYPE_CHECKING:
    from strandline.engines.port import Session

_FAN = 8
_SMALLEST = 32 << 10


@dataclass(frozen=True, slots=True)
class Gathered:
    """The files that were gathered, and those that hold their rows now."""

    files: tuple[DataFile, ...] = ()
    written: tuple[WrittenFile, ...] = ()


def gather(
    table: Table, snapshot: Snapshot, session: Session, stream: Stream, days: Collection[date], leave: Collection[DataFile]
) -> Gathered:
    """The levels of some days that are full, each written as one file; the files of `leave` are somebody else's."""
    gathered, written = [], []
    left = {file.path for file in leave}
    for day in sorted(days):
        for files in full_levels(f for f in snapshot.files_of([day]) if f.path not in left):
            gathered += files
            written += _as_one(table, snapshot, session, stream, day, files)
    return Gathered(tuple(gathered), tuple(written))


def full_levels(files: Iterable[DataFile]) -> list[list[DataFile]]:
    """The files of each level that has its number; those that are large enough stay as they are."""
    levels: dict[int, list[DataFile]] = {}
    for file in files:
        if file.size < FILE_BYTES // 2:
            levels.setdefault(int(math.log(max(file.size, _SMALLEST) / _SMALLEST, _FAN)), []).append(file)
    return [found for _, found in sorted(levels.items()) if len(found) >= _FAN]


def _as_one(
    table: Table, snapshot: Snapshot, session: Session, stream: Stream, day: date, files: Sequence[DataFile]
) -> list[WrittenFile]:
    schema = schemas.unified(stream)
    writer = table.writer(snapshot, schema, unified_statistics(stream), ordinal=max(f.ordinal for f in files))
    write_as_one(session, snapshot, stream, files, writer)
    writer.touch(day)
    tags = Touched.by(files).tags()
    return [replace(each, tags=tags) for each in writer.close()]


def unified_statistics(stream: Stream) -> tuple[str, ...]:
    """The columns of unified whose bounds stand in the log."""
    return (stream.event_time, "_as_of")
