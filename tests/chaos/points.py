"""A point: one fault at one step; and the judgement of what came of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, TypeVar

from tests.chaos.faults import FAULTS, READS, Kind, at, seeded
from tests.chaos.lab import Bench, Twin, ends_silently, lines_of
from tests.chaos.steps import SCENARIO

T = TypeVar("T")
Verdict = Literal["recovered", "failed loudly", "stuck", "silently wrong", "not reached"]
VERDICTS: tuple[Verdict, ...] = ("recovered", "failed loudly", "stuck", "silently wrong", "not reached")


@dataclass(frozen=True, slots=True)
class Point:
    """The fault of `kind` at step `position` of the scenario: at request `number`, or (0) by the schedule of `seed`."""

    position: int
    kind: Kind
    number: int = 0
    seed: int = 0

    def __str__(self) -> str:
        where = f"request {self.number}" if self.number else f"seed {self.seed}"
        return f"{SCENARIO[self.position]}, {self.kind} at {where}"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a point; `detail` says what was wrong, or which error was raised, and `met` the requests that were harmed.
    `foreign`: the error that the step raised was not one of our tree.
    """

    point: Point
    verdict: Verdict
    met: tuple[str, ...] = ()
    detail: str = ""
    foreign: bool = False


def kill_points(twin: Twin, most: int | None = None) -> list[Point]:
    """Before and after every request of every step; after a read is before the next request, so it is not tried twice.

    Of more than `most`, those at a write (which alone change what is stored) are kept first, and the others evenly.
    """
    writes: list[Point] = []
    reads: list[Point] = []
    for position, methods in enumerate(twin.requests):
        for number, method in enumerate(methods, 1):
            chosen = reads if method in READS else writes
            chosen.append(Point(position, "kill before", number))
            if method not in READS or number == len(methods):
                chosen.append(Point(position, "kill after", number))
    if most is None:
        return [*writes, *reads]
    kept = spread(writes, most)
    return [*kept, *spread(reads, most - len(kept))]


def fault_points(seeds: int) -> Iterator[Point]:
    """Every step under as many seeded schedules; the kinds take turns."""
    for position in range(len(SCENARIO)):
        for seed in range(seeds):
            yield Point(position, FAULTS[(seed + position) % len(FAULTS)], seed=seed)


def spread(points: Sequence[T], most: int) -> list[T]:
    """At most so many of the points, evenly over all of them."""
    return list(points) if len(points) <= most else [points[n * len(points) // most] for n in range(most)]


async def tried(bench: Bench, twin: Twin, point: Point) -> Outcome:
    """Meet the fault, then judge: a step that was killed or that raised is run once more without faults; then the lake must
    equal its undisturbed twin and the audit must agree. A step that raised nothing is judged as it left the lake.
    """
    step = SCENARIO[point.position]
    await bench.restore(point.position)
    schedule = at(point.number, point.kind) if point.number else seeded(point.seed, point.kind)
    told, record = await bench.attempt(step, schedule, point.seed)
    met = tuple(f"{n} {record.requests[n - 1].method} {record.requests[n - 1].target.split('?X-')[0]}" for n in record.met)
    if not met:
        return Outcome(point, "not reached", detail=told.error)
    killed = point.kind.startswith("kill")
    if killed and told.ended == 0:
        return Outcome(point, "not reached", met, "the step had ended before the kill")
    if ends_silently(point.kind) and not told.raised:
        before = await bench.finish(step, run=False)
        if before.raised or before.faults:
            return Outcome(point, "silently wrong", met, f"{before.error} {before.faults}")
        told_again = await bench.finish(step, run=True)
    else:
        told_again = await bench.finish(step, run=told.raised)
    wrong = _differences(bench, twin, point, told_again)
    if told_again.raised:
        verdict: Verdict = "stuck" if told.raised else "silently wrong"
        return Outcome(point, verdict, met, f"{told.error} → {told_again.error or told_again.ended}")
    if wrong:
        return Outcome(point, "silently wrong", met, wrong)
    return Outcome(point, "failed loudly" if told.raised and not killed else "recovered", met, told.error, not told.ours)


def _differences(bench: Bench, twin: Twin, point: Point, told: object) -> str:
    """What differs from the twin, in words; empty when nothing does."""
    from tests.chaos.lab import Told

    assert isinstance(told, Told)
    expected = dict(twin.states[point.position])
    if ends_silently(point.kind):
        expected.pop("batch/audits")  # an audit of an older version is true of that version
    parts = list(told.faults)
    for place in expected:
        rows, wanted = told.state.get(place, []), expected[place]
        if rows != wanted:
            more, fewer = [r for r in rows if r not in wanted], [r for r in wanted if r not in rows]
            parts.append(f"{place}: {len(rows)} for {len(wanted)}; not in the twin {more[:2]}; missing {fewer[:2]}")
    if lines_of(bench.told) != twin.notified[point.position]:
        parts.append(f"notified {sorted(lines_of(bench.told))} for {sorted(twin.notified[point.position])}")
    return "\n    ".join(parts)
