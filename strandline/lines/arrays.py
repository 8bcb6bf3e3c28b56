"""Lines in an Arrow array become Arrow columns: by block where they look alike, line by line where not; see `parse`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from strandline.lines.block import Block, Cut, Layout, layout_of
from strandline.lines.parse import LineParser, ParsedLines, parser_of
from strandline.lines.strict import Refusal, decode, parse_object
from strandline.spec.model import Stream

_LEAST = 64  # lines of a block below which line by line is quicker
_MOST = 16  # layouts that are remembered
_TRIES = 4  # lines of a block from which a new layout is learned


@dataclass(frozen=True, slots=True)
class ParsedArrays:
    """`ParsedLines` as Arrow arrays."""

    columns: dict[str, pa.StringArray]
    reason: pa.StringArray
    reason_field: pa.StringArray
    reason_detail: pa.StringArray
    unknown_fields: pa.Int32Array

    @classmethod
    def of(cls, parsed: ParsedLines) -> ParsedArrays:
        """The same in Arrow."""
        return cls(
            {name: pa.array(values, pa.string()) for name, values in parsed.columns.items()},
            pa.array(parsed.reason, pa.string()),
            pa.array(parsed.reason_field, pa.string()),
            pa.array(parsed.reason_detail, pa.string()),
            pa.array(parsed.unknown_fields, pa.int32()),
        )

    def landed(self) -> dict[str, pa.Array]:
        """The columns by their names in the realtime table."""
        own = {"_reason": self.reason, "_reason_field": self.reason_field, "_reason_detail": self.reason_detail}
        return {**own, "_unknown_fields": self.unknown_fields, **self.columns}


def parse_array(stream: Stream, raws: pa.BinaryArray, headers: pa.StringArray) -> ParsedArrays:
    """What `parse_lines` gives for the same lines, as Arrow arrays; `headers[i]` is null where line i is JSON."""
    parser, learned = parser_of(stream), _learned(parser_of(stream))
    if len(raws) < _LEAST or headers.null_count < len(headers) or raws.null_count:
        return ParsedArrays.of(parser.parse(raws.to_pylist(), headers.to_pylist()))
    cuts = learned.cuts(Block(raws), raws)
    left = np.ones(len(raws), np.bool_)
    for cut in cuts:
        left[cut.lines] = False
    rest = np.flatnonzero(left)
    slow = ParsedArrays.of(parser.parse(raws.take(pa.array(rest)).to_pylist()))
    return _joined(parser, cuts, rest, slow)


@lru_cache(maxsize=64)
def _learned(parser: LineParser) -> _Layouts:
    return _Layouts(parser)


@dataclass
class _Layouts:
    """The layouts that a stream's lines have shown, for the process' life; the last one learned is tried first."""

    parser: LineParser
    known: list[Layout] = field(default_factory=list)

    def cuts(self, block: Block, raws: pa.BinaryArray) -> list[Cut]:
        """The lines of the block by layout, no line twice; learns from lines that look like many others of the block."""
        open_ = block.clean.copy()
        found = [cut for layout in list(self.known) if (cut := _cut(layout, block, open_))]
        for _ in range(_TRIES):
            if np.count_nonzero(open_) < _LEAST:
                break
            counts = np.where(open_, block.counts, 0)
            common = int(np.bincount(counts[counts > 0]).argmax()) if (counts > 0).any() else 0
            alike = np.flatnonzero(counts == common)
            layout = self._learn(raws[int(alike[0])].as_py()) if common else None
            cut = _cut(layout, block, open_) if layout else None
            if cut:
                assert layout is not None
                self.known = [layout, *self.known][:_MOST]
                found.append(cut)
            else:
                open_[alike[0]] = False
        return found

    def _learn(self, raw: bytes) -> Layout | None:
        text = decode(raw)
        if isinstance(text, Refusal):
            return None
        tree = parse_object(self.parser.wanted, text)
        return None if isinstance(tree, Refusal) else layout_of(self.parser.wanted, tree, text)


def _cut(layout: Layout, block: Block, open_: npt.NDArray[np.bool_]) -> Cut | None:
    """The open lines that have the layout, closed now; None when there are none."""
    lines = np.flatnonzero(open_ & (block.counts == layout.quotes))
    if not len(lines):
        return None
    cut = layout.cut(block, lines)
    open_[cut.lines] = False
    return cut if len(cut.lines) else None


def _joined(parser: LineParser, cuts: Sequence[Cut], rest: npt.NDArray[np.int64], slow: ParsedArrays) -> ParsedArrays:
    """The parts put together in the order of the lines."""
    order = pa.array(np.argsort(np.concatenate([*(cut.lines for cut in cuts), rest]), kind="stable"))
    whole = len(cuts) == 1 and not len(rest)
    fast = sum(len(cut.lines) for cut in cuts)
    columns: dict[str, pa.StringArray] = {}
    for index, declared in enumerate(parser.wanted.fields):
        parts = [_column(cut, declared.source_name) for cut in cuts]
        nulls = parser.wanted.nulls[index]
        if nulls:
            said = pa.array(sorted(nulls), pa.string())
            parts = [pc.if_else(pc.is_in(part, said), pa.scalar(None, pa.string()), part) for part in parts]
        columns[declared.name] = parts[0] if whole else _ordered([*parts, slow.columns[declared.name]], order)
    reason, about, detail = (
        _ordered([pa.nulls(fast, pa.string()), part], order) for part in (slow.reason, slow.reason_field, slow.reason_detail)
    )
    counts = [pa.array(np.full(len(cut.lines), cut.unknown, np.int32)) for cut in cuts]
    return ParsedArrays(columns, reason, about, detail, _ordered([*counts, slow.unknown_fields], order))


def _column(cut: Cut, key: str) -> pa.StringArray:
    found = cut.texts.get(key)
    return pa.nulls(len(cut.lines), pa.string()) if found is None else found


def _ordered(parts: Sequence[pa.Array], order: pa.Array) -> pa.Array:
    return pa.concat_arrays(parts).take(order)
