"""YAML as people write it: short values on one line, columns lined up, comments behind, nothing wider than a screen."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

WIDTH = 128
_PLAIN = re.compile(r"[A-Za-z_/][A-Za-z0-9_./@+-]*(?: [A-Za-z0-9_./@+-]+)*")
_WORDS = frozenset(["true", "false", "null", "yes", "no", "on", "off", "nan", "inf"])
_IN_BLOCK = re.compile(r"[A-Za-z_(][^\x00-\x1f\x7f-\x9f\u2028\u2029\ufeff#\"]*")


def scalar(value: Any) -> str:
    """A value as it stands in a flow collection or behind a key."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return repr(value)
    text = str(value)
    if _PLAIN.fullmatch(text) and text.lower() not in _WORDS:
        return text
    return _quoted(text)


def _quoted(text: str) -> str:
    """The text in double quotes, with everything escaped that an editor would not show."""
    written = json.dumps(text, ensure_ascii=False)
    return "".join(c if c.isprintable() else f"\\u{ord(c):04x}" if ord(c) < 0x10000 else f"\\U{ord(c):08x}" for c in written)


def sentence(text: str) -> str:
    """A text behind a key of a block, bare where that is safe: expressions and descriptions read better so."""
    bare = _IN_BLOCK.fullmatch(text) and ": " not in text and not text.endswith((":", " ")) and text.lower() not in _WORDS
    return text if bare and "'" not in text[:1] else _quoted(text)


def flow(value: Any) -> str:
    """The value on one line."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{scalar(key)}: {flow(inner)}" for key, inner in value.items()) + "}"
    if isinstance(value, Sequence) and not isinstance(value, str):
        return "[" + ", ".join(flow(inner) for inner in value) + "]"
    return scalar(value)


def beside(line: str, why: str, indent: str = "") -> list[str]:
    """The line with its comment behind it, or above it where both are too wide for one line."""
    if not why:
        return [line]
    together = f"{line}   # {why}"
    return [together] if len(together) <= WIDTH else [*comment(why, indent), line]


def comment(text: str, indent: str = "") -> list[str]:
    """The text as lines of comment."""
    lines: list[str] = [""]
    for word in "".join(c if c.isprintable() else " " for c in text).split():
        if lines[-1] and len(indent) + len(lines[-1]) + len(word) + 3 > WIDTH:
            lines.append("")
        lines[-1] = f"{lines[-1]} {word}".strip()
    return [f"{indent}# {line}" for line in lines if line]


def entry(key: str, value: Any, indent: str) -> list[str]:
    """`key: value`, on one line if it fits, else as a block (mappings) or broken between items (lists)."""
    line = f"{indent}{scalar(key)}: {flow(value)}"
    if len(line) <= WIDTH:
        return [line]
    if isinstance(value, Mapping):
        inner = indent + "  "
        return [f"{indent}{scalar(key)}:", *(line for name, each in value.items() for line in entry(name, each, inner))]
    if isinstance(value, Sequence) and not isinstance(value, str):
        broken = _broken(f"{indent}{scalar(key)}: [", [flow(item) for item in value])
        if max(map(len, broken)) <= WIDTH or not all(isinstance(item, Mapping) for item in value):
            return broken
        return [f"{indent}{scalar(key)}:", *(part for each in value for part in item(each, indent + "  "))]
    return [line]


def item(value: Mapping[str, Any], indent: str, line: str | None = None) -> list[str]:
    """A mapping as an item of a list: on one line (as given) if it fits, else a key a line."""
    line = f"{indent}- {flow(value)}" if line is None else line
    if len(line) <= WIDTH:
        return [line]
    lines = [f"{indent}  {scalar(key)}: {sentence(v) if isinstance(v, str) else flow(v)}" for key, v in value.items()]
    return [f"{indent}- {lines[0].lstrip()}", *lines[1:]]


def _broken(head: str, items: Sequence[str]) -> list[str]:
    """`head` and the items, `]` behind the last; lines go on below the first item."""
    lines, indent = [head], " " * len(head)
    for number, text in enumerate(items):
        text += "," if number < len(items) - 1 else "]"
        if lines[-1].strip() and lines[-1] != head and len(lines[-1]) + len(text) + 1 > WIDTH:
            lines.append(indent)
        lines[-1] += text if lines[-1] in (head, indent) else f" {text}"
    return lines


def aligned(rows: Sequence[tuple[str, str, str]]) -> list[str]:
    """Rows of (before, behind, comment) with what is behind lined up."""
    width = max((len(before) for before, _, _ in rows), default=0)
    return [line for before, behind, why in rows for line in beside(f"{before:<{width}} {behind}", why, _indent(before))]


def _indent(line: str) -> str:
    return line[: len(line) - len(line.lstrip())]
