"""A sample of what `make chaos` tries in full: every step killed and hurt, and never anything silently wrong."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from strandline.local.seaweed import Seaweed
from tests.chaos.__main__ import table, try_points
from tests.chaos.faults import UNGUARDED
from tests.chaos.points import kill_points, spread
from tests.chaos.steps import ROUND, SCENARIO


@pytest.mark.slow
def test_no_step_is_left_wrong_by_a_kill_or_a_fault(tmp_path: Path) -> None:
    with Seaweed(tmp_path, port=0) as server:
        outcomes = asyncio.run(try_points(server, kills=28, seeds=1, most=40))
    wrong = [o for o in outcomes if o.verdict in ("silently wrong", "stuck") and o.point.kind != UNGUARDED]
    assert not wrong, f"{table(outcomes)}\n" + "\n".join(f"{o.point}: met {o.met}: {o.detail}" for o in wrong)
    assert {SCENARIO[o.point.position].name for o in outcomes if o.verdict != "not reached"} == set(ROUND)


def test_a_spread_is_even_and_keeps_the_ends_apart() -> None:
    points = list(range(100))
    assert spread(points, 4) == [0, 25, 50, 75]
    assert spread(points, 200) == points


def test_kill_points_are_before_every_request_and_after_every_write() -> None:
    from tests.chaos.lab import Twin

    points = kill_points(Twin((), (), (("GET", "PUT", "GET"),)))
    assert sorted((p.number, p.kind) for p in points) == [
        (1, "kill before"),
        (2, "kill after"),
        (2, "kill before"),
        (3, "kill after"),
        (3, "kill before"),
    ]
