"""`python -m benchmarks [--size small|full] [--only 1,2,…] [--write]`: the goals measured, one line each at the end.

`--write` (always with `--size full`) puts tables and plots into docs/performance.md. With `--only`, the other goals' lines are
those of their last run of this size.
"""

from __future__ import annotations

import argparse
import sys
import time
from importlib import import_module

from benchmarks.results import Size, keep, kept

MODULES = {
    1: "throughput", 2: "throughput", 3: "memory", 4: "ingest", 5: "refresh", 6: "parsing", 7: "end_to_end", 8: "requests",
    9: "scaling",
}  # fmt: skip


def main() -> int:
    """0 when every chosen goal could be measured; whether it is met is said, not returned."""
    arguments = _arguments()
    size: Size = arguments.size
    chosen = arguments.only or list(MODULES)
    for name in dict.fromkeys(MODULES[number] for number in chosen):
        started = time.perf_counter()
        print(f"… {name}", flush=True)
        for found in import_module(f"benchmarks.goals.{name}").measure(size):
            keep(found)
        print(f"… {name}: {time.perf_counter() - started:.0f} s", flush=True)
    everything = kept(size, MODULES)
    if size == "full" or arguments.write:
        from benchmarks.report import write

        write(everything)
    for found in everything:
        for verdict in found.verdicts:
            print(verdict.line())
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--size", choices=("small", "full"), default="small")
    parser.add_argument("--only", type=lambda text: [int(each) for each in text.split(",")], help="numbers of goals, by commas")
    parser.add_argument("--write", action="store_true", help="write docs/performance.md")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
