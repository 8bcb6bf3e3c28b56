"""What can go wrong with one storage request, and when: by its number, or by a seeded schedule."""

from __future__ import annotations

import random
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, get_args

Kind = Literal[
    "kill before",
    "kill after",
    "slow down",
    "server error",
    "conflict",
    "precondition",
    "reset",
    "timeout",
    "truncated",
    "lost reply",
    "flipped reply",
    "flipped log",
    "flipped request",
    "stale listing",
]
KILLS: tuple[Kind, ...] = ("kill before", "kill after")
UNGUARDED: Kind = "flipped log"
"""The one fault that plain HTTP leaves unguarded: Delta's log and S3's listings have no checksum that a client could verify."""
FAULTS: tuple[Kind, ...] = tuple(kind for kind in get_args(Kind) if kind not in KILLS)
READS = ("GET", "HEAD")


@dataclass(frozen=True, slots=True)
class Request:
    """One storage request of a run: its number (from 1 in order of arrival), method, target and the bytes of its body."""

    number: int
    method: str
    target: str
    size: int

    @property
    def is_listing(self) -> bool:
        """Whether it lists a prefix."""
        return self.method == "GET" and "list-type=2" in self.target

    @property
    def is_log(self) -> bool:
        """Whether it reads a table's log, or a listing: what has no checksum of its own."""
        return self.method == "GET" and ("/_delta_log/" in self.target or self.is_listing)

    @property
    def is_write(self) -> bool:
        """Whether it writes an object (which can be refused for a conflict)."""
        return self.method == "PUT"


Schedule = Callable[[Request], "Kind | None"]
"""Which fault a request meets; None: it passes."""


def quiet(request: Request) -> Kind | None:
    """No fault at all."""
    return None


def at(number: int, kind: Kind) -> Schedule:
    """The fault at exactly that request."""
    return lambda request: kind if request.number == number else None


def seeded(seed: int, kind: Kind, rate: float = 0.2, most: int = 3) -> Schedule:
    """The fault at random requests that it can befall, at most `most` of them; the same seed meets the same numbers."""
    drawn = random.Random(zlib.crc32(f"{kind}/{seed}".encode()))
    left = most

    def schedule(request: Request) -> Kind | None:
        nonlocal left
        if not left or not befalls(kind, request) or drawn.random() >= rate:
            return None
        left -= 1
        return kind

    return schedule


def befalls(kind: Kind, request: Request) -> bool:
    """Whether the fault can happen to such a request at all: only a write loses its reply after it took effect, and so on."""
    if kind == "stale listing":
        return request.is_listing
    if kind in ("conflict", "precondition"):
        return request.is_write
    if kind == "lost reply":
        return request.method not in READS
    if kind == "flipped request":
        return request.size > 0
    if kind == "flipped log":
        return request.is_log
    if kind == "flipped reply":
        return request.method == "GET" and not request.is_log
    if kind == "truncated":
        return request.method == "GET"
    return True
