"""Landed lines as they are judged: the columns of landing, or parsed again from the raw bytes under the contract of today.

The columns of a line are those of the contract it landed under. Where that is not the contract at hand, its raw bytes are
parsed again; so a field that was declared later has the value that was always there.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import partial

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as pads

from strandline.engines.port import Scan, Through
from strandline.lake.snapshot import DataFile, Snapshot
from strandline.lines.arrays import ParsedArrays, parse_array
from strandline.lines.parse import parse_lines
from strandline.plan import schemas
from strandline.spec.model import Stream

VERSION = "_contract_version"


def landed_lines(
    stream: Stream, snapshot: Snapshot, files: Sequence[DataFile], *, anew: bool = False
) -> pads.FileSystemDataset | list[Scan]:
    """The files' rows in the realtime schema.

    Files that hold lines of another contract version are parsed again, with `anew` all are.
    """
    schema = schemas.realtime(stream)
    stale = [f for f in files if anew or not is_current(stream, f)]
    if not stale:
        return with_columns(snapshot.dataset(files=files), schema)
    kept = {f.path for f in stale}
    current = [f for f in files if f.path not in kept]
    scans = [again(stream, snapshot.dataset(files=stale), pads.field("_line") > 0)]
    if current:
        scans.append(Scan(with_columns(snapshot.dataset(files=current), schema), schema.names, pads.field("_line") > 0))
    return scans


def again(stream: Stream, data: pads.FileSystemDataset, where: pads.Expression | None, parse: Through | None = None) -> Scan:
    """The lines of landed rows, every declared field parsed from `_raw`; with `parse` by that instead of `parsed_again`."""
    schema = schemas.realtime(stream)
    own = [name for name in schema.names if name.startswith("_") or name == schemas.LANDING_DATE]
    return Scan(data, own, where, parse or partial(parsed_again, stream), schema)


def with_columns(dataset: pads.FileSystemDataset, schema: pa.Schema) -> pads.FileSystemDataset:
    """The dataset with every column of `schema`; one that its table lacks yet is NULL."""
    full = dataset.schema
    for wanted in schema:
        if wanted.name not in full.names:
            full = full.append(wanted)
    return dataset.replace_schema(full)


def is_current(stream: Stream, file: DataFile) -> bool:
    """Whether every line of a realtime or bronze file landed under the stream's contract version, by the log."""
    return file.minimum.get(VERSION) == file.maximum.get(VERSION) == stream.version


def parsed_again(stream: Stream, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """The lines in the realtime schema, every declared field parsed from `_raw`; a sealed line keeps its reason."""
    schema = schemas.realtime(stream)
    for batch in batches:
        if batch.num_rows:
            yield _again(stream, batch, schema)


def _again(stream: Stream, batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    fresh = parse_batch(stream, batch, "_").landed()
    columns = [fresh[f.name] if f.name in fresh else _column(batch, f) for f in schema]
    return pa.RecordBatch.from_arrays(columns, schema=schema)


def parse_batch(stream: Stream, batch: pa.RecordBatch, prefix: str = "") -> ParsedArrays:
    """The parsed lines of a batch whose columns `raw`, `header`, `sealed` and so on have that prefix; a sealed line keeps the
    reason that the source's side found.
    """
    raw, header, shut = (batch[f"{prefix}{name}"] for name in ("raw", "header", "sealed"))
    if not pc.any(shut).as_py():
        return parse_array(stream, raw, header)
    sealed = [bool(each) for each in shut.to_pylist()]
    raws = [b"{}" if is_sealed else line for line, is_sealed in zip(raw.to_pylist(), sealed, strict=True)]
    parsed = parse_lines(stream, raws, header.to_pylist())
    told = [batch[f"{prefix}{name}"].to_pylist() for name in ("reason", "reason_field", "reason_detail")]
    for index in (i for i, is_sealed in enumerate(sealed) if is_sealed):
        parsed.reason[index], parsed.reason_field[index], parsed.reason_detail[index] = (each[index] for each in told)
        parsed.unknown_fields[index] = 0
        for column in parsed.columns.values():
            column[index] = None
    return ParsedArrays.of(parsed)


def _column(batch: pa.RecordBatch, field: pa.Field) -> pa.Array:
    if field.name not in batch.schema.names:
        return pa.nulls(batch.num_rows, field.type)
    return batch[field.name].cast(field.type)
