"""Lines become columns of text, once, by one parser.

Two ways lead to the same answer: `strict` judges a line by itself, `shape` recognises lines it has proved clean. A line that
the second does not recognise takes the first, so both agree on every line.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from strandline.lines.records import Header, header_of
from strandline.lines.shape import MAX_FAST, Shape, Shapes
from strandline.lines.strict import Refusal, Row, Wanted, decode, parse_object, row
from strandline.spec.model import Field, FilesSource, Stream

_CHUNK = 2048  # lines whose rows are turned into columns at a time: they stay in the processor's cache

__all__ = ["LineParser", "ParsedLines", "parse_lines", "parser_of"]


@dataclass
class ParsedLines:
    """What the lines said, one entry a line in the order given.

    `columns` holds the text of every declared field by its name (None: null, missing, or a refused line). `reason` is None for
    an accepted line; for a refused one `reason_field` may name the declared field at fault, `reason_detail` is a sentence that
    quotes no value. `unknown_fields` counts top-level keys (CSV: columns) nobody declared, 0 for a refused line.
    """

    columns: dict[str, list[str | None]]
    reason: list[str | None]
    reason_field: list[str | None]
    reason_detail: list[str | None]
    unknown_fields: list[int]


def parse_lines(stream: Stream, raws: Sequence[bytes], headers: Sequence[str | None] | None = None) -> ParsedLines:
    """The lines `raws` as columns of text. Line i is CSV under the header record `headers[i]`, or JSON where that is None.

    Never raises for what a line holds. Reasons: `too_long not_utf8 nul empty_line too_deep not_json not_object duplicate_key
    number_range lone_surrogate ragged_row type`, the first that applies in this order.
    """
    return parser_of(stream).parse(raws, headers)


def parser_of(stream: Stream) -> LineParser:
    """The parser of a stream's declared fields; it keeps what it learned about the lines' shape for the process' life."""
    delimiter = stream.source.delimiter if isinstance(stream.source, FilesSource) else ","
    declared = tuple((f.name, f.type, f.source_name, f.null_values) for f in stream.fields)
    return _parser(declared, delimiter)


@lru_cache(maxsize=64)
def _parser(declared: tuple[tuple[str, str, str, tuple[str, ...]], ...], delimiter: str) -> LineParser:
    fields = tuple(Field(name, kind, source, null_values=nulls) for name, kind, source, nulls in declared)  # type: ignore[arg-type]
    return LineParser(Wanted(fields), delimiter)


@dataclass
class _Draft:
    """Columns in the making: rows of the fast way by shape, everything else line by line."""

    size: int
    fast: dict[Shape, tuple[list[int], list[tuple[str | None, ...]]]] = field(default_factory=dict)
    slow: list[tuple[int, Row]] = field(default_factory=list)
    refused: list[tuple[int, Refusal]] = field(default_factory=list)

    def take(self, index: int, found: Row | Refusal) -> None:
        if isinstance(found, Row):
            self.slow.append((index, found))
        else:
            self.refused.append((index, found))


class LineParser:
    """The parser of one set of declared fields."""

    def __init__(self, wanted: Wanted, delimiter: str = ",") -> None:
        self.wanted = wanted
        self.delimiter = delimiter
        self.shapes = Shapes(wanted)

    def header(self, text: str) -> Header | Refusal:
        """The columns that the header record `text` names, or why it names none."""
        return header_of(self.wanted, text, self.delimiter)

    def strict(self, raw: bytes, header: str | None = None) -> Row | Refusal:
        """One line by the strict way alone."""
        if header is not None:
            head = self.header(header)
            return head if isinstance(head, Refusal) else head.row(raw)
        text = decode(raw)
        if isinstance(text, Refusal):
            return text
        tree = parse_object(self.wanted, text)
        return tree if isinstance(tree, Refusal) else row(self.wanted, tree)

    def parse(self, raws: Sequence[bytes], headers: Sequence[str | None] | None = None) -> ParsedLines:
        """See `parse_lines`."""
        parsed = ParsedLines({declared.name: [] for declared in self.wanted.fields}, [], [], [], [])
        for start in range(0, len(raws), _CHUNK):
            chunk = raws[start : start + _CHUNK]
            draft = _Draft(len(chunk))
            heads = headers[start : start + _CHUNK] if headers is not None else None
            if heads is None or heads.count(None) == len(chunk):
                self._json(draft, enumerate(chunk))
            else:
                self._json(draft, ((i, raw) for i, raw in enumerate(chunk) if heads[i] is None))
                for index, (raw, head) in enumerate(zip(chunk, heads, strict=True)):
                    if head is not None:
                        draft.take(index, self.strict(raw, head))
            self._add(parsed, draft)
        return parsed

    def _json(self, draft: _Draft, lines: Iterable[tuple[int, bytes]]) -> None:
        shapes = self.shapes
        shape: Shape | None = None
        indices: list[int] = []
        rows: list[tuple[str | None, ...]] = []
        for index, raw in lines:
            if len(raw) <= MAX_FAST:
                try:
                    text = raw.decode()
                except UnicodeDecodeError:
                    draft.refused.append((index, _refusal(decode(raw))))
                    continue
                found = shape.match(text) if shape is not None else None
                if found is None:
                    other = shapes.find(text)
                    if other is not None:
                        shape, found = other
                        indices, rows = draft.fast.setdefault(shape, ([], []))
                if found is not None:
                    indices.append(index)
                    rows.append(found.groups())
                    continue
            draft.take(index, self._learn(raw))

    def _learn(self, raw: bytes) -> Row | Refusal:
        text = decode(raw)
        if isinstance(text, Refusal):
            return text
        tree = parse_object(self.wanted, text)
        if isinstance(tree, Refusal):
            return tree
        found = row(self.wanted, tree)
        if isinstance(found, Row):
            self.shapes.learn(tuple(tree), text)
        return found

    def _add(self, parsed: ParsedLines, draft: _Draft) -> None:
        columns: list[Sequence[str | None]] = [[None] * draft.size for _ in self.wanted.fields]
        unknown = [0] * draft.size
        for shape, (indices, rows) in draft.fast.items():
            groups = list(zip(*rows, strict=True))
            for key, group in shape.groups.items():
                for column in self.wanted.columns[key]:
                    merged = _merge(groups[group - 1], groups[group], self.wanted.nulls[column])
                    columns[column] = merged if len(indices) == draft.size else _scatter(columns[column], indices, merged)
            for index in indices if shape.unknown else ():
                unknown[index] = shape.unknown
        for index, found in draft.slow:
            unknown[index] = found.unknown
        if draft.slow:
            indices = [index for index, _ in draft.slow]
            texts = zip(*(found.texts for _, found in draft.slow), strict=True)
            columns = [_scatter(column, indices, values) for column, values in zip(columns, texts, strict=True)]
        refusals: list[tuple[str | None, str | None, str | None]] = [(None, None, None)] * draft.size
        for index, refusal in draft.refused:
            refusals[index] = refusal
        for declared, values in zip(self.wanted.fields, columns, strict=True):
            parsed.columns[declared.name].extend(values)
        parsed.unknown_fields.extend(unknown)
        for target, values in zip(
            (parsed.reason, parsed.reason_field, parsed.reason_detail), zip(*refusals, strict=True), strict=True
        ):
            target.extend(values)


def _merge(strings: Sequence[str | None], bares: Sequence[str | None], nulls: frozenset[str]) -> Sequence[str | None]:
    """One column of the string group and the group of everything else; at most one of them holds a value."""
    size = len(strings)
    if strings.count(None) == size:
        merged = bares if "null" not in bares else [None if bare == "null" else bare for bare in bares]
    elif bares.count(None) == size:
        merged = strings
    else:
        merged = [
            text if text is not None else None if bare == "null" else bare for text, bare in zip(strings, bares, strict=True)
        ]
    return [None if text in nulls else text for text in merged] if nulls else merged


def _scatter(column: Sequence[str | None], indices: Sequence[int], values: Sequence[str | None]) -> list[str | None]:
    filled = list(column)
    for index, value in zip(indices, values, strict=True):
        filled[index] = value
    return filled


def _refusal(found: str | Refusal) -> Refusal:
    assert isinstance(found, Refusal)
    return found
