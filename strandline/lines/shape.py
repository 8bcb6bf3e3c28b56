"""Lines of a known shape, read by one regular expression that proves them clean.

A shape is a sequence of distinct keys. A line that matches it in full is an object with exactly these keys (declared ones may
be absent), values that are scalars or flat lists, no escape sequence, and numbers far inside the range of a double: whatever
the strict parser checks has been shown, and the groups are the texts the strict parser would give. Any other line is not for
here.
"""

from __future__ import annotations

import re
from collections.abc import Container
from json.encoder import encode_basestring

from strandline.lines.strict import Wanted

MAX_FAST = 64 * 1024
"""Bytes of the longest line tried here."""

_STRING = r'[^"\\\x00-\x1f]*+'
_NUMBER = r"-?(?:0|[1-9][0-9]{0,17}+)(?:\.[0-9]{1,40}+)?+"
_BARE = rf"{_NUMBER}|true|false|null"
_ANY = rf'(?:"{_STRING}"|{_BARE})'
_LIST = rf"\[(?:{_ANY}(?:,{_ANY})*+)?+\]"


class Shape:
    """The compiled expression of one sequence of keys and what its groups hold.

    Captured key `i` of the shape owns the groups `2i + 1` (a string, without quotes) and `2i + 2` (any other value, as
    written); `groups` holds the first of them by key. `unknown` counts the keys nobody declared.
    """

    def __init__(self, wanted: Wanted, keys: tuple[str, ...], space: str, captured: Container[str]) -> None:
        self.keys = keys
        self.unknown = sum(key not in wanted.columns for key in keys)
        self.groups: dict[str, int] = {}
        end = rf"(?:,{space}(?!\}})|(?=\}}))"
        parts = []
        for key in keys:
            columns = wanted.columns.get(key)
            name = rf'"{re.escape(key)}":{space}'
            bare = rf"{_BARE}|{_LIST}" if all(wanted.nested[index] for index in columns or ()) else _BARE
            if key in captured:
                self.groups[key] = 2 * len(self.groups) + 1
                value = rf'(?:"({_STRING})"|({bare}))'
            else:
                value = rf'(?:"{_STRING}"|{bare})'
            parts.append(rf"(?:{name}{value}{end})?+" if columns else f"{name}{value}{end}")
        self.match = re.compile(r"\{" + "".join(parts) + r"\}\r?").fullmatch


def shape_of(wanted: Wanted, keys: tuple[str, ...], text: str, captured: Container[str]) -> Shape | None:
    """A shape for lines like `text`, an accepted object with these `keys`; None when no shape can hold it."""
    if not 0 < len(keys) <= 200 or any(encode_basestring(key) != f'"{key}"' for key in keys):
        return None
    for space in ("", " "):
        if text.startswith(f'{{"{keys[0]}":{space}'):
            found = Shape(wanted, keys, space, captured)
            if found.match(text):
                return found
    return None


class Shapes:
    """The shapes a stream's lines have shown so far, the last one that matched first."""

    _most = 8
    _seen_before = 3

    def __init__(self, wanted: Wanted, captured: Container[str] | None = None) -> None:
        """`captured` are the keys whose values are asked for, by default all declared ones."""
        self.wanted = wanted
        self._captured = wanted.columns if captured is None else captured
        self.known: list[Shape] = []
        self._counts: dict[tuple[str, ...], int] = {}

    def find(self, text: str) -> tuple[Shape, re.Match[str]] | None:
        """The shape `text` has and its match; the shape comes to the front."""
        for position, shape in enumerate(self.known):
            found = shape.match(text)
            if found is not None:
                if position:  # a new list: other threads may be going through this one
                    self.known = [shape, *(other for other in self.known if other is not shape)]
                return shape, found
        return None

    def learn(self, keys: tuple[str, ...], text: str) -> None:
        """Count one accepted line; at the third with these keys a shape is compiled (milliseconds), the oldest gives way."""
        if len(text) > MAX_FAST or (len(self._counts) >= 1000 and keys not in self._counts):
            return
        seen = self._counts[keys] = self._counts.get(keys, 0) + 1
        if seen % 1000 != self._seen_before:
            return
        shape = shape_of(self.wanted, keys, text, self._captured)
        if shape is not None:
            self.known = [shape, *(other for other in self.known if other.keys != keys)][: self._most]
