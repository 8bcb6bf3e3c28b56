"""Source `http`: a paged JSON API, read on from where the last landing interval ended."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from strandline.errors import SourceError
from strandline.intervals import Interval
from strandline.lines.members import elements, members, value_end
from strandline.sources.requests import Backoff, Client, shown
from strandline.sources.source import Headers, OpenObjects, Position, RawLine, SourceBatch
from strandline.spec.model import HttpSource, Stream

_WHITE = " \t\r\n"
_INTERVAL = re.compile(r"\$\{interval\.(start|end)\}")


def open_reader(stream: Stream, objects: OpenObjects, http_headers: Headers) -> HttpReader:
    """The reader of a stream whose source is `http`."""
    source = stream.source
    if not isinstance(source, HttpSource):
        raise SourceError(f"stream {stream.name}: its source is {source.type}, not http")
    return HttpReader(source, http_headers)


@dataclass
class _Place:
    """Where reading stands: the page (cursor text, page number, or None for the first) and how many of its records are
    taken."""

    page: str | int | None
    taken: int = 0


class HttpReader:
    """Each record of a response is one line: the exact bytes it has there (UTF-8). `source` is the URL without query + `#page`.

    The position is the last page that had records and how many of them were taken, or the page after it where the server named
    one; the next interval asks for that page again and takes what is new. Paging `none` takes the whole answer each time.
    Where the parameters name the interval (`${interval.start}`, `${interval.end}`: ISO 8601, UTC), each interval is a question
    of its own: it begins at the first page, and more than `max_pages` pages are an error because nobody would come back for
    them.
    """

    def __init__(self, source: HttpSource, http_headers: Headers, backoff: Backoff | None = None) -> None:
        self._source = source
        self._http_headers = http_headers
        self._backoff = backoff or Backoff()
        self._own_question = any(_INTERVAL.search(value) for value in source.params.values())

    def read(self, interval: Interval, position: Position) -> SourceBatch:
        """The records that `interval` takes. Raises SourceError for a refusal or an answer of another form, TransientError
        when a server stayed unwell through all retries."""
        place = self._place({} if self._own_question else position.cursor)
        return SourceBatch(self._lines(interval, place), lambda: {"cursor": self._cursor(place), "objects": []})

    def _place(self, cursor: Mapping[str, Any]) -> _Place:
        taken = int(cursor.get("taken", 0))
        if self._source.paging == "page":
            return _Place(int(cursor.get("page", self._source.first_page)), taken)
        if self._source.paging == "cursor":
            return _Place(cursor.get("cursor"), taken)
        return _Place(None)

    def _cursor(self, place: _Place) -> dict[str, Any]:
        if self._own_question or self._source.paging == "none":
            return {}
        return {self._source.paging: place.page, "taken": place.taken}

    def _lines(self, interval: Interval, place: _Place) -> Iterator[RawLine]:
        source = self._source
        params = {key: _filled(value, interval) for key, value in source.params.items()}
        headers = {**source.headers, **self._http_headers(source.connection)}
        page, skip = place.page, place.taken
        with Client(source.url, headers, source.timeout, self._backoff) as client:
            for ordinal in range(1, source.max_pages + 1):
                body = client.get(self._asked(params, page), missing_ends=source.paging == "page" and ordinal > 1)
                if body is None:
                    return
                text = _text(body, source.url)
                spans = _records(text, source)
                name = f"{shown(source.url)}#{page if source.paging == 'page' else ordinal}"
                for line, (start, end) in enumerate(spans[skip:], start=skip + 1):
                    yield RawLine(text[start:end].encode(), name, line, None)
                page = self._advance(place, page, text, len(spans))
                if page is None:
                    return
                skip = 0
        if self._own_question:
            raise SourceError(f"{shown(source.url)}: interval {interval} has more than max_pages = {source.max_pages} pages")

    def _asked(self, params: Mapping[str, str], page: str | int | None) -> dict[str, str]:
        if page is None or self._source.paging == "none":
            return dict(params)
        key = self._source.page_param if self._source.paging == "page" else self._source.cursor_param
        return {**params, key: str(page)}

    def _advance(self, place: _Place, page: str | int | None, text: str, count: int) -> str | int | None:
        """The page to ask for after `page`, which had `count` records, None when there is no reason to; `place` follows."""
        if self._source.paging == "page":
            assert isinstance(page, int)
            if not count:
                return None  # `place` stays at the last page that had records: it may not be full yet
            place.taken = max(place.taken, count) if place.page == page else count
            place.page = page
            return page + 1
        following = _next_cursor(text, self._source.cursor_path) if self._source.paging == "cursor" else None
        if following is None or following == page:
            place.taken = max(place.taken, count)
            return None
        place.page, place.taken = following, 0
        return following if count or self._own_question else None


def _filled(value: str, interval: Interval) -> str:
    return _INTERVAL.sub(lambda found: f"{getattr(interval, found.group(1)):%Y-%m-%dT%H:%M:%SZ}", value)


def _text(body: bytes, url: str) -> str:
    try:
        return body.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise SourceError(f"{shown(url)}: the response is not UTF-8 (byte {error.start})") from None


def _at(text: str, path: str) -> int | None:
    """Where the value at the dotted `path` begins; None when the response has no such place."""
    position = 0
    for key in path.split(".") if path else ():
        found = members(text, position)
        if found is None:
            return None
        place = next((member.start for member in found if member.key == key), None)
        if place is None:
            return None
        position = place
    return position


def _records(text: str, source: HttpSource) -> list[tuple[int, int]]:
    position = _at(text, source.records)
    found = elements(text, position) if position is not None else None
    if found is None:
        where = f"at `records: {source.records}`" if source.records else "in the response"
        raise SourceError(f"{shown(source.url)}: there is no list of records {where}")
    start = len(text) - len(text.lstrip(_WHITE))
    end = value_end(text, start)
    if end is None or text[end:].strip(_WHITE):  # records may stand there that nobody would see
        raise SourceError(f"{shown(source.url)}: the response goes on after its JSON value")
    return found


def _next_cursor(text: str, path: str) -> str | None:
    position = _at(text, path)
    if position is None:
        return None
    end = value_end(text, position)
    token = text[position:end]
    if token.startswith('"'):
        return str(json.loads(token, strict=False)) or None
    return None if token in ("null", "false") or token[:1] in "{[" else token
