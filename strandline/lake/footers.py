"""Parquet files put one behind the other: their pages are copied as they are, only the footer is made anew.

Everything that a footer says of places counts from the beginning of the file. So the pages of a file may stand anywhere in
another one, as long as those places move along. The footer is read just far enough to find them: to decode it all would cost
more than to copy the pages.

Source: Apache Parquet format, "File format" and `parquet.thrift` (FileMetaData, RowGroup, ColumnChunk, ColumnMetaData); Apache
Thrift, "Thrift Compact protocol encoding".
"""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from strandline.errors import StorageError

MAGIC = b"PAR1"
_TAIL = 8  # length of the footer, and the magic
_TRUE, _FALSE, _BYTE, _I16, _I32, _I64, _DOUBLE, _BINARY, _LIST, _SET, _MAP, _STRUCT = range(1, 13)
_SCHEMA, _ROWS, _GROUPS, _ORDERS = 2, 3, 4, 7  # of FileMetaData
_UNKNOWN = 8  # from here on of FileMetaData: encryption
_COLUMNS, _GROUP_AT, _GROUP_NUMBER = 1, 5, 7  # of RowGroup
_FILE, _METADATA = 1, 3  # of ColumnChunk
_CHUNK_PLACES = frozenset({2, 4, 6})  # of ColumnChunk: the chunk, its offset index, its column index
_METADATA_PLACES = frozenset({9, 10, 11, 14})  # of ColumnMetaData: data pages, index pages, dictionary, Bloom filter
_Place: TypeAlias = tuple[int, int, int, bool]
"""Where a number stands in the footer (start, end), the number, and whether it is that of a row group instead of a place."""


@dataclass(frozen=True, slots=True)
class Footer:
    """What a file's footer holds, still encoded: its fields by number (but for rows and row groups) as type and bytes, the
    number of `rows` and of row `groups`, and the row groups as they stand in `data`, with every place in them.
    """

    data: bytes
    fields: Mapping[int, tuple[int, bytes]]
    rows: int
    groups: int
    span: tuple[int, int]
    places: Sequence[_Place]

    @classmethod
    def of(cls, file: bytes) -> Footer:
        """The footer of a Parquet file. Raises `StorageError` when there is none, or one that cannot be moved (encrypted)."""
        size = int.from_bytes(file[-_TAIL:-4], "little")
        if len(file) < len(MAGIC) + _TAIL + size or not file.startswith(MAGIC) or not file.endswith(MAGIC):
            raise StorageError("it is no Parquet file")
        try:
            return cls._read(file[-_TAIL - size : -_TAIL])
        except (IndexError, KeyError) as error:
            raise StorageError("its footer is damaged") from error

    @classmethod
    def _read(cls, data: bytes) -> Footer:
        fields: dict[int, tuple[int, bytes]] = {}
        walk = _Walk(data)
        rows = groups = at = number = 0
        span = (0, 0)
        while data[at]:
            number, kind, at = _field(data, at, number)
            if number == _GROUPS:
                groups, start = _list(data, at)
                at = start
                for _ in range(groups):
                    at = walk.struct(at, walk.group)
                span = (start, at)
                continue
            end = _after(data, at, kind)
            if number == _ROWS:
                rows = _signed(_varint(data, at)[0])
            elif number >= _UNKNOWN:
                raise StorageError("its footer has parts that are not known here")
            else:
                fields[number] = (kind, data[at:end])
            at = end
        return cls(data, fields, rows, groups, span, walk.places)

    @property
    def shape(self) -> bytes:
        """Equal for files that may stand in one: their columns, and how these are ordered."""
        return b"".join(self.fields[number][1] for number in (_SCHEMA, _ORDERS) if number in self.fields)

    def moved(self, by: int, first: int) -> bytes:
        """The row groups, encoded, for pages that stand `by` bytes further on, numbered from `first` on."""
        parts, start = [], self.span[0]
        for begin, end, value, is_number in self.places:
            parts += [self.data[start:begin], _unsigned(value + (first if is_number else by))]
            start = end
        return b"".join([*parts, self.data[start : self.span[1]]])


class JoinedFile:
    """One Parquet file made of the pages of others with the same columns; held in memory."""

    def __init__(self, first: Footer) -> None:
        self._first, self.shape = first, first.shape
        self._sink = io.BytesIO()
        self._sink.write(MAGIC)
        self._encoded: list[bytes] = []
        self.rows = self.groups = self._footers = 0

    @property
    def size(self) -> int:
        """Bytes so far, about."""
        return self._sink.tell() + self._footers

    def add(self, file: bytes, footer: Footer) -> None:
        """Put the pages of a file of this shape behind the others."""
        by = self._sink.tell() - len(MAGIC)
        self._encoded.append(footer.moved(by, self.groups))
        self._sink.write(memoryview(file)[len(MAGIC) : -_TAIL - len(footer.data)])
        self.rows += footer.rows
        self.groups += footer.groups
        self._footers += len(footer.data)

    def close(self) -> bytes:
        """The whole file."""
        groups = _list_header(self.groups, _STRUCT) + b"".join(self._encoded)
        fields = {**self._first.fields, _ROWS: (_I64, _unsigned(self.rows)), _GROUPS: (_LIST, groups)}
        footer, last = bytearray(), 0
        for number, (kind, value) in sorted(fields.items()):
            footer += bytes([(number - last) << 4 | kind]) + value
            last = number
        footer.append(0)
        self._sink.write(bytes(footer) + len(footer).to_bytes(4, "little") + MAGIC)
        return self._sink.getvalue()


class _Walk:
    """A walk over encoded row groups that notes every place of pages, and the groups' own numbers."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self.places: list[_Place] = []
        self._groups = 0

    def struct(self, at: int, each: Callable[[int, int, int], int]) -> int:
        """Where the struct that begins at `at` ends; `each` says it of a field."""
        data, number = self._data, 0
        while data[at]:
            number, kind, at = _field(data, at, number)
            at = each(number, kind, at)
        return at + 1

    def group(self, field: int, kind: int, at: int) -> int:
        """A field of a RowGroup."""
        if field == _COLUMNS:
            count, at = _list(self._data, at)
            for _ in range(count):
                at = self.struct(at, self._chunk)
            return at
        if field == _GROUP_NUMBER:
            return self._note(at, is_number=True)
        return self._note(at) if field == _GROUP_AT else _after(self._data, at, kind)

    def _chunk(self, field: int, kind: int, at: int) -> int:
        if field == _METADATA:
            return self.struct(at, self._metadata)
        if field == _FILE:
            raise StorageError("its pages stand in another file")
        return self._note(at) if field in _CHUNK_PLACES else _after(self._data, at, kind)

    def _metadata(self, field: int, kind: int, at: int) -> int:
        return self._note(at) if field in _METADATA_PLACES else _after(self._data, at, kind)

    def _note(self, at: int, *, is_number: bool = False) -> int:
        value, end = _varint(self._data, at)
        value = _signed(value)
        if is_number:
            self.places.append((at, end, self._groups, True))
            self._groups += 1
        elif value:  # 0 says that there is none
            self.places.append((at, end, value, False))
        return end


def _field(data: bytes, at: int, last: int) -> tuple[int, int, int]:
    """Number and type of the field whose header stands at `at`, and where its value begins."""
    head = data[at]
    if head >> 4:
        return last + (head >> 4), head & 15, at + 1
    number, at = _varint(data, at + 1)
    return _signed(number), head & 15, at


def _varint(data: bytes, at: int) -> tuple[int, int]:
    byte = data[at]
    if byte < 0x80:
        return byte, at + 1
    value, shift = byte & 0x7F, 7
    while True:
        at += 1
        byte = data[at]
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at + 1
        shift += 7


def _signed(value: int) -> int:
    return (value >> 1) ^ -(value & 1)


def _unsigned(value: int) -> bytes:
    """A number that is not negative, as a zigzag varint."""
    return _plain_varint(value << 1)


def _plain_varint(value: int) -> bytes:
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def _list(data: bytes, at: int) -> tuple[int, int]:
    """The number of a list's elements, and where the first one begins."""
    count = data[at] >> 4
    return (count, at + 1) if count < 15 else _varint(data, at + 1)


def _list_header(count: int, kind: int) -> bytes:
    return bytes([count << 4 | kind]) if count < 15 else bytes([0xF0 | kind]) + _plain_varint(count)


def _after(data: bytes, at: int, kind: int) -> int:
    """Where the value of that type that begins at `at` ends."""
    if kind in (_I32, _I64, _I16):
        while data[at] >= 0x80:
            at += 1
        return at + 1
    if kind == _BINARY:
        size, at = _varint(data, at)
        return at + size
    if kind == _STRUCT:
        number = 0
        while data[at]:
            number, inner, at = _field(data, at, number)
            at = _after(data, at, inner)
        return at + 1
    if kind in (_LIST, _SET):
        inner = data[at] & 15
        count, at = _list(data, at)
        for _ in range(count):
            at = at + 1 if inner in (_TRUE, _FALSE) else _after(data, at, inner)
        return at
    if kind in (_TRUE, _FALSE):
        return at
    if kind == _MAP:
        raise StorageError("its footer has parts that are not known here")
    return at + {_BYTE: 1, _DOUBLE: 8}[kind]
