"""The five streams live under Airflow on this machine, one of them fed with files: when an event that is handed over shows up.

Everything is as `config/` has it, but that `api_logs` reads a folder (`files`) in place of simulating: each interval gets the
very lines that it would have simulated, and one event more that is looked for. SeaweedFS, Airflow's home and the lake are in a
folder of their own, on free ports, and are stopped at the end.
"""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
import pyarrow.dataset as pads

from benchmarks.events import ROOT
from strandline.errors import TransientError
from strandline.intervals import Interval, floor
from strandline.lake.objects import ObjectMissing
from strandline.lake.paths import published, unified
from strandline.local.airflow_api import AirflowApi
from strandline.runtime import Runtime
from strandline.sources.generator import EventModel, micro_batch
from strandline.spec.document import read_document
from strandline.spec.load import load_stream
from strandline.spec.model import Stream
from tests.chaos.stack import Stack, until

PROBED = "api_logs"
SERVING = "4-serving_layer_merge"
HISTORY = timedelta(hours=1)
BEFORE_DUE = 5.0
"""Seconds before the interval's end at which its file is handed over."""
NEVER = -1
_EVERY, _PATIENCE = 0.2, 2400.0
_SCHEDULE = '"2-59/10 * * * *"'
ON_ASSETS = "{assets: [realtime, silver]}"


@dataclass(frozen=True, slots=True)
class Seen:
    """One event: handed over as a whole object at `handed`, its landing `due` (the end of its interval), and `visible`, when
    the published pointer was first found to name a version of unified that holds it. `steps` are seconds from `due`.
    """

    handed: datetime
    due: datetime
    visible: datetime
    steps: dict[str, float]
    load: float

    @property
    def from_due(self) -> float:
        """Seconds from the landing's due time to visible."""
        return (self.visible - self.due).total_seconds()


def live_config(folder: Path, *, interval: str, serving: str) -> Path:
    """A copy of `config/` with the given landing interval and schedule of serving, and `api_logs` reading `folder/in`."""
    config = Path(shutil.copytree(ROOT / "config", folder / "config"))
    defaults, layer, stream = config / "defaults.yaml", config / "dags" / "serving.yaml", config / "streams" / f"{PROBED}.yaml"
    defaults.write_text(f"interval: {interval}\n{defaults.read_text(encoding='utf-8')}", encoding="utf-8")
    text = layer.read_text(encoding="utf-8")
    if text.count(f"schedule: {_SCHEDULE}") != 1:
        raise ValueError(f"{layer} has no line `schedule: {_SCHEDULE}`")
    layer.write_text(text.replace(f"schedule: {_SCHEDULE}", f"schedule: {serving}"), encoding="utf-8")
    (folder / "in").mkdir()
    declared: Any = read_document(stream).value
    declared["source"] = {"type": "files", "location": str(folder / "in"), "pattern": "*.ndjson"}
    for field in declared["schema"]["fields"]:
        field.pop("generate", None)
    stream.write_text(json.dumps(declared, indent=1, default=str), encoding="utf-8")  # JSON is YAML
    return config


class Feed:
    """Hands files over to `api_logs`: written beside and renamed, so each is whole when it appears."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder / "in"
        self._simulated: Stream = load_stream(ROOT / "config" / "streams" / f"{PROBED}.yaml")
        self._model = EventModel(self._simulated)

    def give(self, interval: Interval, probe: str | None = None) -> datetime:
        """When the file of the interval appeared: its simulated lines and, as the last, a good event with that `log_id`."""
        lines = micro_batch(self._model, interval)[0]
        if probe is not None:
            event = next(event for line in lines if (event := _good(line)) is not None)
            lines = [*lines, orjson.dumps({**event, "log_id": probe})]
        hidden = self._folder / f"_{interval.key}"
        hidden.write_bytes(b"\n".join(lines) + b"\n")
        hidden.rename(self._folder / f"{interval.key}.ndjson")
        return datetime.now(UTC)


def _good(line: bytes) -> dict[str, Any] | None:
    try:
        event = orjson.loads(line)
    except orjson.JSONDecodeError:
        return None
    return event if isinstance(event, dict) and event.get("status_code") == 200 and event.get("log_id") else None


class Look:
    """Follows the pointer of `api_logs` as a reader does."""

    def __init__(self, runtime: Runtime) -> None:
        self._lake = runtime.lake
        self._version = NEVER

    def version(self) -> int:
        """The version of unified that is published; `NEVER` before the first."""
        try:
            return int(json.loads(self._lake.objects.get(published(PROBED)))["unified"])
        except ObjectMissing:
            return NEVER

    def shown(self, probes: Collection[str]) -> tuple[datetime, set[str]]:
        """When the pointer was read, and which of the probes are in a version that was not looked at before."""
        version, read = self.version(), datetime.now(UTC)
        snapshot = self._lake.table(unified(PROBED)).snapshot(version) if version > self._version and probes else None
        if snapshot is None:
            return read, set()
        self._version = version
        found = snapshot.arrow(["log_id"], pads.field("log_id").isin(list(probes)))
        return read, set(found["log_id"].to_pylist())


@contextmanager
def live(folder: Path, config: Path) -> Iterator[Stack]:
    """The stack with every scheduled DAG live over some history, once each has had a run."""
    with Stack(folder, config, "live") as stack:
        now = datetime.now(UTC)
        stack.land_history(now, HISTORY)
        length = stack.streams[PROBED].interval
        end = floor(now, length)
        feed = Feed(folder)
        for number in range(int(HISTORY / length), 0, -1):
            feed.give(Interval(end - number * length, end - (number - 1) * length))
        stack.start()
        dags = [dag for dag in stack.unpause() if not dag.startswith("3-")]
        with stack.api() as api:
            api.set_paused("3-batch_etl_all_streams", True)  # nightly; a first run by unpausing is no part of this
            until(lambda: "" if Look(stack.runtime).version() > NEVER else "a served version", 900)
            until(lambda: ", ".join(dag for dag in dags if not any(run.is_final for run in api.runs(dag))), 900)
        yield stack


def seen(stack: Stack, folder: Path, events: int) -> list[Seen]:
    """One event in each of the next `events` intervals; raises `TransientError` when one is not visible in 40 minutes."""
    feed, look, length = Feed(folder), Look(stack.runtime), stack.streams[PROBED].interval
    now = datetime.now(UTC)
    first = floor(now + timedelta(seconds=2 * BEFORE_DUE), length) + length
    waiting = [first + number * length for number in range(events)]
    handed: dict[str, tuple[datetime, datetime, float]] = {}
    found: list[Seen] = []
    deadline = time.monotonic() + _PATIENCE + events * length.total_seconds()
    with stack.api() as api:
        while waiting or handed:
            if waiting and datetime.now(UTC) >= waiting[0] - timedelta(seconds=BEFORE_DUE):
                due = waiting.pop(0)
                probe = f"probe-{due:%Y%m%dT%H%M%S}"
                handed[probe] = (feed.give(Interval(due - length, due), probe), due, os.getloadavg()[0])
            read, shown = look.shown(handed)
            for probe in sorted(shown):
                at, due, load = handed.pop(probe)
                found.append(Seen(at, due, read, _steps(api, due, read), load))
                steps = ", ".join(f"{name} {second}" for name, second in found[-1].steps.items())
                print(f"    due {due:%H:%M}, visible {found[-1].from_due:.1f} s later ({steps}), load {load:.1f}", flush=True)
            if time.monotonic() > deadline:
                raise TransientError(f"not visible: {', '.join(handed)}")
            time.sleep(_EVERY)
    return found


def _steps(api: AirflowApi, due: datetime, visible: datetime) -> dict[str, float]:
    """Seconds from `due` at which the tasks that brought the event began (and land ended), as Airflow tells: the first ingest
    after it, and the last merge that began before it was visible.
    """
    ingest = [task for run in api.runs(f"2-{PROBED}_realtime_ingest") for task in api._tasks(run)]
    merges = [task for run in api.runs(SERVING) for task in api._tasks(run) if task["task_id"] == f"{PROBED}.merge_{PROBED}"]
    by_task = {name: _moments(ingest, name, "start_date") for name in ("generate", "land")}
    moments = {f"{name} begun": [at for at in begun if at >= due][:1] for name, begun in by_task.items()}
    moments["land done"] = [at for at in _moments(ingest, "land", "end_date") if at >= due][:1]
    moments["merge begun"] = [at for at in _moments(merges, PROBED, "start_date") if at <= visible][-1:]
    return {name: round((at - due).total_seconds(), 1) for name, found in moments.items() for at in found}


def _moments(tasks: Iterable[Mapping[str, Any]], name: str, what: str) -> list[datetime]:
    return sorted(datetime.fromisoformat(task[what]) for task in tasks if task["task_id"].startswith(name) and task[what])
