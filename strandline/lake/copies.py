"""Files of one table in another one, without a row being decoded: their pages are copied and put together to larger files.

What the log says of a file (number of rows, bounds, nulls) holds for its copy too, so it is put together likewise. The files
copied are whole or not at all: each is held against its checksum in the log first.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import orjson

from strandline.at_once import in_order
from strandline.errors import StorageError
from strandline.lake.footers import Footer, JoinedFile
from strandline.lake.objects import Objects
from strandline.lake.parquet import CHECKSUM, FILE_BYTES, PartitionedWriter, checksum
from strandline.lake.snapshot import DataFile, Snapshot

_READ_BYTES = 32 << 20
"""Bytes of files that are read side by side, before their pages are copied."""
_READERS = 8
_MOST_GROUPS = 16_000  # row groups are numbered by 16 bits


@dataclass(slots=True)
class Bounds:
    """The statistics that the log holds of one file, or of several together (values as they stand in its JSON)."""

    rows: int = 0
    low: dict[str, Any] = field(default_factory=dict)
    high: dict[str, Any] = field(default_factory=dict)
    nulls: dict[str, int] = field(default_factory=dict)

    @classmethod
    def of(cls, statistics: str) -> Bounds:
        """Those of one file."""
        told = orjson.loads(statistics)
        return cls(told["numRecords"], told.get("minValues", {}), told.get("maxValues", {}), told.get("nullCount", {}))

    def and_(self, other: Bounds) -> Bounds:
        """Those of both: a column has bounds if it has them in both, or is all null in one."""
        if not self.rows:
            return other
        low, high = {}, {}
        nulls = {name: count + other.nulls[name] for name, count in self.nulls.items() if name in other.nulls}
        for name in nulls:
            told = [each for each in (self, other) if name in each.low]
            if told and all(name in each.low or each.nulls[name] == each.rows for each in (self, other)):
                low[name], high[name] = min(each.low[name] for each in told), max(each.high[name] for each in told)
        return Bounds(self.rows + other.rows, low, high, nulls)

    def statistics(self) -> str:
        """As the log wants them."""
        return json.dumps({"numRecords": self.rows, "minValues": self.low, "maxValues": self.high, "nullCount": self.nulls})


def copy_files(
    source: Snapshot, files: Sequence[DataFile], writer: PartitionedWriter, told: Callable[[int], None] = lambda done: None
) -> None:
    """Puts the rows of files of `source` below the table of `writer`, which counts them among its own; in the order given, a
    file no larger than `FILE_BYTES` unless one alone is.

    What follows one another should be of one partition and of one contract version: only alike files are put together. `told`
    hears of the number of files that are done. Raises `StorageError` naming a file that is damaged.
    """
    for _ in in_order(partial(_put, writer), _joined(source, files, writer.objects, told), 1):
        pass


@dataclass(slots=True)
class _Joined:
    """A file in the making, what all that is in it has in common (first its partition), and its bounds."""

    file: JoinedFile
    kind: tuple[Any, ...]
    bounds: Bounds = field(default_factory=Bounds)


def _joined(source: Snapshot, files: Sequence[DataFile], objects: Objects, told: Callable[[int], None]) -> Iterator[_Joined]:
    """The files put together, each while the one before is written."""
    joined: _Joined | None = None
    for done, (file, data, footer) in enumerate(_read(source, files, objects), 1):
        kind = (file.partition, footer.shape, file.minimum.get("_contract_version"), file.maximum.get("_contract_version"))
        if joined is not None and (joined.kind != kind or not _has_room(joined.file, data, footer)):
            yield joined
            joined = None
        if joined is None:
            joined = _Joined(JoinedFile(footer), kind)
        joined.file.add(data, footer)
        joined.bounds = joined.bounds.and_(Bounds.of(source.state.adds[file.path]["stats"]))
        told(done)
    if joined is not None:
        yield joined


def _has_room(joined: JoinedFile, data: bytes, footer: Footer) -> bool:
    return joined.size + len(data) <= FILE_BYTES and joined.groups + footer.groups <= _MOST_GROUPS


def _put(writer: PartitionedWriter, joined: _Joined) -> None:
    writer.put(joined.file.close(), joined.file.rows, joined.kind[0], joined.bounds.statistics())


def _read(source: Snapshot, files: Sequence[DataFile], objects: Objects) -> Iterator[tuple[DataFile, bytes, Footer]]:
    """The files with their bytes and footers, some at once; each is whole."""

    def got(file: DataFile) -> tuple[DataFile, bytes, Footer]:
        data = objects.get(f"{source.path}/{file.path}")
        return file, data, _footer(source, file, data)

    with ThreadPoolExecutor(_READERS) as pool:
        first = 0
        while first < len(files):
            size, end = files[first].size, first + 1
            while end < len(files) and size + files[end].size <= _READ_BYTES:
                size, end = size + files[end].size, end + 1
            yield from pool.map(got, files[first:end])
            first = end


def _footer(source: Snapshot, file: DataFile, data: bytes) -> Footer:
    """The footer of a file that is whole."""
    path = f"{source.path}/{file.path}"
    if len(data) != file.size or (CHECKSUM in file.tags and file.tags[CHECKSUM] != checksum(data)):
        raise StorageError(f"a stored file is damaged: {path} is not what the log says of it")
    try:
        return Footer.of(data)
    except StorageError as error:
        raise StorageError(f"a stored file is damaged: {path}: {error}") from error
