"""What was injected into a micro-batch, line by line, so that a test knows the exact answer."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from strandline.intervals import Interval

Origin = tuple[str, int]
"""Which event a line carries: the key of the interval that made it, and its number there."""


@dataclass(frozen=True, slots=True)
class Injected:
    """One line that is not a plain good event (`line` is 1-based in its micro-batch).

    `kind` is `duplicate_same_interval | duplicate_earlier_interval | late | unknown_field` for lines that carry a good
    event, and otherwise the fault: `truncated | garbage | not_object | duplicate_key | missing | wrong_type | out_of_range
    | future | stale | breaks`. A refused line has the `reason` it must be quarantined for, with its `field` or `rule`. An
    event that is late and has an unknown field is listed twice.
    """

    line: int
    kind: str
    reason: str | None = None
    field: str | None = None
    rule: str | None = None
    origin: Origin | None = None


@dataclass(frozen=True, slots=True)
class Truth:
    """The exact content of one micro-batch: `lines = good + duplicates + bad`.

    `duplicates` counts by kind and supposes that the earlier intervals have landed (`total` does not), `bad` by kind of fault,
    `reasons` by expected quarantine reason. `late` and `unknown_fields` are among the good.
    """

    interval: Interval
    lines: int
    good: int
    late: int
    unknown_fields: int
    duplicates: Mapping[str, int]
    bad: Mapping[str, int]
    reasons: Mapping[str, int]
    injected: tuple[Injected, ...]


@dataclass(frozen=True, slots=True)
class Totals:
    """The ledger that any set of landed micro-batches must give: `lines = good + duplicates + quarantined`."""

    lines: int
    good: int
    duplicates: int
    quarantined: int
    reasons: Mapping[str, int]


def total(truths: Iterable[Truth]) -> Totals:
    """The exact ledger over several micro-batches, landed each once in any order.

    A copy of an event whose own interval is not among them is that event's first sight, and good.
    """
    landed = {truth.interval.key: truth for truth in truths}
    strangers = {
        entry.origin
        for truth in landed.values()
        for entry in truth.injected
        if entry.kind == "duplicate_earlier_interval" and entry.origin is not None and entry.origin[0] not in landed
    }
    lines = sum(truth.lines for truth in landed.values())
    good = sum(truth.good for truth in landed.values()) + len(strangers)
    reasons: Counter[str] = Counter()
    for truth in landed.values():
        reasons.update(truth.reasons)
    quarantined = sum(reasons.values())
    return Totals(lines, good, lines - good - quarantined, quarantined, dict(reasons))
