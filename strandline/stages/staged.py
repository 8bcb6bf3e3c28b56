"""One interval's lines as they may be written, between the source and *land*: a staged object, or in memory.

The staged object is an Arrow IPC stream with zstd buffers (schema `plan.schemas.STAGED`). The position reached is known only
once the source was read, so it travels as the metadata of a last, empty record batch.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.ipc as ipc

from strandline.errors import StorageError
from strandline.intervals import Interval
from strandline.lake.objects import Objects
from strandline.lake.paths import staged_prefix, staging
from strandline.lines.protect import ProtectedLine
from strandline.plan.schemas import STAGED
from strandline.sources.source import LineBlock, RawLine

ROWS = 8_192
HELD = 32 << 20
"""How many bytes of an interval's lines are held in memory, as they are or compressed; more are on disk, or staged."""
_REST = 1 << 16
Reached: TypeAlias = Callable[[], Mapping[str, Any]]
"""The position after lines, once they are all read."""
Again: TypeAlias = Callable[[Sequence[str]], Iterable[pa.RecordBatch]]
"""`names of the source's objects -> their lines`, in the staged schema."""


def staged_start(key: str) -> datetime:
    """The start of the interval that a staged object holds, by its key (see `Interval.key`)."""
    name = key.rpartition("/")[2].removesuffix(".arrow")
    return datetime.strptime(name, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)


def staged_keys(objects: Objects, stream: str) -> frozenset[str]:
    """The keys of what is staged."""
    return frozenset(info.key for info in objects.list(staged_prefix(stream)))


def write_staged(
    objects: Objects, stream: str, interval: Interval, batches: Iterable[pa.RecordBatch] | None, position: Reached
) -> Mapping[str, Any] | None:
    """The position (see `Lines`) when this call staged the interval; None when it was staged before (the first write wins).

    With None for `batches` the interval is staged by the names of the objects that it takes: they keep their lines.
    """
    with tempfile.SpooledTemporaryFile(max_size=HELD) as file:
        compression = None if batches is None else "zstd"  # of nothing, it takes most of the time
        with ipc.new_stream(file, STAGED, options=ipc.IpcWriteOptions(compression=compression)) as writer:
            lines = None if batches is None else 0
            for batch in batches or ():
                writer.write_batch(batch)
                lines = (lines or 0) + batch.num_rows
            reached = {**position(), "lines": lines}
            end = json.dumps(reached).encode()
            writer.write_batch(pa.RecordBatch.from_pylist([], schema=STAGED), custom_metadata={"position": end})
        file.seek(0)
        return reached if objects.put(staging(stream, interval), file, if_absent=True) else None


def staged_batch(raws: Sequence[RawLine], protected: Sequence[ProtectedLine]) -> pa.RecordBatch:
    """The lines in the staged schema, in the same order."""
    columns = [
        [line.raw for line in protected],
        [line.source for line in raws],
        [line.source_line for line in raws],
        [line.header for line in raws],
        [line.digest for line in protected],
        [line.sealed for line in protected],
        [line.reason for line in protected],
        [line.reason_field for line in protected],
        [line.reason_detail for line in protected],
    ]
    return pa.RecordBatch.from_arrays([pa.array(c, f.type) for c, f in zip(columns, STAGED, strict=True)], schema=STAGED)


def plain_batches(block: LineBlock) -> Iterator[pa.RecordBatch]:
    """The lines of a block in the staged schema, `ROWS` at a time, for a stream that protects nothing."""
    for start in range(0, len(block.raws), ROWS):
        raws = block.raws.slice(start, ROWS)
        size = len(raws)
        columns = {
            "raw": raws,
            "source": pa.repeat(pa.scalar(block.source), size),
            "source_line": pa.array(np.arange(block.first + start, block.first + start + size)),
            "sealed": pa.repeat(pa.scalar(False), size),
        }
        given = [columns[f.name] if f.name in columns else pa.nulls(size, f.type) for f in STAGED]
        yield pa.RecordBatch.from_arrays(given, schema=STAGED)


@dataclass(frozen=True, slots=True)
class HeldLines:
    """The record batches of an interval in memory, and the position after them."""

    batches: Sequence[pa.RecordBatch]
    position: Mapping[str, Any]

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        """The record batches in line order."""
        return iter(self.batches)


class StagedLines:
    """A staged object being read: iterate its record batches; `position` is known once they are exhausted.

    Where only the names of the source's objects are staged (see `write_staged`), `again` gives their lines.
    """

    def __init__(
        self, objects: Objects, stream: str, interval: Interval, again: Again, position: Mapping[str, Any] | None = None
    ) -> None:
        self._objects, self._key, self._again = objects, staging(stream, interval), again
        self._position = position

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        """The record batches in line order. Raises `ObjectMissing` when nothing is staged, `StorageError` on damage."""
        yield from self._staged()
        if self.position["lines"] is None:
            yield from self._again(self.position["objects"])

    def _staged(self) -> Iterator[pa.RecordBatch]:
        with self._objects.open(self._key) as stream:
            try:
                reader = ipc.open_stream(stream)
                while True:
                    try:
                        batch, metadata = reader.read_next_batch_with_custom_metadata()
                    except StopIteration:
                        break
                    if metadata and b"position" in metadata:
                        self._position = json.loads(metadata[b"position"])
                    elif batch.num_rows:
                        yield batch
                while stream.read(_REST):
                    pass  # to its very end, where the storage's checksum is verified
            except (pa.ArrowException, OSError, MemoryError, OverflowError, json.JSONDecodeError) as error:
                raise StorageError(f"the staged object {self._key} is damaged: {error}") from error

    @property
    def position(self) -> Mapping[str, Any]:
        """See `Lines`; raises `StorageError` when the object ended without it."""
        if self._position is None:
            raise StorageError(f"the staged object {self._key} is incomplete")
        return self._position

    def read_position(self) -> Mapping[str, Any]:
        """The position alone; the first time it reads the whole object."""
        if self._position is None:
            for _ in self._staged():
                pass
        return self.position

    def held(self) -> Lines:
        """The same lines, with their position known: in memory, unless they are too many for it."""
        if self._position is not None:
            return self
        batches, size = [], 0
        for batch in self:
            size += batch.nbytes
            batches.append(batch)
            if size > HELD:
                self.read_position()
                return self
        return HeldLines(batches, self.position)


Lines: TypeAlias = HeldLines | StagedLines
"""The lines of one interval in the staged schema, iterated by record batch, and the `position` after them: what the source's
reader gave (`SourceBatch.position`), and for staged ones how many `lines` (None: they are still in the source's objects).
"""
