"""`python -m tests.chaos.overlap`: processes that race each other over one lake on SeaweedFS, round after round, while a reader
reads what is published. Prints a table. Exit code 1 when a line was lost or landed twice, a read was torn or went back, an
audit does not agree, a served event is wrong, or a step that gave up fails again when it is alone.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from strandline.local.seaweed import Seaweed
from tests.chaos.arena import Arena
from tests.chaos.crew import Crew
from tests.chaos.lab import _ENVIRONMENT

KINDS = ("one interval", "all steps", "serving", "night", "contract")
_WEIGHTS = (6, 7, 3, 2, 2)
STREAMS = ("parcels", "meters")
BUCKET = "overlap"
EPOCH = 20
"""Rounds on one lake; then a fresh one, so that the first commits of every table are raced too."""


@dataclass
class Tally:
    """What came of all rounds; `wrong` are sentences, everything in it must not be."""

    rounds: Counter[str] = field(default_factory=Counter)
    together: Counter[str] = field(default_factory=Counter)
    conflicts: Counter[str] = field(default_factory=Counter)
    gave_up: Counter[str] = field(default_factory=Counter)
    stuck: int = 0
    duplicates: int = 0
    lost: int = 0
    torn: int = 0
    back: int = 0
    reads: int = 0
    queries: int = 0
    pointers: int = 0
    audits: int = 0
    told_twice: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)

    @property
    def is_right(self) -> bool:
        """Whether everything that must be 0 is."""
        return not (self.stuck or self.duplicates or self.lost or self.torn or self.back or self.wrong)


def kinds(rounds: int, rng: random.Random) -> list[str]:
    """The kind of each round: mixed by weight, each at least once in every few."""
    found: list[str] = []
    while len(found) < rounds:
        dealt = [*KINDS, *rng.choices(KINDS, _WEIGHTS, k=EPOCH - len(KINDS))]
        if rounds < EPOCH:
            dealt = [*KINDS, *rng.choices(KINDS, _WEIGHTS, k=max(0, rounds - len(KINDS)))]
        rng.shuffle(dealt)
        found += dealt
    return found[:rounds]


def try_rounds(
    server: Seaweed, rounds: int, seed: int, *, streams: Sequence[str] = STREAMS, is_short: bool = False, echo: bool = False
) -> Tally:
    """What came of so many rounds; each round's processes work on one of the streams."""
    rng, tally = random.Random(seed), Tally()
    server.create_bucket(BUCKET)
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    ordered = kinds(rounds, rng)
    with Crew({**kept, **_ENVIRONMENT}) as crew, tempfile.TemporaryDirectory(prefix="strandline-overlap-") as folder:
        for first in range(0, rounds, EPOCH):
            lake = f"s3://{BUCKET}/{seed}-{first:04d}"
            with Arena(server, crew, lake, Path(folder), streams, rng, tally, is_short=is_short) as arena:
                for number, kind in enumerate(ordered[first : first + EPOCH], first + 1):
                    before = len(tally.wrong)
                    arena.play(kind, streams[number % len(streams)])
                    for fault in tally.wrong[before:]:
                        print(f"round {number}, {kind}: {fault}", flush=True)
                    if echo and number % 10 == 0:
                        print(f"{number} of {rounds} rounds, {sum(tally.conflicts.values())} conflicts", flush=True)
    return tally


def table(tally: Tally) -> str:
    """The tally as text."""
    lines = [f"{'round':16}{'tried':>8}{'all at once':>14}{'lost commits':>14}{'gave up once':>14}"]
    rows: list[tuple[str, int, int, int, int]]
    rows = [(kind, tally.rounds[kind], tally.together[kind], tally.conflicts[kind], tally.gave_up[kind]) for kind in KINDS]
    sums = [counted.total() for counted in (tally.rounds, tally.together, tally.conflicts, tally.gave_up)]
    rows.append(("all", sums[0], sums[1], sums[2], sums[3]))
    lines += [f"{name:16}{tried:>8}{together:>14}{lost:>14}{gave_up:>14}" for name, tried, together, lost, gave_up in rows]
    counts = {
        "lines twice": tally.duplicates,
        "lines lost": tally.lost,
        "torn reads": tally.torn,
        "reads that went back": tally.back,
        "stuck": tally.stuck,
        "otherwise wrong": len(tally.wrong),
    }
    lines += ["", *(f"{name:24}{count:>6}" for name, count in counts.items()), ""]
    lines += [
        f"reads                   {tally.reads:>6} by pointer ({tally.pointers} different), {tally.queries} by one SQL query",
        f"audits                  {tally.audits:>6}",
        f"told more than once     {tally.told_twice:>6}",
    ]
    return "\n".join([*lines, *(f"gave up: {reason} ({n})" for reason, n in tally.reasons.most_common(8))])


def main(arguments: Sequence[str] | None = None) -> int:
    """Run from the command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.overlap", description=__doc__)
    parser.add_argument("--rounds", type=int, default=200, help="how many rounds (default 200)")
    parser.add_argument("--seed", type=int, default=0, help="of the mix, the offsets and the lines (default 0)")
    given = parser.parse_args(arguments)
    started = time.monotonic()
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(143))  # ends the server too
    with tempfile.TemporaryDirectory(prefix="strandline-chaos-") as folder, Seaweed(Path(folder), port=0) as server:
        tally = try_rounds(server, given.rounds, given.seed, echo=True)
    print("\n".join([*(f"wrong: {fault}" for fault in tally.wrong), table(tally)]))
    print(f"\n{time.monotonic() - started:.0f} seconds")
    return 0 if tally.is_right else 1


if __name__ == "__main__":
    raise SystemExit(main())
