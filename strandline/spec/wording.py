"""How problems say things: the value that was seen, what is allowed, and the closest name to a typo."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Any

_TYPES = {
    "string": "a text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "array": "a list",
    "object": "a mapping",
    "null": "nothing",
}


_OTHER_WORDS = {
    "int": "integer", "int32": "integer", "int64": "integer", "long": "integer", "bigint": "integer",
    "float": "number", "float64": "number", "double": "number", "numeric": "decimal", "money": "decimal",
    "str": "string", "text": "string", "varchar": "string", "bool": "boolean",
    "datetime": "timestamp", "time": "timestamp", "object": "json", "array": "json",
    "hourly": "hour", "daily": "day", "weekly": "week", "monthly": "month", "5m": "5 minutes", "15m": "15 minutes",
    "error": "fail", "drop": "quarantine", "p1": "critical", "warning": "warn", "folder": "files", "s3": "files", "api": "http",
}  # fmt: skip


def seen(value: Any) -> str:
    """A value as a problem shows it: `'hour'`, `5`, `true`, `a list`, `nothing`."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return f"'{value}'" if len(value) <= 60 else f"'{value[:59]}…'"
    if isinstance(value, dict):
        return "a mapping"
    return "a list" if isinstance(value, list) else str(value)


def type_name(kind: str) -> str:
    """A JSON Schema type in words: `a text`, `a list`."""
    return _TYPES.get(kind, kind)


def listed(names: Iterable[Any], most: int = 25) -> str:
    """Names as a list in a sentence; after `most` it ends with how many more there are."""
    texts = [value if isinstance(value, str) else seen(value) for value in names]
    more = f" and {len(texts) - most} more" if len(texts) > most else ""
    return ", ".join(texts[:most]) + more if texts else "none"


def either(parts: Iterable[str]) -> str:
    """Alternatives in a sentence: `a, b or c`."""
    found = list(dict.fromkeys(parts))
    return found[0] if len(found) == 1 else ", ".join(found[:-1]) + " or " + found[-1] if found else ""


def closest(name: object, names: Iterable[Any]) -> str:
    """The name closest to a typo, or an empty text when none is near. Case does not count."""
    if not isinstance(name, str):
        return ""
    texts = {str(known).lower(): str(known) for known in names if isinstance(known, str)}
    found = difflib.get_close_matches(name.lower(), texts, 1, 0.6)
    return texts[found[0]] if found else ""


def did_you_mean(name: object, names: Iterable[Any]) -> str:
    """The hint for a typo or for another tool's word, or an empty text."""
    known = list(names)
    found = _OTHER_WORDS.get(name.lower(), "") if isinstance(name, str) else ""
    if found not in known:
        found = closest(name, known)
    return f"did you mean {found}?" if found and found != name else ""


def folded(text: str) -> str:
    """A text without what is often written otherwise by mistake: case, and blanks, - and _ alike."""
    return " ".join(text.casefold().replace("_", " ").replace("-", " ").split())
