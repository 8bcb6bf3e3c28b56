"""Where things stand in a JSON text: spans of members and elements, without building values.

The scanner follows strings and brackets only. On a text the strict parser accepted its spans are exact; on any other text it
either finds the structure broken (None) or yields spans that the parser will judge one by one.
"""

from __future__ import annotations

import json
import re
from typing import NamedTuple

_WHITE = re.compile(r"[ \t\n\r]*+")
_STRING = re.compile(r'"(?:[^"\\]++|\\.)*+"', re.DOTALL)
_BARE = re.compile(r'[^\s,:{}\[\]"]++')
_BRACKETS = re.compile(r'"(?:[^"\\]++|\\.)*+"|[\[{\]}]', re.DOTALL)


class Member(NamedTuple):
    """A member of an object: its key, unescaped, and the span `[start, end)` of its value's token."""

    key: str
    start: int
    end: int


def members(text: str, at: int = 0) -> list[Member] | None:
    """The top-level members of the object that begins at or after `at`, in order; None when there is no such object."""
    position = _skip(text, at)
    if text[position : position + 1] != "{":
        return None
    found: list[Member] = []
    position = _skip(text, position + 1)
    if text[position : position + 1] == "}":
        return found
    while True:
        token = _STRING.match(text, position)
        if token is None:
            return None
        position = _skip(text, token.end())
        if text[position : position + 1] != ":":
            return None
        start = _skip(text, position + 1)
        end = value_end(text, start)
        if end is None:
            return None
        found.append(Member(_unescaped(token.group()), start, end))
        position = _skip(text, end)
        mark = text[position : position + 1]
        if mark == "}":
            return found
        if mark != ",":
            return None
        position = _skip(text, position + 1)


def elements(text: str, at: int = 0) -> list[tuple[int, int]] | None:
    """The spans of the elements of the list that begins at or after `at`; None when there is no such list."""
    position = _skip(text, at)
    if text[position : position + 1] != "[":
        return None
    found: list[tuple[int, int]] = []
    position = _skip(text, position + 1)
    if text[position : position + 1] == "]":
        return found
    while True:
        end = value_end(text, position)
        if end is None:
            return None
        found.append((position, end))
        position = _skip(text, end)
        mark = text[position : position + 1]
        if mark == "]":
            return found
        if mark != ",":
            return None
        position = _skip(text, position + 1)


def value_end(text: str, start: int) -> int | None:
    """Where the value that begins at `start` ends (exclusive); None when none does."""
    mark = text[start : start + 1]
    if mark == '"':
        token = _STRING.match(text, start)
        return token.end() if token else None
    if mark not in ("{", "["):
        token = _BARE.match(text, start)
        return token.end() if token else None
    depth = 0
    for found in _BRACKETS.finditer(text, start):
        bracket = found.group()
        if bracket in "{[":
            depth += 1
        elif bracket in "}]":
            depth -= 1
            if not depth:
                return found.end()
    return None


def _skip(text: str, position: int) -> int:
    found = _WHITE.match(text, position)
    return found.end() if found else position


def _unescaped(token: str) -> str:
    if "\\" not in token:
        return token[1:-1]
    try:
        return str(json.loads(token, strict=False))
    except ValueError:
        return token[1:-1]
