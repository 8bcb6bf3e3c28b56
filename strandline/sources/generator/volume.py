"""How many events an interval holds: the mean, the hour of the day, the day of the week, and incidents."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from strandline.errors import UsageError
from strandline.intervals import Interval
from strandline.sources.generator.columns import Array
from strandline.sources.generator.seeds import milliseconds

_HOUR = 3_600_000
_DAY = 24 * _HOUR

# Relative weights of the 24 hours (UTC); each list is scaled so that its mean is 1.
PROFILES: Mapping[str, Sequence[float]] = {
    "flat": [1] * 24,
    "office_hours": [4, 3, 3, 3, 3, 4, 6, 9, 13, 16, 17, 17, 15, 16, 17, 16, 15, 13, 10, 8, 7, 6, 5, 4],
    "evening": [7, 4, 3, 2, 2, 2, 4, 6, 8, 8, 9, 10, 11, 10, 10, 10, 11, 13, 16, 19, 21, 20, 16, 11],
    "commute": [3, 2, 2, 2, 3, 6, 12, 19, 18, 11, 8, 8, 10, 9, 8, 9, 13, 19, 18, 12, 9, 7, 6, 4],
    "market_hours": [3, 3, 3, 3, 3, 4, 7, 12, 17, 18, 16, 15, 15, 18, 21, 20, 18, 13, 8, 6, 5, 5, 4, 3],
}


@dataclass(frozen=True, slots=True)
class Recurrence:
    """A window that comes back: open for `lasts` from `offset` after each multiple of `every` since midnight UTC 1970 (all
    in ms)."""

    every: int
    lasts: int
    offset: int

    @classmethod
    def of(cls, spec: Mapping[str, Any]) -> Recurrence:
        """The window of an incident's `every`, `lasts` and `offset`."""
        return cls(milliseconds(spec["every"]), milliseconds(spec["lasts"]), milliseconds(spec.get("offset", "0s")))

    def is_open(self, time: Array) -> Array:
        """For each time (UTC ms) whether the window is open."""
        inside: Array = (time - self.offset) % self.every < self.lasts
        return inside


def expected_rows(options: Mapping[str, Any], interval: Interval) -> float:
    """The mean number of events of `interval`: interpolated between the hours' weights, at the interval's middle."""
    rows = options["rows"]
    profile = rows.get("daily_profile", "flat")
    weights = np.asarray(PROFILES[profile] if isinstance(profile, str) else profile, dtype=np.float64)
    if not weights.sum() > 0:
        raise UsageError("rows.daily_profile has no hour with a weight above 0")
    middle = (int(interval.start.timestamp() * 1000) + int(interval.end.timestamp() * 1000)) // 2
    hour = middle % _DAY / _HOUR - 0.5
    shape = float(np.interp(hour % 24, np.arange(25), np.append(weights, weights[0]))) / float(weights.mean())
    if interval.start.weekday() >= 5:
        shape *= rows.get("weekend", 1.0)
    for incident in options.get("incidents", ()):
        if "volume" in incident and bool(Recurrence.of(incident).is_open(np.array([middle]))[0]):
            shape *= incident["volume"]
    return float(rows["mean"]) * shape
