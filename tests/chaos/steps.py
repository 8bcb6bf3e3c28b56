"""The pipeline under test: a small stream of two days, its steps in order, and what of a lake must come out the same."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from strandline.audit.audit import audit
from strandline.intervals import Interval
from strandline.lake import paths
from strandline.lake.snapshot import Snapshot
from strandline.publish.alerts import Notification
from strandline.publish.publish import publish
from strandline.runtime import Runtime
from strandline.spec.load import load_streams
from strandline.spec.model import Stream
from strandline.stages.bronze import bronze
from strandline.stages.generate import generate
from strandline.stages.gold import gold
from strandline.stages.land import land
from strandline.stages.maintain import maintain
from strandline.stages.merge import merge, read_pointer
from strandline.stages.silver import silver

CONFIG = Path(__file__).parent / "config" / "streams"
BUCKET = "chaos"
INBOX = "inbox"
START = datetime(2026, 3, 1, tzinfo=UTC)
DAY = timedelta(days=1)
DAYS = 2
ROUND = ("generate", "land", "merge", "bronze", "silver", "gold", "reconcile", "publish", "maintain", "audit")
_VOLATILE = {"recorded_at", "seconds", "audited_at", "whole_at", "versions", "notified_opened_at", "notified_resolved_at"}
_POSITIONS = ("ordinal", "bronze", "realtime", "silver", "watermark")


@dataclass(frozen=True, slots=True)
class Step:
    """One step of the scenario: its `name` in `ROUND` and the `day` (from 0) it works on."""

    name: str
    day: int

    def __str__(self) -> str:
        return f"{self.name} {'first' if self.day == 0 else 'again'}"


SCENARIO = tuple(Step(name, day) for day in range(DAYS) for name in ROUND)
"""The first day makes every table; the second finds them there."""


def inbox() -> dict[str, bytes]:
    """The objects of the source by name: one a day, with versions, copies, late and refused lines in each."""

    def line(order: str, day: int, hour: int, **values: Any) -> bytes:
        at = START + day * DAY + timedelta(hours=hour)
        return json.dumps({"order_id": order, "placed_at": at.strftime("%Y-%m-%dT%H:%M:%SZ"), **values}).encode()

    objects = {}
    for day in range(DAYS):
        lines = [line(f"d{day}-{n}", day, n, revision=1, amount=n + 0.25, channel="web") for n in range(4)]
        lines += [lines[0], line(f"d{day}-1", day, 1, revision=2, amount=99.5, channel="shop"), b"{", b"\xff"]
        lines += [
            line(f"d{day}-x", day, 5, amount=-1, channel="web"),
            line(f"late-{day}", day - 1, 7, amount=5, channel="phone"),
        ]
        if day:
            lines += [
                line("d0-2", 0, 2, revision=5, amount=0.01, channel="web"),
                line("d0-3", 0, 3, revision=0, channel="shop"),
            ]
        objects[f"{day:03d}.ndjson"] = b"".join(each + b"\n" for each in lines)
    return objects


def stream() -> Stream:
    """The stream of the scenario."""
    return load_streams(CONFIG.parent)["orders"]


def run(step: Step, runtime: Runtime, declared: Stream, notify: Callable[[Notification], None]) -> None:
    """Run one step as an operator would."""
    interval = Interval(START + step.day * DAY, START + (step.day + 1) * DAY)
    calls: dict[str, Callable[[], object]] = {
        "generate": lambda: generate(runtime, declared, interval),
        "land": lambda: land(runtime, declared, interval),
        "merge": lambda: merge(runtime, declared),
        "bronze": lambda: bronze(runtime, declared, interval.end),
        "silver": lambda: silver(runtime, declared),
        "gold": lambda: gold(runtime, declared),
        "reconcile": lambda: merge(runtime, declared),
        "publish": lambda: publish(runtime, declared, notify),
        "maintain": lambda: maintain(runtime, declared),
        "audit": lambda: audit(runtime, declared),
    }
    calls[step.name]()


def state(runtime: Runtime, declared: Stream) -> dict[str, list[str]]:
    """What a lake holds, by table and object, in an order of its own: rows, positions, pages; without times of the clock and
    without the names of files.
    """
    name, lake = declared.name, runtime.lake
    tables = [paths.realtime(name), paths.bronze(name), paths.silver(name), paths.quarantine(name), paths.LEDGER]
    tables += [paths.gold(name, t.name) for t in declared.gold]
    tables += [paths.firings(name), paths.episodes(name), f"{paths.ALERTS}/{name}/days"]
    found = {path: _table(lake.table(path).snapshot()) for path in tables}
    found["batch/audits"] = sorted(set(_rows(lake.table("batch/audits").snapshot())))
    pointer = read_pointer(runtime, name)
    found["pointer"] = [] if pointer is None else [f"{pointer.realtime} {pointer.silver} {pointer.watermark} {pointer.as_of}"]
    served = {paths.unified(name): pointer.unified if pointer else None}
    served |= {paths.analytics(name, t.name): pointer.analytics[t.name] if pointer else None for t in declared.gold}
    for path, version in served.items():
        found[path] = _table(lake.table(path).snapshot())
        found[f"{path}, published"] = _rows(lake.table(path).snapshot(version)) if pointer else []
    found["staged"] = [o.key for o in lake.objects.list(f"realtime/{name}/_staging/")]
    found["pages"] = [f"{o.key} {_page(lake.objects.get(o.key))}" for o in lake.objects.list(f"{paths.DASHBOARDS}/")]
    return found


def _table(snapshot: Snapshot | None) -> list[str]:
    if snapshot is None:
        return []
    positions = {application: snapshot.position(application) for application in _POSITIONS}
    return [f"positions {positions}", *_rows(snapshot)]


def _rows(snapshot: Snapshot | None) -> list[str]:
    if snapshot is None:
        return []
    rows = [{k: _settled(v) for k, v in sorted(row.items()) if k not in _VOLATILE} for row in snapshot.arrow().to_pylist()]
    return sorted(map(repr, rows))


def _settled(value: Any) -> Any:
    """A source position without the time at which it listed."""
    if isinstance(value, str) and '"listed_at"' in value:
        position = json.loads(value)
        position["cursor"].pop("listed_at")
        return json.dumps(position, sort_keys=True)
    return value


def _page(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:16]
