"""Checkpoints of a Delta log: one Parquet file that holds what all entries up to a version add up to.

Source: Delta Lake transaction log protocol, "Checkpoints", "Checkpoint Schema" (classic, one file).
"""

from __future__ import annotations

import io
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from strandline.errors import StorageError

TOMBSTONE_MS = 7 * 86_400_000
"""How long a removed file is remembered, so that the readers of older versions keep it through a vacuum."""


_TEXTS = pa.map_(pa.string(), pa.string())
_ADD = pa.struct(
    [
        ("path", pa.string()),
        ("partitionValues", _TEXTS),
        ("size", pa.int64()),
        ("modificationTime", pa.int64()),
        ("dataChange", pa.bool_()),
        ("stats", pa.string()),
        ("tags", _TEXTS),
    ]
)
_REMOVE = pa.struct(
    [
        ("path", pa.string()),
        ("deletionTimestamp", pa.int64()),
        ("dataChange", pa.bool_()),
        ("extendedFileMetadata", pa.bool_()),
        ("partitionValues", _TEXTS),
        ("size", pa.int64()),
    ]
)
_TXN = pa.struct([("appId", pa.string()), ("version", pa.int64())])
_FORMAT = pa.struct([("provider", pa.string()), ("options", _TEXTS)])
_METADATA = pa.struct(
    [
        ("id", pa.string()),
        ("name", pa.string()),
        ("description", pa.string()),
        ("format", _FORMAT),
        ("schemaString", pa.string()),
        ("partitionColumns", pa.list_(pa.field("element", pa.string()))),
        ("createdTime", pa.int64()),
        ("configuration", _TEXTS),
    ]
)
_PROTOCOL = pa.struct([("minReaderVersion", pa.int32()), ("minWriterVersion", pa.int32())])
_SCHEMA = pa.schema([("txn", _TXN), ("add", _ADD), ("remove", _REMOVE), ("metaData", _METADATA), ("protocol", _PROTOCOL)])


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What a checkpoint holds; `removes` (tombstones) stay in Arrow, since only the next checkpoint wants them."""

    protocol: Mapping[str, Any]
    metadata: Mapping[str, Any]
    transactions: Mapping[str, int]
    adds: Sequence[Mapping[str, Any]]
    removes: pa.Array


def decode_checkpoint(parts: Iterable[bytes], name: str) -> Checkpoint:
    """The checkpoint of those files. Raises `StorageError` naming `name` when it is damaged or has deletion vectors."""
    try:
        files = [pq.ParquetFile(io.BytesIO(part), page_checksum_verification=True) for part in parts]
        table = pa.concat_tables([file.read() for file in files], promote_options="default")
    except (pa.ArrowException, OSError) as error:
        raise StorageError(f"the checkpoint {name} is damaged: {error}") from error
    adds = _actions(table, "add")
    if any(add.get("deletionVector") for add in adds):
        raise StorageError(f"the checkpoint {name} has deletion vectors, which are not read here")
    metadata, protocol = _actions(table, "metaData"), _actions(table, "protocol")
    if len(metadata) != 1 or len(protocol) != 1:
        raise StorageError(f"the checkpoint {name} is damaged: it has no metadata")
    transactions = {told["appId"]: told["version"] for told in _actions(table, "txn")}
    removes = _present(table, "remove")
    held = {f.name for f in removes.type}
    kept = [removes.field(f.name).cast(f.type) if f.name in held else pa.nulls(len(removes), f.type) for f in _REMOVE]
    return Checkpoint(protocol[0], metadata[0], transactions, adds, pa.StructArray.from_arrays(kept, fields=list(_REMOVE)))


def tombstones(removed: Sequence[Mapping[str, Any]], before: pa.Array | None) -> pa.Array:
    """The tombstones after `removed` went too; those older than `TOMBSTONE_MS` are left out."""
    oldest = int(time.time() * 1000) - TOMBSTONE_MS
    fresh = pa.array(removed, _REMOVE)
    gone = fresh if before is None else pa.concat_arrays([before, fresh])
    return gone.filter(pc.fill_null(pc.greater(gone.field("deletionTimestamp"), oldest), False))


def encode_checkpoint(held: Checkpoint) -> tuple[bytes, int]:
    """The Parquet file of a checkpoint, and its number of actions."""
    txns = [{"appId": name, "version": version} for name, version in held.transactions.items()]
    columns = {
        "txn": pa.array(txns, _TXN),
        "add": pa.array([{**add, "dataChange": False} for add in held.adds], _ADD),
        "remove": held.removes,
        "metaData": pa.array([held.metadata], _METADATA),
        "protocol": pa.array([held.protocol], _PROTOCOL),
    }
    rows = [pa.table([values], schema=pa.schema([_SCHEMA.field(name)])) for name, values in columns.items()]
    table = pa.concat_tables(rows, promote_options="default").select(_SCHEMA.names)
    sink = io.BytesIO()
    pq.write_table(table, sink, compression="zstd", write_page_checksum=True, store_schema=False)
    return sink.getvalue(), table.num_rows


def _present(table: pa.Table, kind: str) -> pa.StructArray:
    if kind not in table.column_names:
        return pa.array([], _SCHEMA.field(kind).type)
    column = table[kind].combine_chunks()
    return column.filter(pc.is_valid(column))


def _actions(table: pa.Table, kind: str) -> list[dict[str, Any]]:
    """The actions of a kind, with maps as dictionaries."""
    found: list[dict[str, Any]] = _present(table, kind).to_pylist(maps_as_pydicts="strict")
    return found
