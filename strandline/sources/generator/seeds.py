"""Random numbers that follow from names alone: the same names give the same numbers on every machine and in every process."""

from __future__ import annotations

import re
from hashlib import blake2b

import numpy as np

from strandline.errors import UsageError

_DURATION = re.compile(r"(\d+)\s*(s|m|h|d)")
_MILLISECONDS = {"s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}


def random_for(*names: object) -> np.random.Generator:
    """A PCG64 generator seeded by a BLAKE2b hash of `names` (their texts); never by Python's salted `hash()`."""
    digest = blake2b("\x1f".join(str(name) for name in names).encode(), digest_size=16).digest()
    return np.random.Generator(np.random.PCG64(int.from_bytes(digest, "big")))


def milliseconds(duration: str) -> int:
    """The length of `20m`, `6h`, `26h`, `2d` or `30s` in milliseconds; raises UsageError for any other text."""
    match = _DURATION.fullmatch(duration.strip())
    if match is None:
        raise UsageError(f"a duration is a whole number and s, m, h or d (saw {duration!r})")
    return int(match[1]) * _MILLISECONDS[match[2]]
