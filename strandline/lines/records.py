"""CSV records under their header. Source: RFC 4180, as Python's `csv` reads it."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import lru_cache

from strandline.lines.strict import MAX_LINE, Refusal, Row, Wanted, decode

csv.field_size_limit(max(csv.field_size_limit(), MAX_LINE + 1))  # the default of 128 KiB would refuse what is no error


@dataclass(frozen=True, eq=False)
class Header:
    """A header record: its cells, and for each cell the declared columns it fills."""

    cells: tuple[str, ...]
    columns: tuple[tuple[int, ...], ...]
    unknown: int
    wanted: Wanted
    delimiter: str

    def row(self, raw: bytes) -> Row | Refusal:
        """The record `raw` as declared texts; an empty cell is null."""
        cells = cells_of(raw, self.delimiter)
        if isinstance(cells, Refusal):
            return cells
        if len(cells) != len(self.cells):
            return Refusal("ragged_row", None, f"{len(cells)} cells under a header of {len(self.cells)}")
        texts: list[str | None] = [None] * len(self.wanted.fields)
        for columns, cell in zip(self.columns, cells, strict=True):
            for index in columns:
                texts[index] = None if not cell or cell in self.wanted.nulls[index] else cell
        return Row(tuple(texts), self.unknown)


def cells_of(raw: bytes, delimiter: str) -> list[str] | Refusal:
    """The cells of one record; a record whose quotes do not close or close in mid-cell is refused as `ragged_row`."""
    text = decode(raw, " \r\n\t\v\f".replace(delimiter, ""))
    return text if isinstance(text, Refusal) else split_record(text, delimiter)


def split_record(text: str, delimiter: str) -> list[str] | Refusal:
    """The cells of the record `text`, unquoted."""
    if '"' not in text and "\r" not in text and "\n" not in text:
        return text.split(delimiter)
    if text.endswith(("\r", "\n")):  # the reader would drop it
        return Refusal("ragged_row", None, "a line break outside quotes")
    try:
        records = list(csv.reader([text], delimiter=delimiter, strict=True))
    except csv.Error:
        return Refusal("ragged_row", None, "its quotes or line breaks do not form one record")
    return records[0] if len(records) == 1 else Refusal("ragged_row", None, "more than one record")


def header_of(wanted: Wanted, text: str, delimiter: str) -> Header | Refusal:
    """The header record `text` (its byte order mark and CR ignored); refuses one that names a column twice."""
    return _header(wanted, text, delimiter)


@lru_cache(maxsize=256)
def _header(wanted: Wanted, text: str, delimiter: str) -> Header | Refusal:
    cells = split_record(text.removeprefix("\ufeff").removesuffix("\r"), delimiter)
    if isinstance(cells, Refusal):
        return Refusal("ragged_row", None, "the header record cannot be read")
    seen: set[str] = set()
    for cell in cells:
        if cell in seen:
            return Refusal("duplicate_key", wanted.name(cell), "the header names a column twice")
        seen.add(cell)
    columns = tuple(tuple(wanted.columns.get(cell, ())) for cell in cells)
    return Header(tuple(cells), columns, sum(not found for found in columns), wanted, delimiter)


def cell_spans(text: str, delimiter: str) -> list[tuple[int, int, str]]:
    """`(start, end, value)` of each cell of a record that `split_record` accepts; the span holds the quotes, the value does
    not."""
    spans: list[tuple[int, int, str]] = []
    start = 0
    while True:
        if text.startswith('"', start):
            end = start + 1
            while (end := text.index('"', end)) + 1 < len(text) and text[end + 1] == '"':
                end += 2
            end += 1
            value = text[start + 1 : end - 1].replace('""', '"')
        else:
            end = text.find(delimiter, start)
            end = len(text) if end < 0 else end
            value = text[start:end]
        spans.append((start, end, value))
        if end >= len(text):
            return spans
        start = end + 1
