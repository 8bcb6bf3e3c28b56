"""Plain bytes out of plain, gzip and zstd objects, bounded in memory, ratio and size."""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

import zstandard

from strandline.errors import SourceError

_CHUNK = 256 * 1024
_ZSTD_STEP = 1024  # a zstd block of 4 bytes can become 128 KiB: small bites keep a bomb's burst small
_GZIP = b"\x1f\x8b"
_ZSTD = b"\x28\xb5\x2f\xfd"
_SKIPPABLE = re.compile(rb"[\x50-\x5f]\x2a\x4d\x18")


@dataclass(frozen=True, slots=True)
class Limits:
    """What an object may become: `size` bytes when decompressed, `ratio` times its own size after the first `free` bytes."""

    size: int = 10 * 1024**3
    ratio: int = 200
    free: int = 10 * 1024**2


def plain_chunks(file: BinaryIO, name: str, limits: Limits) -> Iterator[bytes]:
    """The plain bytes of the object `name` in chunks; compression is told by its first bytes, or by `.gz`/`.zst`.

    Raises SourceError naming the object: truncated, damaged, not what its name says, or over a limit.
    """
    head = _read(file, _CHUNK)
    meter = _Meter(name, limits)
    named = name.lower() if head else ""
    if head.startswith(_GZIP):
        plain = _gunzip(file, head, name, meter)
    elif head.startswith(_ZSTD) or _SKIPPABLE.match(head):
        plain = _unzstd(file, head, name, meter)
    elif named.endswith(".gz"):
        plain = _gunzip(file, head, name, meter)
    elif named.endswith(".zst"):
        plain = _unzstd(file, head, name, meter)
    else:
        plain = _through(file, head, meter)
    for chunk in plain:
        meter.given(len(chunk))
        if chunk:
            yield chunk


@dataclass
class _Meter:
    name: str
    limits: Limits
    taken: int = 0
    gave: int = 0

    def given(self, size: int) -> None:
        self.gave += size
        if self.gave > self.limits.size:
            raise SourceError(f"{self.name}: more than {self.limits.size} bytes when decompressed")
        if self.gave > self.limits.free and self.gave > self.limits.ratio * self.taken:
            raise SourceError(f"{self.name}: decompresses to more than {self.limits.ratio} times its size")


def _read(file: BinaryIO, size: int) -> bytes:
    """Up to `size` bytes; fewer only at the end, whatever the stream's own habits."""
    parts = []
    while size > 0:
        part = file.read(size)
        if not part:
            break
        parts.append(part)
        size -= len(part)
    return b"".join(parts)


def _through(file: BinaryIO, head: bytes, meter: _Meter) -> Iterator[bytes]:
    while head:
        meter.taken += len(head)
        yield head
        head = file.read(_CHUNK)


def _gunzip(file: BinaryIO, data: bytes, name: str, meter: _Meter) -> Iterator[bytes]:
    member = zlib.decompressobj(31)
    begun = False
    while data:
        before = len(data)
        begun = True
        try:
            plain = member.decompress(data, _CHUNK)
        except zlib.error as error:
            raise SourceError(f"{name}: damaged or no gzip ({error})") from error
        data = member.unused_data if member.eof else member.unconsumed_tail
        meter.taken += before - len(data)
        yield plain
        if member.eof:
            data = (data or file.read(_CHUNK)).lstrip(b"\0")  # members may follow, padded with zeros
            while not data and (more := file.read(_CHUNK)):
                data = more.lstrip(b"\0")
            if data and not data.startswith(b"\x1f"):
                raise SourceError(f"{name}: what follows its gzip data is none")
            member = zlib.decompressobj(31)
            begun = False
        elif not data:
            data = file.read(_CHUNK)
    while begun and (plain := member.decompress(b"", _CHUNK)):
        yield plain
    if begun and not member.eof:
        raise SourceError(f"{name}: truncated, its gzip data does not end")


def _unzstd(file: BinaryIO, data: bytes, name: str, meter: _Meter) -> Iterator[bytes]:
    decompressor = zstandard.ZstdDecompressor(max_window_size=128 * 1024**2)
    frame = decompressor.decompressobj()
    begun = False
    while data:
        for at in range(0, len(data), _ZSTD_STEP):
            step = data[at : at + _ZSTD_STEP]
            meter.taken += len(step)
            while step:
                begun = True
                try:
                    yield frame.decompress(step)
                except zstandard.ZstdError as error:
                    raise SourceError(f"{name}: damaged or no zstd ({error})") from error
                step = frame.unused_data if frame.eof else b""
                if frame.eof:
                    frame = decompressor.decompressobj()
                    begun = False
        data = file.read(_CHUNK)
    if begun:
        raise SourceError(f"{name}: truncated, its zstd data does not end")
