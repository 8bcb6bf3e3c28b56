"""Visits that move from step to step: a Markov chain whose steps become the rows of a micro-batch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from strandline.errors import UsageError
from strandline.sources.generator.columns import POSITION, SESSION, STEP, Array, Column
from strandline.sources.generator.seeds import milliseconds


class Sessions:
    """A `sessions` block: transition weights between named steps, from `start` until `leave`, at most `max_steps` of them."""

    def __init__(self, spec: Mapping[str, Any]) -> None:
        steps: Mapping[str, Mapping[str, float]] = spec["steps"]
        self._names = [name for name in steps if name != "start"]
        self._max = int(spec.get("max_steps", 25))
        self._gap = milliseconds(spec.get("gap", "20s"))
        places = [*self._names, "leave"]
        for name, weights in steps.items():
            if strangers := sorted(set(weights) - set(places)):
                raise UsageError(
                    f"sessions.steps.{name} leads to {strangers[0]}, which is no step (allowed {', '.join(places)})"
                )
            if not sum(weights.values()) > 0:
                raise UsageError(f"sessions.steps.{name} leads nowhere: give `leave` a weight")
        self._start = _probabilities(steps["start"], places)
        self._next = np.array([_probabilities(steps[name], places) for name in self._names])
        self._mean_length = self._expected_length()

    def _expected_length(self) -> float:
        share, length = self._start[:-1], 0.0
        for _ in range(self._max):
            length += float(share.sum())
            share = share @ self._next[:, :-1]
        return length

    def simulate(self, rows: int, length: int, random: np.random.Generator) -> tuple[Array, dict[str, Column]]:
        """About `rows` events of whole sessions inside `length` ms: each one's offset, and the columns of session, step,
        position.

        Rows come session by session, each in order of time; the number of sessions is `rows` over their mean length.
        """
        count = round(rows / self._mean_length) if rows else 0
        sessions, positions, states = self._walk(max(count, 1) if rows else 0, random)
        order = np.lexsort((positions, sessions))
        sessions, positions, states = sessions[order], positions[order], states[order]
        begins = random.integers(0, max(length - 1000, 1), max(count, 1))
        gaps = np.where(positions == 0, 0.0, random.exponential(self._gap, len(sessions)) + 400)
        run = np.cumsum(gaps)
        first = positions == 0
        passed = run - run[first][np.cumsum(first) - 1] if len(run) else run
        last = np.append(first[1:], True) if len(first) else first
        room = (length - 1 - begins[sessions]) / np.maximum(passed[last][np.cumsum(first) - 1], 1) if len(run) else run
        offsets = begins[sessions] + (passed * np.minimum(1.0, room)).astype(np.int64)
        names = np.array(self._names, dtype=object)
        tokens = random.integers(0, 2**48, max(count, 1))
        identities = np.array([f"s-{token:012x}" for token in tokens.tolist()], dtype=object)
        return offsets, {
            SESSION: Column(identities[sessions], sessions, len(identities), lasting=False),
            STEP: Column(names[states], states, len(names)),
            POSITION: Column(positions + 1),
        }

    def _walk(self, count: int, random: np.random.Generator) -> tuple[Array, Array, Array]:
        alive = np.arange(count)
        state = _draw(np.broadcast_to(np.cumsum(self._start), (count, len(self._start))), random)
        walked: list[tuple[Array, Array, Array]] = []
        cumulative = np.cumsum(self._next, axis=1)
        for position in range(self._max):
            stays = state < len(self._names)
            alive, state = alive[stays], state[stays]
            walked.append((alive, np.full(len(alive), position), state))
            state = _draw(cumulative[state], random)
        return (
            np.concatenate([part[0] for part in walked]),
            np.concatenate([part[1] for part in walked]),
            np.concatenate([part[2] for part in walked]),
        )


def _probabilities(weights: Mapping[str, float], places: list[str]) -> Array:
    vector: Array = np.array([float(weights.get(place, 0)) for place in places])
    share: Array = vector / vector.sum()
    return share


def _draw(cumulative: Array, random: np.random.Generator) -> Array:
    picked = (random.random((len(cumulative), 1)) > cumulative).sum(axis=1)
    drawn: Array = np.minimum(picked, cumulative.shape[1] - 1)
    return drawn
