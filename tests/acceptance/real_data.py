"""The real streams of `../shared/data` and their ground truth, as the acceptance tests use them."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa

from strandline.intervals import Interval, interval_at
from strandline.lake.lake import Lake
from strandline.lines.keys import KeyRing
from strandline.runtime import Runtime
from strandline.spec.load import load_streams
from strandline.spec.model import Stream
from strandline.stages.bronze import bronze
from strandline.stages.gold import gold
from strandline.stages.silver import silver

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"
CONFIG = Path(__file__).parent / "config"
START = datetime(2026, 1, 1, tzinfo=UTC)
VALUE_TOLERANCE = 1e-9


@dataclass(frozen=True)
class Gold:
    """A gold table and the truth it must equal: `window` names the CSV's time column, `keys` its dimensions."""

    table: str
    truth: str
    window: str
    keys: tuple[str, ...] = ()
    ignored: tuple[str, ...] = ()


@dataclass(frozen=True)
class Case:
    """One real stream with its tables."""

    name: str
    tables: tuple[Gold, ...]

    @property
    def stream(self) -> Stream:
        """The stream as its YAML declares it."""
        return load_streams(CONFIG)[self.name]

    def slices(self, variant: str) -> list[Path]:
        """The micro-batches of a variant in arrival order."""
        return sorted((DATA / self.name / variant).glob("*.ndjson.gz"))

    def expected(self, variant: str) -> dict[str, int]:
        """`good`, `quarantined`, `duplicates` and `lines` by the manifest."""
        manifest = json.loads((DATA / self.name / "truth" / f"manifest_{variant}.json").read_text())
        return {**manifest["expect"], "lines": manifest["lines_in"]}


ACCESS_LOG = Case(
    "access_log",
    (
        Gold("hourly", "gold_hourly.csv", "hour"),
        Gold("hourly_endpoint", "gold_hourly_endpoint.csv", "hour", ("endpoint",)),
        Gold("daily", "gold_daily.csv", "day", ignored=("p95_bytes_disc",)),
    ),
)
NAB_SENSORS = Case(
    "nab_sensors",
    (
        Gold("hourly_device", "gold_hourly_device.csv", "hour", ("device_id",)),
        Gold("daily_device", "gold_daily_device.csv", "day", ("device_id",)),
    ),
)


def runtime_on(lake: Lake) -> Runtime:
    """A runtime without protection keys."""
    return Runtime(lake, KeyRing({}))


def deliver(case: Case, slices: list[Path]) -> None:
    """Put files into the folder that the stream's YAML names, below the working directory."""
    inbox = Path("inbox") / case.name
    inbox.mkdir(parents=True, exist_ok=True)
    for path in slices:
        shutil.copy(path, inbox)


def intervals(stream: Stream) -> Iterator[Interval]:
    """The landing intervals from `START` on, one after another."""
    current = interval_at(START, stream.interval)
    while True:
        yield current
        current = interval_at(current.end + timedelta(0), stream.interval)


def batch(runtime: Runtime, stream: Stream, until: datetime) -> dict[str, int]:
    """The counts of silver after a whole batch."""
    bronze(runtime, stream, until)
    counts = silver(runtime, stream)
    gold(runtime, stream)
    return counts


def rows_of(runtime: Runtime, path: str) -> pa.Table:
    """All rows of a table of the lake."""
    snapshot = runtime.lake.table(path).snapshot()
    assert snapshot is not None, f"{path} does not exist"
    return snapshot.arrow()


def values_of(runtime: Runtime, path: str) -> list[dict[str, Any]]:
    """The rows of a table without their landing place and status, in an order of their own."""
    table = rows_of(runtime, path)
    table = table.select([name for name in table.column_names if not name.startswith("_")])
    return sorted(table.to_pylist(), key=repr)


def differences(runtime: Runtime, case: Case, gold: Gold, path: str) -> list[str]:
    """What differs between a gold table of the lake and its truth, in words; empty when nothing does."""
    names = (*gold.keys,)
    got = {
        (row["window_start"].strftime("%Y-%m-%d %H:%M:%S"), *(str(row[k]) for k in names)): row
        for row in rows_of(runtime, path).to_pylist()
    }
    with (DATA / case.name / "truth" / gold.truth).open() as file:
        truth = list(csv.DictReader(file))
    found = []
    for row in truth:
        moment = row[gold.window] + (" 00:00:00" if gold.window == "day" else "")
        key = (moment, *(row[k] for k in names))
        mine = got.pop(key, None)
        if mine is None:
            found.append(f"{key}: no such row")
            continue
        for column, text in row.items():
            if column in (gold.window, *names, *gold.ignored):
                continue
            tolerance = 5.1e-7 if column == "error_rate" else VALUE_TOLERANCE * max(1.0, abs(float(text)))
            if abs(float(text) - float(mine[column])) > tolerance:
                found.append(f"{key}: {column}: saw {mine[column]}, the truth is {text}")
    return found + [f"{key}: a row too many" for key in got]
