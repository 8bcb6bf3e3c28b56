"""What the libraries below do with memory that is free again: kept for the next piece of the same work, or given back after it.

Both are advice to glibc (mallopt(3), malloc_trim(3)) and to Arrow. Elsewhere than on Linux, and with another C library, nothing
is advised.
"""

from __future__ import annotations

import contextlib
import ctypes
import sys
import threading
from collections.abc import Iterator
from functools import cache
from typing import Any

import pyarrow as pa

_TRIM_THRESHOLD, _MMAP_THRESHOLD, _ARENA_MAX = -1, -3, -8  # glibc's names for what mallopt sets
_KEPT, _GIVEN_BACK = 32 << 20, 256 << 10  # glibc takes no greater threshold than the first
_ARENAS = 2
"""Heaps that threads share. By default each of up to eight a core gets one, of which `malloc_trim` leaves the end as it is."""
_lock = threading.Lock()
_keeping = 0


@contextlib.contextmanager
def keep_freed_memory() -> Iterator[None]:
    """While block after block of lines goes through, what one frees is kept for the next: to give it back and take it anew
    costs 2 CPU seconds a million lines. When the last that keeps some ends, all is given back, and from then on
    `give_back_what_is_freed` holds.
    """
    _keep(1)
    try:
        yield
    finally:
        _keep(-1)


def give_back_what_is_freed() -> None:
    """From now on large pieces are given back as soon as they are free, unless they are kept: the engine frees many and reuses
    few.
    """
    _keep(0)


def _keep(more: int) -> None:
    global _keeping
    with _lock:
        _keeping += more
        _advise("mallopt", _ARENA_MAX, _ARENAS)
        threshold = _KEPT if _keeping else _GIVEN_BACK
        _advise("mallopt", _MMAP_THRESHOLD, threshold)
        _advise("mallopt", _TRIM_THRESHOLD, 2 * threshold)
        if not _keeping:
            give_freed_memory_back()


def give_freed_memory_back() -> None:
    """Gives to the system what is free: what comes next has another shape, and would add to it."""
    give_arrows_memory_back()
    _advise("malloc_trim", 0)


def give_arrows_memory_back() -> None:
    """Gives to the system what is free of Arrow's memory, and no more: where the C library's is soon needed again."""
    pa.default_memory_pool().release_unused()


def _advise(function: str, *values: int) -> None:
    if sys.platform == "linux":
        with contextlib.suppress(AttributeError):
            getattr(_library(), function)(*values)


@cache
def _library() -> Any:
    return ctypes.CDLL(None)
