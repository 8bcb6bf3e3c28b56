"""Delta tables, and the one protocol by which anything is ever committed to them.

A commit is a compare-and-swap of one table version: open the table, let the caller decide from that very snapshot what to
add and remove, and put the log's next entry if it is not there yet. Whoever loses the race decides again from the new
snapshot. A position (what the table has consumed of another one) is an application transaction in the
same commit, so it can never run ahead of the data or fall behind it. After any error the table is opened anew and asked,
because a lost reply may have landed.

Source: Delta Lake transaction protocol, "Transaction Identifiers".
"""

from __future__ import annotations

import random
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pyarrow as pa
from deltalake import DeltaTable
from deltalake import Schema as DeltaSchema
from deltalake.exceptions import DeltaError

from strandline.errors import DataError, TransientError
from strandline.lake.log import Action, Log
from strandline.lake.parquet import PartitionedWriter, WrittenFile
from strandline.lake.snapshot import ORDINAL, DataFile, Snapshot, classified, delta_schema

if TYPE_CHECKING:
    from strandline.lake.lake import Lake

SECONDS = "seconds"
"""What a commit notes of itself: how long it took to decide on it and to write its files."""
_ATTEMPTS = 12
_PROTOCOL = {"minReaderVersion": 1, "minWriterVersion": 2}
_CONFIGURATION = {"delta.checkpointInterval": "20", "delta.logRetentionDuration": "interval 7 days"}


class SupersededError(TransientError):
    """Another run has moved the table on meanwhile; look again. A decision that raises it ends the commit."""


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
                if snapshot is None and (snapshot := self._create(schema, partition_by)) is None:
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
            raise classified(error, f"vacuum {self.path}") from error

    def _create(self, schema: pa.Schema, partition_by: str | None) -> Snapshot | None:
        """The table's first version, without rows; None when another writer has made it."""
        metadata = {
            "id": str(uuid.uuid4()),
            "format": {"provider": "parquet", "options": {}},
            "schemaString": DeltaSchema.from_arrow(schema).to_json(),
            "partitionColumns": [partition_by] if partition_by else [],
            "createdTime": int(time.time() * 1000),
            "configuration": _CONFIGURATION,
        }
        return self._append(None, [{"protocol": _PROTOCOL}, {"metaData": metadata}], {"operation": "CREATE TABLE"})

    def _add_columns(self, snapshot: Snapshot, missing: Sequence[pa.Field]) -> None:
        added = DeltaSchema.from_arrow(pa.schema([f.with_nullable(True) for f in missing])).fields
        held = delta_schema(snapshot.state.metadata["schemaString"]).fields
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

    def _append(self, snapshot: Snapshot | None, actions: Sequence[Action], note: Mapping[str, str]) -> Snapshot | None:
        """The next version with `actions`; None when another writer has made it."""
        state = self._log.append(snapshot.state if snapshot else None, actions, note)
        if state is None:
            return None
        self._lake.states[self.path] = state
        return Snapshot(self, state)


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
