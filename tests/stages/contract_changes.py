"""Changes of a contract, and lakes that have lived under one: built once, copied for each test."""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

from strandline.lake.lake import Lake
from strandline.lines.keys import KeyRing
from strandline.runtime import Runtime
from strandline.spec.load import load_stream
from strandline.spec.model import Stream
from strandline.stages.bronze import bronze
from strandline.stages.gold import gold
from strandline.stages.land import ingest
from strandline.stages.merge import merge
from strandline.stages.silver import silver
from tests.stages.streams import KEY, START, deliver, interval, readings

Edit = tuple[str, str]

WIDER: Edit = ("maximum: 50}", "maximum: 70}")
STRICTER: Edit = ("expect: value > -40", "expect: value > 3")
NEW_FIELD: Edit = ("- {name: day, type: date}", "- {name: day, type: date}\n    - {name: note, type: string, max_length: 4}")
RENAMED: Edit = ("{name: count, type: integer}", "{name: pieces, type: integer, from: count}")
RETYPED: Edit = ("{name: value, type: number", "{name: value, type: decimal, scale: 1")
REMOVED: Edit = ("    - {name: ok, type: boolean}\n", "")
OTHER_TIME: Edit = ("event_time: at", "event_time: moved")
METRIC: Edit = ("total: {sum: value}", "total: {sum: value, where: value > 5}")
DAILY: Edit = ("grain: hour", "grain: day")
LATER: Edit = ("allowed_lateness: 2d", "allowed_lateness: 6h")
EARLIER: Edit = ("allowed_lateness: 2d", "allowed_lateness: 9d")
WEST: Edit = ("choices: [north, south]", "choices: [north, south, west]")


def line(number: int, hours: int = 0, **changes: Any) -> bytes:
    at = (START - timedelta(hours=hours)).strftime("%Y-%m-%dT%H:%M:%SZ")
    moved = (START - timedelta(hours=hours + 20)).strftime("%Y-%m-%dT%H:%M:%SZ")
    given = {"reading_id": f"r{number}", "at": at, "moved": moved, "value": number, "site": "north", **changes}
    return json.dumps({name: value for name, value in given.items() if value is not ...}).encode()


def some_lines(seed: int, count: int = 40) -> list[bytes]:
    """Good, refused, duplicate, late and unreadable lines, some of which another contract judges otherwise."""
    chance = random.Random(seed)
    found = []
    for _ in range(count):
        changes: dict[str, Any] = {"note": chance.choice(["a", "far too long", ...]), "count": chance.choice([1, 2, ...])}
        changes["ok"] = chance.choice([True, "perhaps", ..., ..., ...])
        changes["site"] = chance.choice(["north", "north", "south", "west"])
        changes["value"] = chance.choice([chance.randrange(-50, 75), chance.randrange(0, 10), 2.25, "much"])
        found.append(line(chance.randrange(15), hours=chance.randrange(60), **changes))
    found += [line(seed, hours=5, value=60), line(seed + 20, hours=26, value=66), line(seed + 30, hours=40, value=2)]
    return [*found, b"{", b"\xff", b'{"reading_id": "r1", "reading_id": "r2", "at": "2026-03-01T09:00:00Z"}', b"[]"]


def changed(stream: Stream, *edits: Edit, version: str = "3.0.0") -> Stream:
    """The stream after edits of its YAML."""
    text = stream.path.read_text().replace("version: 2.3.0", f"version: {version}")
    for old, new in edits:
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    folder = stream.path.parent / "next"
    folder.mkdir(exist_ok=True)
    path = folder / stream.path.name
    path.write_text(text)
    return load_stream(path)


def land(runtime: Runtime, stream: Stream, count: int, batches: int) -> None:
    """`count` intervals of lines; the first `batches` of them taken by batch, all served."""
    for number in range(count):
        ingest(runtime, stream, interval(number))
        if number < batches:
            bronze(runtime, stream, interval(number).end)
            silver(runtime, stream)
            gold(runtime, stream)
        merge(runtime, stream)


class Lakes:
    """Lakes by what they went through; each is made once and handed out as a copy."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        for number in range(3):
            deliver(folder, f"{number}.ndjson", some_lines(number))
        self.stream = readings(folder)
        self._made: dict[object, Path] = {}

    def copy(self, to: Path, edits: Sequence[Edit] = (), version: str = "3.0.0", count: int = 3, batches: int = 2) -> Runtime:
        """A lake in the folder `to` that has landed `count` intervals and batched `batches`, under the edited contract."""
        key = (tuple(edits), version if edits else "", count, batches)
        if key not in self._made:
            path = self._folder / f"lake-{len(self._made)}"
            stream = changed(self.stream, *edits, version=version) if edits else self.stream
            land(runtime_on(path), stream, count, batches)
            self._made[key] = path
        shutil.copytree(self._made[key], to)
        return runtime_on(to)


def runtime_on(path: Path) -> Runtime:
    """A runtime on the local lake at `path`."""
    return Runtime(Lake.open(str(path)), KeyRing({"STRANDLINE_KEY": KEY}))
