"""Memory that is free is kept while something asks for it, and given back when the last that asked has ended."""

from __future__ import annotations

import subprocess
import sys

import pytest

FREED = """
import os
from contextlib import ExitStack
from strandline.memory import give_freed_memory_back, keep_freed_memory

def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") >> 20

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


@pytest.mark.skipif(sys.platform != "linux", reason="advice to glibc")
def test_freed_memory_is_kept_and_given_back() -> None:
    spoken = subprocess.run([sys.executable, "-c", FREED], capture_output=True, text=True, check=True).stdout
    inside, still, after, later = map(int, spoken.split())
    assert inside >= 40
    assert still >= 40
    assert after <= 8
    assert later <= 8
