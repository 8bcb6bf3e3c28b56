"""Ours: the product's own steps on the files of a day, in one process; prints what came out and the seconds of each step.

`python -m benchmarks.ours LINES LAKE`. Ingest, then batch, as `strandline run` does them; nothing is set that a user has not.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from importlib.abc import MetaPathFinder
from pathlib import Path
from typing import Any

from benchmarks.events import day

HERE = Path(__file__).parent
START = datetime(2026, 3, 2, tzinfo=UTC)


def stream_at(location: str) -> Any:
    """The benchmark's stream, reading the folder `location`."""
    from strandline.spec.load import check_streams

    with tempfile.TemporaryDirectory(prefix="strandline-bench-") as folder:
        streams = Path(folder) / "streams"
        streams.mkdir()
        for model in (HERE / "config" / "streams").glob("*.yaml"):
            text = model.read_text(encoding="utf-8").replace("/tmp/shop_events", location)
            (streams / model.name).write_text(text, encoding="utf-8")
        found, problems = check_streams(Path(folder))
    if problems:
        raise SystemExit("\n".join(str(problem) for problem in problems))
    return found["shop_events"]


class Quiet:
    """A listener that nobody hears."""

    def progress(self, stream: str, what: str, done: int, total: int | None) -> None:
        """Nothing."""

    def notice(self, stream: str, text: str) -> None:
        """Nothing."""

    def finished(self, stream: str, done: Any) -> None:
        """Nothing."""

    def ended(self, outcome: Any) -> None:
        """Nothing."""


def run(folder: str, lake: str) -> dict[str, Any]:
    """What the ledger counts and the seconds of each step; raises SystemExit with what the run says when it fails."""
    from strandline.run import Order, Place, run_stream

    stream = stream_at(folder)
    order = Order.of(("ingest", "batch"), datetime.now(UTC), START, START + timedelta(days=1))
    outcome = run_stream(Place(HERE / "config", lake), stream, order, Quiet())
    if outcome.error:
        raise SystemExit(outcome.error)
    counts = {done.step: done.counts for done in outcome.done}
    return {
        "lines": counts["batch"]["lines"],
        "quarantined": counts["batch"]["quarantined"],
        "duplicates": counts["batch"]["duplicates"],
        "steps": {done.step: done.seconds for done in outcome.done},
    }


def gold(lake: str) -> dict[str, Any]:
    """The gold tables as Arrow, by name."""
    from deltalake import DeltaTable

    folder = Path(lake) / "batch" / "gold" / "shop_events"
    return {table.name: DeltaTable(str(table)).to_pyarrow_table() for table in sorted(folder.iterdir())}


class _NoPandas(MetaPathFinder):
    """Finds nothing under that name, nor lets others."""

    def find_spec(self, fullname: str, path: Any, target: Any = None) -> None:
        """Raises ModuleNotFoundError for pandas."""
        if fullname == "pandas":
            raise ModuleNotFoundError("hidden: only the others need it", name=fullname)


def as_installed() -> None:
    """Hide pandas, which only the others need: pyarrow loads it wherever it is found (0.1 to 0.2 CPU s, 30 MB)."""
    sys.meta_path.insert(0, _NoPandas())


if __name__ == "__main__":
    as_installed()
    started = time.perf_counter()
    found = run(day(int(sys.argv[1])).folder, sys.argv[2])
    print(json.dumps({**found, "seconds": round(time.perf_counter() - started, 3)}))
