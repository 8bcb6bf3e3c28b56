"""Files of one table in another one, without a row being decoded: their pages are copied and put together to larger files.

What the log says of a file (number of rows, bounds, nulls) holds for its copy too, so it is put together likewise. The files
copied are whole or not at all: each is held against its checksum in the log first.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import orjson

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
    joined: JoinedFile | None = None
    kind: tuple[Any, ...] = ()
    bounds = Bounds()
    for done, (file, data) in enumerate(_read(source, files, writer.objects), 1):
        footer = _footer(source, file, data)
        of_it = (file.partition, footer.shape, file.minimum.get("_contract_version"), file.maximum.get("_contract_version"))
        full = joined is not None and (joined.size + len(data) > FILE_BYTES or joined.groups + footer.groups > _MOST_GROUPS)
        if joined is not None and (of_it != kind or full):
            _put(writer, joined, bounds, kind)
            joined = None
        if joined is None:
            joined, kind, bounds = JoinedFile(footer), of_it, Bounds()
        joined.add(data, footer)
        bounds = bounds.and_(Bounds.of(source.state.adds[file.path]["stats"]))
        told(done)
    if joined is not None:
        _put(writer, joined, bounds, kind)


def _put(writer: PartitionedWriter, joined: JoinedFile, bounds: Bounds, kind: tuple[Any, ...]) -> None:
    writer.put(joined.close(), joined.rows, kind[0], bounds.statistics())


def _read(source: Snapshot, files: Sequence[DataFile], objects: Objects) -> Iterator[tuple[DataFile, bytes]]:
    """The files with their bytes, some at once."""

    def got(file: DataFile) -> bytes:
        return objects.get(f"{source.path}/{file.path}")

    with ThreadPoolExecutor(_READERS) as pool:
        first = 0
        while first < len(files):
            size, end = files[first].size, first + 1
            while end < len(files) and size + files[end].size <= _READ_BYTES:
                size, end = size + files[end].size, end + 1
            yield from zip(files[first:end], pool.map(got, files[first:end]), strict=True)
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
