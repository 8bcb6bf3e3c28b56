"""Goal 6: parsing DAG files for 5, 100 and 1,000 streams, the CPU before a task reaches the core, and validating them."""

from __future__ import annotations

import shutil
import statistics
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks import validate
from benchmarks.events import ROOT
from benchmarks.measure import Run, alternating, machine, run
from benchmarks.peers.hand_written import source
from benchmarks.results import Found, Size, Verdict
from strandline.render import render
from tests.airflow.environment import airflow_environment

STREAMS: Mapping[Size, tuple[int, ...]] = {"small": (5, 100, 1_000), "full": (5, 100, 1_000)}
REPETITIONS: Mapping[Size, int] = {"small": 1, "full": 5}
OWN = 11


def measure(size: Size) -> list[Found]:
    """The CPU seconds by number of streams; medians of 5 (small: one run each of the whole file), of the own DAG of 11."""
    with tempfile.TemporaryDirectory(prefix="strandline-bench-parse-") as folder:
        many = [Streams.written(Path(folder) / str(number), number) for number in STREAMS[size]]
        rows = [_row(streams, REPETITIONS[size]) for streams in many]
        own = {
            f"one DAG of {each.number} streams": partial(each.run, "own", str(each.config), each.dag, "land") for each in many
        }
        runs = alternating(own, OWN, warm_up=False)  # in turn: ten milliseconds differ from minute to minute
    for row, took in zip(rows, runs.values(), strict=True):
        row["own_dag_cpu_s"] = round(statistics.median(each.printed["cpu"] for each in took), 4)
    return [Found(6, size, _verdicts(rows), {"Parsing DAG files (CPU seconds)": rows}, machine())]


@dataclass(frozen=True, slots=True)
class Streams:
    """So many streams under `config`, the same DAGs by hand in `by_hand`, and an Airflow that knows of them."""

    number: int
    config: Path
    by_hand: Path
    environment: Mapping[str, str]
    dag: str

    @classmethod
    def written(cls, folder: Path, number: int) -> Streams:
        """Those of a folder, which is made."""
        config = folder / "config"
        validate.write_streams(config / "streams", number)
        shutil.copytree(ROOT / "config" / "dags", config / "dags")
        shutil.copy(ROOT / "config" / "defaults.yaml", config)
        first = min(path.stem for path in (config / "streams").glob("*.yaml"))
        (by_hand := folder / "hand.py").write_text(source(render(config), str(config)), encoding="utf-8")
        environment = airflow_environment(folder / "airflow", config, AIRFLOW__CORE__DAGBAG_IMPORT_TIMEOUT="600")
        return cls(number, config, by_hand, environment, f"2-{first}_realtime_ingest")

    def run(self, *arguments: str) -> Run:
        """A process that says what parsing cost it (`benchmarks/parse_cost.py`)."""
        return run([sys.executable, "-W", "ignore", "-m", "benchmarks.parse_cost", *arguments], self.environment)


def _row(streams: Streams, repetitions: int) -> dict[str, Any]:
    def cost(times: int, *arguments: str) -> dict[str, Any]:
        runs = [streams.run(*arguments).printed for _ in range(times)]
        return {**runs[-1], "cpu": round(statistics.median(each["cpu"] for each in runs), 3)}

    config = str(streams.config)
    first = cost(repetitions, "first", config)  # what it remembers, the next ones read
    whole, hand = cost(repetitions, "file", config), cost(repetitions, "hand", str(streams.by_hand))
    if not first["shape"] == whole["shape"] == hand["shape"]:
        raise ValueError(f"not the same DAGs: {first}, {whole} against {hand}")
    command = [sys.executable, "-c", "from strandline.cli import app; app()", "validate", "--config", config]
    return {
        "streams": streams.number,
        "dags": whole["dags"],
        "tasks": whole["tasks"],
        "file_cpu_s": whole["cpu"],
        "file_first_cpu_s": first["cpu"],
        "hand_written_cpu_s": hand["cpu"],
        "task_start_cpu_s": cost(5, "task", config, streams.dag, "land")["cpu"],
        "validate_cpu_s": round(validate.timed(command)[0], 2),
    }


def _verdicts(rows: list[dict[str, Any]]) -> list[Verdict]:
    few, many = rows[0], rows[-1]
    flat = many["own_dag_cpu_s"] / few["own_dag_cpu_s"]
    whole = many["file_cpu_s"] / many["hand_written_cpu_s"]
    start = max(row["task_start_cpu_s"] for row in rows)
    told = (
        f"{many['file_cpu_s']:.1f} against {many['hand_written_cpu_s']:.1f} CPU s at {many['streams']:,} streams; "
        f"{many['file_first_cpu_s']:.1f} when no stream was checked before"
    )
    aim = validate.AIM.get(many["streams"])
    own = f"{flat:.2f} x ({many['own_dag_cpu_s']:.4f} against {few['own_dag_cpu_s']:.4f} CPU s)"
    return [
        Verdict("6", f"own DAG, {many['streams']:,} streams against {few['streams']}", own, "<= 1.2 x", flat <= 1.2),
        Verdict("6", "whole file against hand-written DAGs", f"{whole:.2f} x ({told})", "<= 2 x", whole <= 2),
        Verdict("6", "before the core's first line, preloaded", f"{start:.2f} CPU s", "<= 0.5 CPU s", start <= 0.5),
        Verdict(
            "6", f"validate, {many['streams']:,} streams", f"{many['validate_cpu_s']:.2f} CPU s", f"<= {aim} CPU s",
            None if aim is None else many["validate_cpu_s"] <= aim,
        ),
    ]  # fmt: skip
