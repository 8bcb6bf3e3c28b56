"""`python -m tests.chaos.airflow`: the demo's stack with its schedules live, killed with SIGKILL at random moments, and an
outage of two hours to make up. Prints what was killed and how soon it had recovered; ends with an audit of every stream.
Exit code 1 when anything did not recover, was lost or twice, out of order, or when an audit does not agree.
"""

from __future__ import annotations

import argparse
import random
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from strandline.audit.audit import audit
from strandline.errors import TransientError
from strandline.intervals import floor
from strandline.lake import paths
from strandline.local.airflow_api import AirflowApi, AirflowApiError
from strandline.status import balance
from tests.chaos.landed import commits, miscounted
from tests.chaos.stack import ROOT, VICTIMS, Stack, Work, active, at_work, behind, quick_config, until

HISTORY = timedelta(minutes=30)
PATIENCE = 900.0
"""Seconds within which everything must be right again after a kill."""
ALONE = 300.0
"""Seconds that Airflow has to recover from the kill of a task by itself; then the stack is started again, and that is told."""
FAILED = ("failed", "upstream_failed")
DONE = ("success", "skipped", *FAILED)
SINGLE = ("task", "executor worker")
"""What Airflow itself starts again; for the rest somebody has to start the stack again."""


@dataclass(frozen=True, slots=True)
class Kill:
    """What was killed (`processes` of it, `running` tasks at that moment), and what came of it; `lost` says what never came."""

    victim: str
    processes: int
    running: int
    recovered: float = 0.0
    retried: int = 0
    failed: int = 0
    restarted: bool = False
    lost: str = ""


def kill_and_wait(stack: Stack, victim: str, dags: Sequence[str], rng: random.Random) -> Kill:
    """One kill at a random moment, and the wait until the stack is healthy, every task that was running is done, and every
    stream has landed an interval that ended after the kill.
    """
    until(lambda: "" if stack.members()["task"] else "a task at work", PATIENCE, every=0.2)
    with stack.api() as api:
        under_way = at_work(api, dags)
    time.sleep(rng.uniform(0, 4))
    if victim in SINGLE:
        until(lambda: "" if stack.members()[victim] else f"a living {victim}", PATIENCE, every=0.1)
    running = len(stack.members()["task"])
    killed, struck = stack.kill(victim, rng), datetime.now(UTC)
    began = time.monotonic()
    restarted = victim not in SINGLE
    if restarted:
        time.sleep(rng.uniform(0, 10))
        stack.start()
    lost = _waited(stack, struck, under_way, PATIENCE if restarted else ALONE)
    if lost and not restarted:
        print(f"    the stack is started again: {lost}", flush=True)
        restarted = True
        stack.start()
        lost = _waited(stack, struck, under_way, PATIENCE)
    seconds = time.monotonic() - began
    retried, failed = _fates(stack, under_way)
    return Kill(victim, len(killed), running, seconds, retried, failed, restarted, lost)


def _waited(stack: Stack, struck: datetime, under_way: Sequence[Work], patience: float) -> str:
    """Empty once nothing is missing any more, else what still was at the end."""
    try:
        until(lambda: _missing(stack, struck, under_way), patience, every=3.0)
    except TransientError as error:
        return str(error)
    return ""


def _missing(stack: Stack, struck: datetime, under_way: Sequence[Work]) -> str:
    """What is still not as it was before the kill, in words."""
    if not stack.is_healthy():
        return "a component of Airflow"
    try:
        with stack.api() as api:
            if left := [str(work) for work in under_way if api.task_states(work.run)[work.task] not in DONE]:
                return f"the end of {', '.join(left)}"
    except (TransientError, AirflowApiError) as error:
        return str(error)
    late = behind(stack.landed(), struck)
    return f"intervals of {', '.join(late)}" if late else ""


def _fates(stack: Stack, under_way: Sequence[Work]) -> tuple[int, int]:
    """How many of the tasks had more than one try, and how many failed."""
    with stack.api() as api:
        told = [task for work in under_way for task in api._tasks(work.run) if task["task_id"] == work.task]
    return sum(task["try_number"] > 1 for task in told), sum(task["state"] in FAILED for task in told)


def verdict(stack: Stack) -> list[str]:
    """What is wrong with the lake, stream by stream, printed as it goes; empty when the audit agrees, the balance holds, no
    interval is missing and each has the lines that its source gives.
    """
    wrong, runtime = [], stack.runtime
    for name, stream in stack.streams.items():
        found, sums = audit(runtime, stream), balance(runtime, stream)
        faults = [*map(str, found.differences), *found.faults, *sums.faults, *miscounted(runtime, stream)]
        total = sums.total
        print(
            f"  {name:24} audit {'agrees' if found.agrees else 'DIFFERS'}: {found.lines:,} lines recomputed; {total.lines:,} = "
            f"{total.good:,} good + {total.duplicates:,} duplicates + {total.quarantined:,} quarantined",
            flush=True,
        )
        wrong += [f"{name}: {fault}" for fault in faults]
    return wrong


def settle(stack: Stack, dags: Sequence[str]) -> None:
    """Let what is under way end, begin nothing more, and serve what has landed by one last run."""
    with stack.api() as api:
        left = list(dags)

        def rest() -> str:
            left[:] = [dag for dag in left if not _paused_when_idle(api, dag)]
            return ", ".join(left)

        until(rest, PATIENCE)
        for dag in (each for each in dags if each[:1] in "34"):
            api.set_paused(dag, False)
            api.wait(api.trigger(dag), timeout=PATIENCE)
            until(lambda dag=dag: "" if _paused_when_idle(api, dag) else dag, PATIENCE)  # type: ignore[misc]


def _paused_when_idle(api: AirflowApi, dag: str) -> bool:
    """Whether the DAG is paused now: one with a run under way is not, since that run would go no further."""
    if active(api, [dag]):
        return False
    api.set_paused(dag, True)
    if not active(api, [dag]):
        return True
    api.set_paused(dag, False)  # a run began in between
    return False


def try_kills(folder: Path, kills: int, seed: int) -> tuple[list[Kill], list[str]]:
    """The kills, and what was wrong with the lake at the end."""
    rng = random.Random(seed)
    victims = [VICTIMS[n % len(VICTIMS)] for n in range(kills)]
    rng.shuffle(victims)
    done: list[Kill] = []
    folder.mkdir()
    with Stack(folder, quick_config(folder), "kills") as stack:
        lines = stack.land_history(datetime.now(UTC), HISTORY)
        print(f"{lines:,} lines of history; the stack was ready after {stack.start():.0f} s", flush=True)
        dags = stack.unpause()
        for number, victim in enumerate(victims, 1):
            done.append(kill_and_wait(stack, victim, dags, rng))
            print(f"{number:3} of {kills} {_row(done[-1])}", flush=True)
        settle(stack, dags)
        print("after the kills:", flush=True)
        return done, verdict(stack)


def try_outage(folder: Path, length: timedelta) -> list[str]:
    """What was wrong with the catch-up after an outage of that length: the schedules of `config/` as they are, over a lake
    whose last interval landed that long ago.
    """
    folder.mkdir()
    config = Path(shutil.copytree(ROOT / "config", folder / "config"))
    with Stack(folder, config, "outage") as stack:
        stopped = floor(datetime.now(UTC) - length, timedelta(minutes=5))
        stack.land_history(stopped, HISTORY)
        before = {name: stack.runtime.lake.table(paths.realtime(name)).snapshot() for name in stack.streams}
        reached = {name: snapshot.ordinal for name, snapshot in before.items() if snapshot}
        stack.start()
        returned, began = datetime.now(UTC), time.monotonic()
        dags = stack.unpause()
        wanted = floor(returned, timedelta(minutes=5))
        until(lambda: ", ".join(behind(stack.landed(), wanted)), PATIENCE)
        print(
            f"an outage from {stopped:%H:%M} to {returned:%H:%M} UTC was caught up {time.monotonic() - began:.0f} s after",
            flush=True,
        )
        settle(stack, dags)
        wrong = []
        for name, stream in stack.streams.items():
            made = [c for c in commits(stack.runtime, stream) if c.ordinal > reached[name]]
            sizes = [len(c.starts) for c in made]
            starts = [start for commit in made for start in commit.starts]
            ordered = starts == sorted(starts) and len(set(starts)) == len(starts)
            told = "in order" if ordered else "OUT OF ORDER"
            print(f"  {name:24} {sum(sizes)} intervals in {len(made)} commits of {sizes}, {told}", flush=True)
            if not ordered or starts[:1] != [stopped]:
                wrong.append(f"{name}: caught up out of order: {[f'{s:%H:%M}' for s in starts]}")
        return wrong + verdict(stack)


def _row(kill: Kill) -> str:
    came = kill.lost or f"{kill.recovered:6.0f} s{' and a restart' if kill.restarted and kill.victim in SINGLE else ''}"
    return f"{kill.victim:20}{kill.processes:>10}{kill.running:>10}{kill.retried:>10}{kill.failed:>8}  {came}"


def table(kills: Sequence[Kill]) -> str:
    """The kills as text, one a line."""
    head = f"{'killed':20}{'processes':>10}{'tasks':>10}{'retried':>10}{'failed':>8}  recovered after"
    return "\n".join([head, *map(_row, kills)])


def main(arguments: Sequence[str] | None = None) -> int:
    """Run from the command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.airflow", description=__doc__)
    parser.add_argument("--kills", type=int, default=12, help="how many kills (default 12; 0: none)")
    parser.add_argument("--seed", type=int, default=0, help="of the victims and the moments (default 0)")
    parser.add_argument("--outage", type=float, default=2.0, help="hours of the outage to make up (default 2; 0: none)")
    parser.add_argument("--keep", action="store_true", help="keep the folder with the logs")
    given = parser.parse_args(arguments)
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(143))  # ends the stack too
    folder = Path(tempfile.mkdtemp(prefix="strandline-airflow-"))
    kills: list[Kill] = []
    wrong: list[str] = []
    try:
        if given.kills:
            kills, wrong = try_kills(folder / "kills", given.kills, given.seed)
        if given.outage:
            wrong += try_outage(folder / "outage", timedelta(hours=given.outage))
    finally:
        if given.keep:
            print(f"the logs are in {folder}")
        else:
            shutil.rmtree(folder)
    wrong += [f"{kill.victim}: {kill.lost}" for kill in kills if kill.lost]
    print("\n".join(["", table(kills), "", *(wrong or ["nothing lost, nothing twice, every audit agrees"])]))
    return 1 if wrong else 0


if __name__ == "__main__":
    raise SystemExit(main())
