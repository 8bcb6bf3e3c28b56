"""Datasets as DuckDB reads them: UTC timestamps without a zone, and filters that reach the files' own statistics.

DuckDB hands what a query filters by to Arrow, which leaves out files and row groups. Its timestamps have no zone while those in
the files have one, and Arrow compares only like with like, so the filter's are given the files' zone.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from operator import itemgetter
from typing import Any, TypeVar

import pyarrow as pa
import pyarrow.dataset as pads

_Item = TypeVar("_Item")
_PLAIN, _UTC = pa.timestamp("us"), pa.timestamp("us", "UTC")
_BATCHES = 2
"""Of a file, decoded ahead. By default Arrow decodes up to 16 batches of each of four files at once: some 300 MB, and time."""
_SIDE_BY_SIDE, _FILTERED_SIDE_BY_SIDE = 16, 4
"""Files that are read at once, at most; the first alone, since only then it is known how much they hold. What a filter leaves
of them says less of it.
"""
_WAITING = 128 << 20
"""Bytes of decoded rows that may wait for the engine. Arrow itself stops reading ahead only when 1 GiB wait."""


def without_zones(schema: pa.Schema) -> pa.Schema:
    """The schema with UTC timestamps as plain ones, which DuckDB reads without its zone machinery."""
    fields = [f.with_type(_PLAIN) if pa.types.is_timestamp(f.type) else f for f in schema]
    return pa.schema(fields)


class ZonelessFiles(pads.FileSystemDataset):  # type: ignore[misc]
    """A dataset of files with UTC timestamps, of which DuckDB sees no zone; read only a little ahead of the engine."""

    def __init__(self, files: pads.FileSystemDataset) -> None:
        super().__init__(list(files.get_fragments()), without_zones(files.schema), files.format, files.filesystem)
        self._files = files

    def scanner(self, **given: Any) -> _Scan:
        """What the engine reads from; it gives `columns`, and `filter` where it has one."""
        if given.get("filter") is not None:
            given["filter"] = with_zones(given["filter"])
        return _Scan(self._files, given)


class _Scan:
    """What DuckDB takes for Arrow's scanner."""

    def __init__(self, files: pads.FileSystemDataset, given: Mapping[str, Any]) -> None:
        self._files, self._given = files, given

    def to_reader(self) -> pa.RecordBatchReader:
        schema = without_zones(self._files.scanner(**self._given).projected_schema)
        batches = (batch.cast(schema) for batch in a_few_at_a_time(self._files, **self._given))
        return pa.RecordBatchReader.from_batches(schema, batches)


def a_few_at_a_time(files: pads.FileSystemDataset, most: int = _SIDE_BY_SIDE, **given: Any) -> Iterator[pa.RecordBatch]:
    """The rows of a dataset, as `Dataset.scanner` would give them with what is `given`; at most `most` files at once, and only
    a little ahead.
    """
    filter_ = given.get("filter")
    most = most if filter_ is None else min(most, _FILTERED_SIDE_BY_SIDE)
    fragments = list(files.get_fragments(filter_))
    first, several = 0, 1
    while first < len(fragments):
        chosen = fragments[first : first + several]
        part = _of(chosen, files)
        size = 0
        for batch in part.scanner(**given, batch_readahead=_BATCHES, fragment_readahead=several).to_reader():
            size += batch.nbytes
            yield batch
        first += several
        several = max(1, min(_WAITING * len(chosen) // max(size, 1), most))


def up_to(rows: Iterator[pa.RecordBatch], most: int) -> tuple[list[pa.RecordBatch], int]:
    """The next batches, until they are all or more than `most` bytes, and how many bytes they are."""
    taken: list[pa.RecordBatch] = []
    size = 0
    for batch in rows:
        taken.append(batch)
        size += batch.nbytes
        if size > most:
            break
    return taken, size


def in_pieces(files: pads.FileSystemDataset, size: int) -> pads.FileSystemDataset:
    """The same rows, every few row groups (`size` bytes of values, or one) as if they were a file: Arrow keeps what it has read
    of a file until it has read all of it.
    """
    pieces = [
        file.subset(row_group_ids=[group.id for group in some])
        for file in files.get_fragments()
        for some in _packed(file.row_groups, lambda group: group.total_byte_size, size)
    ]
    return _of(pieces, files)


def pieces_of(files: pads.FileSystemDataset, rows: int) -> list[pads.FileSystemDataset]:
    """The same rows, in their order, in data sets of whole row groups: at most `rows` each, or one row group."""
    fragments = list(files.get_fragments())
    groups = [(number, group) for number, file in enumerate(fragments) for group in file.row_groups]
    pieces = []
    for some in _packed(groups, lambda each: each[1].num_rows, rows):
        by_file = itertools.groupby(some, key=itemgetter(0))
        pieces.append([fragments[number].subset(row_group_ids=[group.id for _, group in its]) for number, its in by_file])
    return [_of(piece, files) for piece in pieces]


def _packed(items: Iterable[_Item], size_of: Callable[[_Item], int], most: int) -> Iterator[list[_Item]]:
    """The items in their order, as many together as have at most the size `most`, or one; of no items an empty list."""
    some: list[_Item] = []
    held = 0
    for item in items:
        size = size_of(item)
        if some and held + size > most:
            yield some
            some, held = [], 0
        some.append(item)
        held += size
    yield some


def _of(fragments: Sequence[pads.Fragment], files: pads.FileSystemDataset) -> pads.FileSystemDataset:
    return pads.FileSystemDataset(fragments, files.schema, files.format, files.filesystem)


def with_zones(expression: pads.Expression) -> pads.Expression:
    """The expression, every plain timestamp in it taken as UTC.

    An expression can only be looked into as it is pickled: one batch of its literals, and the tree in the schema's metadata.
    """
    restored, (pickled,) = expression.__reduce__()
    with pa.ipc.open_file(pickled) as file:
        literals = file.get_batch(0)
    wanted = [_with_zone(column.type) for column in literals.columns]
    if wanted == literals.schema.types:
        return expression
    schema = literals.schema
    for index, kind in enumerate(wanted):
        schema = schema.set(index, schema.field(index).with_type(kind))  # keeps the metadata, which repeats keys
    columns = [column.cast(kind) for column, kind in zip(literals.columns, wanted, strict=True)]
    sink = pa.BufferOutputStream()
    with pa.ipc.new_file(sink, schema) as file:
        file.write_batch(pa.RecordBatch.from_arrays(columns, schema=schema))
    found: pads.Expression = restored(sink.getvalue())
    return found


def _with_zone(kind: pa.DataType) -> pa.DataType:
    if kind == _PLAIN:
        return _UTC
    if pa.types.is_list(kind):
        return pa.list_(kind.value_field.with_type(_with_zone(kind.value_type)))
    if pa.types.is_struct(kind):
        return pa.struct([each.with_type(_with_zone(each.type)) for each in kind])
    return kind
