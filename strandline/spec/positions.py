"""Where things stand in a YAML text: every key, value and list item, and a character inside a text value."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

Path = tuple[str | int, ...]


class Place(NamedTuple):
    """A place in a text file; both numbers are 1-based and count characters."""

    line: int
    column: int


class ScalarText(NamedTuple):
    """A text value as written: where it starts, its style (`` plain, `'`, `"`, `|`, `>`) and the source lines it spans."""

    start: Place
    style: str
    value: str
    lines: tuple[str, ...]

    def place(self, offset: int) -> Place:
        """The place of character `offset` (0-based) of the value; exact on one line, the line for block scalars."""
        if self.style == "|":
            before = self.value[:offset].count("\n")
            return Place(self.start.line + 1 + before, self._indent(1 + before))
        if self.style == ">" or len(self.lines) != 1:
            return self._folded_place(offset) if len(self.lines) > 1 else self.start
        return Place(self.start.line, self.start.column + self._width(offset))

    def _width(self, offset: int) -> int:
        """How many source characters stand before character `offset` of a value written on one line."""
        if self.style == "'":
            return 1 + offset + self.value[:offset].count("'")
        if self.style != '"':
            return offset
        source, at = self.lines[0], self.start.column
        for _ in range(offset):
            at += _escape_width(source, at)
        return at - (self.start.column - 1)

    def _folded_place(self, offset: int) -> Place:
        """The line of the word at `offset` of a value folded over several lines: words are counted, as folding keeps them."""
        words = len(self.value[: offset + 1].split())
        for number, line in enumerate(self.lines):
            text = line[self.start.column - 1 :] if number == 0 else line
            words -= 0 if number == 0 and self.style == ">" else len(text.split())
            if words <= 0 and not (number == 0 and self.style == ">"):
                return Place(self.start.line + number, self._indent(number) if number else self.start.column)
        return self.start

    def _indent(self, number: int) -> int:
        if number >= len(self.lines):
            return 1
        line = self.lines[number]
        return len(line) - len(line.lstrip(" ")) + 1


def _escape_width(source: str, at: int) -> int:
    if at >= len(source) or source[at] != "\\":
        return 1
    return {"x": 4, "u": 6, "U": 10}.get(source[at + 1 : at + 2], 2)


class Positions:
    """Places by path (`("schema", "fields", 0, "name")`); what is not there takes the place of the nearest thing around it."""

    def __init__(
        self,
        keys: Mapping[Path, Place] | None = None,
        values: Mapping[Path, Place] | None = None,
        texts: Mapping[Path, ScalarText] | None = None,
    ) -> None:
        self._keys, self._values, self._texts = keys or {}, values or {}, texts or {}
        self._find: Callable[[], Positions] | None = None

    @classmethod
    def later(cls, values: Mapping[Path, Place], find: Callable[[], Positions]) -> Positions:
        """Positions of which some values' are known, and all others are found when one is asked for."""
        positions = cls(values=values)
        positions._find = find
        return positions

    def _know(self) -> None:
        if self._find is not None:
            found, self._find = self._find(), None
            self._keys, self._values, self._texts = found.keys, found.values, found.texts

    @property
    def keys(self) -> Mapping[Path, Place]:
        """Where each key of a mapping stands."""
        self._know()
        return self._keys

    @property
    def values(self) -> Mapping[Path, Place]:
        """Where each value and list item starts."""
        self._know()
        return self._values

    @property
    def texts(self) -> Mapping[Path, ScalarText]:
        """How each text is written."""
        self._know()
        return self._texts

    def key(self, path: Path) -> Place:
        """The place of the key (for a list item: of the item) at `path`."""
        for length in range(len(path), 0, -1):
            found = self.keys.get(path[:length]) or self.values.get(path[:length])
            if found:
                return found
        return Place(1, 1)

    def value(self, path: Path, offset: int | None = None) -> Place:
        """The place of the value at `path`, or of the character `offset` (0-based) inside its text."""
        if offset is None and path in self._values:
            return self._values[path]
        if path not in self.values:
            return self.key(path)
        if offset is not None and path in self.texts:
            return self.texts[path].place(offset)
        return self.values[path]
