"""Running histories: so many, of so many steps, from a seed."""

from __future__ import annotations

import queue
import traceback
from collections.abc import Callable
from typing import Any

from hypothesis import HealthCheck, Phase, settings
from hypothesis import seed as seeded
from hypothesis.internal.conjecture.providers import AVAILABLE_PROVIDERS, HypothesisProvider
from hypothesis.stateful import run_state_machine_as_test

from tests.laws.machine import Histories


class Independent(HypothesisProvider):
    """Draws every history afresh. Hypothesis would vary those it has seen, and cut many of them short."""


AVAILABLE_PROVIDERS["independent"] = Independent


def try_histories(seed: int | None, histories: int, steps: int, ended: Callable[[int], None] = lambda steps: None) -> None:
    """Raises what the first history raises that breaks a law. Each has `steps` steps; the same seed gives the same histories.

    Calls `ended` with its number of steps after each history.
    """

    class Told(Histories):
        pass

    Told.__qualname__ = Told.__name__ = "Histories"
    Told.ended = staticmethod(ended)
    factory = Told if seed is None else seeded(seed)(Told)
    run_state_machine_as_test(
        factory,
        settings=settings(
            max_examples=histories,
            stateful_step_count=steps + 1,  # the beginning counts as one
            backend="independent",
            database=None,
            deadline=None,
            print_blob=True,
            report_multiple_bugs=False,
            phases=(Phase.generate,),
            suppress_health_check=list(HealthCheck),
        ),
        _min_steps=steps + 1,
    )


def work(seeds: Any, told: Any, steps: int) -> None:
    """Try the histories of one seed after another until there is none; tell each history's steps, and what failed."""
    while True:
        try:
            seed, histories = seeds.get_nowait()
        except queue.Empty:
            return
        left = histories

        def ended(number: int, seed: int = seed) -> None:
            nonlocal left
            if number >= steps and left:  # what was cut short, or came on top, is not counted
                left -= 1
                told.put((seed, number, ""))

        try:
            try_histories(seed, histories, steps, ended)
        except Exception:  # noqa: BLE001 - whatever a history raises is what there is to tell
            told.put((seed, 0, traceback.format_exc()))
