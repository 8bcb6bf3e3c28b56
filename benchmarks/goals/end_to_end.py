"""Goal 7: an event handed to a source, until a reader of the published pointer finds it in unified; five streams live under
Airflow, serving on its schedule and triggered by assets.

Small shortens the intervals and says so: a stream lands every two minutes, and serving on its schedule runs every four.
"""

from __future__ import annotations

import signal
import statistics
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.live import BEFORE_DUE, ON_ASSETS, Seen, live, live_config, seen
from benchmarks.measure import machine
from benchmarks.results import Found, Size, Verdict

MOST_SCHEDULED, MOST_ON_ASSETS = 600.0, 30.0


@dataclass(frozen=True, slots=True)
class Way:
    """One way to serve: its line in `config/dags/serving.yaml`, the landing interval in minutes and the events looked for."""

    serving: str
    minutes: int
    events: int


WAYS: Mapping[Size, tuple[Way, Way]] = {
    "small": (Way('"1-59/4 * * * *"', 2, 2), Way(ON_ASSETS, 2, 3)),
    "full": (Way('"2-59/10 * * * *"', 5, 4), Way(ON_ASSETS, 5, 5)),
}


def measure(size: Size) -> list[Found]:
    """The seconds of each event, both ways, each with an Airflow and an S3 server of its own."""
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(143))  # ends the servers too
    scheduled, on_assets = WAYS[size]
    found = {way: _tried(way) for way in (on_assets, scheduled)}
    rows = [_row(way, event) for way, events in found.items() for event in events]
    verdicts = [_as_scheduled(scheduled, found[scheduled]), _on_assets(on_assets, found[on_assets])]
    return [Found(7, size, verdicts, {"From an event's landing due to visible (seconds)": rows}, machine())]


def _tried(way: Way) -> list[Seen]:
    print(f"  schedule: {way.serving}, a landing every {way.minutes} minutes", flush=True)
    with tempfile.TemporaryDirectory(prefix="strandline-bench-live-") as name:
        folder = Path(name)
        with live(folder, live_config(folder, interval=f"{way.minutes}m", serving=way.serving)) as stack:
            return seen(stack, folder, way.events)


def _row(way: Way, event: Seen) -> dict[str, Any]:
    steps = {name: event.steps.get(name, "") for name in ("generate begun", "land begun", "land done", "merge begun")}
    return {
        "serving": way.serving,
        "due": f"{event.due:%H:%M}",
        **steps,
        "visible": round(event.from_due, 1),
        "load": round(event.load, 1),
    }


def _told(way: Way, events: Sequence[Seen]) -> str:
    seconds = sorted(event.from_due for event in events)
    span = f"median {statistics.median(seconds):.1f} s, most {seconds[-1]:.1f} s after its landing was due"
    return f"{span} ({len(seconds)} events, landing every {way.minutes} min, handed over {BEFORE_DUE:.0f} s before)"


def _as_scheduled(way: Way, events: Sequence[Seen]) -> Verdict:
    """Judged with the wait for the interval's end: an event may be handed over right after the interval has begun."""
    interval = way.minutes * 60
    most = max(event.from_due for event in events) + interval
    in_time = statistics.mean(min(max((MOST_SCHEDULED - event.from_due) / interval, 0), 1) for event in events)
    told = f"{_told(way, events)}; handed over as the interval begins {most:.0f} s"
    told += f", at any moment of it {in_time:.0%} within 10 min"
    serving = way.serving.strip('"')
    if serving != "2-59/10 * * * *":
        return Verdict("7", f"event to unified, serving {serving} (shortened)", told, "10 min at 5 and 10 min", None)
    why = "" if most <= MOST_SCHEDULED else "intervals of 5 minutes served every 10: what just missed both waits for both"
    return Verdict("7", "event to unified, as scheduled", told, "<= 10 min", most <= MOST_SCHEDULED, why)


def _on_assets(way: Way, events: Sequence[Seen]) -> Verdict:
    most = max(event.from_due for event in events)
    what = "landing due to unified, serving triggered by assets"
    return Verdict("7", what, _told(way, events), "<= 30 s", most <= MOST_ON_ASSETS)
