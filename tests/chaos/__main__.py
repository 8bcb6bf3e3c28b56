"""`python -m tests.chaos`: every step killed before and after every storage request it makes, and under seeded faults; prints
a table of what came of it. Exit code 1 when anything was silently wrong or stuck (but for damage that nothing but HTTPS guards
against, see `docs/reliability.md`).
"""

from __future__ import annotations

import argparse
import asyncio
import random
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from strandline.local.seaweed import Seaweed
from tests.chaos.faults import FAULTS, KILLS, UNGUARDED
from tests.chaos.lab import Bench, Store, undisturbed
from tests.chaos.points import VERDICTS, Outcome, fault_points, kill_points, spread, tried
from tests.chaos.steps import BUCKET, ROUND, SCENARIO


async def try_points(
    server: Seaweed,
    kills: int | None,
    seeds: int,
    most: int | None = None,
    benches: int = 2,
    only: str = "",
    minutes: float | None = None,
    echo: bool = False,
) -> list[Outcome]:
    """What came of at most `kills` kill points (None: all) and of `seeds` schedules a step; at most `most` points in all.
    `only` keeps the points whose name holds it; after `minutes` no further one is begun.
    """
    server.create_bucket(BUCKET)
    store = Store(server)
    async with Bench(server, store, "twin") as bench:
        twin = await undisturbed(bench)
        if echo:
            print("requests:", ", ".join(f"{s} {len(r)}" for s, r in zip(SCENARIO, twin.requests, strict=True)), flush=True)
        points = [p for p in (*kill_points(twin, kills), *fault_points(seeds)) if only in str(p)]
        points = spread(sorted(points, key=lambda p: p.position), most or len(points))
        waiting, ends = list(points), time.monotonic() + 60 * (minutes or 1e6)
        random.Random(0).shuffle(waiting)  # so that a run that is cut short has seen something of everything
        outcomes: list[Outcome] = []

        async def work(bench: Bench) -> None:
            while waiting and time.monotonic() < ends:
                outcomes.append(await tried(bench, twin, waiting.pop()))
                if echo:
                    _echo(outcomes[-1], len(outcomes), len(points))

        async def open_and_work(name: str) -> None:
            async with Bench(server, store, name) as another:
                await work(another)

        await asyncio.gather(work(bench), *(open_and_work(f"{n}") for n in range(1, benches)))
    return outcomes


def _echo(outcome: Outcome, done: int, total: int) -> None:
    if outcome.verdict in ("silently wrong", "stuck"):
        print(f"{outcome.verdict}: {outcome.point}\n    met {', '.join(outcome.met)}\n    {outcome.detail}", flush=True)
    if done % 50 == 0:
        print(f"{done} of {total} points", flush=True)


def table(outcomes: Sequence[Outcome]) -> str:
    """The outcomes by step, and by kind of fault, as text."""
    lines = [f"{'':28}{'points':>8}" + "".join(f"{verdict:>16}" for verdict in VERDICTS)]
    lines += [_row(name, [o for o in outcomes if SCENARIO[o.point.position].name == name]) for name in ROUND]
    lines.append("")
    met = {o.point.kind for o in outcomes}
    lines += [_row(kind, [o for o in outcomes if o.point.kind == kind]) for kind in (*KILLS, *FAULTS) if kind in met]
    lines += ["", _row("all", outcomes)]
    if foreign := [o for o in outcomes if o.foreign]:
        lines.append(f"\nnot an error of our tree ({len(foreign)}): {foreign[0].point}: {foreign[0].detail}")
    return "\n".join(lines)


def _row(name: str, outcomes: Sequence[Outcome]) -> str:
    counted = Counter(o.verdict for o in outcomes)
    tried_ = len(outcomes) - counted["not reached"]
    return f"{name:28}{tried_:>8}" + "".join(f"{counted[verdict]:>16}" for verdict in VERDICTS)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run from the command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument(
        "--kills", type=int, default=600, help="at most so many kill points, those at a write first (default 600)"
    )
    parser.add_argument("--seeds", type=int, default=20, help="seeded schedules a step (default 20)")
    parser.add_argument("--benches", type=int, default=2, help="how many points at once (default 2)")
    parser.add_argument("--only", default="", help="only points whose name holds this text, such as 'land again, kill after'")
    parser.add_argument("--minutes", type=float, default=None, help="begin no further point after so many minutes")
    given = parser.parse_args(arguments)
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="strandline-chaos-") as folder, Seaweed(Path(folder), port=0) as server:
        outcomes = asyncio.run(
            try_points(
                server, given.kills, given.seeds, benches=given.benches, only=given.only, minutes=given.minutes, echo=True
            )
        )
    print(table(outcomes))
    print(f"\n{time.monotonic() - started:.0f} seconds")
    return 1 if any(o.verdict in ("silently wrong", "stuck") and o.point.kind != UNGUARDED for o in outcomes) else 0


if __name__ == "__main__":
    raise SystemExit(main())
