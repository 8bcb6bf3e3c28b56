"""Delta tables, and the one protocol by which anything is ever committed to them.

A commit is a compare-and-swap of one table version: open the table, let the caller decide from that very snapshot what to
add and remove, and commit through the same handle without letting the library rebase it. Whoever loses the race decides
again from the new snapshot. A position (what the table has consumed of another one) is an application transaction in the
same commit, so it can never run ahead of the data or fall behind it. After any error the table is opened anew and asked,
because a lost reply may have landed.

Source: Delta Lake transaction protocol, "Transaction Identifiers".
"""

from __future__ import annotations

import contextlib
import random
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as pads
from deltalake import DeltaTable
from deltalake import Schema as DeltaSchema
from deltalake.exceptions import CommitFailedError, DeltaError, TableNotFoundError
from deltalake.transaction import AddAction, CommitProperties, RemoveAction, Transaction

from strandline.errors import DataError, StorageError, TransientError
from strandline.lake.parquet import PartitionedWriter, WrittenFile

if TYPE_CHECKING:
    from strandline.lake.lake import Lake

ORDINAL = "ordinal"
_ATTEMPTS = 12
_CONFIGURATION = {"delta.checkpointInterval": "20", "delta.logRetentionDuration": "interval 7 days"}


class SupersededError(TransientError):
    """Another run has moved the table on meanwhile; look again. A decision that raises it ends the commit."""


@dataclass(frozen=True, slots=True)
class DataFile:
    """One live file of a snapshot: `size` in bytes, bounds of the columns with statistics.

    `ordinal` is that of the commit that wrote it, 0 for a file that somebody else's tool wrote.
    """

    path: str
    size: int
    rows: int
    partition: date | None
    ordinal: int
    minimum: Mapping[str, Any]
    maximum: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Commit:
    """What a decision wants committed: files to add and to remove, and the positions reached by that (application → version).

    A commit that only removes (retention) is no news to those who follow the table, so it takes no ordinal. With `schema` the
    table has these columns from then on, and the added files replace every live one.
    """

    add: Sequence[WrittenFile] = ()
    remove: Sequence[DataFile] = ()
    positions: Mapping[str, int] = field(default_factory=dict)
    note: Mapping[str, Any] = field(default_factory=dict)
    schema: pa.Schema | None = None


class Snapshot:
    """One version of a table; nothing of it ever changes."""

    def __init__(self, table: Table, delta: DeltaTable) -> None:
        self._table, self._delta = table, delta
        self.version: int = delta.version()
        self.schema: pa.Schema = pa.schema(delta.schema().to_arrow())
        self.partition_by: str | None = next(iter(delta.metadata().partition_columns), None)
        self.path = table.path

    def position(self, application: str) -> int:
        """How far the table has consumed `application`; 0 when it never did."""
        with reading(self.path):
            return self._delta.transaction_version(application) or 0

    @property
    def ordinal(self) -> int:
        """The number of the last commit that brought rows or positions; the next one is one more."""
        return self.position(ORDINAL)

    @cached_property
    def files(self) -> tuple[DataFile, ...]:
        """The live files, oldest commit first."""
        with reading(self.path):
            actions = pa.table(self._delta.get_add_actions(flatten=True)).to_pylist()
        return tuple(sorted((self._data_file(action) for action in actions), key=lambda f: (f.ordinal, f.path)))

    def _data_file(self, action: Mapping[str, Any]) -> DataFile:
        bounds: dict[str, dict[str, Any]] = {"min": {}, "max": {}}
        for name, value in action.items():
            kind, _, column = name.partition(".")
            if kind in bounds and value is not None:
                bounds[kind][column] = value
        path = action["path"]
        ordinal = path.rpartition("/")[2].partition("-")[0]
        partition = action.get(f"partition.{self.partition_by}")
        return DataFile(
            path,
            action["size_bytes"],
            action["num_records"] or 0,
            partition,
            int(ordinal) if ordinal.isdigit() else 0,
            bounds["min"],
            bounds["max"],
        )

    def retyped(self, schema: pa.Schema) -> tuple[str, ...]:
        """The columns of `schema` that the table holds under the same name in another type."""
        held = {f.name: f.type for f in self._delta.schema().fields}
        return tuple(f.name for f in DeltaSchema.from_arrow(schema).fields if held.get(f.name, f.type) != f.type)

    def files_since(self, ordinal: int) -> tuple[DataFile, ...]:
        """The live files written by commits after `ordinal`."""
        return tuple(f for f in self.files if f.ordinal > ordinal)

    def files_of(self, partitions: Collection[date]) -> tuple[DataFile, ...]:
        """The live files of some partitions."""
        wanted = set(partitions)
        return tuple(f for f in self.files if f.partition in wanted)

    @property
    def rows(self) -> int:
        """How many rows the snapshot holds, from the log."""
        return sum(f.rows for f in self.files)

    def dataset(
        self, partitions: Collection[date] | None = None, files: Iterable[DataFile] | None = None
    ) -> pads.FileSystemDataset:
        """The rows as an Arrow dataset (all of them, of some partitions, or of some files); page checksums are verified on
        reading.
        """
        chosen = list(self.files if files is None else files)
        if partitions is not None:
            wanted = set(partitions)
            chosen = [f for f in chosen if f.partition in wanted]
        options = pads.ParquetFragmentScanOptions(page_checksum_verification=True, pre_buffer=True)
        format_ = pads.ParquetFileFormat(default_fragment_scan_options=options)
        filesystem = self._table.filesystem
        fragments = []
        for file in chosen:
            where = None
            if self.partition_by:
                where = pads.field(self.partition_by) == pa.scalar(file.partition, pa.date32())
            path = f"{self._table.root}/{file.path}"
            fragments.append(format_.make_fragment(path, filesystem, partition_expression=where, file_size=file.size))
        return pads.FileSystemDataset(fragments, self.schema, format_, filesystem)

    def rows_with_files(self, files: Iterable[DataFile], columns: Sequence[str]) -> pa.RecordBatchReader:
        """Some columns of some files as they come, with the path of each row's file as `_file` (see `DataFile.path`)."""
        reader = self.dataset(files=files).scanner(columns=[*columns, "__filename"]).to_reader()
        start = len(self._table.root) + 1
        schema = pa.schema([*(f for f in reader.schema if f.name != "__filename"), ("_file", pa.string())])

        def batches() -> Iterator[pa.RecordBatch]:
            for batch in reader:
                paths = pc.utf8_slice_codeunits(batch["__filename"].cast(pa.string()), start)
                yield pa.RecordBatch.from_arrays([*(batch[name] for name in schema.names[:-1]), paths], schema=schema)

        return pa.RecordBatchReader.from_batches(schema, batches())

    def arrow(
        self,
        columns: Sequence[str] | None = None,
        where: pads.Expression | None = None,
        partitions: Collection[date] | None = None,
        files: Iterable[DataFile] | None = None,
    ) -> pa.Table:
        """Rows in memory; for small tables and pruned reads."""
        with reading(self.path):
            return self.dataset(partitions, files).to_table(columns=list(columns) if columns else None, filter=where)


class Table:
    """One Delta table of a lake, by its path relative to the root."""

    def __init__(self, lake: Lake, path: str) -> None:
        self._lake = lake
        self.path = path
        self.url = f"{lake.url}/{path}"

    @property
    def filesystem(self) -> Any:
        """The Arrow filesystem that holds the table's files."""
        return self._lake.filesystem

    @property
    def root(self) -> str:
        """Where the table stands in `filesystem`."""
        return f"{self._lake.root}/{self.path}"

    def snapshot(self, version: int | None = None) -> Snapshot | None:
        """The newest version, or the given one; None when there is no table (yet)."""
        try:
            return Snapshot(self, DeltaTable(self.url, version=version, storage_options=self._lake.storage_options))
        except TableNotFoundError:
            return None
        except DeltaError as error:
            if _is_unborn(error):
                return None
            raise _classified(error, f"open {self.path}") from error
        except OSError as error:
            raise TransientError(f"open {self.path}: {error}") from error

    def writer(self, snapshot: Snapshot, schema: pa.Schema, statistics: Sequence[str] = ()) -> PartitionedWriter:
        """A writer of files for the commit that would follow `snapshot`."""
        return PartitionedWriter(self._lake.objects, self.path, schema, snapshot.ordinal + 1, snapshot.partition_by, statistics)

    def commit(
        self,
        schema: pa.Schema,
        decide: Callable[[Snapshot], Commit | None],
        partition_by: str | None = None,
        *,
        may_retype: bool = False,
    ) -> bool:
        """Whether this call committed what `decide` chose from the newest snapshot; False when it chose nothing.

        `decide` runs again after every lost race or unclear answer, so it must look at the snapshot's positions itself and
        return None once its work is there. Creates the table on first use and adds columns that `schema` has and the table
        lacks. Raises `TransientError` when the races go on too long, `DataError` when the table holds a column in another
        type, unless `decide` answers that with a new `Commit.schema` (`may_retype`).
        """
        last: Exception | None = None
        for attempt in range(_ATTEMPTS):
            if attempt:
                time.sleep(random.uniform(0, min(0.05 * 2**attempt, 3)))
            try:
                snapshot = self.snapshot()
                if snapshot is None:
                    self._create(schema, partition_by)
                    snapshot = self.snapshot()
                    if snapshot is None:
                        continue
                if missing := [f for f in schema if f.name not in snapshot.schema.names]:
                    self._add_columns(snapshot, missing)
                    continue
                if not may_retype:
                    self.check_types(snapshot, schema)
                chosen = decide(snapshot)
                if chosen is None:
                    return False
                self._swap(snapshot, chosen)
                return True
            except SupersededError:
                raise
            except (CommitFailedError, TransientError) as error:
                last = error
            except (DeltaError, OSError) as error:
                classified = _classified(error, f"commit to {self.path}")
                if not isinstance(classified, TransientError):
                    raise classified from error
                last = error
        raise TransientError(f"commit to {self.path}: gave up after {_ATTEMPTS} tries: {last}") from last

    def check_types(self, snapshot: Snapshot, schema: pa.Schema) -> None:
        """Raises `DataError` when the table holds a column of `schema` in another type."""
        if names := snapshot.retyped(schema):
            raise DataError(
                f"{self.path} holds {', '.join(names)} in another type than the contract of today declares: "
                f"`strandline run batch --rebuild --stream {self.path.split('/')[2]}` brings the tables in line"
            )

    def vacuum(self, keep_hours: int = 168) -> int:
        """How many files went: those that no version of the last `keep_hours` hours names (left by lost races and rewrites)."""
        snapshot = self.snapshot()
        if snapshot is None:
            return 0
        try:
            return len(snapshot._delta.vacuum(retention_hours=keep_hours, dry_run=False, enforce_retention_duration=False))
        except (DeltaError, OSError) as error:
            raise _classified(error, f"vacuum {self.path}") from error

    def _create(self, schema: pa.Schema, partition_by: str | None) -> None:
        DeltaTable.create(
            self.url,
            schema=schema,
            partition_by=[partition_by] if partition_by else None,
            mode="ignore",
            configuration=_CONFIGURATION,
            storage_options=self._lake.storage_options,
        )

    def _add_columns(self, snapshot: Snapshot, missing: Sequence[pa.Field]) -> None:
        fields = DeltaSchema.from_arrow(pa.schema([f.with_nullable(True) for f in missing])).fields
        snapshot._delta.alter.add_columns(fields, commit_properties=CommitProperties(max_commit_retries=0))

    def _swap(self, snapshot: Snapshot, chosen: Commit) -> None:
        now = int(time.time() * 1000)
        actions: list[AddAction | RemoveAction] = [
            AddAction(w.path, w.size, _partition_values(snapshot.partition_by, w.partition), w.modified_ms, True, w.statistics)
            for w in chosen.add
        ]
        removed = [
            RemoveAction(f.path, True, now, partition_values=_partition_values(snapshot.partition_by, f.partition), size=f.size)
            for f in chosen.remove
        ]
        news = bool(chosen.add or chosen.positions)
        positions = {**chosen.positions, ORDINAL: snapshot.ordinal + (1 if news else 0)}
        snapshot._delta.create_write_transaction(
            actions if chosen.schema is not None else [*actions, *removed],
            "overwrite" if chosen.schema is not None else "append",  # to overwrite is to remove every live file
            snapshot.schema if chosen.schema is None else chosen.schema,
            partition_by=[snapshot.partition_by] if snapshot.partition_by else None,
            commit_properties=CommitProperties(
                custom_metadata={key: str(value) for key, value in chosen.note.items()},
                max_commit_retries=0,
                app_transactions=[Transaction(name, version) for name, version in positions.items()],
            ),
        )


def _partition_values(column: str | None, value: date | None) -> dict[str, str | None]:
    return {column: value.isoformat() if value else None} if column else {}


def _is_unborn(error: DeltaError) -> bool:
    """Whether a kill during the first create left only an empty log behind."""
    text = str(error).lower()
    return "not a delta table" in text or "no files in log segment" in text or "no snapshot" in text


@contextlib.contextmanager
def reading(path: str) -> Iterator[None]:
    """The libraries' errors while a table is read, as ours: `StorageError` for damage, else `TransientError`."""
    try:
        yield
    except (DeltaError, OSError) as error:
        raise _classified(error, f"read {path}") from error


_FINAL = ("AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch", "403 Forbidden", "NoSuchBucket", "CRC", "Corrupt")


def _classified(error: DeltaError | OSError, doing: str) -> StorageError | TransientError:
    """Refused or damaged is final; everything else the network may have done."""
    text = str(error).partition("\n   0: ")[0]  # what follows are the library's own stack frames
    if any(sign in text for sign in _FINAL):
        return StorageError(f"{doing}: {text}")
    return TransientError(f"{doing}: {text}")
