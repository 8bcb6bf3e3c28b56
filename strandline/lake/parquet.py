"""Parquet files of a table: written whole through the objects port, with page checksums and the statistics that readers
prune by.

Files are named `<partition>/<ordinal>-<random>.parquet`. The ordinal is the number of the commit that adds them, so which
partitions changed since a position is read from the log alone.
"""

from __future__ import annotations

import io
import json
import time
import uuid
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from strandline.lake.objects import Objects

ROW_GROUP_ROWS = 64_000
ROW_GROUP_BYTES = 64 << 20
"""Bytes in memory, not compressed, at which a row group is written whatever its rows."""
FILE_BYTES = 64 << 20
CHECKSUM = "crc32"
"""The tag of a file in the log that holds its checksum."""
_SAMPLE = 4_096
_LONGEST_STATISTIC = 256
_GREATEST = "\U0010ffff"  # no character is greater; a text of more than these is taken for less than it is by none


def checksum(data: bytes) -> str:
    """The checksum of a file as the log has it: CRC-32, 8 hex digits."""
    return f"{zlib.crc32(data):08x}"


@dataclass(frozen=True, slots=True)
class WrittenFile:
    """A Parquet file that stands in the lake but that no commit names yet; `statistics` is Delta's JSON, `tags` go into the
    log with it.
    """

    path: str
    size: int
    rows: int
    partition: date | None
    modified_ms: int
    statistics: str
    tags: Mapping[str, str] = field(default_factory=dict)


class PartitionedWriter:
    """Writes record batches into files of one table, one open file a partition; `close` returns what was written.

    Rows should come clustered by partition: a change of partition closes nothing, but each open partition holds a buffer of
    at most `FILE_BYTES`. `statistics` names the columns whose smallest and greatest value go into the log.
    """

    def __init__(
        self, objects: Objects, table: str, schema: pa.Schema, ordinal: int, partition_by: str | None, statistics: Sequence[str]
    ) -> None:
        self.objects, self.table, self.ordinal = objects, table, ordinal
        self.partition_by, self.whole_schema = partition_by, schema
        self._statistics = tuple(statistics)
        self._schema = pa.schema([f for f in schema if f.name != partition_by])
        self._bounded: bool | list[str] = True
        self._open: dict[date | None, _OpenFile] = {}
        self._written: list[WrittenFile] = []

    def lean(self) -> PartitionedWriter:
        """This writer, whose row groups have bounds of the statistics' columns only: for rows that nobody seeks by others."""
        self._bounded = [name for name in self._statistics if name in self._schema.names]
        return self

    def write(self, batch: pa.RecordBatch | pa.Table) -> None:
        """Add rows; columns are taken by name and cast safely to the table's schema."""
        table = pa.Table.from_batches([batch]) if isinstance(batch, pa.RecordBatch) else batch
        if not self.partition_by:
            self._append(None, table)
            return
        values = pc.unique(table[self.partition_by].combine_chunks()).to_pylist()
        for value in values:
            rows = (
                table if len(values) == 1 else table.filter(pc.equal(table[self.partition_by], pa.scalar(value, pa.date32())))
            )
            self._append(value, rows)

    def write_all(self, batches: Iterable[pa.RecordBatch]) -> None:
        """Add every batch."""
        for batch in batches:
            if batch.num_rows:
                self.write(batch)

    def end_row_group(self) -> None:
        """Close the current row group of every open file, so that what follows can be read (or skipped) apart."""
        for file in self._open.values():
            file.flush()

    def end_file(self) -> None:
        """Put every open file; what follows goes into new ones."""
        for partition in list(self._open):
            self._finish(partition)

    def widen(self, column: str, values: Iterable[Any]) -> None:
        """Let the statistics of `column` also span `values` (what the rows stand for, without holding it), for files still
        open.
        """
        for file in self._open.values():
            file.wider.setdefault(column, []).extend(values)

    def touch(self, partition: date | None) -> None:
        """Make sure that `partition` gets a file, if only an empty one: the mark that it was rewritten."""
        if partition not in self._open and all(w.partition != partition for w in self._written):
            self._open[partition] = _OpenFile(self._schema, self._bounded)

    def adopt(self, files: Iterable[WrittenFile]) -> None:
        """Count files among those of this writer that an engine has put below the table."""
        self._written.extend(files)

    def statistics_of(self, metadata: pq.FileMetaData) -> str:
        """Delta's statistics of a file with this footer, as of a file of this writer."""
        return _statistics(metadata, self._statistics, {})

    def close(self) -> list[WrittenFile]:
        """Put what is still open and return every file of this writer."""
        self.end_file()
        return self._written

    def _append(self, partition: date | None, rows: pa.Table) -> None:
        file = self._open.setdefault(partition, _OpenFile(self._schema, self._bounded))
        chosen = rows.select(self._schema.names)
        file.append(chosen if chosen.schema.equals(self._schema) else chosen.cast(self._schema))
        if file.size >= FILE_BYTES:
            self._finish(partition)

    def _finish(self, partition: date | None) -> None:
        file = self._open.pop(partition)
        data, metadata = file.close()
        self.put(data, metadata.num_rows, partition, _statistics(metadata, self._statistics, file.wider))

    def put(self, data: bytes, rows: int, partition: date | None, statistics: str) -> None:
        """Put a whole file under a name of this writer, and count it among its files."""
        folder = f"{self.partition_by}={partition.isoformat()}/" if partition else ""
        path = f"{folder}{self.ordinal:012d}-{uuid.uuid4().hex[:12]}.parquet"
        self.objects.put(f"{self.table}/{path}", data)
        tags = {CHECKSUM: checksum(data)}
        self._written.append(WrittenFile(path, len(data), rows, partition, int(time.time() * 1000), statistics, tags))


class _OpenFile:
    """One Parquet file in memory, compressed as it grows; `bounded` names the columns whose row groups have statistics."""

    def __init__(self, schema: pa.Schema, bounded: bool | list[str]) -> None:
        self._schema, self._bounded = schema, bounded
        self._sink = io.BytesIO()  # grows by eighths and gives its bytes uncopied, where Arrow's doubles and copies
        self._metadata: list[pq.FileMetaData] = []
        self._writer: pq.ParquetWriter | None = None
        self._rows: list[pa.Table] = []
        self._pending = self._bytes = 0
        self.wider: dict[str, list[Any]] = {}

    @property
    def size(self) -> int:
        return self._sink.tell()

    def append(self, rows: pa.Table) -> None:
        self._rows.append(rows)
        self._pending += rows.num_rows
        self._bytes += rows.nbytes
        if self._pending >= ROW_GROUP_ROWS or self._bytes >= ROW_GROUP_BYTES:
            self.flush()

    def flush(self) -> None:
        if self._rows:
            rows = pa.concat_tables(self._rows)
            self._open(rows).write_table(rows, row_group_size=max(self._pending, 1))
            self._rows, self._pending, self._bytes = [], 0, 0

    def close(self) -> tuple[bytes, pq.FileMetaData]:
        self.flush()
        self._open(self._schema.empty_table()).close()
        return self._sink.getvalue(), self._metadata[0]

    def _open(self, rows: pa.Table) -> pq.ParquetWriter:
        """The writer; what the first rows look like says which columns get a dictionary."""
        if self._writer is None:
            self._writer = pq.ParquetWriter(
                self._sink,
                self._schema,
                use_dictionary=_repetitive(rows),
                compression="zstd",
                compression_level=1,
                write_statistics=self._bounded,
                write_page_checksum=True,
                store_schema=False,
                metadata_collector=self._metadata,
            )
        return self._writer


def _repetitive(rows: pa.Table) -> list[str] | bool:
    """The columns of which a dictionary makes a row group smaller. In a small one compression alone does as well, for less."""
    if rows.num_rows < _SAMPLE:
        return False
    sample = rows.slice(0, _SAMPLE)
    return [name for name in rows.column_names if pc.count_distinct(sample[name]).as_py() * 10 <= _SAMPLE]


def _statistics(metadata: pq.FileMetaData, wanted: Sequence[str], wider: Mapping[str, Sequence[Any]]) -> str:
    """Delta's statistics JSON of a file for the wanted columns that have them."""
    names = metadata.schema.to_arrow_schema().names
    smallest, greatest, nulls = {}, {}, {}
    for name in wanted:
        if name not in names:
            continue
        index = names.index(name)
        found = [metadata.row_group(g).column(index).statistics for g in range(metadata.num_row_groups)]
        if not all(s is not None and s.has_null_count for s in found):
            continue
        nulls[name] = sum(s.null_count for s in found)
        bounds = [(s.min, s.max) for s in found if s.has_min_max] + [(value, value) for value in wider.get(name, ())]
        if bounds and all(s.has_min_max or s.null_count == s.num_values + s.null_count for s in found):
            low, high = _plain(min(b[0] for b in bounds)), _plain(max(b[1] for b in bounds), upper=True)
            if low is not None and high is not None:
                smallest[name], greatest[name] = low, high
    return json.dumps({"numRecords": metadata.num_rows, "minValues": smallest, "maxValues": greatest, "nullCount": nulls})


def _plain(value: Any, *, upper: bool = False) -> str | int | float | None:
    """A bound as Delta writes it: of a long text a short one that lies below it, or above it; None for what is no number."""
    if isinstance(value, datetime):
        plain = value.astimezone(UTC).replace(tzinfo=None)
        return plain.isoformat(timespec="microseconds") + "Z"  # strftime writes the year 1 as 1
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, str):
        short = value[:_LONGEST_STATISTIC]
        return short + _GREATEST if upper and short != value else short
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, float):
        return value if value == value and abs(value) != float("inf") else None
    return value if isinstance(value, int) else None
