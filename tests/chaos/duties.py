"""What the processes of an overlap do: one step each, or reading over and over. Each tells what came of it as JSON.

A step's telling: `error` (empty, or what was raised), `ours` (whether it was one of our tree), `lost` (commits that lost their
race and were decided again), `began` and `ended` (seconds of the monotonic clock).
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

from strandline.errors import StrandlineError
from strandline.intervals import Interval
from strandline.lake.lake import Lake
from strandline.lake.objects import S3Credentials
from strandline.lake.tables import SupersededError, Table
from strandline.lines.keys import KeyRing
from strandline.publish.alerts import Notification
from strandline.publish.publish import publish
from strandline.runtime import Runtime
from strandline.spec.load import load_streams
from strandline.spec.model import FilesSource, Stream
from strandline.stages.bronze import bronze
from strandline.stages.gold import gold
from strandline.stages.land import ingest
from strandline.stages.maintain import maintain
from strandline.stages.merge import merge
from strandline.stages.rebuild import rebuild
from strandline.stages.replay import replay
from strandline.stages.silver import silver
from tests.chaos.reader import read_on

CONFIG = Path(__file__).parent / "config" / "overlap"


def declared(name: str, lake: str, change: int) -> Stream:
    """The stream over the inbox of its lake, under the contract of the `change`: what costs less than that is refused."""
    stream = load_streams(CONFIG)[name]
    fields = tuple(replace(f, minimum=float(change % 2 * 20)) if f.name == "price" else f for f in stream.fields)
    source = stream.source
    if isinstance(source, FilesSource):
        source = replace(source, location=f"{lake}-inbox")
    return replace(stream, fields=fields, version=f"1.0.{change}", source=source)


def opened(order: Mapping[str, Any]) -> Runtime:
    """The runtime of an order."""
    credentials = S3Credentials(order["key"], order["secret"], None, "us-east-1", order["endpoint"])
    return Runtime(Lake.open(order["lake"], credentials), KeyRing({}), memory_limit="200MB", threads=1)


def perform(order: Mapping[str, Any]) -> None:
    """Follow the order and write the telling to its `out`."""
    lost = _count_lost_races()
    time.sleep(order["delay"])
    told: dict[str, Any] = {"error": "", "ours": True, "began": time.monotonic()}
    try:
        if order["do"] == "read":
            streams = [declared(name, order["lake"], 0) for name in order["streams"]]
            told["read"] = read_on(opened(order), streams, order["until"], order["pause"])
        else:
            _step(order, opened(order), declared(order["stream"], order["lake"], order["change"]))
    except StrandlineError as error:
        told["error"] = f"{type(error).__name__}: {error}"
    except Exception as error:  # noqa: BLE001 - whatever it is, it is to be told
        told.update(error=f"{type(error).__name__}: {error}", ours=False)
    Path(order["out"]).write_text(json.dumps(told | {"ended": time.monotonic(), "lost": len(lost)}))


def _step(order: Mapping[str, Any], runtime: Runtime, stream: Stream) -> None:
    interval = Interval(datetime.fromisoformat(order["start"]), datetime.fromisoformat(order["end"]))

    def batch() -> None:
        bronze(runtime, stream, interval.end)
        silver(runtime, stream)
        gold(runtime, stream)

    calls: dict[str, Callable[[], object]] = {
        "ingest": lambda: ingest(runtime, stream, interval),
        "batch": batch,
        "merge": lambda: merge(runtime, stream),
        "publish": lambda: publish(runtime, stream, _notifier(order["told"])),
        "maintain": lambda: maintain(runtime, stream),
        "rebuild": lambda: rebuild(runtime, stream),
        "replay": lambda: replay(runtime, stream),
    }
    calls[order["do"]]()


def _count_lost_races() -> list[str]:
    """One entry for each commit of this process that another one was quicker than, from now on."""
    lost: list[str] = []
    swap, commit = Table._swap, Table.commit

    def counted(table: Table, *arguments: Any) -> Any:
        made = swap(table, *arguments)
        if made is None:
            lost.append(table.path)
        return made

    def superseded(table: Table, *arguments: Any, **options: Any) -> Any:
        try:
            return commit(table, *arguments, **options)
        except SupersededError:
            lost.append(table.path)
            raise

    setattr(Table, "_swap", counted)  # noqa: B010
    setattr(Table, "commit", superseded)  # noqa: B010
    return lost


def _notifier(path: str) -> Callable[[Notification], None]:
    """Keeps what was told in a file, whole lines at a time."""

    def notify(notification: Notification) -> None:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.write(descriptor, f"{notification.episode} {notification.event}\n".encode())
        os.close(descriptor)

    return notify
