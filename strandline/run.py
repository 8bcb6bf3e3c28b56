"""The pipeline without Airflow: the same steps in this process, stream by stream (side by side: see `strandline.workers`)."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

from strandline.errors import ConfigError, StrandlineError, UsageError
from strandline.intervals import Interval, floor, intervals_between
from strandline.units import ENGINE_MEMORY

if TYPE_CHECKING:
    from strandline.lake.lake import Lake
    from strandline.publish.alerts import Notification
    from strandline.runtime import Progress, Runtime
    from strandline.spec.model import Stream

Step = Literal["ingest", "batch", "merge", "publish"]
STEPS: tuple[Step, ...] = ("ingest", "batch", "merge", "publish")
Counts = Mapping[str, int | str]


@dataclass(frozen=True, slots=True)
class Order:
    """What to run: steps in their order, over landing intervals in `[start, end)` (UTC).

    Without `start`, ingest takes the last complete interval before `end` and catches up what was missed since the last landed
    one. `end` is never after `now`: an interval lands when it is over. Unless the caller gave an end (`has_end`), batch draws
    the line below what has not landed yet. With `rebuild`, batch takes nothing new but judges the
    events of the days `dates` (event dates, half-open, None: open) again.
    """

    steps: tuple[Step, ...]
    end: datetime
    start: datetime | None = None
    has_end: bool = False
    rebuild: bool = False
    dates: tuple[date | None, date | None] = (None, None)

    @classmethod
    def of(cls, steps: Sequence[Step], now: datetime, start: datetime | None = None, end: datetime | None = None) -> Order:
        """The order; raises `UsageError` for a range that is empty or lies in the future."""
        if end is not None and end > now:
            raise UsageError(f"--to {end:%Y-%m-%dT%H:%MZ} lies in the future; an interval lands when it is over")
        if start is not None and start >= (end or now):
            raise UsageError(f"--from {start:%Y-%m-%dT%H:%MZ} is not before --to {end or now:%Y-%m-%dT%H:%MZ}")
        return cls(tuple(steps), end or now, start, end is not None)

    @classmethod
    def to_rebuild(cls, now: datetime, start: datetime | None = None, end: datetime | None = None) -> Order:
        """The order to rebuild everything, or the event dates that `[start, end)` touches; `UsageError` when there are none."""
        return cls(("batch", "merge"), now, rebuild=True, dates=whole_days(start, end))

    def until(self, stream: Stream) -> datetime:
        """The end of the last complete interval: where batch draws the line."""
        return floor(self.end, stream.interval)

    def intervals(self, stream: Stream) -> list[Interval]:
        """Every interval that lies wholly in the range; without `start`, the last complete one."""
        end = self.until(stream)
        return list(intervals_between(self.start or end - stream.interval, end, stream.interval))


def whole_days(start: datetime | None, end: datetime | None) -> tuple[date | None, date | None]:
    """The days (UTC) that `[start, end)` touches, half-open; raises `UsageError` for a range that is empty."""
    if start is not None and end is not None and start >= end:
        raise UsageError(f"--from {start:%Y-%m-%dT%H:%MZ} is not before --to {end:%Y-%m-%dT%H:%MZ}")
    midnight = end is not None and end == end.replace(hour=0, minute=0, second=0, microsecond=0)
    last = end if end is None or midnight else end + timedelta(days=1)
    return start.date() if start else None, last.date() if last else None


@dataclass(frozen=True, slots=True)
class Place:
    """Where to run, as what travels between processes: credentials and keys come from each process' environment."""

    config: Path
    lake: str
    memory_limit: str = ENGINE_MEMORY
    threads: int = 2

    def open(self, progress: Progress) -> Runtime:
        """The runtime; raises `UsageError` for a lake that cannot be one, or an AWS environment that cannot be used."""
        from strandline.lake.lake import Lake
        from strandline.runtime import Runtime

        lake = _open_on_s3(self.lake) if self.lake.startswith("s3") else Lake.open(self.lake)
        return Runtime(lake, progress=progress, memory_limit=self.memory_limit, threads=self.threads)


def _open_on_s3(url: str) -> Lake:
    from botocore.exceptions import BotoCoreError

    from strandline.lake.lake import Lake

    for name in ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"):
        endpoint = os.environ.get(name)
        if endpoint is not None and not endpoint.startswith(("http://", "https://")):
            raise UsageError(f"{name} is an http:// or https:// URL, or not set at all (saw {endpoint!r})")
    try:
        lake = Lake.open(url)
    except BotoCoreError as error:
        raise UsageError(f"the AWS environment cannot be used: {error}") from error
    if lake.credentials is None or lake.credentials.access_key_id is None:
        raise UsageError("no S3 credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE")
    return lake


@dataclass(frozen=True, slots=True)
class Done:
    """One step of one stream: what it counted, and how long it took."""

    step: Step
    counts: Counts
    seconds: float


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a stream fared: the steps that were done; `error` says why the next one was not, `code` is the exit code of that."""

    stream: str
    done: tuple[Done, ...] = ()
    error: str = ""
    code: int = 0
    failed: Step | None = field(default=None)


class Listener(Protocol):
    """Told as a run goes on; called often, so it must be quick."""

    def progress(self, stream: str, what: str, done: int, total: int | None) -> None:
        """`done` of `total` (None: unknown) units of `what`."""

    def notice(self, stream: str, text: str) -> None:
        """One line for people, such as an alert."""

    def finished(self, stream: str, done: Done) -> None:
        """A step is done."""

    def ended(self, outcome: Outcome) -> None:
        """The stream is through, or failed."""


def run_stream(place: Place, stream: Stream, order: Order, listener: Listener) -> Outcome:
    """The steps of one stream up to the first that fails; an error of ours is in the outcome, not raised."""

    def progress(what: str, done: int, total: int | None) -> None:
        listener.progress(stream.name, what.replace(f" {stream.name}", ""), done, total)

    outcome = Outcome(stream.name)
    step = order.steps[0]
    try:
        runtime = place.open(progress)
        for step in order.steps:
            started = time.monotonic()
            listener.progress(stream.name, step, 0, None)
            counts = run_step(runtime, stream, step, order, lambda text: listener.notice(stream.name, text))
            done = Done(step, counts, round(time.monotonic() - started, 3))
            outcome = replace(outcome, done=(*outcome.done, done))
            listener.finished(stream.name, done)
    except StrandlineError as error:
        code = 2 if isinstance(error, (UsageError, ConfigError)) else 1
        outcome = replace(outcome, error=str(error), code=code, failed=step)
    listener.ended(outcome)
    return outcome


def run_step(runtime: Runtime, stream: Stream, step: Step, order: Order, notice: Callable[[str], None]) -> Counts:
    """What one step of one stream counted; running it again changes nothing. Raises what the step raises."""
    if step == "ingest":
        return _ingest(runtime, stream, order)
    if step == "batch":
        return _batch(runtime, stream, order)
    if step == "merge":
        from strandline.stages.merge import merge

        return merge(runtime, stream)
    return _publish(runtime, stream, notice)


def _ingest(runtime: Runtime, stream: Stream, order: Order) -> Counts:
    from strandline.stages.land import ingest, ingest_intervals

    intervals = order.intervals(stream)
    if order.start is not None:
        if not intervals:
            raise UsageError(
                f"{stream.name}: no landing interval of {stream.interval} lies between {order.start:%Y-%m-%dT%H:%MZ} "
                f"and {order.end:%Y-%m-%dT%H:%MZ}"
            )
        return ingest_intervals(runtime, stream, intervals)
    total = {"intervals": 0, "lines": 0, "unparsed": 0}
    while True:  # a long outage is caught up in several runs
        landed = ingest(runtime, stream, intervals[-1])
        if not landed["intervals"]:
            return total
        total = {name: total[name] + landed[name] for name in total}


def _publish(runtime: Runtime, stream: Stream, notice: Callable[[str], None]) -> Counts:
    """Publishes; a notice an episode, also for one that opened and resolved since the last time."""
    from strandline.publish.publish import publish

    opened: list[Notification] = []

    def notify(notification: Notification) -> None:
        held = opened.pop() if opened else None
        if held is not None and held.episode != notification.episode:
            notice(held.text)
        if notification.event == "opened":
            opened.append(notification)
        else:
            notice(notification.text)

    try:
        return publish(runtime, stream, notify)
    finally:
        for held in opened:
            notice(held.text)


def _batch(runtime: Runtime, stream: Stream, order: Order) -> Counts:
    if order.rebuild:
        from strandline.stages.rebuild import rebuild

        return rebuild(runtime, stream, *order.dates)
    from strandline.stages.bronze import bronze
    from strandline.stages.generate import landings
    from strandline.stages.gold import gold
    from strandline.stages.silver import silver

    until = order.until(stream)
    landed = landings(runtime, stream).last_end
    if not order.has_end and landed is not None:
        until = min(until, landed)
    taken: dict[str, Any] = bronze(runtime, stream, until)
    judged = silver(runtime, stream)
    rows: dict[str, int] = gold(runtime, stream)
    return {"intervals": taken["intervals"], **judged, "gold_rows": sum(rows.values()), "watermark": taken["watermark"]}
