"""Maintenance: the only step that deletes. What retention lets go, what was staged and has landed, and files that no
version names.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

from strandline.intervals import Interval
from strandline.lake import paths
from strandline.lake.landings import EXPIRED
from strandline.lake.snapshot import DataFile, Snapshot
from strandline.lake.tables import Commit
from strandline.plan import schemas
from strandline.runtime import Runtime
from strandline.spec.model import Stream
from strandline.stages.bronze import Line
from strandline.stages.generate import landings
from strandline.stages.staged import staged_keys, staged_start


def maintain(runtime: Runtime, stream: Stream) -> dict[str, int]:
    """Counts of what went: `staged` objects, `realtime` and `quarantine` files past retention, `unnamed` files.

    Realtime files go only when bronze and unified have taken them; ages are judged against the watermark, not the clock.
    """
    line = Line.of(runtime.lake.table(paths.bronze(stream.name)).snapshot())
    if line.watermark is None:
        return dict.fromkeys(("staged", "realtime", "quarantine", "unnamed"), 0)
    runtime.progress(f"maintain {stream.name}", 0, None)
    return {
        "staged": runtime.lake.objects.delete(_landed_staging(runtime, stream, line.watermark)),
        "realtime": _expire_realtime(runtime, stream, line),
        "quarantine": _expire_quarantine(runtime, stream, line),
        "unnamed": sum(runtime.lake.table(path).vacuum() for path in _tables(stream)),
    }


def _landed_staging(runtime: Runtime, stream: Stream, watermark: datetime) -> Iterator[str]:
    """The staged objects of landed intervals below the line; what is staged for a backfill has yet to land."""
    landed, limit = landings(runtime, stream), watermark.astimezone(UTC)
    for key in staged_keys(runtime.lake.objects, stream.name):
        start = staged_start(key)
        if start < limit and landed.is_landed(Interval(start, start + stream.interval)):
            yield key


def _expire_realtime(runtime: Runtime, stream: Stream, line: Line) -> int:
    table = runtime.lake.table(paths.realtime(stream.name))
    unified = runtime.lake.table(paths.unified(stream.name)).snapshot()
    keep, watermark = stream.retention.realtime, line.watermark
    if keep is None or watermark is None or unified is None:
        return 0
    served = unified.position("realtime")

    def expired(snapshot: Snapshot) -> list[DataFile]:
        newest = max((f.ordinal for f in snapshot.files), default=0)
        return [
            f
            for f in snapshot.files
            if not line.is_above(f) and f.ordinal <= served and f.ordinal < newest and _is_older(f, watermark, keep)
        ]

    return _remove(runtime, paths.realtime(stream.name), expired) if table.snapshot() else 0


def _expire_quarantine(runtime: Runtime, stream: Stream, line: Line) -> int:
    keep, watermark = stream.retention.quarantine, line.watermark
    table = runtime.lake.table(paths.quarantine(stream.name))
    if keep is None or watermark is None or table.snapshot() is None:
        return 0
    return _remove(runtime, paths.quarantine(stream.name), lambda s: [f for f in s.files if _is_older(f, watermark, keep)])


def _is_older(file: DataFile, watermark: datetime, keep: timedelta) -> bool:
    """Whether every line of the file landed on a day that is wholly older than `keep` before the watermark."""
    return file.partition is not None and file.partition < (watermark - keep).date()


def _remove(runtime: Runtime, path: str, chosen: Callable[[Snapshot], list[DataFile]]) -> int:
    table, count = runtime.lake.table(path), 0

    def decide(snapshot: Snapshot) -> Commit | None:
        nonlocal count
        files = chosen(snapshot)
        count = len(files)
        gone = {EXPIRED: snapshot.position(EXPIRED) + len(files)}
        return Commit(remove=files, positions=gone, news=False) if files else None

    snapshot = table.snapshot()
    assert snapshot is not None
    table.commit(snapshot.schema, decide, schemas.LANDING_DATE)
    return count


def _tables(stream: Stream) -> list[str]:
    found = [paths.realtime(stream.name), paths.bronze(stream.name), paths.silver(stream.name), paths.quarantine(stream.name)]
    found.append(paths.unified(stream.name))
    for table in stream.gold:
        found += [paths.gold(stream.name, table.name), paths.analytics(stream.name, table.name)]
    return [*found, paths.firings(stream.name), paths.episodes(stream.name)]
