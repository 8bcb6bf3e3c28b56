"""Records of a paged API become lines byte for byte, in any run of intervals each once, and trouble is told apart."""

from __future__ import annotations

import gzip
import json
import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest

from strandline.errors import SourceError, TransientError
from strandline.intervals import Interval
from strandline.lake.objects import Objects
from strandline.lines.parse import parse_lines
from strandline.sources.http import HttpReader
from strandline.sources.requests import MAX_RESPONSE, Backoff, shown
from strandline.sources.source import RawLine, SourceBatch, open_source
from strandline.spec.model import Field, HttpSource, Stream, Team
from tests.sources.servers import Answer, Request, serving

INTERVAL = Interval(datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 1, 0, 5, tzinfo=UTC))
QUICK = Backoff(attempts=4, first=0.01, longest=0.05, obeyed=1.2)


@dataclass
class At:
    """A position as the lake would give it."""

    cursor: Mapping[str, Any] = field(default_factory=dict)

    def is_landed(self, source: str) -> bool:
        return False


def read(
    url: str, cursor: Mapping[str, Any] | None = None, secret: Mapping[str, str] | None = None, **options: Any
) -> SourceBatch:
    reader = HttpReader(HttpSource(url, **options), lambda connection: secret or {}, QUICK)
    return reader.read(INTERVAL, At(cursor or {}))


def taken(batch: SourceBatch) -> list[str]:
    return [line.raw.decode() for line in batch.lines]


def always(answer: Answer) -> Callable[[Request], Answer]:
    return lambda request: answer


def test_each_record_is_a_line_of_its_exact_bytes() -> None:
    body = b'{ "data" : {"items":[ {"id" : 1.50,  "t":"\\u00e9"} ,"x",\n[1 , 2],{"a":{"b":"}],"}},NaN, null ] }, "next": null}'
    with serving(always(Answer(body))) as server:
        batch = read(f"{server.url}/v1/events?token=hunter2", records="data.items")
        lines = list(batch.lines)
    assert [line.raw for line in lines] == [
        b'{"id" : 1.50,  "t":"\\u00e9"}', b'"x"', b"[1 , 2]", b'{"a":{"b":"}],"}}', b"NaN", b"null",
    ]  # fmt: skip
    assert lines[1] == RawLine(b'"x"', f"{server.url}/v1/events#1", 2, None)
    assert batch.position() == {"cursor": {}, "objects": []}


def test_a_bad_record_is_one_refused_line_and_its_neighbours_are_unharmed() -> None:
    body = b'[{"id":"a"},{"id":"b","id":"c"},{"id":"d","x":1e999},{"id":"\\ud800"},{"id":"e"}]'
    source = HttpSource("http://x")
    stream = Stream(
        "s", "1.0.0", "", Team("t", "t@example.com"), source, ("id",), "id", (Field("id", "string", "id"),), Path("t.yaml")
    )
    with serving(always(Answer(body))) as server:
        parsed = parse_lines(stream, [line.raw for line in read(server.url).lines])
    assert parsed.reason == [None, "duplicate_key", "number_range", "lone_surrogate", None]
    assert parsed.columns["id"] == ["a", None, None, None, "e"]


def test_the_interval_is_put_into_the_parameters() -> None:
    with serving(always(Answer())) as server:
        assert taken(read(server.url, params={"q": "a b&c", "since": "${interval.start}", "until": "<${interval.end}"})) == []
    assert server.asked[0].params == {"q": "a b&c", "since": "2026-01-01T00:00:00Z", "until": "<2026-01-01T00:05:00Z"}


def test_declared_and_connection_headers_are_sent() -> None:
    with serving(always(Answer())) as server:
        taken(read(server.url, secret={"Authorization": "Bearer hunter2"}, headers={"X-Client": "strandline"}))
    assert server.asked[0].headers["authorization"] == "Bearer hunter2"
    assert server.asked[0].headers["x-client"] == "strandline"


def test_the_source_is_opened_by_its_type_with_the_headers_of_its_connection() -> None:
    def headers(connection: str | None) -> Mapping[str, str]:
        return {"x-connection": str(connection)}

    def objects(location: str, connection: str | None) -> Objects:
        raise AssertionError("an HTTP source opens no objects")

    with serving(always(Answer(b"[1]"))) as server:
        source = HttpSource(server.url, connection="shop_api")
        stream = Stream("s", "1.0.0", "", Team("t", "t@example.com"), source, ("id",), "id", (), Path("t.yaml"))
        assert taken(open_source(stream, objects=objects, http_headers=headers).read(INTERVAL, At())) == ["1"]
    assert server.asked[0].headers["x-connection"] == "shop_api"


# --- paging ---


class Api:
    """A server's growing list of records, in pages of `size`, by page number or by cursor.

    `tail`: the last page names a next cursor too (an event log); otherwise it names none (a finished list).
    """

    def __init__(self, size: int, tail: bool = False, missing: bool = False) -> None:
        self.records: list[int] = []
        self.size = size
        self.tail = tail
        self.missing = missing

    def page(self, request: Request) -> Answer:
        number = int(request.params.get("page", 1))
        found = self.records[(number - 1) * self.size : number * self.size]
        if self.missing and not found and number > 1:
            return Answer(b"no such page", 404)
        return Answer(json.dumps({"items": found}).encode())

    def cursor(self, request: Request) -> Answer:
        start = int(request.params.get("cursor", "c0").removeprefix("c"))
        found = self.records[start : start + self.size]
        end = start + len(found)
        more = self.tail or end < len(self.records)
        return Answer(json.dumps({"items": found, "meta": {"next": f"c{end}" if more else None}}).encode())


@pytest.mark.parametrize("size", [1, 2, 3, 10])
@pytest.mark.parametrize("kind", ["page", "page with 404", "cursor", "cursor of a log"])
def test_over_any_run_of_intervals_each_record_of_a_growing_list_is_taken_once(kind: str, size: int) -> None:
    api = Api(size, tail=kind == "cursor of a log", missing=kind == "page with 404")
    paging = kind.split()[0]
    seen: list[str] = []
    cursor: Mapping[str, Any] = {}
    with serving(api.page if paging == "page" else api.cursor) as server:
        for growth in (0, 1, 0, 5, 3, 0, 2, 7):
            api.records += range(len(api.records), len(api.records) + growth)
            batch = read(server.url, cursor, records="items", paging=paging, cursor_path="meta.next")
            seen += taken(batch)
            cursor = json.loads(json.dumps(batch.position()["cursor"]))
            assert seen == [str(n) for n in range(len(api.records))], (growth, cursor)


@pytest.mark.parametrize("paging", ["page", "cursor"])
def test_max_pages_ends_an_interval_and_the_next_one_goes_on(paging: str) -> None:
    api = Api(2)
    api.records = list(range(11))
    seen: list[list[str]] = []
    cursor: Mapping[str, Any] = {}
    with serving(api.page if paging == "page" else api.cursor) as server:
        for _ in range(8):
            batch = read(server.url, cursor, records="items", paging=paging, cursor_path="meta.next", max_pages=2)
            seen.append(taken(batch))
            cursor = batch.position()["cursor"]
    assert [n for part in seen for n in part] == [str(n) for n in range(11)]
    assert seen[0] == ["0", "1", "2", "3"]
    assert all(len(part) <= 4 for part in seen)


def test_the_lines_of_a_page_read_again_keep_their_place_in_it() -> None:
    api = Api(3)
    api.records = [0, 1]
    with serving(api.page) as server:
        first = read(server.url, {}, records="items", paging="page")
        taken(first)
        api.records.append(2)
        lines = list(read(server.url, first.position()["cursor"], records="items", paging="page").lines)
    assert lines == [RawLine(b"2", f"{server.url}#1", 3, None)]


def test_where_the_parameters_name_the_interval_each_one_begins_at_the_first_page() -> None:
    api = Api(2)
    api.records = [0, 1, 2]
    options: dict[str, Any] = {"records": "items", "paging": "page", "params": {"since": "${interval.start}"}}
    with serving(api.page) as server:
        batch = read(server.url, {"page": 9, "taken": 1}, **options)
        assert taken(batch) == ["0", "1", "2"]
        assert batch.position()["cursor"] == {}
        with pytest.raises(SourceError, match="has more than max_pages = 1 pages"):
            taken(read(server.url, {}, **options, max_pages=1))


def test_a_cursor_that_repeats_itself_ends_the_reading() -> None:
    with serving(always(Answer(b'{"items":[1],"next_cursor":"same"}'))) as server:
        batch = read(server.url, records="items", paging="cursor")
        assert taken(batch) == ["1", "1"]
        assert batch.position()["cursor"] == {"cursor": "same", "taken": 1}
        assert taken(read(server.url, batch.position()["cursor"], records="items", paging="cursor")) == []


@pytest.mark.parametrize("token", ["null", '""', "false", "[]", "{}"])
def test_no_next_cursor_comes_in_several_spellings(token: str) -> None:
    with serving(always(Answer(b'{"items":[1],"next_cursor":%s}' % token.encode()))) as server:
        assert taken(read(server.url, records="items", paging="cursor")) == ["1"]
    assert len(server.asked) == 1


def test_a_number_is_a_cursor_and_an_escaped_one_is_unescaped() -> None:
    answers = [b'{"items":[1],"next_cursor":17}', b'{"items":[2],"next_cursor":"a\\/b="}', b'{"items":[3]}']
    with serving(lambda request: Answer(answers[len(server.asked) - 1])) as server:
        assert taken(read(server.url, records="items", paging="cursor")) == ["1", "2", "3"]
    assert [request.params.get("cursor") for request in server.asked] == [None, "17", "a/b="]


# --- trouble ---


@pytest.mark.parametrize(
    "trouble", [Answer(status=429), Answer(status=500), Answer(status=503), Answer(b"[1,2,3]", cut=3), None]
)
def test_passing_trouble_is_retried_until_an_answer_comes(trouble: Answer | None) -> None:
    with serving(lambda request: Answer(b"[1]") if len(server.asked) > 2 else trouble) as server:
        assert taken(read(server.url)) == ["1"]
    assert len(server.asked) == 3


@pytest.mark.parametrize("trouble", [Answer(status=429), Answer(status=502), None])
def test_lasting_trouble_is_transient_and_says_where_without_secrets(trouble: Answer | None) -> None:
    said = pytest.raises(TransientError, match=r"/v1: no answer in 4 attempts")
    with serving(lambda request: trouble) as server, said as refusal:
        taken(read(f"{server.url}/v1?key=hunter2", secret={"x-key": "hunter2"}, params={"token": "hunter2"}))
    assert len(server.asked) == 4
    assert "hunter2" not in str(refusal.value)


def test_nobody_listening_is_transient() -> None:
    with serving(always(Answer())) as server:
        pass
    with pytest.raises(TransientError, match="last ConnectError"):
        taken(read(server.url))


def test_a_server_that_never_answers_times_out() -> None:
    def slow(request: Request) -> Answer:
        time.sleep(0.4)
        return Answer()

    with serving(slow) as server, pytest.raises(TransientError, match="last ReadTimeout"):
        taken(read(server.url, timeout=timedelta(seconds=0.05)))


@pytest.mark.parametrize("kind", ["seconds", "date", "capped", "nonsense"])
def test_retry_after_is_honoured_up_to_a_cap(kind: str) -> None:
    later = {"seconds": "1", "capped": "3600", "nonsense": "soon", "date": ""}[kind]

    def answer(request: Request) -> Answer:
        text = later or format_datetime(datetime.now(UTC) + timedelta(seconds=2), usegmt=True)
        return Answer(b"[1]") if len(server.asked) > 1 else Answer(status=429, headers={"Retry-After": text})

    with serving(answer) as server:
        begin = time.monotonic()
        assert taken(read(server.url)) == ["1"]
        waited = time.monotonic() - begin
    least = {"seconds": 1.0, "date": 0.9, "capped": 1.2, "nonsense": 0.0}[kind]
    assert least <= waited < 60


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410, 422, 501])
def test_a_refusal_is_an_error_at_once_without_secrets(status: int) -> None:
    said = pytest.raises(SourceError, match=f"/v1: the server answered {status}")
    with serving(always(Answer(b"hunter2", status))) as server, said as refusal:
        taken(read(f"{server.url}/v1?key=hunter2", secret={"x-key": "hunter2"}, paging="page"))
    assert len(server.asked) == 1
    assert "hunter2" not in str(refusal.value)


def test_a_redirect_to_another_host_is_refused_and_no_header_goes_there() -> None:
    with serving(always(Answer(b"[1]"))) as elsewhere:
        away = Answer(status=302, headers={"Location": f"{elsewhere.url}/x?token=hunter2"})
        with serving(always(away)) as server, pytest.raises(SourceError, match="redirects to another host") as refusal:
            taken(read(server.url, secret={"authorization": "hunter2"}))
    assert elsewhere.asked == []
    assert "hunter2" not in str(refusal.value)


def test_a_redirect_within_the_host_is_followed_and_a_circle_is_not() -> None:
    def answer(request: Request) -> Answer:
        return Answer(b"[1]") if request.path == "/new" else Answer(status=308, headers={"Location": "/new?page=7"})

    with serving(answer) as server:
        assert taken(read(f"{server.url}/old")) == ["1"]
    assert server.asked[1].params == {"page": "7"}
    circle = always(Answer(status=302, headers={"Location": "/"}))
    with serving(circle) as server, pytest.raises(SourceError, match="more than 5 redirects"):
        taken(read(server.url))


@pytest.mark.parametrize("packed", [False, True])
def test_a_response_over_the_cap_is_refused(packed: bool) -> None:
    body = b"[" + b" " * MAX_RESPONSE + b"]"
    answer = Answer(gzip.compress(body, 1), headers={"Content-Encoding": "gzip"}) if packed else Answer(body)
    with serving(always(answer)) as server, pytest.raises(SourceError, match="a response of more than 67108864 bytes"):
        taken(read(server.url))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"oops",
        b"<html></html>",
        b"{}",
        b'{"items":{}}',
        b'{"items":null}',
        b'{"items":[1',
        b'{"items":[1 2]}',
        b'{"items"',
    ],
)
def test_a_response_without_the_list_of_records_is_an_error_that_quotes_nothing(body: bytes) -> None:
    with (
        serving(always(Answer(body))) as server,
        pytest.raises(SourceError, match="there is no list of records at `records: items`"),
    ):
        taken(read(server.url, records="items"))


def test_a_response_that_is_not_utf8_is_an_error() -> None:
    with serving(always(Answer(b'["\xff"]'))) as server, pytest.raises(SourceError, match="not UTF-8"):
        taken(read(server.url))


def test_gzip_and_a_byte_order_mark_are_no_trouble() -> None:
    answer = Answer(gzip.compress(b"\xef\xbb\xbf[1]"), headers={"Content-Encoding": "gzip"})
    with serving(always(answer)) as server:
        assert taken(read(server.url)) == ["1"]
    broken = Answer(b"not gzip", headers={"Content-Encoding": "gzip"})
    with serving(always(broken)) as server, pytest.raises(SourceError, match="compression is damaged"):
        taken(read(server.url))


def test_an_address_that_is_none_is_an_error() -> None:
    for url in ("ftp://example.com/x", "http://exa mple.com:99999/"):
        with pytest.raises(SourceError, match="not an http or https address"):
            taken(read(url))


def test_no_log_line_shows_the_query(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO), serving(always(Answer())) as server:
        taken(read(f"{server.url}?key=hunter2"))
    assert "hunter2" not in caplog.text


def test_an_address_is_shown_without_user_password_query_and_fragment() -> None:
    assert shown("https://eve:hunter2@example.com:8443/a/b?token=hunter2#x") == "https://example.com:8443/a/b"
    assert shown("http://[::1]:80/a") == "http://[::1]:80/a"
