"""What the libraries below do with memory that is free again: kept for the next piece of the same work, or given back after it.

Both are advice to glibc (mallopt(3), malloc_trim(3)) and to Arrow; another C library takes no notice, and nothing else changes.
"""

from __future__ import annotations

import contextlib
import ctypes
from collections.abc import Iterator

import pyarrow as pa

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # glibc's names for what mallopt sets
_KEPT, _GIVEN_BACK = 32 << 20, 256 << 10  # glibc takes no greater one


@contextlib.contextmanager
def keep_freed_memory() -> Iterator[None]:
    """While block after block of lines goes through, what one frees is kept for the next: to give it back and take it
    anew costs 2 CPU seconds a million lines. At the end all is given back, and so are large pieces from then on.
    """
    _advise("mallopt", _MMAP_THRESHOLD, _KEPT)
    _advise("mallopt", _TRIM_THRESHOLD, 2 * _KEPT)
    try:
        yield
    finally:
        _advise("mallopt", _MMAP_THRESHOLD, _GIVEN_BACK)
        _advise("mallopt", _TRIM_THRESHOLD, _GIVEN_BACK)
        give_freed_memory_back()


def give_freed_memory_back() -> None:
    """Gives to the system what is free: what comes next has another shape, and would add to it."""
    pa.default_memory_pool().release_unused()
    _advise("malloc_trim", 0)


def _advise(function: str, *values: int) -> None:
    with contextlib.suppress(AttributeError):
        getattr(ctypes.CDLL(None), function)(*values)
