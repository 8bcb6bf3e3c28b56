"""`${stream.name}` and its like in `config/dags`: a closed list of names, replaced by text or lists; nothing is evaluated."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from strandline.describe import stream_page, stream_row, table_of_rows
from strandline.spec.model import Stream

STREAM_NAMES = ("name", "schedule", "owner", "team", "version", "purpose", "usage", "tags", "doc")
ALL_STREAMS = "streams"
_PLACEHOLDER = re.compile(r"\$\{([^}]*)\}")

Values = dict[str, str | tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class StreamTexts:
    """All that DAGs say of one stream: what its placeholders stand for, and its row in the table of all streams."""

    name: str
    values: Values
    row: tuple[str, ...]


def placeholders(text: str) -> Iterator[str]:
    """The names inside `${…}`, in order."""
    return (match.group(1) for match in _PLACEHOLDER.finditer(text))


def stream_texts(stream: Stream) -> StreamTexts:
    """What `${stream.…}` stands for inside a `for_each: stream`, and the stream's part of `${streams}`."""
    values: dict[str, str | tuple[str, ...]] = {
        "name": stream.name,
        "schedule": stream.schedule,
        "owner": stream.team.owner,
        "team": stream.team.name,
        "version": stream.version,
        "purpose": stream.purpose,
        "usage": stream.usage,
        "tags": stream.tags,
        "doc": stream_page(stream),
    }
    return StreamTexts(stream.name, {f"stream.{name}": values[name] for name in STREAM_NAMES}, stream_row(stream))


def common_values(streams: Iterable[StreamTexts]) -> Values:
    """What may be used everywhere: `${streams}`, a table of all streams."""
    return {ALL_STREAMS: table_of_rows(stream.row for stream in streams)}


def substitute(value: Any, values: Values) -> Any:
    """A copy of `value` with every placeholder replaced, in keys too.

    A list item that is nothing but a placeholder of a list (`${stream.tags}`) becomes the list's items, each once; in running
    text a list is joined by commas. What was put in is not looked at again.
    """
    if isinstance(value, str):
        return _PLACEHOLDER.sub(lambda match: _text(values[match.group(1)]), value)
    if isinstance(value, Mapping):
        return {substitute(key, values): substitute(item, values) for key, item in value.items()}
    if isinstance(value, list):
        return list(dict.fromkeys(item for entry in value for item in _items(entry, values)))
    return value


def _items(entry: Any, values: Values) -> Iterable[Any]:
    whole = _PLACEHOLDER.fullmatch(entry) if isinstance(entry, str) else None
    found = values[whole.group(1)] if whole else None
    return found if isinstance(found, tuple) else (substitute(entry, values),)


def _text(found: str | tuple[str, ...]) -> str:
    return found if isinstance(found, str) else ", ".join(found)
