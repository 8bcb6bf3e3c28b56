"""The generator as a source: the lines of an interval, and the truth about them."""

from __future__ import annotations

from collections.abc import Iterator

from strandline.intervals import Interval
from strandline.sources.generator.batch import micro_batch
from strandline.sources.generator.events import EventModel
from strandline.sources.generator.truth import Truth
from strandline.sources.source import Headers, OpenObjects, Position, RawLine, SourceBatch
from strandline.spec.model import Stream

SOURCE = "generator"


class GeneratorReader:
    """A stream's simulated events as a source. It needs no position: an interval's lines follow from the interval alone."""

    def __init__(self, stream: Stream) -> None:
        self._model = EventModel(stream)

    def read(self, interval: Interval, position: Position) -> SourceBatch:
        """The lines of `interval` in order of arrival; `source` is `generator`, `source_line` counts from 1."""
        return SourceBatch(self._lines(interval), lambda: {"cursor": {}, "objects": []})

    def _lines(self, interval: Interval) -> Iterator[RawLine]:
        lines, _ = micro_batch(self._model, interval)
        for number, raw in enumerate(lines, 1):
            yield RawLine(raw, SOURCE, number)


def open_reader(stream: Stream, objects: OpenObjects, http_headers: Headers) -> GeneratorReader:
    """The reader of a generator stream; the other arguments belong to sources that read from elsewhere."""
    return GeneratorReader(stream)


def truth(stream: Stream, interval: Interval) -> Truth:
    """What the micro-batch of `interval` holds: counts by kind, and each line that is not a plain good event."""
    return micro_batch(EventModel(stream), interval)[1]
