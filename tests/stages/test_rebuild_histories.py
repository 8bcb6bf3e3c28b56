"""Contracts come and go while lines land, batches run and rebuilds are killed: in the end only the last contract counts."""

from __future__ import annotations

import contextlib
import random
from pathlib import Path

import pytest

from strandline.audit.audit import audit
from strandline.runtime import Runtime
from strandline.spec.model import Stream
from strandline.stages.bronze import bronze
from strandline.stages.gold import gold
from strandline.stages.land import ingest
from strandline.stages.merge import merge
from strandline.stages.rebuild import rebuild
from strandline.stages.replay import replay
from strandline.stages.silver import silver
from strandline.status import balance
from tests.stages.contract_changes import DAILY, NEW_FIELD, RENAMED, STRICTER, WEST, WIDER, Edit, Lakes, changed
from tests.stages.streams import interval
from tests.stages.test_rebuild import Killed, assert_same, booked, killed

CONTRACTS: tuple[tuple[Edit, ...], ...] = ((WIDER, NEW_FIELD), (STRICTER, RENAMED), (WEST, DAILY), (WIDER, STRICTER, WEST))
STEPS = ("land", "batch", "merge", "rebuild", "range", "replay", "killed rebuild", "killed replay", "contract")


def take_step(runtime: Runtime, stream: Stream, step: str, landed: int, chance: random.Random) -> int:
    """How many intervals have landed after the step."""
    if step == "land" and landed < 3:
        ingest(runtime, stream, interval(landed))
        return landed + 1
    if step == "batch" and landed:
        bronze(runtime, stream, interval(chance.randrange(landed)).end)
        silver(runtime, stream)
        if chance.random() < 0.5:
            gold(runtime, stream)
    elif step == "merge":
        merge(runtime, stream)
    elif step == "rebuild":
        rebuild(runtime, stream)
    elif step == "range":
        day = interval(0).start.date()
        rebuild(runtime, stream, day.replace(day=1), None if chance.random() < 0.5 else day.replace(day=2))
    elif step == "replay":
        replay(runtime, stream, chance.choice([(), ("range", "choice"), ("rule",)]))
    elif step.startswith("killed"):
        at, takes_effect = chance.randrange(1, 4), chance.random() < 0.5
        with pytest.MonkeyPatch.context() as patched, killed(patched, at, takes_effect), contextlib.suppress(Killed):
            rebuild(runtime, stream) if "rebuild" in step else replay(runtime, stream)
    return landed


@pytest.mark.parametrize("seed", [1, *(pytest.param(n, marks=pytest.mark.slow) for n in range(2, 9))])
def test_any_history_of_contracts_ends_as_if_there_had_been_the_last_one_only(
    tmp_path_factory: pytest.TempPathFactory, tmp_path: Path, seed: int
) -> None:
    chance = random.Random(seed)
    lakes = Lakes(tmp_path_factory.mktemp("lakes"))
    runtime = lakes.copy(tmp_path / "lake", count=1, batches=1)
    stream, landed, version = lakes.stream, 1, 3
    for _ in range(14):
        step = chance.choice(STEPS)
        if step == "contract":
            version += 1
            stream = changed(lakes.stream, *chance.choice(CONTRACTS), version=f"{version}.0.0")
        else:
            landed = take_step(runtime, stream, step, landed, chance)
    edits = chance.choice(CONTRACTS)
    last = changed(lakes.stream, *edits, version=f"{version + 1}.0.0")
    for number in range(landed, 3):
        ingest(runtime, last, interval(number))
    bronze(runtime, last, interval(1).end)
    silver(runtime, last)
    rebuild(runtime, last)
    merge(runtime, last)
    other = lakes.copy(tmp_path / "other", edits)
    if balance(runtime, last).batch.lines == balance(other, last).batch.lines:  # else batch had drawn its line further up
        assert_same(runtime, other, last)
        assert booked(runtime) == booked(other)
    found = audit(runtime, last)
    assert found.agrees, (found.differences, found.faults)
    assert balance(runtime, last).holds


def test_a_commit_that_was_killed_is_one_that_is_not_there(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    """The tests' own saw: a commit killed before it takes effect leaves the table's version as it was."""
    lakes = Lakes(tmp_path_factory.mktemp("lakes"))
    runtime = lakes.copy(tmp_path / "lake", count=1, batches=1)
    now = changed(lakes.stream, STRICTER)
    path = "batch/silver/readings"
    before = runtime.lake.table(path).snapshot()
    with pytest.MonkeyPatch.context() as patched, killed(patched, 1, False) as seen, pytest.raises(Killed):
        rebuild(runtime, now)
    after = runtime.lake.table(path).snapshot()
    assert seen == [path]
    assert before is not None
    assert after is not None
    assert before.version == after.version
