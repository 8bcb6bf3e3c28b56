"""A sample of a stream: lines of its generator, of a file or of its own source, landed in memory and nowhere else."""

from __future__ import annotations

import os
import secrets
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import pyarrow as pa

from strandline.errors import SourceError, UsageError
from strandline.intervals import Interval, floor
from strandline.lake.objects import Objects, open_objects
from strandline.lines.keys import KeyRing
from strandline.rehearsal import UNKNOWN, event_times, interval_ending, land_lines, landed_as_it_happened, landed_in
from strandline.sources.files import FilesReader
from strandline.sources.source import RawLine, open_source
from strandline.spec.model import FilesSource, GeneratorSource, Stream

if TYPE_CHECKING:
    from strandline.engines.duckdb import DuckEngine, DuckSession

GENERATED, READ = 500, 10_000
"""How many lines a sample has when nobody says: of a generator (whole intervals, so about), of a file or source (at most)."""
_FURTHEST = 288
_TOO_MANY = 20


@dataclass(frozen=True, slots=True)
class Sample:
    """Landed rows and how they came about: `origin` in words; `key` is `own`, `throw-away`, or `none` where nothing is
    protected.

    `stream` is the one they were read as: for a file, its source is that file.
    """

    stream: Stream
    landed: pa.Table
    origin: str
    key: str
    notes: tuple[str, ...] = ()


def keys_for(stream: Stream) -> tuple[KeyRing, str]:
    """The key of the environment, or one made for this process where there is none; and which (see `Sample.key`)."""
    if not stream.protected:
        return KeyRing({}), "none"
    if any(os.environ.get(name) for name in (f"STRANDLINE_KEY_{stream.name.upper()}", "STRANDLINE_KEY")):
        return KeyRing.from_environment(), "own"
    return KeyRing({"STRANDLINE_KEY": secrets.token_hex(32)}), "throw-away"


def take_sample(
    engine: DuckEngine,
    session: DuckSession,
    stream: Stream,
    *,
    file: str | None,
    rows: int | None,
    at: datetime | None,
    now: datetime,
) -> Sample:
    """The sample of `file` (`-`: stdin) or else of the stream's own source, which is read but not moved on.

    A generator gives whole landing intervals, the last one ending by `at` (default `now`), back to `rows` lines. Other lines
    land in the interval that ends at `at`; without it each lands in the interval of its own event time.
    Raises `UsageError` for a stream of an API without a file, `SourceError` when the lines cannot be read.
    """
    if file is None and isinstance(stream.source, GeneratorSource):
        return _generated(stream, rows or GENERATED, at or now)
    if file is None and stream.source.type == "http":
        raise UsageError(
            f"{stream.name} reads an API, which a preview does not call: give lines it sent with --input FILE (.ndjson, .csv)"
        )
    origin, most = f"files in {stream.source.location}" if isinstance(stream.source, FilesSource) else "", rows or READ
    if file is not None:
        stream = replace(stream, source=_source_of(stream, file))
        origin = "stdin" if file == "-" else file
    reading = _lines_of(stream, file) if file is not None else _lines_of_source(stream)
    lines = list(islice(reading, most + 1))
    notes = []
    if len(lines) > most:
        lines.pop()
        notes.append(f"the first {most:,} lines; --rows takes more or fewer")
    keys, key = keys_for(stream)
    landed = land_lines(stream, lines, keys, interval_ending(at or UNKNOWN, stream.interval))
    if at is not None:
        landed = landed_in(landed, interval_ending(at, stream.interval))
    elif lines:
        landed = landed_as_it_happened(stream, landed, event_times(engine, session, stream, landed))
        if stream.allowed_lateness is not None or stream.future_skew is not None:
            notes.append("each line landed when it happened, so none is late or early; --at says when they landed")
    return Sample(stream, landed, origin, key, tuple(notes))


def _generated(stream: Stream, rows: int, at: datetime) -> Sample:
    from strandline.sources.generator import GeneratorReader
    from strandline.sources.generator.volume import expected_rows

    assert isinstance(stream.source, GeneratorSource)
    end = floor(at, stream.interval)
    notes = []
    expected = expected_rows(stream.source.options, Interval(end - stream.interval, end))
    read_as = stream
    if expected > _TOO_MANY * rows:
        mean = stream.source.options["rows"]["mean"] * rows / expected
        smaller: Mapping[str, Any] = {**stream.source.options, "rows": {**stream.source.options["rows"], "mean": mean}}
        read_as = replace(stream, source=GeneratorSource(smaller))
        notes.append(
            f"an interval has about {expected:,.0f} events; these are of one made smaller (--rows {expected:.0f}: all)"
        )
    reader = GeneratorReader(read_as)
    keys, key = keys_for(stream)
    parts: list[pa.Table] = []
    while sum(part.num_rows for part in parts) < rows and len(parts) < _FURTHEST:
        interval = Interval(end - stream.interval * (len(parts) + 1), end - stream.interval * len(parts))
        parts.append(land_lines(stream, list(reader.read(interval, _Nothing()).lines), keys, interval))
    origin = f"its generator, {len(parts)} landing interval{'s' if len(parts) > 1 else ''}"
    return Sample(stream, pa.concat_tables(reversed(parts)), origin, key, tuple(notes))


def _source_of(stream: Stream, file: str) -> FilesSource:
    """The source as which a file is read: CSV when its name says so, else as the stream's own files are, else NDJSON."""
    own = stream.source if isinstance(stream.source, FilesSource) else FilesSource("")
    name = file.lower().removesuffix(".gz").removesuffix(".zst")
    if name.endswith(".csv"):
        return replace(own, format="csv")
    if name.endswith((".ndjson", ".jsonl", ".json")):
        return replace(own, format="ndjson")
    return own


def _lines_of(stream: Stream, file: str) -> Iterator[RawLine]:
    assert isinstance(stream.source, FilesSource)
    reader = FilesReader(stream, stream.source, _objects)
    with _opened(file) as stream_of_bytes:
        yield from reader.lines_of(stream_of_bytes, "stdin" if file == "-" else Path(file).name)


@contextmanager
def _opened(file: str) -> Iterator[BinaryIO]:
    if file == "-":
        yield sys.stdin.buffer
        return
    try:
        with Path(file).open("rb") as opened:
            yield opened
    except OSError as error:
        raise SourceError(f"{file} cannot be read: {error.strerror}") from error


def _lines_of_source(stream: Stream) -> Iterator[RawLine]:
    reader = open_source(stream, objects=_objects)
    yield from reader.read(interval_ending(UNKNOWN, stream.interval), _Nothing()).lines


def _objects(location: str, connection: str | None) -> Objects:
    """The objects of a source, by the standard AWS environment; a `connection` is Airflow's and not known here."""
    return open_objects(location)


class _Nothing:
    """The position before anything has landed."""

    @property
    def cursor(self) -> Mapping[str, Any]:
        return {}

    def is_landed(self, source: str) -> bool:
        return False
