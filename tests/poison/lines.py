"""What a poisoned line is, and how the corpus writes its events."""

from __future__ import annotations

from itertools import count
from typing import NamedTuple

AT = "2026-01-01T00:00:00Z"
GOOD = (
    b'{"id":"a","at":"2026-01-01T00:00:00Z","n":1,"x":1.5,"price":"2.50","ok":true,"day":"2026-01-01",'
    b'"tags":[1],"Note-Text":"hi"}'
)
"""A line that nothing is wrong with; its keys are the ones that `streams.POISONED_FIELDS` declares."""


class Poison(NamedTuple):
    """A named input and what must become of it.

    `reason` is the parser's (None: it accepts the line), `field` the declared field that it names. `judged` is what judging
    says of a line that the parser accepts: reason and field, or None for a good event. `header` is the CSV header it stands
    under; None: it is a JSON line.
    """

    name: str
    raw: bytes
    reason: str | None
    field: str | None = None
    header: str | None = None
    judged: tuple[str, str | None] | None = None

    @property
    def end(self) -> tuple[str, str | None] | None:
        """Reason and field in quarantine; None for a good event."""
        return self.judged if self.reason is None else (self.reason, self.field)

    @property
    def shown(self) -> str:
        """How a failure names it."""
        return f"{self.name}: {self.raw[:80]!r}"


_numbers = count(1)


def event(more: str = "", *, key: str | None = None, at: str | None = f'"{AT}"') -> bytes:
    """A JSON event of its own id (or with the token `key`), with more members; without `at` when that is None."""
    token = key if key is not None else f'"e{next(_numbers)}"'
    parts = [f'"id":{token}', *([f'"at":{at}'] if at is not None else []), *([more] if more else [])]
    return ("{" + ",".join(parts) + "}").encode()


def wrong(field: str, *tokens: str, key: str | None = None) -> list[Poison]:
    """An event for each JSON token that is no value of `field`: the parser accepts it, judging refuses its type."""
    found = []
    for token in tokens:
        raw = event(at=token) if field == "at" else event(f'"{key or field}":{token}')
        found.append(Poison(f"{field}: {_short(token)}", raw, None, judged=("type", field)))
    return found


def cells(field: str, *values: str) -> list[Poison]:
    """The same in CSV: a record for each text that is no value of `field`."""
    found = []
    for value in values:
        header, row = ("id,at", [f"c{next(_numbers)}"]) if field == "at" else (f"id,at,{field}", [f"c{next(_numbers)}", AT])
        quoted = '"' + value.replace('"', '""') + '"' if any(mark in value for mark in ',"\n\r') else value
        record = ",".join([*row, quoted]).encode()
        found.append(Poison(f"CSV {field}: {_short(value)}", record, None, header=header, judged=("type", field)))
    return found


def _short(text: str) -> str:
    shown = text if text.isascii() and text.isprintable() else ascii(text)
    return shown if len(shown) <= 40 else f"{shown[:20]}… ({len(shown)})"
