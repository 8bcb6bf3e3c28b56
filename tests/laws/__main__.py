"""`python -m tests.laws`: random histories over all cores, with progress; prints the seed of any failure. Exit code 1 when a
law does not hold.

A seed stands for `A_SEED` histories in a row; seeds are independent of one another, so a run can be split and repeated.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import queue
import shlex
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from tests.laws.histories import work

A_SEED = 20
SHOWN_EVERY = 15.0
"""Seconds between two lines of progress."""


@dataclass
class Counted:
    """What came of the histories so far."""

    histories: int = 0
    steps: int = 0
    failures: list[tuple[int, str]] = field(default_factory=list)
    started: float = field(default_factory=time.monotonic)

    def __str__(self) -> str:
        return f"{self.histories:,} histories, {self.steps:,} steps, {len(self.failures)} failures, {self.seconds:,.0f} seconds"

    @property
    def seconds(self) -> float:
        """Since the first history began."""
        return time.monotonic() - self.started

    def progress(self, wanted: int) -> str:
        """Done, rate, remaining."""
        rate = self.histories / max(self.seconds, 0.001)
        left = (wanted - self.histories) / rate / 60 if rate else float("inf")
        return f"{self.histories:,} of {wanted:,} histories, {rate:.2f} a second, {left:,.0f} minutes left"


def run(first: int, histories: int, steps: int, processes: int, log: str | None) -> Counted:
    """Everything counted; progress goes to stdout."""
    context = multiprocessing.get_context("spawn")
    seeds, told = context.Queue(), context.Queue()
    counted, wanted = Counted(), histories
    for number in range(-(-histories // A_SEED)):
        seeds.put((first + number, min(A_SEED, histories - number * A_SEED)))
    time.sleep(0.1)  # a queue that was just filled may still look empty
    workers = [context.Process(target=work, args=(seeds, told, steps), daemon=True) for _ in range(processes)]
    for worker in workers:
        worker.start()
    shown = time.monotonic()
    while any(worker.is_alive() for worker in workers) or not told.empty():
        try:
            seed, number, failure = told.get(timeout=1)
        except queue.Empty:
            seed, number, failure = 0, 0, ""
        if failure:
            counted.failures.append((seed, failure))
            print(f"\nseed {seed} breaks a law:\n{failure}\nagain: {again(seed, steps)}\n", flush=True)
            if log:
                with open(log, "a") as file:
                    file.write(f"seed {seed}\n{failure}\n")
        elif number:
            counted.histories += 1
            counted.steps += number
        if time.monotonic() - shown >= SHOWN_EVERY:
            shown = time.monotonic()
            print(counted.progress(wanted), flush=True)
    if died := [worker.exitcode for worker in workers if worker.exitcode]:
        print(f"processes ended with {died}", flush=True)
    return counted


def again(seed: int, steps: int) -> str:
    """The command that tries the histories of a seed again."""
    return shlex.join(["python", "-m", "tests.laws", "--seed", str(seed), "--histories", str(A_SEED), "--steps", str(steps)])


def main(arguments: Sequence[str] | None = None) -> int:
    """Run from the command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.laws", description=__doc__)
    parser.add_argument("--histories", type=int, default=int(os.environ.get("STRANDLINE_HISTORIES", "10000")))
    parser.add_argument("--steps", type=int, default=int(os.environ.get("STRANDLINE_STEPS", "30")), help="steps of a history")
    parser.add_argument("--seed", type=int, default=1, help="the first seed; each stands for 20 histories")
    parser.add_argument("--processes", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--log", default=None, help="a file that failures are appended to")
    given = parser.parse_args(arguments)
    counted = run(given.seed, given.histories, given.steps, given.processes, given.log)
    print(counted)
    for seed, _ in counted.failures:
        print(f"failed: seed {seed}: {again(seed, given.steps)}")
    return 1 if counted.failures or counted.histories < given.histories else 0


if __name__ == "__main__":
    sys.exit(main())
