"""What must come out, computed plainly from the lines that landed; shares no code with the product.

A line is judged by hand for the stream `orders`, under one contract; an event is the greatest line of its id and day by
(revision, landing, line number). Where lines may have been judged under one contract or another (it changed, and nothing
was rebuilt yet), an event may be any of several lines, or none.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import cache
from typing import Any, TypeAlias

Row: TypeAlias = tuple[str, datetime, int | None, Decimal | None, str | None, datetime, int]
Key: TypeAlias = tuple[str, date]


@dataclass(frozen=True)
class Landed:
    """One landed line: its bytes, the start and end of its landing interval, its number in it."""

    raw: bytes
    start: datetime
    end: datetime
    number: int


@dataclass(frozen=True)
class Contract:
    """What a good line satisfies: an amount in `[least, below)`, a channel among `channels`, an event time at most `late`
    before the end of its landing interval and `early` after it (None: any).
    """

    least: int = 0
    below: int = 1000
    channels: frozenset[str] = frozenset({"web", "shop", "phone"})
    late: timedelta | None = None
    early: timedelta | None = None


@dataclass(frozen=True)
class Event:
    order_id: str
    placed_at: datetime
    revision: int | None
    amount: Decimal | None
    channel: str | None
    start: datetime
    number: int

    @property
    def key(self) -> Key:
        return self.order_id, self.placed_at.date()

    @property
    def rank(self) -> tuple[Any, ...]:
        """By this the greatest line of an event wins."""
        return self.revision is not None, self.revision or 0, self.start, self.number

    @property
    def row(self) -> Row:
        return self.order_id, self.placed_at, self.revision, self.amount, self.channel, self.start, self.number


@cache
def judge(line: Landed, contract: Contract) -> Event | None:
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
        if money < contract.least or money >= contract.below or money != money.quantize(Decimal("0.01")):
            return None
    if channel is not None and channel not in contract.channels:
        return None
    if contract.late is not None and moment < line.end - contract.late:
        return None
    if contract.early is not None and moment > line.end + contract.early:
        return None
    return Event(order_id, moment, found.get("revision"), money, channel, line.start, line.number)


def possible(lines: Iterable[Landed], contracts: Collection[Contract]) -> dict[Key, set[Row | None]]:
    """By event, the rows that may stand for it; None stands for no row. Under one contract that is exactly one row each."""
    sure: dict[Key, Event] = {}
    maybe: dict[Key, list[Event]] = defaultdict(list)
    for line in lines:
        verdicts = [judge(line, contract) for contract in contracts]
        event = next((e for e in verdicts if e is not None), None)
        if event is None:
            continue
        maybe[event.key].append(event)
        if None not in verdicts and (event.key not in sure or event.rank > sure[event.key].rank):
            sure[event.key] = event
    found: dict[Key, set[Row | None]] = {}
    for key, events in maybe.items():
        least = sure.get(key)
        found[key] = {e.row for e in events if least is None or e.rank >= least.rank} | (set() if least else {None})
    return found


def refused(lines: Iterable[Landed], contracts: Collection[Contract]) -> tuple[set[Landed], set[Landed]]:
    """The lines that must be refused, and those that may be."""
    must, may = set(), set()
    for line in lines:
        verdicts = {judge(line, contract) is None for contract in contracts}
        if True in verdicts:
            may.add(line)
            if False not in verdicts:
                must.add(line)
    return must, may


def hourly(events: Iterable[Event]) -> dict[tuple[Any, ...], tuple[Any, ...]]:
    """The hourly table by window and channel: orders, revenue, average, middle, buyers, newest."""
    groups: dict[tuple[Any, ...], list[Event]] = defaultdict(list)
    for event in events:
        groups[event.placed_at.replace(minute=0, second=0), event.channel].append(event)
    return {key: _hour(found) for key, found in groups.items()}


def _hour(found: list[Event]) -> tuple[Any, ...]:
    amounts = sorted(e.amount for e in found if e.amount is not None)
    newest = max(found, key=lambda e: (e.placed_at, e.start, e.number))
    revenue = sum(amounts, Decimal(0)) if amounts else None
    average = float(sum(amounts)) / len(amounts) if amounts else None
    buyers = len({e.order_id for e in found})
    return (len(found), revenue, average, _middle(amounts), buyers, newest.order_id)


def _middle(amounts: list[Decimal]) -> float | None:
    if not amounts:
        return None
    low, high = amounts[(len(amounts) - 1) // 2], amounts[len(amounts) // 2]
    return (float(low) + float(high)) / 2


def quarters(events: Iterable[Event]) -> dict[datetime, tuple[Any, ...]]:
    """The table of quarters of an hour by the moment they start at: orders, revenue, newest."""
    groups: dict[datetime, list[Event]] = defaultdict(list)
    for event in events:
        groups[event.placed_at.replace(minute=event.placed_at.minute // 15 * 15, second=0)].append(event)
    found = {start: _hour(members) for start, members in groups.items()}
    return {start: (orders, revenue, newest) for start, (orders, revenue, _, _, _, newest) in found.items()}


def weekly(events: Iterable[Event]) -> dict[datetime, tuple[Any, ...]]:
    """The weekly table by the Monday it starts on: orders, revenue."""
    groups: dict[datetime, list[Event]] = defaultdict(list)
    for event in events:
        day = event.placed_at.replace(hour=0, minute=0, second=0)
        groups[day - timedelta(days=day.weekday())].append(event)
    found = {}
    for monday, members in groups.items():
        amounts = [e.amount for e in members if e.amount is not None]
        found[monday] = (len(members), sum(amounts, Decimal(0)) if amounts else None)
    return found
