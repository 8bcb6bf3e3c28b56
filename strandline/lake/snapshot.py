"""One version of a Delta table: its files as the log has them, and its rows as Arrow reads them."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import orjson
import pyarrow as pa
import pyarrow.dataset as pads
from deltalake import Schema as DeltaSchema
from deltalake.exceptions import DeltaError

from strandline.engines.port import Scan
from strandline.errors import StorageError, TransientError, tells_of_the_network
from strandline.lake.log import PARTS, Action, State
from strandline.lake.objects import ObjectMissing

if TYPE_CHECKING:
    from strandline.lake.tables import Table

ORDINAL = "ordinal"
_IN_NAME = re.compile(r"(?:^|/)([0-9]{12})-")  # of the file, or of the folder of files that an engine wrote
_NEAR, _AT_ONCE = 256 << 10, 32 << 20  # bytes


@dataclass(frozen=True, slots=True)
class DataFile:
    """One live file of a snapshot: `size` in bytes, bounds of the columns with statistics.

    `ordinal` is that of the commit that wrote it, 0 for a file that somebody else's tool wrote; `tags` say more about it.
    """

    path: str
    size: int
    rows: int
    partition: date | None
    ordinal: int
    minimum: Mapping[str, Any]
    maximum: Mapping[str, Any]
    tags: Mapping[str, str]


class Snapshot:
    """One version of a table; nothing of it ever changes."""

    def __init__(self, table: Table, state: State) -> None:
        self._table, self.state = table, state
        self.version = state.version
        self.schema = pa.schema(delta_schema(state.metadata["schemaString"]).to_arrow())
        self.partition_by: str | None = next(iter(state.metadata["partitionColumns"]), None)
        self.path = table.path

    def position(self, application: str) -> int:
        """How far the table has consumed `application`; 0 when it never did."""
        return self.state.transactions.get(application, 0)

    @property
    def ordinal(self) -> int:
        """The number of the last commit that brought rows or positions; the next one is one more."""
        return self.position(ORDINAL)

    @property
    def files(self) -> tuple[DataFile, ...]:
        """The live files, oldest commit first."""
        kept = self.state.kept
        if "files" not in kept:
            known, parts = kept.get(PARTS, {}), {}
            for path, add in self.state.adds.items():
                held = known.get(path)
                parts[path] = held if held and held[0] is add else (add, self._data_file(path, add))
            kept[PARTS] = parts
            kept["files"] = tuple(sorted((file for _, file in parts.values()), key=lambda f: (f.ordinal, f.path)))
        files: tuple[DataFile, ...] = kept["files"]
        return files

    def _data_file(self, path: str, add: Action) -> DataFile:
        told = orjson.loads(add["stats"]) if add.get("stats") else {}
        ordinal = _IN_NAME.search(path)
        day = add["partitionValues"].get(self.partition_by) if self.partition_by else None
        return DataFile(
            path,
            add["size"],
            told.get("numRecords") or 0,
            date.fromisoformat(day) if day else None,
            int(ordinal[1]) if ordinal else 0,
            {name: self._value(name, value) for name, value in told.get("minValues", {}).items()},
            {name: self._value(name, value) for name, value in told.get("maxValues", {}).items()},
            add.get("tags") or {},
        )

    def _value(self, column: str, told: Any) -> Any:
        """A bound as it stands in the log's JSON, as a value of its column."""
        index = self.schema.get_field_index(column)
        if not isinstance(told, str) or index < 0:
            return told
        type_ = self.schema.field(index).type
        if pa.types.is_timestamp(type_):
            return datetime.fromisoformat(told)
        return date.fromisoformat(told) if pa.types.is_date(type_) else told

    def retyped(self, schema: pa.Schema) -> tuple[str, ...]:
        """The columns of `schema` that the table holds under the same name in another type."""
        held = {f.name: f.type for f in delta_schema(self.state.metadata["schemaString"]).fields}
        return tuple(f.name for f in DeltaSchema.from_arrow(schema).fields if held.get(f.name, f.type) != f.type)

    def files_since(self, ordinal: int) -> tuple[DataFile, ...]:
        """The live files written by commits after `ordinal`."""
        return tuple(f for f in self.files if f.ordinal > ordinal)

    def files_of(self, partitions: Collection[date]) -> tuple[DataFile, ...]:
        """The live files of some partitions."""
        return tuple(self._chosen(partitions, None))

    @property
    def rows(self) -> int:
        """How many rows the snapshot holds, from the log."""
        return sum(f.rows for f in self.files)

    def dataset(
        self,
        partitions: Collection[date] | None = None,
        files: Iterable[DataFile] | None = None,
        may_hold: pads.Expression | None = None,
    ) -> pads.FileSystemDataset:
        """The rows as an Arrow dataset (all of them, of some partitions, or of some files); page checksums are verified on
        reading.

        With `may_hold`, row groups that by their statistics hold no such row are left out; the others are whole.
        """
        format_, filesystem = _parquet(), self._table.filesystem
        fragments = []
        for file in self._chosen(partitions, files):
            path, where = f"{self._table.root}/{file.path}", self._partition_of(file)
            fragment = format_.make_fragment(path, filesystem, partition_expression=where, file_size=file.size)
            fragments.append(fragment if may_hold is None else fragment.subset(may_hold, self.schema))
        return pads.FileSystemDataset(fragments, self.schema, format_, filesystem)

    def _chosen(self, partitions: Collection[date] | None, files: Iterable[DataFile] | None) -> list[DataFile]:
        wanted = None if partitions is None else set(partitions)
        return [f for f in (self.files if files is None else files) if wanted is None or f.partition in wanted]

    def _partition_of(self, file: DataFile) -> pads.Expression | None:
        return pads.field(self.partition_by) == pa.scalar(file.partition, pa.date32()) if self.partition_by else None

    def scan_with_files(self, files: Iterable[DataFile], columns: Sequence[str], where: pads.Expression | None = None) -> Scan:
        """Some columns of some files (`where`: of at least the rows that meet it), with the path of each row's file as `_file`
        (see `DataFile.path`).
        """
        return Scan(self.dataset(files=files), columns, where, with_file=self._table.root)

    def arrow(
        self,
        columns: Sequence[str] | None = None,
        where: pads.Expression | None = None,
        partitions: Collection[date] | None = None,
        files: Iterable[DataFile] | None = None,
    ) -> pa.Table:
        """Rows in memory; for small tables and pruned reads. A small file that is alone is asked for once."""
        chosen, wanted = self._chosen(partitions, files), {"columns": list(columns) if columns else None, "filter": where}
        with reading(self.path):
            if len(chosen) != 1 or chosen[0].size > _NEAR:
                return self.dataset(files=chosen).to_table(**wanted)
            data = pa.BufferReader(self._table.content_of(chosen[0]))
            fragment = _parquet().make_fragment(data, partition_expression=self._partition_of(chosen[0]))
            return fragment.to_table(schema=self.schema, **wanted)


@lru_cache(maxsize=1)
def _parquet() -> pads.ParquetFileFormat:
    """How files are read: pages are held against their checksums, and what lies near is asked for at once, since a request of
    its own takes longer than the bytes in between.
    """
    near = pa.CacheOptions(hole_size_limit=_NEAR, range_size_limit=_AT_ONCE)
    options = pads.ParquetFragmentScanOptions(page_checksum_verification=True, pre_buffer=True, cache_options=near)
    return pads.ParquetFileFormat(default_fragment_scan_options=options)


@lru_cache(maxsize=512)
def delta_schema(text: str) -> DeltaSchema:
    """The schema that a table's metadata tell."""
    return DeltaSchema.from_json(text)


@contextlib.contextmanager
def reading(path: str) -> Iterator[None]:
    """The libraries' errors while a table is read, as ours: `StorageError` for damage, else `TransientError`."""
    try:
        yield
    except ObjectMissing as error:  # of a version that another run has left behind, and maintenance with it
        raise TransientError(f"read {path}: {error}") from error
    except (pa.ArrowInvalid, OSError) as error:
        if _says_the_storage(error):
            raise classified(error, f"read {path}") from error
        raise StorageError(f"read {path}: a stored file is damaged: {error}") from error
    except DeltaError as error:
        raise classified(error, f"read {path}") from error


def _says_the_storage(error: pa.ArrowInvalid | OSError) -> bool:
    """Whether not the Parquet reader does: what that finds wrong with a file it says in ever other words."""
    return isinstance(error, OSError) and (error.errno is not None or tells_of_the_network(str(error)))


_FINAL = ("AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch", "403 Forbidden", "NoSuchBucket", "CRC", "Corrupt")


def classified(error: DeltaError | OSError, doing: str) -> StorageError | TransientError:
    """Refused or damaged is final; everything else the network may have done."""
    text = str(error).partition("\n   0: ")[0]  # what follows are the library's own stack frames
    if any(sign in text for sign in _FINAL):
        return StorageError(f"{doing}: {text}")
    return TransientError(f"{doing}: {text}")
