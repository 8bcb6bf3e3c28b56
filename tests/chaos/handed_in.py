"""What the rounds hand in, and what must come of it: the objects of `parcels`, and their events computed plainly."""

from __future__ import annotations

import json
import random
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

START = datetime(2026, 3, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
FIRST = 48
"""The number of the first live interval (hours from `START`); those before it are left for backfills."""
CHANNELS = ("web", "shop", "phone")
Event = tuple[datetime, int, Decimal, str]


class Inbox:
    """Objects for one lake, one a round: new events, copies and versions of older ones, late ones, refusals."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self._good: list[dict[str, Any]] = []
        self.objects: dict[str, list[bytes]] = {}

    def next_object(self, hour: int) -> tuple[str, bytes]:
        """Name and bytes of a new object with events of that hour and before."""
        rng, number = self._rng, len(self.objects)
        fresh = []
        for n in range(8):
            at = START + HOUR * (hour - (rng.randrange(30) if n == 0 else 0)) + timedelta(seconds=rng.randrange(3600))
            fresh.append(
                {"parcel_id": f"p{number}-{n}", "seen_at": f"{at:%Y-%m-%dT%H:%M:%SZ}", "revision": 1, **self._values()}
            )
        older = rng.sample(self._good, min(2, len(self._good)))
        versions = [{**old, "revision": 2 + number, **self._values()} for old in older]
        self._good += fresh
        lines = [json.dumps(each).encode() for each in (*fresh, *versions, fresh[0], *older[:1])]
        lines += [
            b'{"parcel_id": ',
            b"\xff\xfe",
            json.dumps({**fresh[1], "parcel_id": f"x{number}", "channel": "fax"}).encode(),
        ]
        rng.shuffle(lines)
        name = f"{number:04d}.ndjson"
        self.objects[name] = lines
        return name, b"".join(line + b"\n" for line in lines)

    def _values(self) -> dict[str, Any]:
        return {"price": self._rng.randrange(10_000) / 100, "channel": self._rng.choice(CHANNELS)}

    def expected(self, cheapest: int) -> dict[tuple[str, datetime], Event]:
        """What unified must hold of all objects, by id and day, when what costs less is refused."""
        return _events((line for lines in self.objects.values() for line in lines), cheapest)


def _events(lines: Iterable[bytes], cheapest: int) -> dict[tuple[str, datetime], Event]:
    found: dict[tuple[str, datetime], Event] = {}
    for line in lines:
        try:
            row = json.loads(line, parse_float=Decimal)
        except ValueError:  # also what is not UTF-8
            continue
        at = datetime.strptime(row["seen_at"], "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
        price = Decimal(row["price"])
        if price < cheapest or row["channel"] not in CHANNELS:
            continue
        key = (row["parcel_id"], at.replace(hour=0, minute=0, second=0))
        if key not in found or found[key][1] < row["revision"]:
            found[key] = (at, row["revision"], price, row["channel"])
    return found


def served(rows: Iterable[Mapping[str, Any]]) -> dict[tuple[str, datetime], Event]:
    """The rows of unified as `Inbox.expected` has them. Raises `ValueError` for an event that is there twice."""
    found: dict[tuple[str, datetime], Event] = {}
    for row in rows:
        at = row["seen_at"]
        key = (row["parcel_id"], at.replace(hour=0, minute=0, second=0, microsecond=0))
        if key in found:
            raise ValueError(f"{key[0]} of {key[1]:%Y-%m-%d} is served twice")
        found[key] = (at, row["revision"], row["price"], row["channel"])
    return found
