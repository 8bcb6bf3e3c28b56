"""An HTTP/1.1 proxy in front of an S3 server that counts storage requests and does harm to chosen ones.

Heads go on as they came (the Host header too, so signatures still verify) and bodies byte for byte, both ways. Requests are
numbered in the order in which they arrive whole.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import re
import signal
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from tests.chaos.faults import Kind, Request, Schedule, befalls, quiet

HOLD = 4.0
"""How many seconds a request that times out is held before the connection closes."""
_LIMIT = 1 << 26
_REFUSALS: dict[Kind, tuple[str, str]] = {
    "slow down": ("503 Service Unavailable", "SlowDown"),
    "server error": ("500 Internal Server Error", "InternalError"),
    "conflict": ("409 Conflict", "ConditionalRequestConflict"),
    "precondition": ("412 Precondition Failed", "PreconditionFailed"),
}
_ENTRY = re.compile(rb"<Contents>.*?</Contents>", re.DOTALL)
_MODIFIED = re.compile(rb"<LastModified>(.*?)</LastModified>")


@dataclass
class Message:
    """A request or an answer as bytes: `start` is its first line, `head` its header lines, `body` as framed."""

    start: bytes
    head: list[bytes]
    body: bytes = b""

    def header(self, name: bytes) -> bytes | None:
        """The value of a header; None without it."""
        for line in self.head:
            key, _, value = line.partition(b":")
            if key.strip().lower() == name:
                return value.strip()
        return None

    def without(self, name: bytes) -> Message:
        """The message without a header."""
        return Message(self.start, [h for h in self.head if h.partition(b":")[0].strip().lower() != name], self.body)

    def encoded(self) -> bytes:
        """The message as it goes over the wire."""
        return b"\r\n".join([self.start, *self.head, b"", self.body])


@dataclass
class Record:
    """What the proxy saw since it was armed: the `requests` in order, and the faults that `met` one (number → kind)."""

    requests: list[Request] = field(default_factory=list)
    met: dict[int, Kind] = field(default_factory=dict)


class FaultProxy:
    """A proxy on a free loopback port before the server at `endpoint`; `async with` runs it."""

    def __init__(self, endpoint: str) -> None:
        parts = urlsplit(endpoint)
        self._host, self._port = parts.hostname or "127.0.0.1", parts.port or 80
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self.arm(quiet)

    async def __aenter__(self) -> FaultProxy:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, limit=_LIMIT)
        return self

    async def __aexit__(self, *error: object) -> None:
        assert self._server is not None
        self._server.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    @property
    def endpoint(self) -> str:
        """Where the proxy answers: `http://127.0.0.1:PORT`."""
        assert self._server is not None
        return f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    def arm(self, schedule: Schedule, pid: int | None = None, seed: int = 0) -> Record:
        """Count from 1 again, under a schedule; `pid` is the client that a kill ends. Returns what will be seen."""
        self._schedule, self._pid, self._random = schedule, pid, random.Random(seed)
        self._record = Record()
        return self._record

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            while (request := await _read_request(reader, writer)) is not None:
                if not await self._answer(request, writer):
                    break
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            self._tasks.discard(task)
            writer.transport.abort()

    async def _answer(self, request: Message, writer: asyncio.StreamWriter) -> bool:
        """Whether the connection lives on."""
        method, target, _ = request.start.decode("latin-1").split(" ", 2)
        record = self._record
        seen = Request(len(record.requests) + 1, method, target, len(request.body))
        record.requests.append(seen)
        kind = self._schedule(seen)
        if kind is None or not befalls(kind, seen):
            writer.write((await self._forward(request)).encoded())
            await writer.drain()
            return True
        record.met[seen.number] = kind
        return await self._harm(kind, request, method, writer)

    async def _harm(self, kind: Kind, request: Message, method: str, writer: asyncio.StreamWriter) -> bool:
        if kind in _REFUSALS:
            writer.write(_refusal(kind, method))
            await writer.drain()
            return True
        if kind == "timeout":
            await asyncio.sleep(HOLD)
        if kind == "kill before":
            self._kill()
        if kind in ("timeout", "reset", "kill before"):
            return False
        if kind == "flipped request":
            request.body = self._flipped(request.body)
        answer = await self._forward(request)
        if kind == "kill after":
            self._kill()
        if kind in ("lost reply", "kill after"):
            return False
        whole = answer.encoded()
        if kind == "truncated":
            writer.write(whole[: len(whole) - (len(answer.body) + 1) // 2])
            await writer.drain()
            writer.close()
            return False
        if kind in ("flipped reply", "flipped log") and answer.body and answer.start.split(b" ")[1][:1] == b"2":
            answer.body = self._flipped(answer.body)
        if kind == "stale listing":
            answer = _stale(answer)
        writer.write(answer.encoded())
        await writer.drain()
        return True

    def _kill(self) -> None:
        if self._pid is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._pid, signal.SIGKILL)

    def _flipped(self, body: bytes) -> bytes:
        damaged = bytearray(body)
        damaged[self._random.randrange(len(damaged))] ^= 1 << self._random.randrange(8)
        return bytes(damaged)

    async def _forward(self, request: Message) -> Message:
        reader, writer = await asyncio.open_connection(self._host, self._port, limit=_LIMIT)
        try:
            writer.write(request.without(b"expect").encoded())
            await writer.drain()
            answer = await _read_head(reader)
            while answer is not None and answer.start.split(b" ")[1] == b"100":
                answer = await _read_head(reader)
            if answer is None:
                raise ConnectionResetError("the server closed the connection")
            bodyless = request.start.startswith(b"HEAD") or answer.start.split(b" ")[1] in (b"204", b"304")
            answer.body = b"" if bodyless else await _read_body(reader, answer, until_end=True)
            return answer
        finally:
            writer.close()


async def _read_request(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> Message | None:
    request = await _read_head(reader)
    if request is None:
        return None
    if (request.header(b"expect") or b"").lower() == b"100-continue":
        writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        await writer.drain()
    request.body = await _read_body(reader, request, until_end=False)
    return request


async def _read_head(reader: asyncio.StreamReader) -> Message | None:
    try:
        text = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError:
        return None
    start, *head = text[:-4].split(b"\r\n")
    return Message(start, head)


async def _read_body(reader: asyncio.StreamReader, message: Message, *, until_end: bool) -> bytes:
    if (message.header(b"transfer-encoding") or b"").lower() == b"chunked":
        return await _read_chunks(reader)
    length = message.header(b"content-length")
    if length is not None:
        return await reader.readexactly(int(length))
    return await reader.read() if until_end else b""


async def _read_chunks(reader: asyncio.StreamReader) -> bytes:
    """A chunked body with its framing."""
    found = b""
    while True:
        line = await reader.readuntil(b"\r\n")
        found += line
        size = int(line.split(b";")[0], 16)
        if size == 0:
            break
        found += await reader.readexactly(size + 2)
    while (line := await reader.readuntil(b"\r\n")) != b"\r\n":
        found += line
    return found + line


def _refusal(kind: Kind, method: str) -> bytes:
    status, code = _REFUSALS[kind]
    body = f'<?xml version="1.0" encoding="UTF-8"?><Error><Code>{code}</Code><Message>{kind}</Message></Error>'.encode()
    head = f"HTTP/1.1 {status}\r\nContent-Type: application/xml\r\nContent-Length: {len(body)}\r\n\r\n".encode()
    return head if method == "HEAD" else head + body


def _stale(answer: Message) -> Message:
    """A listing as it was before its newest key."""
    body = answer.body
    if (answer.header(b"transfer-encoding") or b"").lower() == b"chunked":
        body = _unframed(body)
    entries = _ENTRY.findall(body)
    if entries:
        newest = max(entries, key=lambda entry: found.group(1) if (found := _MODIFIED.search(entry)) else b"")
        body = body.replace(newest, b"", 1)
    stale = answer.without(b"transfer-encoding").without(b"content-length")
    return Message(stale.start, [*stale.head, f"Content-Length: {len(body)}".encode()], body)


def _unframed(body: bytes) -> bytes:
    plain = b""
    while body:
        line, _, rest = body.partition(b"\r\n")
        size = int(line.split(b";")[0], 16)
        if size == 0:
            break
        plain, body = plain + rest[:size], rest[size + 2 :]
    return plain
