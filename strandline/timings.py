"""How long the steps took, run by run: what each commit noted of itself, and the phases that the ledger has of silver.

Nothing is kept for it beside the data: a commit notes its seconds in the entry of the log that it makes anyway. Entries are
kept for seven days; the last of them are read, one request each.
"""

from __future__ import annotations

import json
import statistics
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import orjson
import pyarrow.dataset as pads

from strandline.lake import paths
from strandline.lake.objects import ObjectMissing
from strandline.lake.tables import SECONDS

if TYPE_CHECKING:
    from strandline.runtime import Runtime
    from strandline.spec.model import Stream

RUNS = 20
"""How many of the last runs of a step are looked at."""
SLOWER = 1.5
"""How many times the usual seconds, at as many times fewer rows a second, are told as slower."""
_LEAST = 3  # runs before, below which nothing is usual
_READERS = 8


@dataclass(frozen=True, slots=True)
class Timing:
    """One run of a step: when it ended (UTC), its seconds, and the rows that it wrote (silver: the lines that it judged)."""

    at: datetime
    seconds: float
    rows: int

    @property
    def rate(self) -> float:
        """Rows a second."""
        return self.rows / max(self.seconds, 0.001)


@dataclass(frozen=True, slots=True)
class StepTimings:
    """The last runs of a step that had rows, oldest first; there is one at least."""

    step: str
    runs: tuple[Timing, ...]

    @property
    def last(self) -> Timing:
        """The newest run."""
        return self.runs[-1]

    @property
    def usual(self) -> Timing | None:
        """The medians of the runs before the last; None while there are fewer than three."""
        before = self.runs[:-1]
        if len(before) < _LEAST:
            return None
        seconds, rows = (statistics.median(values) for values in ([r.seconds for r in before], [r.rows for r in before]))
        return Timing(before[-1].at, seconds, round(rows))

    @property
    def slower(self) -> float | None:
        """How many times slower the last run was than usual, where that is `SLOWER` or more: in seconds and in rows a second
        alike, so that neither a larger run nor a smaller one counts as slower.
        """
        usual = self.usual
        if usual is None:
            return None
        rate = statistics.median(run.rate for run in self.runs[:-1])
        factor = min(self.last.seconds / max(usual.seconds, 0.001), rate / max(self.last.rate, 0.001))
        return round(factor, 1) if factor >= SLOWER else None


def timings(runtime: Runtime, stream: Stream) -> list[StepTimings]:
    """The steps of a stream that have run, in their order; what retention or clean-up took is not among them."""
    name = stream.name
    found = [_step("land", _commits(runtime, paths.realtime(name))), _step("bronze", _commits(runtime, paths.bronze(name)))]
    found += _silver(runtime, name)
    found += [_step(f"gold {table.name}", _commits(runtime, paths.gold(name, table.name))) for table in stream.gold]
    found.append(_step("merge", _commits(runtime, paths.unified(name))))
    found += [_step(f"analytics {table.name}", _commits(runtime, paths.analytics(name, table.name))) for table in stream.gold]
    return [each for each in found if each is not None]


def _step(name: str, runs: Iterable[Timing]) -> StepTimings | None:
    ordered = tuple(sorted((run for run in runs if run.rows), key=lambda run: run.at)[-RUNS:])
    return StepTimings(name, ordered) if ordered else None


def _commits(runtime: Runtime, path: str) -> list[Timing]:
    """The last commits of a table that brought rows and noted how long they took."""
    snapshot = runtime.lake.table(path).snapshot()
    if snapshot is None:
        return []
    held = dict(zip(range(snapshot.version, -1, -1), reversed(snapshot.state.entries), strict=False))
    versions = range(max(snapshot.version - RUNS + 1, 0), snapshot.version + 1)

    def entry(version: int) -> bytes | None:
        if version in held:
            return held[version]
        try:
            return runtime.lake.objects.get(f"{path}/_delta_log/{version:020d}.json")
        except ObjectMissing:  # cleaned up
            return None

    with ThreadPoolExecutor(_READERS) as pool:
        found = [_timing(data) for data in pool.map(entry, versions) if data is not None]
    return [each for each in found if each is not None]


def _timing(entry: bytes) -> Timing | None:
    actions = [orjson.loads(line) for line in entry.splitlines() if line.strip()]
    info: dict[str, Any] = next((action["commitInfo"] for action in actions if "commitInfo" in action), {})
    if SECONDS not in info:
        return None
    told = [orjson.loads(action["add"]["stats"]) for action in actions if action.get("add", {}).get("stats")]
    at = datetime.fromtimestamp(info["timestamp"] / 1000, UTC)
    return Timing(at, float(info[SECONDS]), sum(each["numRecords"] for each in told))


def _silver(runtime: Runtime, stream: str) -> Sequence[StepTimings | None]:
    """The phases of silver by the ledger."""
    ledger = runtime.lake.table(paths.LEDGER).snapshot()
    if ledger is None or not ledger.files:
        return []
    chosen = (pads.field("stream") == stream) & (pads.field("kind") == "batch")
    rows = ledger.arrow(["recorded_at", "seconds", "lines"], chosen).to_pylist()
    phases: dict[str, list[Timing]] = {}
    for row in rows:
        for phase, seconds in json.loads(row["seconds"] or "{}").items():
            phases.setdefault(phase, []).append(Timing(row["recorded_at"].astimezone(UTC), seconds, row["lines"]))
    return [_step(f"silver {phase}", runs) for phase, runs in phases.items()]
