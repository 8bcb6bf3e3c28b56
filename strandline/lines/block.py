"""Many lines at once: where most lines of a block look alike, their fields are cut out of the block's own bytes.

A layout is a sequence of distinct keys, each with a string or another plain value. A line is held against one by the places of
its quotation marks alone, with whole-array operations and no Python object a line. What is left between them must be the
layout's own bytes, exactly; a string holds no escape and no control character, any other value must read as a number far inside
the range of a double, `true`, `false` or `null`. So a line that passes is an object with exactly these keys, and its cuts are
the texts that the strict parser would give. Any other line goes line by line (`strandline.lines.parse`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from json.encoder import encode_basestring
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from strandline.lines.shape import MAX_FAST
from strandline.lines.strict import Number, Wanted

_BARE = r"^(?:-?(?:0|[1-9][0-9]{0,17})(?:\.[0-9]{1,40})?|true|false|null)$"
_QUOTE, _BACKSLASH, _SPACE, _ASCII = 0x22, 0x5C, 0x20, 0x80
_Whole: TypeAlias = npt.NDArray[np.int64]
_Places: TypeAlias = npt.NDArray[np.int32]
_Mask: TypeAlias = npt.NDArray[np.bool_]


class Block:
    """Lines in one buffer, with the places of their quotation marks. `clean` tells lines that may be held against a layout."""

    def __init__(self, raws: pa.BinaryArray) -> None:
        _, offsets, data = raws.buffers()
        self.data = data if data is not None else pa.py_buffer(b"")
        ends = np.frombuffer(offsets, np.int32)[raws.offset : raws.offset + len(raws) + 1].astype(np.int64)
        self.starts, self.ends = ends[:-1], ends[1:]
        self.bytes = np.frombuffer(self.data, np.uint8)
        window = self.bytes[ends[0] : ends[-1]]
        quotes = np.flatnonzero(window == _QUOTE)
        quotes += ends[0]
        self.quotes = quotes
        self.first = np.searchsorted(quotes, ends)
        self.counts = np.diff(self.first)
        self.clean = self._clean(raws, window, int(ends[0]))

    def _clean(self, raws: pa.BinaryArray, window: npt.NDArray[np.uint8], base: int) -> _Mask:
        """Lines of UTF-8 without escapes and control characters that are not too long for the fast way."""
        clean = self.ends - self.starts <= MAX_FAST
        if not len(window):
            return clean
        if window.min() < _SPACE or (window == _BACKSLASH).any():
            unclean = np.flatnonzero((window == _BACKSLASH) | (window < _SPACE))
            clean[np.searchsorted(self.ends, unclean + base, side="right")] = False
        if window.max() >= _ASCII and not _is_text(raws):
            foreign = np.unique(np.searchsorted(self.ends, np.flatnonzero(window >= _ASCII) + base, side="right"))
            clean[[line for line in foreign if not _is_text(raws.slice(line, 1))]] = False
        return clean


@dataclass(frozen=True, slots=True)
class Cut:
    """The lines of a block that have a layout, by ascending number, and the texts of their keys."""

    lines: _Whole
    texts: Mapping[str, pa.StringArray]
    unknown: int


class Layout:
    """One sequence of keys; `is_string` says of each whether its value is one. `space` follows each colon and comma."""

    def __init__(self, wanted: Wanted, keys: tuple[str, ...], is_string: tuple[bool, ...], space: str) -> None:
        self.keys, self._is_string = keys, is_string
        self._wanted = frozenset(wanted.columns)
        self.unknown = sum(key not in wanted.columns for key in keys)
        self._comma = len("," + space)
        self.quotes = sum(4 if each else 2 for each in is_string)
        self._pieces: list[bytes] = []
        for index, key in enumerate(keys):
            before = "{" if not index else ('"' if is_string[index - 1] else "") + "," + space
            self._pieces.append(f'{before}"{key}":{space}{chr(_QUOTE) if is_string[index] else ""}'.encode())
        self._pieces.append(b'"}' if is_string[-1] else b"}")
        self._colon = len(":" + space)
        self._lengths = np.array([[len(piece)] for piece in self._pieces], np.int32)
        self._shortest = np.array([[0 if each else 1] for each in is_string], np.int32)
        strings = [index for index, each in enumerate(is_string) if each and keys[index] in self._wanted]
        bare = [index for index, each in enumerate(is_string) if not each]
        self._bare = len(bare)
        self._order = [keys[index] for index in (*bare, *strings)]
        self._taken = np.array([2 * index + 1 for index in (*bare, *strings)], np.int32)

    def cut(self, block: Block, lines: _Whole) -> Cut:
        """Which of the lines (each with `quotes` marks, and clean) have this layout, and what they hold."""
        bounds = self._bounds(block, lines)
        gaps = np.diff(bounds, axis=0)
        fits = np.all(gaps[0::2] == self._lengths, axis=0)
        fits &= np.all(gaps[1::2] >= self._shortest, axis=0)
        if not fits.all():
            lines, bounds = lines[fits], bounds[:, fits]
        same = np.ones(len(lines), np.bool_)
        for index, piece in enumerate(self._pieces):
            same &= _holds(block.bytes, bounds[2 * index], piece)
        if not same.all():
            lines, bounds = lines[same], bounds[:, same]
        size = len(lines)
        values = self._values(block, bounds)
        texts = {key: values.slice(index * size, size) for index, key in enumerate(self._order)}
        if self._bare and size:
            bare = values.slice(0, self._bare * size)
            if pc.any(pc.equal(bare, "null")).as_py():
                for key in self._order[: self._bare]:
                    texts[key] = pc.if_else(pc.equal(texts[key], "null"), pa.scalar(None, pa.string()), texts[key])
            read = pc.match_substring_regex(bare, _BARE).to_numpy(zero_copy_only=False).reshape(self._bare, size)
            proved = np.all(read, axis=0)
            if not proved.all():
                lines, texts = lines[proved], {key: text.filter(pa.array(proved)) for key, text in texts.items()}
        return Cut(lines, {key: text for key, text in texts.items() if key in self._wanted}, self.unknown)

    def _bounds(self, block: Block, lines: _Whole) -> _Places:
        """A column a line: its start, then start and end of each value, then its end."""
        chosen = np.zeros(len(block.counts), np.bool_)
        chosen[lines] = True
        every = block.quotes[np.repeat(chosen, block.counts)].astype(np.int32)
        marks = np.ascontiguousarray(every.reshape(-1, self.quotes).T)
        bounds = np.empty((2 * len(self.keys) + 2, len(lines)), np.int32)
        bounds[0], bounds[-1] = block.starts[lines], block.ends[lines]
        at = 0
        for index, is_string in enumerate(self._is_string):
            start, end = bounds[2 * index + 1], bounds[2 * index + 2]
            if is_string:
                np.add(marks[at + 2], 1, out=start)
                end[:] = marks[at + 3]
                at += 4
            else:
                np.add(marks[at + 1], 1 + self._colon, out=start)
                at += 2
                if at == self.quotes:
                    np.subtract(bounds[-1], 1, out=end)
                else:
                    np.subtract(marks[at], self._comma, out=end)
        return bounds

    def _values(self, block: Block, bounds: _Places) -> pa.StringArray:
        """The values of all lines, key by key in the order `_order`: what lies between the bounds is one array over the block's
        own bytes, of which they are taken at once.
        """
        width, size = bounds.shape
        if not size:
            return pa.array([], pa.string())
        offsets = np.append(bounds.T.ravel(), bounds[-1, -1:])
        every = pa.Array.from_buffers(pa.string(), len(offsets) - 1, [None, pa.py_buffer(offsets), block.data])
        places = np.arange(size, dtype=np.int32) * width
        return every.take(pa.array((places[None, :] + self._taken[:, None]).ravel()))


def layout_of(wanted: Wanted, tree: Mapping[str, Any], text: str) -> Layout | None:
    """The layout of an accepted object; None when none can hold it (something nested, keys with escapes, other white space)."""
    keys = tuple(tree)
    if not 0 < len(keys) <= 200 or any(encode_basestring(key) != f'"{key}"' for key in keys):
        return None
    if any(isinstance(value, (dict, list)) for value in tree.values()):
        return None
    is_string = tuple(isinstance(value, str) and not isinstance(value, Number) for value in tree.values())
    for space in ("", " "):
        if text.startswith(f'{{"{keys[0]}":{space}') and (space or text[len(keys[0]) + 4 : len(keys[0]) + 5] != " "):
            return Layout(wanted, keys, is_string, space)
    return None


def _holds(data: npt.NDArray[np.uint8], places: _Places, piece: bytes) -> _Mask:
    """Whether each place holds the piece."""
    size = len(piece)
    if not len(places):
        return np.ones(0, np.bool_)
    windows = np.ndarray((len(data) - size + 1,), f"V{size}", data.data, strides=(1,))
    found = windows[places]
    if found.tobytes() == piece * len(places):
        return np.ones(len(places), np.bool_)
    same: _Mask = np.all(found.view(np.uint8).reshape(-1, size) == np.frombuffer(piece, np.uint8), axis=1)
    return same


def _is_text(raws: pa.BinaryArray) -> bool:
    try:
        raws.view(pa.string()).validate(full=True)
    except pa.ArrowInvalid:
        return False
    return True
