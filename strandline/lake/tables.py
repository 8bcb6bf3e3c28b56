"""Delta tables, and the one protocol by which anything is ever committed to them.

A commit is a compare-and-swap of one table version: open the table, let the caller decide from that very snapshot what to
add and remove, and put the log's next entry if it is not there yet. Whoever loses the race decides again from the new
snapshot. A position (what the table has consumed of another one) is an application transaction in the
same commit, so it can never run ahead of the data or fall behind it. After any error the table is opened anew and asked,
because a lost reply may have landed.

Source: Delta Lake transaction protocol, "Transaction Identifiers".
"""

from __future__ import annotations

import contextlib
import random
import re
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import orjson
import pyarrow as pa
import pyarrow.dataset as pads
from deltalake import DeltaTable
from deltalake import Schema as DeltaSchema
from deltalake.exceptions import DeltaError

from strandline.engines.port import Scan
from strandline.errors import DataError, StorageError, TransientError
from strandline.lake.log import Action, Log, State
from strandline.lake.objects import ObjectMissing
from strandline.lake.parquet import PartitionedWriter, WrittenFile

if TYPE_CHECKING:
    from strandline.lake.lake import Lake

ORDINAL = "ordinal"
SECONDS = "seconds"
"""What a commit notes of itself: how long it took to decide on it and to write its files."""
_ORDINAL = re.compile(r"(?:^|/)([0-9]{12})-")  # of the file, or of the folder of files that an engine wrote
_ATTEMPTS = 12
_NEAR, _AT_ONCE = 256 << 10, 32 << 20  # bytes
_CONFIGURATION = {"delta.checkpointInterval": "20", "delta.logRetentionDuration": "interval 7 days"}


class SupersededError(TransientError):
    """Another run has moved the table on meanwhile; look again. A decision that raises it ends the commit."""


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


@dataclass(frozen=True, slots=True)
class Commit:
    """What a decision wants committed: files to add and to remove, and the positions reached by that (application → version).

    A commit without `news` (retention) brings nothing to those who follow the table, so it takes no ordinal. With `schema` the
    table has these columns from then on, and the added files replace every live one.
    """

    add: Sequence[WrittenFile] = ()
    remove: Sequence[DataFile] = ()
    positions: Mapping[str, int] = field(default_factory=dict)
    note: Mapping[str, Any] = field(default_factory=dict)
    schema: pa.Schema | None = None
    news: bool = True


class Snapshot:
    """One version of a table; nothing of it ever changes."""

    def __init__(self, table: Table, state: State) -> None:
        self._table, self.state = table, state
        self.version = state.version
        self.schema = pa.schema(_delta_schema(state.metadata["schemaString"]).to_arrow())
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
        if "files" not in self.state.kept:
            found = (self._data_file(path, add) for path, add in self.state.adds.items())
            self.state.kept["files"] = tuple(sorted(found, key=lambda f: (f.ordinal, f.path)))
        files: tuple[DataFile, ...] = self.state.kept["files"]
        return files

    def _data_file(self, path: str, add: Action) -> DataFile:
        told = orjson.loads(add["stats"]) if add.get("stats") else {}
        ordinal = _ORDINAL.search(path)
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
        held = {f.name: f.type for f in _delta_schema(self.state.metadata["schemaString"]).fields}
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


class Table:
    """One Delta table of a lake, by its path relative to the root."""

    def __init__(self, lake: Lake, path: str) -> None:
        self._lake = lake
        self.path = path
        self.url = f"{lake.url}/{path}"
        self._log = Log(lake.objects, path)

    @property
    def filesystem(self) -> Any:
        """The Arrow filesystem that holds the table's files."""
        return self._lake.filesystem

    @property
    def root(self) -> str:
        """Where the table stands in `filesystem`."""
        return f"{self._lake.root}/{self.path}"

    def content_of(self, file: DataFile) -> bytes:
        """The bytes of a file of the table. Raises `ObjectMissing` when it is gone."""
        return self._lake.objects.get(f"{self.path}/{file.path}")

    def snapshot(self, version: int | None = None) -> Snapshot | None:
        """The newest version, or the given one; None when there is no table (yet).

        Raises `StorageError` when the log is damaged or does not reach the version (any more).
        """
        known = self._lake.states.get(self.path)
        if version is not None:
            return Snapshot(self, known if known and known.version == version else self._log.at(version, known))
        state = self._log.newest(known)
        if state is None:
            return None
        self._lake.states[self.path] = state
        return Snapshot(self, state)

    def writer(
        self, snapshot: Snapshot, schema: pa.Schema, statistics: Sequence[str] = (), ordinal: int | None = None
    ) -> PartitionedWriter:
        """A writer of files for the commit that would follow `snapshot`; `ordinal` says that the rows are no news, but those
        of the commits up to that one.
        """
        number = snapshot.ordinal + 1 if ordinal is None else ordinal
        return PartitionedWriter(self._lake.objects, self.path, schema, number, snapshot.partition_by, statistics)

    def commit(
        self,
        schema: pa.Schema,
        decide: Callable[[Snapshot], Commit | None],
        partition_by: str | None = None,
        *,
        may_retype: bool = False,
        known: Snapshot | None = None,
    ) -> Snapshot | None:
        """The version that this call made of what `decide` chose from the newest snapshot; None when it chose nothing.

        The first decision is made on `known`, where the caller has just opened the table.

        `decide` runs again after every lost race or unclear answer, so it must look at the snapshot's positions itself and
        return None once its work is there. Creates the table on first use and adds columns that `schema` has and the table
        lacks. Raises `TransientError` when the races go on too long, `DataError` when the table holds a column in another
        type, unless `decide` answers that with a new `Commit.schema` (`may_retype`).
        """
        last: Exception | None = None
        began = time.monotonic()
        for attempt in range(_ATTEMPTS):
            if attempt:
                time.sleep(random.uniform(0, min(0.05 * 2**attempt, 3)))
            try:
                snapshot = known if known is not None and not attempt else self.snapshot()
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
                    return None
                note = {**chosen.note, SECONDS: f"{time.monotonic() - began:.3f}"}
                if (made := self._swap(snapshot, replace(chosen, note=note))) is not None:
                    return made
            except SupersededError:
                raise
            except TransientError as error:
                last = error
        why = last or "every race was lost"
        raise TransientError(f"commit to {self.path}: gave up after {_ATTEMPTS} tries: {why}") from last

    def check_types(self, snapshot: Snapshot, schema: pa.Schema) -> None:
        """Raises `DataError` when the table holds a column of `schema` in another type."""
        if names := snapshot.retyped(schema):
            raise DataError(
                f"{self.path} holds {', '.join(names)} in another type than the contract of today declares: "
                f"`strandline run batch --rebuild --stream {self.path.split('/')[2]}` brings the tables in line"
            )

    def vacuum(self, keep_hours: int = 168) -> int:
        """How many files went: those that no version of the last `keep_hours` hours names (left by lost races and rewrites).

        Entries of the log past their retention go too.
        """
        if self.snapshot() is None:
            return 0
        try:
            delta = DeltaTable(self.url, storage_options=self._lake.storage_options)
            gone = delta.vacuum(retention_hours=keep_hours, dry_run=False, enforce_retention_duration=False, full=True)
            delta.cleanup_metadata()
            return len(gone)
        except (DeltaError, OSError) as error:
            raise _classified(error, f"vacuum {self.path}") from error

    def _create(self, schema: pa.Schema, partition_by: str | None) -> None:
        """Make the table, unless another run just did."""
        try:
            DeltaTable.create(
                self.url,
                schema=schema,
                partition_by=[partition_by] if partition_by else None,
                mode="ignore",
                configuration=_CONFIGURATION,
                storage_options=self._lake.storage_options,
            )
        except (DeltaError, OSError) as error:
            raise _classified(error, f"create {self.path}") from error

    def _add_columns(self, snapshot: Snapshot, missing: Sequence[pa.Field]) -> None:
        added = DeltaSchema.from_arrow(pa.schema([f.with_nullable(True) for f in missing])).fields
        held = _delta_schema(snapshot.state.metadata["schemaString"]).fields
        self._append(snapshot, [_with_schema(snapshot, DeltaSchema([*held, *added]))], {})

    def _swap(self, snapshot: Snapshot, chosen: Commit) -> Snapshot | None:
        now = int(time.time() * 1000)
        actions: list[Action] = []
        if chosen.schema is not None:
            actions.append(_with_schema(snapshot, DeltaSchema.from_arrow(chosen.schema)))
        removed = snapshot.files if chosen.schema is not None else chosen.remove
        actions += [_remove(snapshot.state.adds[f.path], now) for f in removed]
        actions += [_add(snapshot.partition_by, w) for w in chosen.add]
        positions = {**chosen.positions, ORDINAL: snapshot.ordinal + (1 if chosen.news else 0)}
        actions += [{"txn": {"appId": name, "version": version}} for name, version in positions.items()]
        return self._append(snapshot, actions, {key: str(value) for key, value in chosen.note.items()})

    def _append(self, snapshot: Snapshot, actions: Sequence[Action], note: Mapping[str, str]) -> Snapshot | None:
        """The next version with `actions`; None when another writer has made it."""
        state = self._log.append(snapshot.state, actions, note)
        if state is None:
            return None
        self._lake.states[self.path] = state
        return Snapshot(self, state)


@lru_cache(maxsize=1)
def _parquet() -> pads.ParquetFileFormat:
    """How files are read: pages are held against their checksums, and what lies near is asked for at once, since a request of
    its own takes longer than the bytes in between.
    """
    near = pa.CacheOptions(hole_size_limit=_NEAR, range_size_limit=_AT_ONCE)
    options = pads.ParquetFragmentScanOptions(page_checksum_verification=True, pre_buffer=True, cache_options=near)
    return pads.ParquetFileFormat(default_fragment_scan_options=options)


@lru_cache(maxsize=512)
def _delta_schema(text: str) -> DeltaSchema:
    return DeltaSchema.from_json(text)


def _with_schema(snapshot: Snapshot, schema: DeltaSchema) -> Action:
    return {"metaData": {**snapshot.state.metadata, "schemaString": schema.to_json()}}


def _add(partition_by: str | None, file: WrittenFile) -> Action:
    return {
        "add": {
            "path": quote(file.path, safe="/=-._~"),
            "partitionValues": _partition_values(partition_by, file.partition),
            "size": file.size,
            "modificationTime": file.modified_ms,
            "dataChange": True,
            "stats": file.statistics,
            **({"tags": file.tags} if file.tags else {}),
        }
    }


def _remove(add: Action, now: int) -> Action:
    return {
        "remove": {
            "path": add["path"],
            "deletionTimestamp": now,
            "dataChange": True,
            "extendedFileMetadata": True,
            "partitionValues": add["partitionValues"],
            "size": add["size"],
        }
    }


def _partition_values(column: str | None, value: date | None) -> dict[str, str | None]:
    return {column: value.isoformat() if value else None} if column else {}


@contextlib.contextmanager
def reading(path: str) -> Iterator[None]:
    """The libraries' errors while a table is read, as ours: `StorageError` for damage, else `TransientError`."""
    try:
        yield
    except ObjectMissing as error:  # of a version that another run has left behind, and maintenance with it
        raise TransientError(f"read {path}: {error}") from error
    except (DeltaError, OSError) as error:
        raise _classified(error, f"read {path}") from error


_FINAL = ("AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch", "403 Forbidden", "NoSuchBucket", "CRC", "Corrupt")


def _classified(error: DeltaError | OSError, doing: str) -> StorageError | TransientError:
    """Refused or damaged is final; everything else the network may have done."""
    text = str(error).partition("\n   0: ")[0]  # what follows are the library's own stack frames
    if any(sign in text for sign in _FINAL):
        return StorageError(f"{doing}: {text}")
    return TransientError(f"{doing}: {text}")
