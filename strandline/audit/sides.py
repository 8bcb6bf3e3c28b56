"""What an audit speaks of: the tables of batch and of serving at exact versions, and the landed lines that they have taken."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from strandline.errors import TransientError
from strandline.lake import paths
from strandline.lake.snapshot import DataFile, Snapshot
from strandline.stages.bronze import Line
from strandline.stages.merge import read_pointer
from strandline.stages.silver import RESTATEMENTS

if TYPE_CHECKING:
    from strandline.runtime import Runtime
    from strandline.spec.model import Stream


@dataclass(frozen=True, slots=True)
class Side:
    """Batch, or serving: its `events` (silver, or unified), the `aggregates` of them (gold, or analytics) by name, and whether
    it has taken a realtime file.
    """

    name: str
    events: Snapshot
    aggregates: Mapping[str, Snapshot]
    has_taken: Callable[[DataFile], bool]

    @property
    def versions(self) -> dict[str, int]:
        """The versions of its tables, by path."""
        return {each.path: each.version for each in (self.events, *self.aggregates.values())}


def sides_now(runtime: Runtime, stream: Stream) -> list[Side]:
    """Batch as it is and serving as it is published, as far as there are any.

    Raises `TransientError` after a rebuild or replay that the merge has not followed yet.
    """
    silver = runtime.lake.table(paths.silver(stream.name)).snapshot()
    pointer = read_pointer(runtime, stream.name)
    found = []
    if silver is not None and silver.ordinal:
        golds = {t.name: runtime.lake.table(paths.gold(stream.name, t.name)).snapshot() for t in stream.gold}
        held = {n: each for n, each in golds.items() if each is not None and each.position("silver") == silver.ordinal}
        found.append(_batch(silver, held))
    if pointer is not None:
        unified = runtime.lake.table(paths.unified(stream.name)).snapshot(pointer.unified)
        assert unified is not None, "a published version exists"
        if silver is not None and unified.position(RESTATEMENTS) != silver.position(RESTATEMENTS):
            raise TransientError(
                f"{stream.name}: what is served has not followed the last rebuild or replay yet: run the merge"
            )
        declared = [t.name for t in stream.gold if t.name in pointer.analytics]  # others were declared since the last merge
        found.append(_serving(unified, _at(runtime, {n: paths.analytics(stream.name, n) for n in declared}, pointer.analytics)))
    return found


def sides_at(runtime: Runtime, stream: Stream, versions: Mapping[str, int], now: list[Side]) -> list[Side]:
    """The sides of `now` at the versions of an earlier audit. Raises `KeyError` where it did not speak of a table,
    `StorageError` where a version is gone.
    """
    found = []
    for side in now:
        table_paths = {name: table.path for name, table in side.aggregates.items()}
        held = _at(runtime, table_paths, {name: versions[path] for name, path in table_paths.items()})
        events = runtime.lake.table(side.events.path).snapshot(versions[side.events.path])
        assert events is not None
        found.append(_batch(events, held) if side.name == "batch" else _serving(events, held))
    return found


def _at(runtime: Runtime, table_paths: Mapping[str, str], versions: Mapping[str, int]) -> dict[str, Snapshot]:
    found = {}
    for name, path in table_paths.items():
        snapshot = runtime.lake.table(path).snapshot(versions[name])
        assert snapshot is not None, "a version that was named exists"
        found[name] = snapshot
    return found


def _batch(silver: Snapshot, gold: Mapping[str, Snapshot]) -> Side:
    line = Line.of(silver)
    return Side("batch", silver, gold, lambda file: not line.is_above(file))


def _serving(unified: Snapshot, analytics: Mapping[str, Snapshot]) -> Side:
    taken = unified.position("realtime")
    return Side("serving", unified, analytics, lambda file: file.ordinal <= taken)
