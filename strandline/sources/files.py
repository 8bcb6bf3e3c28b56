"""Source `files`: the objects of a local folder or an S3 prefix, each landed exactly once, in name order."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from fnmatch import fnmatchcase
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from strandline.errors import SourceError
from strandline.intervals import Interval
from strandline.lines.records import split_record
from strandline.sources.compressed import Limits, plain_chunks
from strandline.sources.records import csv_records, line_blocks, lines
from strandline.sources.source import Headers, LineBlock, OpenObjects, Position, RawLine, SourceBatch
from strandline.spec.model import FilesSource, Stream

if TYPE_CHECKING:
    from strandline.lake.objects import Objects

MARGIN = timedelta(hours=6)
"""How far clocks may differ, and how long an upload may take: S3 dates an object by the start of its upload."""


def open_reader(stream: Stream, objects: OpenObjects, http_headers: Headers) -> FilesReader:
    """The reader of a stream whose source is `files`."""
    source = stream.source
    if not isinstance(source, FilesSource):
        raise SourceError(f"stream {stream.name}: its source is {source.type}, not files")
    return FilesReader(stream, source, objects)


class FilesReader:
    """Takes up to `max_files` objects a landing interval that no earlier one took; names are relative to the location.

    The folder is listed whole, because an object may appear before names that were taken; only objects that came within
    `MARGIN` of the last listing are looked up one by one. A reader lists it once, for all the intervals it is asked for: what
    comes meanwhile is found by the next reader.

    Names with a part that begins with `_` or `.` are left alone, and so are those that `pattern` (fnmatch, over the whole name
    or its last part) does not match. An object counts by its name: it must be whole when it appears, and what a later object of
    the same name holds is never read. NDJSON is split at line feeds only; a CSV header is no line but goes with each of its
    lines.
    """

    def __init__(self, stream: Stream, source: FilesSource, objects: OpenObjects, limits: Limits | None = None) -> None:
        self._stream = stream
        self._source = source
        self._open = objects
        self._limits = limits or Limits()
        self._folder: _Folder | None = None

    @cached_property
    def _location(self) -> Objects:
        return self._open(self._source.location, self._source.connection)

    def read(self, interval: Interval, position: Position) -> SourceBatch:
        """The lines of the next objects, read as they are asked for.

        Raises SourceError naming the object for one that cannot be read to its end: then nothing of the interval must be
        landed.
        """
        objects = self._location
        if "://" not in objects.url and not Path(objects.url).is_dir():
            raise SourceError(f"stream {self._stream.name}: there is no folder {objects.url}")
        if self._folder is None:
            self._folder = _Folder(
                datetime.now(UTC), sorted((info.key, info.modified) for info in objects.list() if self._wanted(info.key))
            )
        listing = _Listing(position, self._folder)
        taken = listing.new(self._source.max_files)
        return self._batch(objects, list(taken), partial(listing.position, taken))

    def again(self, names: Sequence[str]) -> SourceBatch:
        """The lines of objects that were taken before; there is no position after them."""
        return self._batch(self._location, names, dict)

    def _batch(self, objects: Objects, names: Sequence[str], position: Callable[[], dict[str, Any]]) -> SourceBatch:
        blocks = None if self._source.format == "csv" else self._blocks(objects, names)
        return SourceBatch(self._lines(objects, names), position, blocks)

    def _wanted(self, name: str) -> bool:
        parts = name.split("/")
        if not parts[-1] or any(part.startswith(("_", ".")) for part in parts):
            return False
        return fnmatchcase(name, self._source.pattern) or fnmatchcase(parts[-1], self._source.pattern)

    def _lines(self, objects: Objects, names: Sequence[str]) -> Iterator[RawLine]:
        for name in names:
            with objects.open(name) as file:
                yield from self.lines_of(file, name)

    def _blocks(self, objects: Objects, names: Sequence[str]) -> Iterator[LineBlock]:
        for name in names:
            first = 1
            with objects.open(name) as file:
                for raws in line_blocks(plain_chunks(file, name, self._limits), name):
                    yield LineBlock(raws, name, first)
                    first += len(raws)

    def lines_of(self, file: BinaryIO, name: str) -> Iterator[RawLine]:
        """The lines of one open object; raises SourceError when it cannot be read to its end."""
        physical = lines(plain_chunks(file, name, self._limits), name)
        if self._source.format == "csv":
            yield from self._csv(physical, name)
        else:
            for number, raw in enumerate(physical, start=1):
                yield RawLine(raw, name, number, None)

    def _csv(self, physical: Iterator[bytes], name: str) -> Iterator[RawLine]:
        header: str | None = None
        for number, record in csv_records(physical, self._source.delimiter):
            if header is not None:
                yield RawLine(record, name, number, header)
            elif record.strip():
                header = record.decode("utf-8", "replace")
                readable = isinstance(split_record(header.removesuffix("\r"), self._source.delimiter), list)
                self._refuse_headless(header, readable, name)
                if not readable:  # an object with other line ends is all header: it is shown as the line it is
                    yield RawLine(record, name, number, header)

    def _refuse_headless(self, header: str, readable: bool, name: str) -> None:
        """A first record that names no declared column is most likely data, and a header is stored in clear."""
        if self._stream.protected and not readable:
            raise SourceError(f"{name}: its first record cannot be read as a header; a CSV object begins with a header")
        cells = {cell.strip('\ufeff\r "') for cell in header.split(self._source.delimiter)}
        if self._stream.protected and not cells & {declared.source_name for declared in self._stream.fields}:
            raise SourceError(f"{name}: its first record names no declared column; a CSV object begins with a header")


@dataclass
class _Folder:
    """One listing: when it began, and what it found, name and when it came, by name."""

    listed_at: datetime
    found: list[tuple[str, datetime]]

    def forget(self, last: str, settled: datetime) -> None:
        """Leave out what was taken for certain: names up to `last` that came before `settled`."""
        self.found = [each for each in self.found if each[0] > last or each[1] >= settled]


class _Listing:
    """Tells new objects from landed ones in one listing, and remembers for the next what came lately.

    The cursor is `{"last": greatest name taken, "listed_at": …, "recent": […]}`: every object up to `last` that came
    `MARGIN` or more before `listed_at` was taken, and so were those named in `recent`. `listed_at` is the time of the
    listing, or earlier when an object had to wait (`max_files`).
    """

    def __init__(self, position: Position, folder: _Folder) -> None:
        cursor = position.cursor
        self._before, self._folder = position, folder
        self._last = str(cursor.get("last", ""))
        self._known = frozenset(cursor.get("recent", ()))
        if listed_at := cursor.get("listed_at"):
            folder.forget(self._last, datetime.fromisoformat(listed_at) - MARGIN)
        self._landed: dict[str, datetime] = {}
        self._waiting: dict[str, datetime] = {}

    def new(self, most: int) -> dict[str, datetime]:
        """The `most` smallest names that nobody took, and when they came."""
        taken: dict[str, datetime] = {}
        for name, modified in self._folder.found:
            if len(taken) >= most and name > self._last:
                break  # whatever comes after `last` is looked at again the next time
            if name in self._known or self._before.is_landed(name):
                self._landed[name] = modified
            elif len(taken) < most:
                taken[name] = modified
            else:
                self._waiting[name] = modified
        return taken

    def position(self, taken: Mapping[str, datetime]) -> dict[str, Any]:
        """The position once the smallest new names, `taken`, are read: what is left beyond them comes after `last`."""
        last = max([*taken, self._last])
        if not last:
            return {"cursor": {}, "objects": []}
        listed_at = min([self._folder.listed_at, *self._waiting.values()])
        landed = {**self._landed, **taken}
        recent = sorted(name for name, modified in landed.items() if modified >= listed_at - MARGIN)
        return {"cursor": {"last": last, "listed_at": listed_at.isoformat(), "recent": recent}, "objects": sorted(taken)}
