"""A YAML file as plain values with the place of everything in it; what is wrong with it is a `Problem`, never an exception.

Only plain data is read: tags, anchors, aliases, merge keys, duplicate keys, several documents and keys that are not text are
refused, and depth and size are bounded, so that no file can run code, hide a value or blow up in memory.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path as FilePath
from typing import Any

import yaml

from strandline.errors import Problem
from strandline.spec.plain import LOADER, MAX_DEPTH, MAX_VALUES, OddError, TooManyError, plain_value
from strandline.spec.positions import Path, Place, Positions, ScalarText
from strandline.spec.scalars import NumberRefusedError, resolve
from strandline.spec.syntax_errors import explain

MAX_BYTES = 1_000_000
MAX_PROBLEMS = 100

_START = Place(1, 1)
_TEXT = "tag:yaml.org,2002:str"
_CORE_TAGS = {f"tag:yaml.org,2002:{kind}" for kind in ("str", "int", "float", "bool", "null", "map", "seq")}


@dataclass(frozen=True, slots=True)
class Document:
    """A file read: `value` is None when nothing usable was in it (then there are `problems`).

    The values at the paths `borrowed`, and all below them, stand in the document `lender`.
    """

    path: FilePath
    value: Any
    positions: Positions
    problems: tuple[Problem, ...]
    lender: Document | None = None
    borrowed: frozenset[Path] = frozenset()

    def origin(self, path: Path) -> Document:
        """The document that the value at `path` stands in."""
        if self.lender is not None and any(path[:length] in self.borrowed for length in range(1, len(path) + 1)):
            return self.lender
        return self

    def problem(
        self,
        code: str,
        path: Path,
        message: str,
        hint: str = "",
        *,
        key: bool = False,
        offset: int | None = None,
        level: str = "error",
    ) -> Problem:
        """The problem of the value (or key) at `path`, or of a character of its text."""
        origin = self.origin(path)
        place = origin.positions.key(path) if key else origin.positions.value(path, offset)
        return problem_at(origin.path, place, code, path, message, hint, level)


def read_document(path: FilePath) -> Document:
    """The YAML file at `path`; never raises for what is in it, nor when it cannot be read."""
    try:
        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        return _refused(path, "SL100", f"cannot be read: {error.strerror or type(error).__name__}")
    if len(data) > MAX_BYTES:
        return _refused(path, "SL109", f"is too large (saw {max(size, len(data)):,} bytes, allowed {MAX_BYTES:,})")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = data[: error.start]
        place = Place(before.count(b"\n") + 1, len(before.rpartition(b"\n")[2].decode("utf-8", "replace")) + 1)
        message = f"is not UTF-8 (saw the byte 0x{data[error.start]:02X})"
        return _refused(path, "SL101", message, place, "save the file as UTF-8")
    return parse_document(text, path)


def parse_document(text: str, path: FilePath) -> Document:
    """The YAML `text`, as `read_document` gives it; `path` is only named in the problems."""
    try:
        value, places = plain_value(text)
    except OddError:
        return _with_places(text, path)
    except TooManyError as error:
        return _refused(path, "SL115", f"holds too many values (allowed {MAX_VALUES:,})", error.place, "split the stream")
    return Document(path, value, Positions.later(places, lambda: _with_places(text, path).positions), ())


def _with_places(text: str, path: FilePath) -> Document:
    """The document, and the place of everything in it."""
    lines = tuple(text.splitlines())
    reader = _Reader(path, lines)
    loader = LOADER(text)
    try:
        reader.read(loader.get_event)
    except yaml.YAMLError as error:
        place, code, message, hint = explain(error, text, lines)
        reader.report(place, code, message, hint)
        return Document(path, None, Positions(), tuple(reader.problems))
    except _StopError as stop:
        reader.report(stop.place, stop.code, str(stop), stop.hint)
        return Document(path, None, Positions(), tuple(reader.problems))
    finally:
        loader.dispose()
    if not reader.documents:
        reader.report(Place(1, 1), "SL112", "the file is empty", "start from an example: strandline new")
    return Document(path, reader.root, Positions(reader.keys, reader.values, reader.texts), tuple(reader.problems))


def _refused(path: FilePath, code: str, message: str, place: Place = _START, hint: str = "") -> Document:
    return Document(path, None, Positions(), (Problem(path, place.line, place.column, code, "", message, hint),))


class _StopError(Exception):
    """What is wrong is of a kind that makes reading on pointless or costly."""

    def __init__(self, place: Place, code: str, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.place, self.code, self.hint = place, code, hint


@dataclass(slots=True)
class _Frame:
    """A mapping or list being read; `key` is the mapping key whose value comes next (None: dropped, with all that is in it)."""

    path: Path
    value: dict[str, Any] | list[Any]
    is_mapping: bool
    key: str | None = None
    waiting_for_key: bool = False


@dataclass(slots=True)
class _Reader:
    """Builds the value from parser events, with one frame per open mapping or list."""

    path: FilePath
    lines: tuple[str, ...]
    problems: list[Problem] = field(default_factory=list)
    keys: dict[Path, Place] = field(default_factory=dict)
    values: dict[Path, Place] = field(default_factory=dict)
    texts: dict[Path, ScalarText] = field(default_factory=dict)
    documents: int = 0
    root: Any = None
    stack: list[_Frame] = field(default_factory=list)

    def report(self, place: Place, code: str, message: str, hint: str = "", path: Path = ()) -> None:
        self.problems.append(problem_at(self.path, place, code, path, message, hint))
        if len(self.problems) == MAX_PROBLEMS:
            raise _StopError(place, "SL116", f"has more than {MAX_PROBLEMS} problems above; the rest is not read")

    def read(self, next_event: Callable[[], Any]) -> None:
        """Takes every event; scalars, by far the most, come first."""
        while (event := next_event()) is not None:
            kind = type(event)
            if kind is yaml.ScalarEvent:
                self._scalar(event)
            elif kind is yaml.DocumentStartEvent:
                self.documents += 1
                if self.documents == 2:
                    message = "holds several documents (allowed one)"
                    self.report(_place(event), "SL111", message, "one file, one stream: split it")
                    return
            else:
                self._structure(event, kind)

    def _structure(self, event: Any, kind: type) -> None:
        if kind in (yaml.MappingEndEvent, yaml.SequenceEndEvent):
            self.stack.pop()
        elif kind in (yaml.MappingStartEvent, yaml.SequenceStartEvent):
            self._refuse_references(event)
            self._open(event, kind is yaml.MappingStartEvent)
        elif kind is yaml.AliasEvent:
            self._refuse_references(event)
            self._put(None, _place(event))

    def _refuse_references(self, event: Any) -> None:
        if event.anchor is not None:
            what = f"alias *{event.anchor}" if isinstance(event, yaml.AliasEvent) else f"anchor &{event.anchor}"
            message = f"anchors and aliases are not allowed (saw the {what})"
            self.report(_place(event), "SL106", message, "write the value out, or quote the text")
        tag = getattr(event, "tag", None)
        if tag is not None and tag != "!" and tag not in _CORE_TAGS:
            message = f"tags are not allowed (saw {_shorten(tag)})"
            self.report(_place(event), "SL107", message, "quote a text that starts with !")

    def _open(self, event: Any, is_mapping: bool) -> None:
        place = _place(event)
        if len(self.stack) >= MAX_DEPTH:
            raise _StopError(place, "SL108", f"is nested too deeply (allowed {MAX_DEPTH} levels)")
        value: dict[str, Any] | list[Any] = {} if is_mapping else []
        parent = self.stack[-1] if self.stack else None
        if parent and parent.waiting_for_key:
            message = "a key must be a text (saw a mapping or list)"
            self.report(place, "SL110", message, "put texts that start with { or [ in quotes")
            parent.key, parent.waiting_for_key = None, False
            path: Path = (*parent.path, "?")
        else:
            path = self._put(value, place) or (*(parent.path if parent else ()), "?")
        self.stack.append(_Frame(path if self.stack else (), value, is_mapping, waiting_for_key=is_mapping))

    def _scalar(self, event: Any) -> None:
        if event.anchor is not None or event.tag is not None:
            self._refuse_references(event)
        mark, frame = event.start_mark, self.stack[-1] if self.stack else None
        line, text, style = mark.line, event.value, event.style
        place = Place(line + 1, mark.column + 1)
        if frame and frame.waiting_for_key:
            self._key(frame, event, place)
            return
        value = text if style or event.tag == _TEXT else self._resolve(text, place)
        path = self._put(value, place)
        if path and type(value) is str:
            end = event.end_mark
            last = end.line if style and style in "|>" and end.column == 0 else end.line + 1
            self.texts[path] = ScalarText(place, style or "", value, self.lines[line:last])

    def _key(self, frame: _Frame, event: Any, place: Place) -> None:
        key, frame.key, frame.waiting_for_key = event.value, None, False
        path = (*frame.path, key)
        if not event.style and (key == "<<" or type(self._resolve(key, place)) is not str):
            self._odd_key(key, place, frame.path)
        elif path in self.keys and key in frame.value:
            message = f"the key '{_shorten(key)}' is there twice (first at line {self.keys[path].line})"
            self.report(place, "SL105", message, "keep one of the two", path)
        else:
            frame.key = key
            self.keys[path] = place

    def _odd_key(self, key: str, place: Place, above: Path) -> None:
        if key == "<<":
            self.report(place, "SL106", "merge keys (<<) are not allowed", "write the keys out")
        else:
            hint = f"quote it: '{key}'" if key else ""
            self.report(place, "SL110", f"a key must be a text (saw {key or 'nothing'})", hint, above)

    def _resolve(self, text: str, place: Place) -> Any:
        try:
            return resolve(text)
        except NumberRefusedError:
            hint = "leave the limit out when there is none" if len(text) < 6 else "put it in quotes when it is a text"
            self.report(place, "SL113", f"is not a usable number (saw {_shorten(text)})", hint)
            return 0

    def _put(self, value: Any, place: Place) -> Path:
        """Hangs `value` where it belongs and returns its path; empty for the root, and for a value that is dropped."""
        if not self.stack:
            self.root = value
            self.values[()] = place
            return ()
        frame = self.stack[-1]
        holder = frame.value
        if type(holder) is list:
            path: Path = (*frame.path, len(holder))
            holder.append(value)
        else:
            assert isinstance(holder, dict)
            frame.waiting_for_key = True
            if frame.key is None:
                return ()
            path = (*frame.path, frame.key)
            holder[frame.key] = value
        self.values[path] = place
        if len(self.values) > MAX_VALUES:
            raise _StopError(place, "SL115", f"holds too many values (allowed {MAX_VALUES:,})", "split the stream")
        return path


def _place(event: Any) -> Place:
    return Place(event.start_mark.line + 1, event.start_mark.column + 1)


def _shorten(text: str, most: int = 40) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"


def dotted(path: Path) -> str:
    """A path as people write it: `gold.api_hourly.grain`, `schema.fields[3].type`."""
    text = ""
    for step in path:
        text += f"[{step}]" if isinstance(step, int) else f"{'.' if text else ''}{_shorten(printable(step))}"
    return text


def printable(text: str) -> str:
    """A text with everything that would move a cursor or break a line written out: `\\x1b[2J`."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def problem_at(
    file: FilePath, place: Place, code: str, path: Path, message: str, hint: str = "", level: str = "error"
) -> Problem:
    """The problem of the value at `path` of a file, fit to be printed whatever stands in the file."""
    return Problem(file, place.line, place.column, code, dotted(path), printable(message), printable(hint), level)


def walk(value: Any, path: Path = ()) -> Iterator[tuple[Path, Any]]:
    """Every value with its path, parents first, in document order."""
    yield path, value
    if isinstance(value, dict):
        for key, child in value.items():
            yield from walk(child, (*path, key))
    elif isinstance(value, list):
        for index, child in enumerate(value):
            yield from walk(child, (*path, index))
