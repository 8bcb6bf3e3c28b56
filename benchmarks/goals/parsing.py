"""Goal 6: parsing DAG files for 5, 100 and 1,000 streams, the CPU before a task reaches the core, and validating them."""

from __future__ import annotations

import shutil
import statistics
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks import validate
from benchmarks.events import ROOT
from benchmarks.measure import machine, run
from benchmarks.peers.hand_written import source
from benchmarks.results import Found, Size, Verdict
from strandline.render import render
from tests.airflow.environment import airflow_environment

STREAMS: Mapping[Size, tuple[int, ...]] = {"small": (5, 100, 1_000), "full": (5, 100, 1_000)}
REPETITIONS: Mapping[Size, int] = {"small": 1, "full": 5}


def measure(size: Size) -> list[Found]:
    """The CPU seconds by number of streams; medians of 5 (small: one run each of the whole file, 5 of the rest)."""
    rows = []
    for number in STREAMS[size]:
        with tempfile.TemporaryDirectory(prefix="strandline-bench-parse-") as folder:
            rows.append(_row(Path(folder), number, REPETITIONS[size]))
    return [Found(6, size, _verdicts(rows), {"Parsing DAG files (CPU seconds)": rows}, machine())]


def _row(folder: Path, number: int, repetitions: int) -> dict[str, Any]:
    config = folder / "config"
    validate.write_streams(config / "streams", number)
    shutil.copytree(ROOT / "config" / "dags", config / "dags")
    shutil.copy(ROOT / "config" / "defaults.yaml", config)
    names = sorted(path.stem for path in (config / "streams").glob("*.yaml"))
    (by_hand := folder / "hand.py").write_text(source(render(config), str(config)), encoding="utf-8")
    environment = airflow_environment(folder / "airflow", config, AIRFLOW__CORE__DAGBAG_IMPORT_TIMEOUT="600")
    dag = f"2-{names[0]}_realtime_ingest"

    def cost(times: int, *arguments: str) -> dict[str, Any]:
        runs = [
            run([sys.executable, "-W", "ignore", "-m", "benchmarks.parse_cost", *arguments], environment).printed
            for _ in range(times)
        ]
        middle = statistics.median(each["cpu"] for each in runs)
        return {**runs[-1], "cpu": round(middle, 3)}

    first = cost(repetitions, "first", str(config))  # what it remembers, the next ones read
    whole, hand = cost(repetitions, "file", str(config)), cost(repetitions, "hand", str(by_hand))
    if not first["shape"] == whole["shape"] == hand["shape"]:
        raise ValueError(f"not the same DAGs: {first}, {whole} against {hand}")
    command = [sys.executable, "-c", "from strandline.cli import app; app()", "validate", "--config", str(config)]
    return {
        "streams": number,
        "dags": whole["dags"],
        "tasks": whole["tasks"],
        "file_cpu_s": whole["cpu"],
        "file_first_cpu_s": first["cpu"],
        "hand_written_cpu_s": hand["cpu"],
        "own_dag_cpu_s": cost(5, "own", str(config), dag, "land")["cpu"],
        "task_start_cpu_s": cost(5, "task", str(config), dag, "land")["cpu"],
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
    own = f"{flat:.2f} x ({many['own_dag_cpu_s']:.3f} against {few['own_dag_cpu_s']:.3f} CPU s)"
    return [
        Verdict("6", f"own DAG, {many['streams']:,} streams against {few['streams']}", own, "<= 1.2 x", flat <= 1.2),
        Verdict("6", "whole file against hand-written DAGs", f"{whole:.2f} x ({told})", "<= 2 x", whole <= 2),
        Verdict("6", "before the core's first line, preloaded", f"{start:.2f} CPU s", "<= 0.5 CPU s", start <= 0.5),
        Verdict(
            "6", f"validate, {many['streams']:,} streams", f"{many['validate_cpu_s']:.2f} CPU s", f"<= {aim} CPU s",
            None if aim is None else many["validate_cpu_s"] <= aim,
        ),
    ]  # fmt: skip
