"""Goals 1 and 2: from source files to gold, against what one would write by hand and the limit."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.events import HOME, Day, day
from benchmarks.goals.same import check_same
from benchmarks.measure import Failed, Run, alternating, machine, median, run
from benchmarks.results import Found, Size, Verdict

PEERS = {
    "pandas + CSV": "naive_pandas",
    "pandas + orjson + Parquet": "tuned_pandas",
    "Polars": "polars_lazy",
    "DuckDB": "duckdb_sql",
    "DuckDB + lines": "duckdb_kept",
    "PySpark": "spark_local",
}
OURS, LIMIT, NAIVE, KEPT = "Strandline", "limit", "pandas + CSV", "DuckDB + lines"
REPETITIONS = {"small": 5, "full": 5}
SIZES: Mapping[Size, tuple[int, ...]] = {"small": (100_000,), "full": (1_000_000, 10_000_000)}
LARGE = 5_000_000
"""From here on: 3 runs without a warm-up, and without the peers that would need more memory or hours than there are."""
TOO_LARGE = {
    "pandas + CSV": "holds all rows as objects (about 5 GB a million)",
    "pandas + orjson + Parquet": "takes one core and several times as long as the fastest at a million",
}


def measure(size: Size) -> Iterator[Found]:
    """Goals 1 and 2, anew after each number of events, so that hours of measuring are not lost with the last of them; raises
    `Void` when two contestants disagree about the result.
    """
    rows: list[dict[str, Any]] = []
    skipped: dict[str, str] = {}
    for lines in SIZES[size]:
        rows += _compared(size, day(lines), skipped)
        yield from _found(size, rows, skipped)


def _found(size: Size, rows: list[dict[str, Any]], skipped: Mapping[str, str]) -> Iterator[Found]:
    here = machine()
    notes = [{"who": who, "why": why} for who, why in skipped.items()]
    yield Found(1, size, _against_peers(rows), {"Source files to gold": rows, "Not run": notes}, here)
    yield Found(2, size, _against_limit(rows), {}, here)


def spark_python() -> str | None:
    """The Python that has PySpark: `BENCH_SPARK_PYTHON`, or this one; None without."""
    given = os.environ.get("BENCH_SPARK_PYTHON")
    candidates = [given] if given else [sys.executable]
    for python in candidates:
        try:
            run([python, "-c", "import pyspark"])
        except (Failed, FileNotFoundError):
            continue
        return python
    return None


def _compared(size: Size, given: Day, skipped: dict[str, str]) -> list[dict[str, Any]]:
    contestants: dict[str, Callable[[], Run]] = {OURS: partial(ours, given), LIMIT: partial(_limit, given)}
    spark = spark_python()
    for who, module in PEERS.items():
        if given.lines >= LARGE and who in TOO_LARGE:
            skipped[f"{who}, {given.lines:,} events"] = TOO_LARGE[who]
        elif who == "PySpark" and spark is None:
            skipped[who] = "pyspark is not installed (BENCH_SPARK_PYTHON names a Python that has it)"
        else:
            python = spark if who == "PySpark" and spark else sys.executable
            contestants[who] = partial(_peer, python, module, given)
    is_large = given.lines >= LARGE
    gave_up: dict[str, str] = {}
    runs = alternating(contestants, 3 if is_large else REPETITIONS[size], warm_up=not is_large, gave_up=gave_up)
    if needed := gave_up.keys() & {OURS, LIMIT}:
        raise Failed("; ".join(gave_up[who] for who in needed))
    skipped |= {f"{who}, {given.lines:,} events": f"failed: {why.strip()[-200:]}" for who, why in gave_up.items()}
    check_same(given, {who: each[-1].printed for who, each in runs.items() if who != LIMIT})
    shutil.rmtree(HOME / "out")  # tens of GB at the large sizes
    return [_row(given, who, each) for who, each in runs.items()]


def _row(given: Day, who: str, runs: list[Run]) -> dict[str, Any]:
    middle = median(runs)
    return {
        "lines": given.lines,
        "who": who,
        "wall_s": round(middle.wall, 2),
        "wall_least_s": round(min(each.wall for each in runs), 2),
        "wall_most_s": round(max(each.wall for each in runs), 2),
        "cpu_s": round(middle.cpu, 2),
        "peak_mb": round(max(each.peak_mb for each in runs)),
        "runs": len(runs),
        **{f"{name}_s": value for name, value in middle.printed.get("steps", {}).items()},
    }


def ours(given: Day) -> Run:
    """One run of ours, in a process of its own; what it wrote stays until the next."""
    return run([sys.executable, "-m", "benchmarks.ours", str(given.lines), str(_empty("ours"))])


def _limit(given: Day) -> Run:
    return run([sys.executable, "-m", "benchmarks.limit", given.folder, str(_empty("limit"))])


def _peer(python: str, module: str, given: Day) -> Run:
    return run([python, "-m", f"benchmarks.peers.{module}", given.folder, str(_empty(module))])


def _empty(name: str) -> Path:
    folder = HOME / "out" / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


def _by(rows: list[dict[str, Any]], lines: int) -> dict[str, dict[str, Any]]:
    return {row["who"]: row for row in rows if row["lines"] == lines}


def _against_peers(rows: list[dict[str, Any]]) -> list[Verdict]:
    verdicts = []
    for lines in sorted({row["lines"] for row in rows}):
        found = _by(rows, lines)
        if OURS not in found or len(found) == 1:
            continue
        ours = found[OURS]
        if NAIVE in found:
            ratio, cpu = _times(ours, found[NAIVE])
            figure = f"{ratio:.1f} x naive ({ours['wall_s']:.1f} s against {found[NAIVE]['wall_s']:.1f} s; {cpu:.1f} x in CPU)"
            verdicts.append(_verdict("1", f"files to gold, {lines:,} events", figure, ">= 10 x naive", ratio >= 10, ours))
        if best := _fastest_other(found):
            ratio, cpu = _times(ours, best)
            figure = f"{ratio:.2f} x the fastest other, {best['who']} ({best['wall_s']:.1f} s; {cpu:.2f} x in CPU)"
            verdicts.append(_verdict("1", f"files to gold, {lines:,} events", figure, ">= 1.0 x", ratio >= 1, ours))
        if KEPT in found:
            ratio, cpu = _times(ours, found[KEPT])
            figure = f"{ratio:.2f} x DuckDB with every line kept ({found[KEPT]['wall_s']:.1f} s; {cpu:.2f} x in CPU)"
            verdicts.append(Verdict("1", f"files to gold, {lines:,} events", figure, _COMPARED, None))
    return verdicts


def _fastest_other(found: dict[str, dict[str, Any]]) -> dict[str, Any] | None:
    others = [row for who, row in found.items() if who not in (OURS, LIMIT, NAIVE)]
    return min(others, key=lambda row: row["wall_s"], default=None)


def _times(ours: dict[str, Any], other: dict[str, Any]) -> tuple[float, float]:
    """How many times as long as ours the other takes, by the clock and in CPU."""
    return other["wall_s"] / ours["wall_s"], other["cpu_s"] / ours["cpu_s"]


def _against_limit(rows: list[dict[str, Any]]) -> list[Verdict]:
    verdicts = []
    for lines in sorted({row["lines"] for row in rows}):
        found = _by(rows, lines)
        if OURS in found and LIMIT in found:
            least, told = _added(found[LIMIT], LIMIT_STEPS)
            share = least / found[OURS]["wall_s"]
            figure = f"{share:.0%} of the limit ({told} = {least:.2f} s of {found[OURS]['wall_s']:.2f} s)"
            what = f"share of the limit, {lines:,} events"
            verdict = _verdict("2", what, figure, ">= 60 %", share >= 0.6, found[OURS])
            verdicts += [verdict, *_for_comparison(found, what, least)]
    return verdicts


def _for_comparison(found: dict[str, dict[str, Any]], what: str, least: float) -> Iterator[Verdict]:
    """How near the limit the fastest other comes, and how near anybody could who keeps every line."""
    if best := _fastest_other(found):
        yield Verdict("2", what, f"{best['who']}: {least / best['wall_s']:.0%}", _COMPARED, None)
    promised, told = _added(found[LIMIT], PROMISED_STEPS)
    most = least / (least + promised)
    yield Verdict("2", what, f"whoever keeps every line: {most:.0%} at most ({told} s more, all cores busy)", _COMPARED, None)


def _added(row: dict[str, Any], steps: Sequence[str]) -> tuple[float, str]:
    """The seconds of some steps, and what they are made of."""
    return sum(row[step] for step in steps), " + ".join(f"{step.removesuffix('_s')} {row[step]:.2f}" for step in steps)


def _verdict(goal: str, what: str, figure: str, aim: str, met: bool, ours: dict[str, Any]) -> Verdict:
    """With what is in the way where it is not met, which is what ours does and nobody else: its two halves are measured."""
    why = (
        f"ingest ({ours['ingest_s']:.1f} s) lands every line's bytes beside its values, commits and syncs; batch "
        f"({ours['batch_s']:.1f} s) reads it all back, copies it to bronze, judges every value with a reason, sorts silver"
    )
    return Verdict(goal, what, figure, aim, met, "" if met else why)


LIMIT_STEPS = ("decompress_s", "parse_s", "write_s")
PROMISED_STEPS = ("keep_s", "sync_s", "read_s", "start_s")
_COMPARED = "no goal; for comparison"
