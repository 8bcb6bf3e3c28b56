"""Bytes into lines and CSV records, byte for byte, in bounded memory."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator

import numpy as np
import pyarrow as pa

from strandline.errors import SourceError
from strandline.lines.records import split_record

MAX_RAW = 64 * 1024 * 1024
"""Bytes of the longest line that is passed on; the parser refuses it from 16 MiB on."""

_BLOCK = 4 * 1024 * 1024
_MOST_LINES = 1000
_MOST_BYTES = 4 * 1024 * 1024


def lines(chunks: Iterable[bytes], name: str, longest: int = MAX_RAW) -> Iterator[bytes]:
    """The lines of `chunks` without their line feeds; nothing after the last line feed is no line.

    Raises SourceError naming the object when a line is longer than `longest` bytes.
    """
    parts: list[bytes] = []
    size = 0
    for chunk in chunks:
        first, *more = chunk.split(b"\n")
        parts.append(first)
        size += len(first)
        if size > longest:
            raise SourceError(f"{name}: a line of more than {longest} bytes")
        if more:
            yield b"".join(parts)
            last = more.pop()
            yield from more
            parts, size = [last], len(last)
    if size:
        yield b"".join(parts)


def line_blocks(chunks: Iterable[bytes], name: str, longest: int = MAX_RAW) -> Iterator[pa.BinaryArray]:
    """The lines that `lines` gives, in arrays of some MiB. Raises SourceError like it."""
    parts: list[bytes] = []
    size = 0
    for chunk in chunks:
        parts.append(chunk)
        size += len(chunk)
        if size >= _BLOCK and b"\n" in chunk:
            whole, _, rest = b"".join(parts).rpartition(b"\n")
            yield _lines_of(whole, name, longest)
            parts, size = [rest], len(rest)
        if size > longest + _BLOCK:
            raise SourceError(f"{name}: a line of more than {longest} bytes")
    if size:
        yield _lines_of(b"".join(parts).removesuffix(b"\n"), name, longest)


def _lines_of(data: bytes, name: str, longest: int) -> pa.BinaryArray:
    """What stands between the line feeds of `data`, taken from one array of lines and line feeds by turns."""
    feeds = np.flatnonzero(np.frombuffer(data, np.uint8) == ord("\n"))
    offsets = np.empty(2 * len(feeds) + 2, np.int32)
    offsets[0], offsets[1:-1:2], offsets[2::2], offsets[-1] = 0, feeds, feeds + 1, len(data)
    if np.diff(offsets)[::2].max() > longest:
        raise SourceError(f"{name}: a line of more than {longest} bytes")
    every = pa.Array.from_buffers(pa.binary(), len(offsets) - 1, [None, pa.py_buffer(offsets), pa.py_buffer(data)])
    return every.take(pa.array(np.arange(0, len(offsets) - 1, 2)))


def csv_records(physical: Iterable[bytes], delimiter: str) -> Iterator[tuple[int, bytes]]:
    """`(line number, record)` of each CSV record, 1-based physical lines; the first one is the header.

    A quoted cell may hold line feeds: such a record is taken as a whole if it has as many cells as the header (at most 1,000
    lines and 4 MiB). If not, an opening quote went astray: its first line stands alone, and the lines after it are read on
    their own.
    """
    source = _Lines(physical)
    mark = delimiter.encode()
    width: int | None = None
    while (first := source.next()) is not None:
        number, line = first
        record = line
        if b'"' in line and _ends_quoted(line, mark, quoted=False):
            record = _joined(source, number, line, mark, delimiter, width)
        if width is None and record.strip():
            width = _width(record, delimiter)
        yield number, record


class _Lines:
    """Numbered lines that can be put back."""

    def __init__(self, physical: Iterable[bytes]) -> None:
        self._physical = enumerate(physical, start=1)
        self._back: deque[tuple[int, bytes]] = deque()

    def next(self) -> tuple[int, bytes] | None:
        return self._back.popleft() if self._back else next(self._physical, None)

    def back(self, taken: list[tuple[int, bytes]]) -> None:
        self._back.extendleft(reversed(taken))


def _joined(source: _Lines, number: int, line: bytes, mark: bytes, delimiter: str, width: int | None) -> bytes:
    taken: list[tuple[int, bytes]] = []
    size = len(line)
    quoted = True
    while quoted and len(taken) < _MOST_LINES and size <= _MOST_BYTES:
        more = source.next()
        if more is None:
            break
        taken.append(more)
        size += len(more[1])
        quoted = _ends_quoted(more[1], mark, quoted=True)
    record = b"\n".join([line, *(more for _, more in taken)])
    cells = None if quoted else _width(record, delimiter)
    if cells is None or (width is not None and cells != width):
        source.back(taken)
        return line
    return record


def _width(record: bytes, delimiter: str) -> int | None:
    cells = split_record(record.decode("latin-1").removesuffix("\r"), delimiter)
    return len(cells) if isinstance(cells, list) else None


def _ends_quoted(line: bytes, mark: bytes, *, quoted: bool) -> bool:
    """Whether the end of `line` lies inside a quoted cell, given whether its start does."""
    at = 0
    while True:
        if quoted:
            at = line.find(b'"', at)
            if at < 0:
                return True
            if line[at + 1 : at + 2] == b'"':
                at += 2
                continue
            quoted = False
        elif line.startswith(b'"', at):
            quoted = True
            at += 1
            continue
        at = line.find(mark, at)
        if at < 0:
            return False
        at += len(mark)
