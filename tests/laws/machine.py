"""Random histories of the real core as a Hypothesis state machine: every step may be left alone, crash before or after any of
its writes, or be overtaken there by another one; whatever happens, the laws hold after it.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from tests.laws import oracle
from tests.laws.world import CONTRACTS, SLOT, START, World

DAYS = 3
_HOURS = (0, 1, 23)


def _line(drawn: int, day: int) -> bytes:
    """A line by number: mostly good, of few ids and hours, so that versions and copies of an event are common."""
    kind, drawn = drawn % 8, drawn // 8
    if kind == 0:
        bad = (b"", b"{", b"[1]", b"\xff\xfe", b'{"order_id": null}', b'{"order_id": "a", "placed_at": "2026-02-30T00:00:00Z"}')
        return bad[drawn % len(bad)]
    order, drawn = "abcde"[drawn % 5], drawn // 5
    hour, drawn = _HOURS[drawn % 3], drawn // 3
    shift, drawn = (drawn % 8 == 0), drawn // 8
    at = START.replace(hour=hour) + timedelta(days=(day + shift) % DAYS - 1)
    found: dict[str, Any] = {"order_id": order, "placed_at": at.strftime("%Y-%m-%dT%H:%M:%SZ")}
    revision, drawn = (None, 0, 1, 2, ...)[drawn % 5], drawn // 5
    amount, drawn = (None, 0, 0.01, 99.99, 450, 999.99, 1000, -1, "1.5", 2.125, ...)[drawn % 11], drawn // 11
    channel = ("web", "shop", "phone", "fax", None, ...)[drawn % 6]
    named = (("revision", revision), ("amount", amount), ("channel", channel))
    return json.dumps(found | {name: value for name, value in named if value is not ...}).encode()


NUMBER = st.integers(0, 8 * 5 * 3 * 8 * 5 * 11 * 6 - 1)
LINES = st.builds(lambda numbers, day: [_line(n, day) for n in numbers], st.lists(NUMBER, max_size=5), st.integers(0, DAYS - 1))
MOMENT = st.one_of(st.just(0), st.just(0), st.integers(1, 24))
"""At which moment before or after a write something happens to the step; 0: nothing does."""
OTHER = st.sampled_from(["crash", "crash", "ingest", "batch", "merge", "replay", "maintain", "rebuild"])
TABLES = st.sampled_from([("hourly", "quarters"), ("weekly",), ("hourly", "quarters", "weekly")])
PLAIN = st.integers(0, 15).map(lambda drawn: drawn == 15)
EVERYTHING = ("rebuild", None, None)
RESTATED = st.sampled_from(
    [EVERYTHING, EVERYTHING, ("rebuild", 1, None), ("rebuild", None, 1), ("rebuild", 1, 2), ("replay",), ("replay", "range")]
)
BACK = st.integers(0, 3)


class Histories(RuleBasedStateMachine):
    """Everything that may happen to a stream."""

    ended: Callable[[int], None] = staticmethod(lambda steps: None)

    @initialize(tables=TABLES, plain=PLAIN)
    def begin(self, tables: tuple[str, ...], plain: bool) -> None:
        oracle.judge.cache_clear()
        self.steps = 0
        self.world = World(tables, plain=plain)

    def teardown(self) -> None:
        if hasattr(self, "world"):
            try:
                if self.steps:
                    self.world.settle()
            finally:
                self.world.close()
            type(self).ended(self.steps)

    def _step(self, step: Callable[[], None], moment: int = 0, other: str = "crash") -> bool:
        self.steps += 1
        return self.world.run(step, moment, None if other == "crash" else self._other(other))

    def _other(self, name: str) -> Callable[[], None]:
        world = self.world
        others: dict[str, Callable[[], None]] = {
            "ingest": lambda: world.ingest(world.next),
            "batch": lambda: world.batch(world.next - SLOT),
            "merge": world.merge,
            "replay": lambda: world.replay(()),
            "maintain": world.maintain,
            "rebuild": lambda: world.rebuild((None, None)),
        }
        return others[name]

    @property
    def has_landed(self) -> bool:
        return bool(self.world.starts)

    @rule(lines=LINES, moment=MOMENT, other=OTHER)
    def ingest_the_next_interval(self, lines: list[bytes], moment: int, other: str) -> None:
        world, start = self.world, self.world.next
        world.deliver(lines)
        if other != "ingest" and self._step(lambda: world.ingest(start), moment, other):
            assert start in world.starts
        elif other == "ingest":
            self._step(lambda: world.ingest(start), moment, "merge")
        world.next = max(world.next, max(world.starts, default=start - SLOT) + SLOT)

    @precondition(lambda self: self.world.delivered)
    @rule(data=st.data(), moment=MOMENT, other=OTHER)
    def ingest_lines_that_were_delivered_before(self, data: st.DataObject, moment: int, other: str) -> None:
        again = self.world.delivered[data.draw(st.sampled_from(sorted(self.world.delivered)))]
        self.ingest_the_next_interval(again, moment, other)

    @rule(intervals=st.integers(1, 3), lines=LINES)
    def an_outage(self, intervals: int, lines: list[bytes]) -> None:
        self.steps += 1
        self.world.deliver(lines)
        self.world.next += intervals * SLOT

    @precondition(lambda self: self.has_landed)
    @rule(lines=LINES, ahead=st.integers(1, 2))
    def land_an_interval_and_leave_a_hole_before_it(self, lines: list[bytes], ahead: int) -> None:
        world, start = self.world, self.world.next + ahead * SLOT
        world.deliver(lines)
        assert self._step(lambda: world.ingest_alone(start))
        assert start in world.starts
        world.next = start + SLOT

    @precondition(lambda self: self.has_landed and self.world.holes())
    @rule(data=st.data(), lines=LINES, moment=MOMENT, other=OTHER)
    def backfill_in_any_order(self, data: st.DataObject, lines: list[bytes], moment: int, other: str) -> None:
        world, start = self.world, data.draw(st.sampled_from(self.world.holes()))
        world.deliver(lines)
        if self._step(lambda: world.ingest(start), moment, other):
            assert start in world.starts

    @precondition(lambda self: self.has_landed)
    @rule(data=st.data())
    def land_an_interval_again(self, data: st.DataObject) -> None:
        world, start = self.world, data.draw(st.sampled_from(sorted(self.world.starts)))
        before = world.versions()
        assert self._step(lambda: world.ingest(start))
        assert world.versions() == before

    @precondition(lambda self: self.has_landed)
    @rule(back=BACK, moment=MOMENT, other=OTHER)
    def batch(self, back: int, moment: int, other: str) -> None:
        world, until = self.world, self.world.next - back * SLOT
        before = world.line().watermark
        if self._step(lambda: world.batch(until), moment, other):
            after = world.line().watermark
            assert after in (before, max(until, before or until)), "the line went back, or too far"
            if not world.was_refused:  # what a killed batch left undone is then still undone
                world.checks.ledger()

    @precondition(lambda self: self.has_landed)
    @rule(moment=MOMENT, other=OTHER)
    def merge(self, moment: int, other: str) -> None:
        if self._step(self.world.merge, moment, other):
            self.world.after_merge()

    @precondition(lambda self: self.has_landed)
    @rule(moment=MOMENT, other=OTHER)
    def retention(self, moment: int, other: str) -> None:
        self._step(self.world.maintain, moment, other)

    @precondition(lambda self: self.has_landed)
    @rule()
    def publish(self) -> None:
        self._step(self.world.publish)
        self.world.checks.alerts()

    @rule(number=st.integers(0, len(CONTRACTS) - 1))
    def the_contract_changes(self, number: int) -> None:
        self.steps += 1
        if CONTRACTS[number][0] != self.world.contract:
            self.world.change_contract(number)

    @precondition(lambda self: self.has_landed)
    @rule(what=RESTATED, moment=MOMENT, other=OTHER)
    def judge_again(self, what: tuple[Any, ...], moment: int, other: str) -> None:
        """Rebuild days by their number (None: open), or replay what was refused for some reasons (none: any)."""
        world, (kind, *rest) = self.world, what
        if kind == "replay":
            ended = self._step(lambda: world.replay(rest), moment, other)
        else:
            start, end = (None if day is None else (START + timedelta(days=day - 1)).date() for day in rest)
            ended = self._step(lambda: world.rebuild((start, end)), moment, other)
        world.checks.half_restated = not ended
        if ended and what == EVERYTHING:
            world.after_rebuild_of_everything()
        world.checks.ledger()
