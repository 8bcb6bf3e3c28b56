"""One line's meaning, judged byte by byte: a JSON object or the reason why it is none. Source: RFC 8259."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from json.encoder import encode_basestring
from math import isinf
from typing import Any, NamedTuple

from strandline.spec.model import Field

MAX_LINE = 16 * 1024 * 1024
"""Bytes of the longest line that is parsed; a longer one is kept and refused as `too_long`."""
MAX_DEPTH = 200
"""Objects and lists inside one another that a line may hold, the outermost counted."""

_BOM = b"\xef\xbb\xbf"
_WHITE = " \t\n\r\v\f"
_BRACKETS = re.compile(r'"(?:[^"\\]++|\\.)*+"|[\[{]|[\]}]', re.DOTALL)
_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")


class Refusal(NamedTuple):
    """Why a line was not accepted: a reason code, the declared field at fault (if one is), and a sentence that quotes no
    value."""

    reason: str
    field: str | None
    detail: str


class Row(NamedTuple):
    """The declared fields' texts, in the order declared, and the number of top-level keys nobody declared."""

    texts: tuple[str | None, ...]
    unknown: int


class Number(str):
    """A JSON number as it was written."""

    __slots__ = ()


class HugeNumber(Number):
    """A number no double can hold, NaN and the infinities included."""

    __slots__ = ()


class _Object(dict[str, Any]):
    """A JSON object that remembers the first key it met twice."""

    __slots__ = ("repeated",)
    repeated: str | None


class Wanted:
    """The declared fields as the parser needs them: which key fills which columns, and which texts mean NULL."""

    def __init__(self, fields: Iterable[Field]) -> None:
        self.fields = tuple(fields)
        self.columns: dict[str, list[int]] = {}
        for index, declared in enumerate(self.fields):
            self.columns.setdefault(declared.source_name, []).append(index)
        self.nested = tuple(declared.type == "json" for declared in self.fields)
        self.nulls = tuple(frozenset(declared.null_values) for declared in self.fields)

    def name(self, key: str) -> str | None:
        """The declared field that `key` fills, None when nobody declared it."""
        columns = self.columns.get(key)
        return self.fields[columns[0]].name if columns else None


def decode(raw: bytes, white: str = _WHITE) -> str | Refusal:
    """The text of `raw` without a byte order mark and one trailing CR; `white` are the characters an empty line is made of."""
    if len(raw) > MAX_LINE:
        return Refusal("too_long", None, f"{len(raw)} bytes; the longest line that is parsed has {MAX_LINE}")
    body = raw.removeprefix(_BOM).removesuffix(b"\r")
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError as error:
        return Refusal("not_utf8", None, f"not UTF-8 at byte {error.start}: {error.reason}")
    if "\0" in text:
        return Refusal("nul", None, f"a NUL byte at character {text.index(chr(0))}")
    if not text.strip(white):
        return Refusal("empty_line", None, "nothing but white space")
    return text


def parse_object(wanted: Wanted, text: str) -> dict[str, Any] | Refusal:
    """The JSON object `text` is: numbers as `Number`, keys in order; never recurses deeper than `MAX_DEPTH`."""
    if text.count("{") + text.count("[") > MAX_DEPTH and _too_deep(text):
        return Refusal("too_deep", None, f"more than {MAX_DEPTH} objects and lists inside one another")
    reading = _Reading()
    try:
        tree = reading.decoder.decode(text)
    except json.JSONDecodeError as error:
        return Refusal("not_json", None, f"{error.msg.split(':')[0]} at character {error.pos}")
    if not isinstance(tree, _Object):
        return Refusal("not_object", None, f"a JSON {_kind(tree)}, not an object")
    return reading.trouble(wanted, tree, text) or tree


def row(wanted: Wanted, tree: Mapping[str, Any]) -> Row | Refusal:
    """The texts of the declared fields in `tree`; refuses a nested value where the declared type has no room for one."""
    texts: list[str | None] = [None] * len(wanted.fields)
    unknown = 0
    for key, value in tree.items():
        columns = wanted.columns.get(key)
        if columns is None:
            unknown += 1
            continue
        for index in columns:
            if isinstance(value, (dict, list)) and not wanted.nested[index]:
                declared = wanted.fields[index]
                return Refusal("type", declared.name, f"a nested {_kind(value)} where {declared.type} is declared")
            text = text_of(value)
            texts[index] = None if text in wanted.nulls[index] else text
    return Row(tuple(texts), unknown)


def text_of(value: Any) -> str | None:
    """A value as a column holds it: a string itself, a number as written, `true`/`false`, nested compact JSON, null None."""
    if value is None:
        return None
    if isinstance(value, str):
        return str(value)
    return compact(value)


def compact(value: Any) -> str:
    """JSON without white space; numbers as they were written, keys in their order, nothing but control characters escaped.

    Takes no stack for depth, so that a line is judged alike wherever it is parsed.
    """
    written: list[str] = []
    waiting = [value]
    while waiting:
        item = waiting.pop()
        if isinstance(item, Number):
            written.append(item)
        elif isinstance(item, str):
            written.append(encode_basestring(item))
        elif isinstance(item, dict):
            inner = [part for key, value in item.items() for part in (Number(f",{encode_basestring(key)}:"), value)]
            waiting += [Number("}"), *reversed(inner[1:]), *([Number(inner[0][1:])] if inner else []), Number("{")]
        elif isinstance(item, list):
            inner = [part for value in item for part in (Number(","), value)]
            waiting += [Number("]"), *reversed(inner[1:]), Number("[")]
        else:
            written.append("null" if item is None else "true" if item else "false")
    return "".join(written)


class _Reading:
    """One reading of one text, noting what JSON permits and we do not."""

    def __init__(self) -> None:
        self.repeated: _Object | None = None
        self.huge = False
        self.decoder = json.JSONDecoder(
            object_pairs_hook=self._object, parse_int=self._number, parse_float=self._number, parse_constant=self._constant
        )

    def _object(self, pairs: list[tuple[str, Any]]) -> _Object:
        found = _Object(pairs)
        found.repeated = None
        if len(found) != len(pairs):
            seen: set[str] = set()
            found.repeated = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
            self.repeated = found
        return found

    def _number(self, token: str) -> Number:
        if len(token) < 300 and "e" not in token and "E" not in token:
            return Number(token)
        if isinf(float(token)):
            return self._constant(token)
        return Number(token)

    def _constant(self, token: str) -> HugeNumber:
        self.huge = True
        return HugeNumber(token)

    def trouble(self, wanted: Wanted, tree: _Object, text: str) -> Refusal | None:
        """The first of: duplicate key, number out of range, lone surrogate."""
        if self.repeated is not None:
            top = self.repeated is tree
            name = wanted.name(tree.repeated) if top and tree.repeated is not None else None
            return Refusal("duplicate_key", name, f"a key stands twice in {'the object' if top else 'a nested object'}")
        if self.huge:
            keys = (key for key, value in tree.items() if isinstance(value, HugeNumber))
            return Refusal("number_range", wanted.name(next(keys, "")), "a number that no double can hold")
        if _SURROGATE.search(text):
            return _lone_surrogate(wanted, tree)
        return None


def _lone_surrogate(wanted: Wanted, tree: Mapping[str, Any]) -> Refusal | None:
    for key, value in tree.items():
        if not _encodable(key) or not _encodable(compact(value)):
            return Refusal("lone_surrogate", wanted.name(key), "half of a surrogate pair, which is no character")
    return None


def _encodable(text: str) -> bool:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def _too_deep(text: str) -> bool:
    depth = 0
    for found in _BRACKETS.finditer(text):
        mark = found.group()
        if mark in "[{":
            depth += 1
            if depth > MAX_DEPTH:
                return True
        elif mark in "]}":
            depth -= 1
    return False


def _kind(value: Any) -> str:
    if isinstance(value, dict):
        return "object"
    if isinstance(value, list):
        return "list"
    if isinstance(value, Number):
        return "number"
    if isinstance(value, str):
        return "string"
    return "null" if value is None else "boolean"
