"""What a plain YAML scalar means, by the core schema of YAML 1.2: `on`, `yes`, `12:30` and `2024-01-01` are texts.

Source: YAML 1.2.2, 10.3.2 "Tag Resolution" (https://yaml.org/spec/1.2.2/#1032-tag-resolution).
"""

from __future__ import annotations

import re
from functools import lru_cache

Scalar = str | int | float | bool | None

_NULL = {"", "~", "null", "Null", "NULL"}
_BOOL = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_INT = re.compile(r"[-+]?[0-9]+\Z")
_OCTAL_OR_HEX = re.compile(r"0o[0-7]+\Z|0x[0-9a-fA-F]+\Z")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?\Z")
_NOT_FINITE = re.compile(r"[-+]?\.(inf|Inf|INF)\Z|\.(nan|NaN|NAN)\Z")
_MOST_DIGITS = 40
_FIRST = frozenset("0123456789+-.~nNtTfF")
"""What everything but a text begins with."""


class NumberRefusedError(ValueError):
    """A scalar is a number by its shape, but not one that can be used: infinite, not a number, or absurdly long."""


@lru_cache(maxsize=8192)
def resolve(text: str) -> Scalar:
    """The value of a plain scalar; raises NumberRefusedError for infinities, NaN and numbers of more than 40 characters."""
    if text and text[0] not in _FIRST:
        return text
    if text in _NULL:
        return None
    if text in _BOOL:
        return _BOOL[text]
    if not (text[0].isdigit() or text[0] in "+-."):
        return text
    if _NOT_FINITE.match(text):
        raise NumberRefusedError(text)
    integer, based = _INT.match(text), _OCTAL_OR_HEX.match(text)
    if not (integer or based or _FLOAT.match(text)):
        return text
    if len(text) > _MOST_DIGITS:
        raise NumberRefusedError(text)
    if integer or based:
        return int(text, 10 if integer else 0)
    number = float(text)
    if number in (float("inf"), float("-inf")):
        raise NumberRefusedError(text)
    return number
