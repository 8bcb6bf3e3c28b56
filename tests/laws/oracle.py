"""What must come out, computed plainly from the lines that landed; shares no code with the product.

A line is judged by hand for the stream `orders`; an event is the greatest line of its id and day by (revision, landing,
line number).
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any


@dataclass(frozen=True)
class Landed:
    """One landed line: its bytes, the start of its landing interval, its number in it."""

    raw: bytes
    start: datetime
    number: int


@dataclass(frozen=True)
class Event:
    order_id: str
    placed_at: datetime
    revision: int | None
    amount: Decimal | None
    channel: str | None
    landed: Landed


def judge(line: Landed) -> Event | None:
    """The event of a line, or None when it must be refused."""
    try:
        found = json.loads(line.raw)
    except ValueError:
        return None
    if not isinstance(found, dict):
        return None
    order_id, placed, amount, channel = (found.get(name) for name in ("order_id", "placed_at", "amount", "channel"))
    if order_id is None or placed is None:
        return None
    try:
        moment = datetime.strptime(placed, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
    except ValueError:
        return None
    money = None
    if amount is not None:
        money = Decimal(str(amount))
        if money < 0 or money >= 1000 or money != money.quantize(Decimal("0.01")):
            return None
    if channel is not None and channel not in ("web", "shop", "phone"):
        return None
    return Event(order_id, moment, found.get("revision"), money, channel, line)


def events(lines: Iterable[Landed]) -> dict[tuple[str, Any], Event]:
    """The winning line of each event, by id and day."""
    best: dict[tuple[str, Any], Event] = {}
    for line in lines:
        event = judge(line)
        if event is None:
            continue
        key = (event.order_id, event.placed_at.date())
        if key not in best or _rank(event) > _rank(best[key]):
            best[key] = event
    return best


def _rank(event: Event) -> tuple[Any, ...]:
    return (event.revision is not None, event.revision or 0, event.landed.start, event.landed.number)


def refused(lines: Iterable[Landed]) -> int:
    """How many lines must be refused."""
    return sum(judge(line) is None for line in lines)


def rows(lines: Iterable[Landed]) -> set[tuple[Any, ...]]:
    """The rows of silver and unified: values and landing place."""
    return {
        (e.order_id, e.placed_at, e.revision, e.amount, e.channel, e.landed.start, e.landed.number)
        for e in events(lines).values()
    }


def hourly(lines: Iterable[Landed]) -> dict[tuple[Any, ...], tuple[Any, ...]]:
    """The hourly table by window and channel: orders, revenue, average, middle, buyers, newest."""
    groups: dict[tuple[Any, ...], list[Event]] = defaultdict(list)
    for event in events(lines).values():
        groups[event.placed_at.replace(minute=0, second=0), event.channel].append(event)
    return {key: _hour(found) for key, found in groups.items()}


def _hour(found: list[Event]) -> tuple[Any, ...]:
    amounts = sorted(e.amount for e in found if e.amount is not None)
    newest = max(found, key=lambda e: (e.placed_at, e.landed.start, e.landed.number))
    revenue = sum(amounts, Decimal(0)) if amounts else None
    average = float(sum(amounts)) / len(amounts) if amounts else None
    buyers = len({e.order_id for e in found})
    return (len(found), revenue, average, _middle(amounts), buyers, newest.order_id)


def _middle(amounts: list[Decimal]) -> float | None:
    if not amounts:
        return None
    low, high = amounts[(len(amounts) - 1) // 2], amounts[len(amounts) // 2]
    return (float(low) + float(high)) / 2


def weekly(lines: Iterable[Landed]) -> dict[datetime, tuple[Any, ...]]:
    """The weekly table by the Monday it starts on: orders, revenue."""
    groups: dict[datetime, list[Event]] = defaultdict(list)
    for event in events(lines).values():
        day = event.placed_at.replace(hour=0, minute=0, second=0)
        groups[day - timedelta(days=day.weekday())].append(event)
    found = {}
    for monday, members in groups.items():
        amounts = [e.amount for e in members if e.amount is not None]
        found[monday] = (len(members), sum(amounts, Decimal(0)) if amounts else None)
    return found
