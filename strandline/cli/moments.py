"""Moments as one types them, in UTC: `2026-11-26T05:00`, `2026-11-26`, `now`, `today`, `yesterday`, `-26h`."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from strandline.errors import UsageError

_BACK = re.compile(r"-(\d{1,6})(m|h|d|w)")
_UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def moment(text: str, now: datetime) -> datetime:
    """The moment `text` means, in UTC: without a zone it is UTC; a date is its midnight; `-26h` is so long before `now`.

    Raises `UsageError` for anything else.
    """
    given = text.strip().lower()
    midnight = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    words = {"now": now, "today": midnight, "yesterday": midnight - timedelta(days=1)}
    if given in words:
        return words[given]
    if back := _BACK.fullmatch(given):
        return now - timedelta(**{_UNITS[back[2]]: int(back[1])})
    try:
        found = datetime.fromisoformat(text.strip())
    except ValueError as error:
        raise UsageError(
            f"{text!r} is not a moment: write 2026-11-26T05:00 (UTC), 2026-11-26, now, today, yesterday, or -26h "
            "(m, h, d, w before now)"
        ) from error
    return found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)
