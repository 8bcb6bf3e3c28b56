"""Memory that is free is kept while something asks for it, and given back when the last that asked has ended."""

from __future__ import annotations

import subprocess
import sys

import pytest

RESIDENT = """
import os

def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") >> 20
"""
FREED = """
from contextlib import ExitStack
from strandline.memory import give_freed_memory_back, keep_freed_memory

def use():
    pieces = [b"x" * (1 << 20) for _ in range(48)]
    del pieces
    return resident() - before

give_freed_memory_back()
before = resident()
with ExitStack() as outer:
    outer.enter_context(keep_freed_memory())
    with keep_freed_memory():
        inside = use()
    still = resident() - before
after = resident() - before
print(inside, still, after, use())
"""
GIVEN_BACK = """
from strandline.memory import give_back_what_is_freed

def use():
    before = resident()
    for size in (24 << 20, 1 << 20):  # the first tells the C library that such pieces come and go
        pieces = [b"x" * size for _ in range((40 << 20) // size)]
        del pieces
    return resident() - before

if ADVISED:
    give_back_what_is_freed()
print(use())
"""
FREED_BY_THREADS = """
import threading
from strandline.memory import keep_freed_memory

def use():
    pieces = [b"x" * (1 << 20) for _ in range(16)]
    together.wait()
    del pieces

together = threading.Barrier(12, action=lambda: used.append(resident()))
used = [resident()]
with keep_freed_memory():
    threads = [threading.Thread(target=use) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
print(used[1] - used[0], resident() - used[0])
"""


def said_by(code: str) -> list[int]:
    """The numbers that a process of its own prints."""
    told = subprocess.run([sys.executable, "-c", RESIDENT + code], capture_output=True, text=True, check=True).stdout
    return [int(number) for number in told.split()]


@pytest.mark.skipif(sys.platform != "linux", reason="advice to glibc")
def test_freed_memory_is_kept_and_given_back() -> None:
    inside, still, after, later = said_by(FREED)
    assert inside >= 40
    assert still >= 40
    assert after <= 8
    assert later <= 8


@pytest.mark.skipif(sys.platform != "linux", reason="advice to glibc")
def test_what_many_threads_have_freed_is_given_back() -> None:
    used, after = said_by(FREED_BY_THREADS)
    assert used >= 12 * 16
    assert after <= used / 4


@pytest.mark.skipif(sys.platform != "linux", reason="advice to glibc")
@pytest.mark.parametrize(("advised", "least", "most"), [(True, 0, 8), (False, 30, 60)])
def test_large_pieces_are_given_back_from_when_it_is_said(advised: bool, least: int, most: int) -> None:
    [left] = said_by(GIVEN_BACK.replace("ADVISED", str(advised)))
    assert least <= left <= most
