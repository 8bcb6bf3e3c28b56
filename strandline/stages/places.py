"""Places of landed lines (landing interval and line number), and the rows of batches that stand at them: most rows of a data
set need not reach the engine.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa

Whole: TypeAlias = npt.NDArray[np.int64]
_NOWHERE = np.iinfo(np.int64).max


@dataclass(frozen=True, slots=True)
class Places:
    """A set of places. Behind the last of the sorted `intervals` and `wanted` places stands one that no line has."""

    intervals: Whole
    width: int
    wanted: Whole

    @classmethod
    def of(cls, rows: pa.Table) -> Places:
        """Those of the rows' `_landing_start` and `_line`."""
        starts, numbers = whole(rows["_landing_start"]), whole(rows["_line"])
        intervals, width = np.unique(starts), int(numbers.max(initial=0)) + 1
        wanted = np.unique(np.searchsorted(intervals, starts) * width + numbers)
        return cls(np.append(intervals, _NOWHERE), width, np.append(wanted, _NOWHERE))

    def here(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """The rows that stand at one of the places, in their order."""
        for batch in batches:
            chosen = np.flatnonzero(self._hold(batch))
            if len(chosen):
                yield batch.take(pa.array(chosen))

    def elsewhere(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """The rows that stand at none of the places, in their order."""
        for batch in batches:
            held = self._hold(batch)
            yield batch.filter(pa.array(~held)) if held.any() else batch

    def _hold(self, batch: pa.RecordBatch) -> npt.NDArray[np.bool_]:
        start, number = whole(batch["_landing_start"]), whole(batch["_line"])
        interval = np.searchsorted(self.intervals, start)
        known = (number < self.width) & (self.intervals[interval] == start)
        places = interval * self.width + number
        held: npt.NDArray[np.bool_] = known & (self.wanted[np.searchsorted(self.wanted, places)] == places)
        return held


def whole(values: pa.Array | pa.ChunkedArray) -> Whole:
    """Whole numbers, or moments as their microseconds."""
    return np.asarray(values.cast(pa.int64()))
