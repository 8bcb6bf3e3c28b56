"""Generate: the source's lines of a landing interval, protected and staged as one object.

Intervals that were missed since the last landed one are staged too, oldest first, so an outage is caught up in order; at most
`CATCH_UP` intervals a run, so that a long one is caught up in several runs.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import chain
from typing import Any

import pyarrow as pa

from strandline.intervals import Interval, intervals_between
from strandline.lake.landings import Landings
from strandline.lake.paths import bronze, realtime, staging
from strandline.lines.protect import Protector
from strandline.memory import keep_freed_memory
from strandline.runtime import Runtime
from strandline.sources.source import LastingReader, RawLine, SourceBatch, open_source
from strandline.spec.model import Stream
from strandline.stages.staged import (
    HELD,
    ROWS,
    HeldLines,
    Lines,
    Reached,
    StagedLines,
    plain_batches,
    staged_batch,
    write_staged,
)

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
    source = SourceLines(runtime, stream)
    source.go_on_after(landed)
    with keep_freed_memory():
        for done, each in enumerate(waiting):
            runtime.progress(f"generate {stream.name}, intervals", done, len(waiting))
            if len(waiting) > 1 and runtime.lake.objects.exists(staging(stream.name, each)):  # one alone is put if absent
                source.staged(each)
            else:
                source.stage(each)
    runtime.progress(f"generate {stream.name}, intervals", len(waiting), len(waiting))
    return [each.key for each in waiting]


def unlanded(landed: Landings, intervals: Iterable[Interval]) -> list[Interval]:
    """The intervals that have not landed yet, each once, oldest first."""
    return [each for each in sorted(set(intervals)) if not landed.is_landed(each)]


class SourceLines:
    """What the stream's source gives for one interval after the other, from where the landed ones ended (`go_on_after`).

    What an interval takes is settled by the first that stages it, since the position of the next one builds on that. The
    methods raise like `generate`.
    """

    def __init__(self, runtime: Runtime, stream: Stream) -> None:
        self._objects, self._stream = runtime.lake.objects, stream
        self._reader = open_source(stream, objects=runtime.source_objects, http_headers=runtime.source_headers)
        self._protector = Protector(stream, runtime.keys)
        self._position = _Position(Landings(None))

    def go_on_after(self, landed: Landings) -> None:
        """Begin (again) after what has landed."""
        self._position = _Position(landed)

    def stage(self, interval: Interval) -> StagedLines:
        """Stage the interval's lines, unless it is staged meanwhile."""
        read = self._reader.read(interval, self._position)
        return self._stage(interval, self._batches(read), read.position)

    def take(self, interval: Interval) -> Lines:
        """The interval's lines in memory, once it is settled that it takes them; staged, where they are too many or only the
        staged object would give the same lines again.
        """
        if self._stream.source.type == "http":
            return self.stage(interval)
        read = self._reader.read(interval, self._position)
        batches, held, size = self._batches(read), deque[pa.RecordBatch](), 0
        for batch in batches:
            held.append(batch)
            size += batch.nbytes
            if size > HELD:
                return self._stage(interval, chain(_drained(held), batches), read.position)
        reached = read.position()
        if self._stream.source.type == "files" and not self._settle(interval, reached):
            return self.staged(interval)
        self._position.advance(lambda: reached)
        return HeldLines(held, reached)

    def staged(self, interval: Interval, position: Mapping[str, Any] | None = None) -> StagedLines:
        """What is staged for the interval (with its position, where it is known); what comes next goes on after it."""
        lines = StagedLines(self._objects, self._stream.name, interval, self.again, position)
        self._position.advance(lines.read_position)
        return lines

    def again(self, names: Sequence[str]) -> Iterator[pa.RecordBatch]:
        """The lines of objects that were taken before."""
        assert isinstance(self._reader, LastingReader)
        return self._batches(self._reader.again(names))

    def _settle(self, interval: Interval, reached: Mapping[str, Any]) -> bool:
        """Whether it is now settled that the interval takes these objects; not, when it is staged meanwhile."""
        return write_staged(self._objects, self._stream.name, interval, None, lambda: reached) is not None

    def _stage(self, interval: Interval, batches: Iterable[pa.RecordBatch], position: Reached) -> StagedLines:
        return self.staged(interval, write_staged(self._objects, self._stream.name, interval, batches, position))

    def _batches(self, read: SourceBatch) -> Iterator[pa.RecordBatch]:
        if read.blocks is not None and not self._stream.protected:
            for block in read.blocks:
                yield from plain_batches(block)
        else:
            while lines := _some(read.lines):
                yield staged_batch(lines, self._protector.protect_many(lines))


def _drained(batches: deque[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    while batches:
        yield batches.popleft()


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
    """What earlier intervals have taken: landed ones by the table, those of this run by their own position, which is asked for
    when the source wants to know.
    """

    def __init__(self, landed: Landings) -> None:
        self._landed = landed
        self._cursor: Mapping[str, Any] | None = None
        self._taken: set[str] = set()
        self._reached: list[Callable[[], Mapping[str, Any]]] = []

    @property
    def cursor(self) -> Mapping[str, Any]:
        self._go_on()
        return self._landed.cursor if self._cursor is None else self._cursor

    def is_landed(self, source: str) -> bool:
        self._go_on()
        return source in self._taken or self._landed.has_object(source)

    def advance(self, reached: Callable[[], Mapping[str, Any]]) -> None:
        self._reached.append(reached)

    def _go_on(self) -> None:
        for reached in self._reached:
            position = reached()
            self._cursor = position.get("cursor", {})
            self._taken.update(position.get("objects", ()))
        self._reached.clear()
