"""The staged object: one interval's lines as they may be written, between *generate* and *land*.

An Arrow IPC stream with zstd buffers (schema `plan.schemas.STAGED`). The position reached is known only once the source was
read, so it travels as the metadata of a last, empty record batch.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

import pyarrow as pa
import pyarrow.ipc as ipc

from strandline.errors import StorageError
from strandline.intervals import Interval
from strandline.lake.objects import Objects
from strandline.lake.paths import staging
from strandline.lines.protect import ProtectedLine, plain_digests
from strandline.plan.schemas import STAGED
from strandline.sources.source import LineBlock, RawLine

ROWS = 8_192
_IN_MEMORY = 32 << 20
_REST = 1 << 16
_KEPT = 31 << 20


def staged_start(key: str) -> datetime:
    """The start of the interval that a staged object holds, by its key (see `Interval.key`)."""
    name = key.rpartition("/")[2].removesuffix(".arrow")
    return datetime.strptime(name, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)


@lru_cache(maxsize=1)
def keep_freed_memory() -> None:
    """Lets the C library keep what one block of lines frees for the next one. Given back to the system and faulted in anew, it
    costs 2 CPU seconds a million lines.

    glibc learns from the largest piece it has seen freed, up to 32 MiB; another library takes no notice.
    Source: mallopt(3), M_MMAP_THRESHOLD.
    """
    bytearray(_KEPT)


def write_staged(
    objects: Objects,
    stream: str,
    interval: Interval,
    batches: Iterable[pa.RecordBatch | tuple[Sequence[RawLine], Sequence[ProtectedLine]]],
    position: Any,
) -> Mapping[str, Any] | None:
    """The position (see `StagedLines.position`) when this call staged the interval; None when it was staged before (the first
    write wins).
    """
    with tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY) as file:
        options = ipc.IpcWriteOptions(compression="zstd")
        lines = 0
        with ipc.new_stream(file, STAGED, options=options) as writer:
            for given in batches:
                batch = given if isinstance(given, pa.RecordBatch) else staged_batch(*given)
                writer.write_batch(batch)
                lines += batch.num_rows
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
            "source_line": pa.array(range(block.first + start, block.first + start + size), pa.int64()),
            "digest": pa.array(plain_digests(raws.to_pylist()), pa.string()),
            "sealed": pa.repeat(pa.scalar(False), size),
        }
        given = [columns[f.name] if f.name in columns else pa.nulls(size, f.type) for f in STAGED]
        yield pa.RecordBatch.from_arrays(given, schema=STAGED)


class StagedLines:
    """A staged object being read: iterate its record batches; `position` is known once they are exhausted."""

    def __init__(self, objects: Objects, stream: str, interval: Interval) -> None:
        self._objects, self._key = objects, staging(stream, interval)
        self._position: Mapping[str, Any] | None = None

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        """The record batches in line order. Raises `ObjectMissing` when nothing is staged, `StorageError` on damage."""
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
        """`{"lines": n, "cursor": {...}, "objects": [...]}`; raises `StorageError` when the object ended without it."""
        if self._position is None:
            raise StorageError(f"the staged object {self._key} is incomplete")
        return self._position

    def read_position(self) -> Mapping[str, Any]:
        """The position alone; reads the whole object."""
        for _ in self:
            pass
        return self.position
