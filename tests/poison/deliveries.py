"""The corpus put where a source finds it: objects in every packing, with a good neighbour before and after each poison."""

from __future__ import annotations

import gzip
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import count

import zstandard

from tests.poison.csv_records import UNREADABLE
from tests.poison.lines import AT, Poison

_numbers = count(1)


@dataclass(frozen=True)
class Placed:
    """A line where the source has it; `end` is what must become of it (None: a good event)."""

    raw: bytes
    source: str
    source_line: int
    end: tuple[str, str | None] | None
    reason: str | None = None
    header: str | None = None


@dataclass(frozen=True)
class Delivered:
    """An object and the lines it holds."""

    name: str
    data: bytes
    lines: tuple[Placed, ...]


def neighbour() -> bytes:
    """A good JSON event that no other line is about."""
    return f'{{"id":"g{next(_numbers)}","at":"{AT}","n":1,"x":1.5,"price":"2.50","ok":true,"tags":[1]}}'.encode()


def plain(data: bytes) -> bytes:
    """The bytes themselves."""
    return data


def gzip_members(data: bytes) -> bytes:
    """Many gzip members one after the other, cut without regard for lines."""
    return b"".join(gzip.compress(data[at : at + 70_001], 1, mtime=0) for at in range(0, len(data), 70_001))


def zstd_frames(data: bytes) -> bytes:
    """Many zstd frames one after the other, cut without regard for lines, with a skippable one between."""
    frames = [zstandard.compress(data[at : at + 70_003], 1) for at in range(0, len(data), 70_003)]
    return b"\x50\x2a\x4d\x18\x04\x00\x00\x00skip".join(frames)


PACKINGS: tuple[tuple[str, Callable[[bytes], bytes]], ...] = (("", plain), (".gz", gzip_members), (".zst", zstd_frames))


def ndjson(name: str, poisons: Iterable[Poison], pack: Callable[[bytes], bytes] = plain, tail: bytes = b"") -> Delivered:
    """One object of JSON lines without a line feed at its end; each line has `tail` (a CR) after it."""
    placed: list[Placed] = []

    def place(raw: bytes, poison: Poison | None) -> None:
        end, reason = (poison.end, poison.reason) if poison else (None, None)
        placed.append(Placed(raw + tail, name, len(placed) + 1, end, reason))

    for poison in poisons:
        place(neighbour(), None)
        place(poison.raw, poison)
    place(neighbour(), None)
    return Delivered(name, pack(b"\n".join(line.raw for line in placed)), tuple(placed))


def csv_objects(poisons: Sequence[Poison], suffix: str = "", pack: Callable[[bytes], bytes] = plain) -> list[Delivered]:
    """An object a header, and one for each record whose quotes do not close: those may swallow what follows."""
    groups: dict[tuple[str, str], list[Poison]] = {}
    for poison in poisons:
        assert poison.header is not None
        alone = poison.name if poison.raw.count(b'"') % 2 else ""
        groups.setdefault((poison.header, alone), []).append(poison)
    return [_csv(f"{n:03d}.csv{suffix}", header, group, pack) for n, ((header, _), group) in enumerate(groups.items())]


def _csv(name: str, header: str, poisons: Sequence[Poison], pack: Callable[[bytes], bytes]) -> Delivered:
    records: list[bytes] = [b"\xff" + header[1:].encode() if header.startswith("\ufffd") else header.encode()]
    refused = Placed(records[0], name, 1, ("ragged_row", None), "ragged_row", header)
    placed = [refused] if header in UNREADABLE else []

    def place(raw: bytes, poison: Poison | None) -> None:
        line = sum(record.count(b"\n") + 1 for record in records) + 1
        end, reason = (poison.end, poison.reason) if poison else (None, None)
        placed.append(Placed(raw, name, line, end, reason, header))
        records.append(raw)

    for poison in poisons:
        for raw in _csv_neighbours(header):
            place(raw, None)
        place(poison.raw, poison)
    for raw in _csv_neighbours(header):
        place(raw, None)
    return Delivered(name, pack(b"\n".join(records) + b"\n"), tuple(placed))


def _csv_neighbours(header: str) -> list[bytes]:
    """A good record under the header; none where no record is good under it."""
    names = header.removeprefix("\ufeff").removesuffix("\r").split(",")
    if not {"id", "at"} <= set(names) or len(set(names)) < len(names) or any('"' in name or "\r" in name for name in names):
        return []
    values = {"id": f"g{next(_numbers)}", "at": AT}
    return [",".join(values.get(name, "") for name in names).encode()]
