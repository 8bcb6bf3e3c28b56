"""Streams that the tests of this folder parse and protect lines of."""

from __future__ import annotations

import base64
from pathlib import Path

from strandline.lines.keys import KeyRing
from strandline.spec.model import Field, FilesSource, Stream, Team

KEYS = KeyRing({"STRANDLINE_KEY": base64.b64encode(bytes(range(32))).decode()})

POISONED_FIELDS = (
    Field("id", "string", "id"),
    Field("at", "timestamp", "at"),
    Field("n", "integer", "n"),
    Field("x", "number", "x"),
    Field("price", "decimal", "price", scale=2),
    Field("ok", "boolean", "ok"),
    Field("day", "date", "day"),
    Field("tags", "json", "tags"),
    Field("note", "string", "Note-Text", null_values=("-",)),
)


def stream_of(*fields: Field, name: str = "events", delimiter: str = ",") -> Stream:
    """A stream with these fields; the first is its key, the second its event time."""
    source = FilesSource("/nowhere", delimiter=delimiter)
    key, time = fields[0].name, fields[min(1, len(fields) - 1)].name
    return Stream(name, "1.0.0", "a test", Team("t", "t@example.com"), source, (key,), time, fields, Path("t.yaml"))


def poisoned() -> Stream:
    """The stream of the poison table."""
    return stream_of(*POISONED_FIELDS)


def secretive() -> Stream:
    """A stream with a hashed, a hashed number, a dropped and a hashed nested field among open ones."""
    return stream_of(
        Field("id", "string", "id"),
        Field("at", "timestamp", "at"),
        Field("email", "string", "e-mail", protect="hash", classification="pii", null_values=("-",)),
        Field("card", "integer", "card", protect="hash", classification="secret"),
        Field("ip", "string", "ip", protect="drop", classification="pii"),
        Field("n", "integer", "n"),
    )
