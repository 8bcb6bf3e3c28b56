"""The laws over random histories: whatever happens in whatever order, the tables equal a plain recompute. `make laws` tries
thousands of them.
"""

from __future__ import annotations

import os

import pytest

from tests.laws.histories import try_histories

HISTORIES = int(os.environ.get("STRANDLINE_HISTORIES", "120"))
STEPS = int(os.environ.get("STRANDLINE_STEPS", "30"))
SEED = int(os.environ.get("STRANDLINE_SEED", "1"))
PARTS = 4


@pytest.mark.parametrize("part", range(PARTS))
def test_the_laws_hold_over_random_histories(part: int) -> None:
    """The same histories each time; `STRANDLINE_SEED` chooses others."""
    counted: list[int] = []
    try_histories(SEED * PARTS + part, -(-HISTORIES // PARTS), STEPS, counted.append)
    assert sum(steps >= STEPS for steps in counted) >= HISTORIES // PARTS
