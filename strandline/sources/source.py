"""What every kind of source answers: the lines of one landing interval, and where the next one goes on."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, TypeVar, runtime_checkable

from strandline.errors import SourceError, UsageError
from strandline.intervals import Interval
from strandline.spec.model import Stream

if TYPE_CHECKING:
    import pyarrow as pa

    from strandline.lake.objects import Objects

_Item = TypeVar("_Item")
OpenObjects = Callable[[str, str | None], "Objects"]
"""`(location, connection) -> Objects` of a folder or an S3 prefix."""
Headers = Callable[[str | None], Mapping[str, str]]
"""`connection -> headers` that an HTTP source adds to its own; they may hold secrets."""


class RawLine(NamedTuple):
    """One line as the source gave it: its exact bytes without the line feed, and where it stood (1-based)."""

    raw: bytes
    source: str
    source_line: int
    header: str | None = None


class LineBlock(NamedTuple):
    """Lines of one object that follow each other: their exact bytes, its name, and the number of the first (1-based)."""

    raws: pa.BinaryArray
    source: str
    first: int


class Position(Protocol):
    """What earlier landing intervals have taken."""

    @property
    def cursor(self) -> Mapping[str, Any]:
        """The `cursor` that the last landed interval's batch gave; empty at the beginning."""

    def is_landed(self, source: str) -> bool:
        """Whether the object or generated batch `source` was landed."""


class SourceBatch:
    """The lines of one interval, read as they are asked for, and the position after them.

    Some sources can give the same lines in `blocks` instead, which is quicker (None: this one cannot); ask for one of the two.
    """

    def __init__(
        self, lines: Iterator[RawLine], position: Callable[[], dict[str, Any]], blocks: Iterator[LineBlock] | None = None
    ) -> None:
        self._position = position
        self._done = False
        self.lines: Iterator[RawLine] = self._counted(lines)
        self.blocks: Iterator[LineBlock] | None = None if blocks is None else self._counted(blocks)

    def _counted(self, items: Iterator[_Item]) -> Iterator[_Item]:
        yield from items
        self._done = True

    def position(self) -> dict[str, Any]:
        """`{"cursor": {...}, "objects": [...]}`; raises SourceError before all lines are read, when it would not be true."""
        if not self._done:
            raise SourceError("the position of a batch is known once all its lines are read")
        return self._position()


class Reader(Protocol):
    """A source opened for one stream."""

    def read(self, interval: Interval, position: Position) -> SourceBatch:
        """The lines that `interval` takes, after `position`. `lines` raises SourceError or TransientError."""


@runtime_checkable
class LastingReader(Reader, Protocol):
    """A reader of objects that keep their lines."""

    def again(self, names: Sequence[str]) -> SourceBatch:
        """The lines of objects that were taken before; there is no position after them."""


def open_source(stream: Stream, *, objects: OpenObjects, http_headers: Headers = lambda connection: {}) -> Reader:
    """The reader of the stream's source; no I/O yet.

    A source of type `kind` lives in the module `strandline.sources.kind` and is made by its `open_reader(stream, objects,
    http_headers)`.
    Raises UsageError for a type nobody wrote.
    """
    kind: str = stream.source.type
    module = f"{__package__}.{kind}"
    found = import_module(module) if kind.isidentifier() and find_spec(module) else None
    if not hasattr(found, "open_reader"):
        raise UsageError(f"stream {stream.name}: there is no source of type {kind}")
    reader: Reader = found.open_reader(stream, objects, http_headers)  # type: ignore[union-attr]
    return reader
