"""The corpus through a JSON API: a record arrives byte for byte, or the response is refused as a whole, and loudly."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

import pytest

from strandline.errors import SourceError
from strandline.sources.http import HttpReader
from strandline.spec.model import HttpSource
from tests.poison.corpus import USUAL
from tests.poison.deliveries import Placed, neighbour
from tests.poison.lines import Poison
from tests.poison.pipeline import INTERVAL, check_both_paths, runtime_at, stream_from
from tests.sources.servers import Answer, Request, serving

JSON = [poison for poison in USUAL if poison.header is None]
SPLITS = "two objects with a comma"
"""In a list these are two records, and rightly so."""


class Nothing:
    """A position at the beginning."""

    cursor: Mapping[str, object] = MappingProxyType({})

    def is_landed(self, source: str) -> bool:
        return False


@pytest.fixture(scope="module")
def carried() -> list[Poison]:
    """What is no JSON and still arrived exactly between its neighbours, each in a response of its own.

    Any other breaks its response, which is refused as a whole, or is kept to the last byte.
    """
    found, named, bodies = [], list[bool](), dict[str, bytes]()
    with serving(lambda request: Answer(bodies[request.path])) as server:
        for number, poison in enumerate(poison for poison in JSON if not _is_json(poison)):
            around = neighbour(), neighbour()
            listed = b",".join([around[0], poison.raw, around[1]])
            path = f"/{number}"
            bodies[path], records = (b'{"items":[' + listed + b"]}", "items") if number % 2 else (b"[" + listed + b"]", "")
            try:
                lines = list(HttpReader(HttpSource(server.url + path, records), no_headers).read(INTERVAL, Nothing()).lines)
            except SourceError as error:
                named.append(path in str(error))
                continue
            arrived = [line.raw for line in lines]
            if arrived == [around[0], poison.raw.strip(b" \t\r\n"), around[1]]:
                found.append(poison)
            else:  # it cannot be said where the records of such a response end, but all of it is kept
                assert b",".join(arrived) == listed, poison.shown
    assert named
    assert all(named)
    return found


def no_headers(connection: str | None) -> dict[str, str]:
    return {}


def _is_json(poison: Poison) -> bool:
    """Whether a reader of JSON has no quarrel with it, so that a response with it in it is JSON too."""
    try:
        json.loads(poison.raw.decode())
    except (ValueError, RecursionError):
        return False
    return True


@pytest.mark.parametrize("rest", [b'{"items":[2]}', b"\n{}", b",2]", b"]", b"x", b"\x00"])
@pytest.mark.parametrize(("body", "records"), [(b"[1]", ""), (b'{"items":[1]}', "items")])
def test_a_response_that_goes_on_after_its_value_is_refused_rather_than_cut(body: bytes, records: str, rest: bytes) -> None:
    with serving(lambda request: Answer(body + rest)) as server, pytest.raises(SourceError, match="goes on after its JSON"):
        list(HttpReader(HttpSource(server.url, records), no_headers).read(INTERVAL, Nothing()).lines)


def test_poisoned_records_of_an_api_on_both_paths(tmp_path: Path, carried: list[Poison]) -> None:
    poisons = [poison for poison in JSON if poison in carried or _is_json(poison)]
    poisons = [poison for poison in poisons if poison.raw == poison.raw.strip(b" \t\r\n")]
    assert len(poisons) > 600
    assert {poison.reason for poison in JSON} - {poison.reason for poison in poisons} == {"not_utf8"}  # never in a response
    pages: list[list[tuple[bytes, Poison | None]]] = []
    for at in range(0, len(poisons), 50):
        page: list[tuple[bytes, Poison | None]] = []
        for poison in poisons[at : at + 50]:
            page += [(neighbour(), None), (poison.raw, poison)]
        pages.append([*page, (neighbour(), None)])

    def answer(request: Request) -> Answer:
        number = int(request.params["page"])
        records = [raw for raw, _ in pages[number - 1]] if number <= len(pages) else []
        return Answer(b'{"items": [\n' + b" ,\r\n".join(records) + b"\n] }\n")

    with serving(answer) as server:
        placed = [
            Placed(raw, f"{server.url}#{number}", line, poison.end if poison else None, poison.reason if poison else None)
            for number, page in enumerate(pages, 1)
            for line, (raw, poison) in enumerate(page, 1)
        ]
        source = f"{{type: http, url: '{server.url}', records: items, paging: page}}"
        check_both_paths(runtime_at(str(tmp_path / "lake")), stream_from(tmp_path, source), placed)
