"""Texts as moments, the way the engine reads them: ISO 8601, UTC where no zone is written."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from functools import lru_cache

_MOMENT = r"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:[.,][0-9]{1,9})?)?"
_TIMESTAMP = re.compile(rf"(?:{_MOMENT}(?: ?[Zz]| ?[+-][0-9]{{2}}(?::?[0-9]{{2}})?)?|[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}})")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_FRACTION = re.compile(r"([.,][0-9]{1,6})[0-9]*")


@lru_cache(maxsize=100_000)
def moment_of(text: str) -> datetime | None:
    """The moment in UTC; None when the text is none."""
    if not _TIMESTAMP.fullmatch(text):
        return None
    try:
        found = datetime.fromisoformat(_FRACTION.sub(r"\1", text.replace(" ", "T", 1).replace(" ", "")).replace("z", "Z"))
    except ValueError:
        return None
    return found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)


def date_of(text: str) -> date | None:
    """The date `2026-01-31` says; None when the text is none."""
    if not _DATE.fullmatch(text):
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None
