"""Generate: the source's lines of a landing interval, protected and staged as one object.

Intervals that were missed since the last landed one are staged too, oldest first, so an outage is caught up in order; at most
`CATCH_UP` intervals a run, so that a long one is caught up in several runs.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from strandline.intervals import Interval, intervals_between
from strandline.lake.landings import Landings
from strandline.lake.paths import bronze, realtime, staging
from strandline.lines.protect import ProtectedLine, Protector
from strandline.runtime import Runtime
from strandline.sources.source import RawLine, Reader, open_source
from strandline.spec.model import Stream
from strandline.stages.staged import ROWS, StagedLines, keep_freed_memory, plain_batches, write_staged

CATCH_UP = 288
_BYTES = 32 << 20


def landings(runtime: Runtime, stream: Stream) -> Landings:
    """What of the stream has landed so far."""
    lake = runtime.lake
    return Landings(lake.table(realtime(stream.name)).snapshot(), lake.table(bronze(stream.name)).snapshot)


def pending(landed: Landings, stream: Stream, interval: Interval) -> list[Interval]:
    """The intervals to land for `interval`: those missed since the last landed one, oldest first, then itself.

    An interval before the last landed one (a backfill) stands alone. Nothing, when it has landed.
    """
    if landed.is_landed(interval):
        return []
    last = landed.last_end
    if last is None or interval.start <= last:
        return [interval]
    missed = list(intervals_between(last, interval.end, stream.interval))
    return missed[:CATCH_UP]


def generate(runtime: Runtime, stream: Stream, interval: Interval) -> list[str]:
    """The keys of the intervals that are staged and wait to be landed, oldest first; reading twice changes nothing.

    Raises `SourceError` or `TransientError` when the source cannot be read, `UsageError` when the stream's key is missing.
    """
    landed = landings(runtime, stream)
    waiting = pending(landed, stream, interval)
    runtime.progress(f"generate {stream.name}, intervals", 0, len(waiting))
    for done, _ in enumerate(stage_each(runtime, stream, landed, waiting), start=1):
        runtime.progress(f"generate {stream.name}, intervals", done, len(waiting))
    return [each.key for each in waiting]


def unlanded(landed: Landings, intervals: Iterable[Interval]) -> list[Interval]:
    """The intervals that have not landed yet, each once, oldest first."""
    return [each for each in sorted(set(intervals)) if not landed.is_landed(each)]


def stage_each(runtime: Runtime, stream: Stream, landed: Landings, waiting: Sequence[Interval]) -> Iterator[Interval]:
    """The intervals one by one, each once it is staged; `landed` is what had landed before. Raises like `generate`."""
    keep_freed_memory()
    position = _Position(landed)
    reader = open_source(stream, objects=runtime.source_objects, http_headers=runtime.source_headers)
    protector = Protector(stream, runtime.keys)
    for done, each in enumerate(waiting, start=1):
        reached = None
        if len(waiting) == 1 or not runtime.lake.objects.exists(staging(stream.name, each)):  # one alone is put if absent
            reached = _stage(runtime, stream, each, reader, protector, position)
        yield each
        if done < len(waiting) and stream.source.type != "generator":
            position.advance(reached or StagedLines(runtime.lake.objects, stream.name, each).read_position())


def _stage(
    runtime: Runtime, stream: Stream, interval: Interval, reader: Reader, protector: Protector, position: _Position
) -> Mapping[str, Any] | None:
    """What `write_staged` gives."""
    batch = reader.read(interval, position)

    def protected() -> Iterator[tuple[list[RawLine], list[ProtectedLine]]]:
        while lines := _some(batch.lines):
            yield lines, protector.protect_many(lines)

    plain = None if stream.protected else batch.blocks
    given = protected() if plain is None else (each for block in plain for each in plain_batches(block))
    return write_staged(runtime.lake.objects, stream.name, interval, given, batch.position)


def _some(lines: Iterator[RawLine]) -> list[RawLine]:
    """The next lines: `ROWS` of them, or as many as have `_BYTES`, so that long lines do not fill the memory."""
    taken, size = [], 0
    for line in lines:
        taken.append(line)
        size += len(line.raw)
        if size >= _BYTES or len(taken) == ROWS:
            break
    return taken


class _Position:
    """What earlier intervals have taken: landed ones by the table, staged ones of this run by their position."""

    def __init__(self, landed: Landings) -> None:
        self._landed = landed
        self._cursor: Mapping[str, Any] | None = None
        self._staged: set[str] = set()

    @property
    def cursor(self) -> Mapping[str, Any]:
        return self._landed.cursor if self._cursor is None else self._cursor

    def is_landed(self, source: str) -> bool:
        return source in self._staged or self._landed.has_object(source)

    def advance(self, position: Mapping[str, Any]) -> None:
        self._cursor = position.get("cursor", {})
        self._staged.update(position.get("objects", ()))
