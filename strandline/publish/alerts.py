"""Alerts as episodes, kept in the lake and told once.

Three Delta tables a stream, each partitioned by `event_date`: `firings` (one row per window or row on which an alert
fires), `days` (one row per alert, key and day: the islands of that day) and `episodes` (partition: the day an episode
started). A refresh evaluates only the days that changed since the last one and writes in this order: firings, episodes,
days. Each commit carries the positions reached, and a refresh that died on the way is taken up again to the same result,
because `days` still holds what was before.

Notifications follow the outbox pattern: an episode is committed first, then told, then marked as told. A process that dies
between telling and marking tells that episode again at the next run: at least once, and exactly once when nothing dies and no
two publishes of a stream run at once (the serving DAG runs one at a time).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any, Literal

import pyarrow as pa

from strandline.errors import TransientError
from strandline.lake.snapshot import Snapshot
from strandline.lake.tables import Commit, Table
from strandline.publish.alert_tables import (
    DAYS,
    EPISODES,
    FIRINGS,
    NEVER,
    AlertStore,
    day_row,
    episode_commit,
    firing_row,
    pending,
    read_days,
    read_episodes,
)
from strandline.publish.conditions import Condition, Firing, Session, compile_condition, evaluate
from strandline.publish.episodes import Day, Episode, Key
from strandline.publish.stitching import DayReader, affected, restitch
from strandline.spec.model import Alert, Stream

if TYPE_CHECKING:
    from strandline.plan.dialect import Dialect


@dataclass(frozen=True, slots=True)
class Notification:
    """What a notifier is told: an episode that opened, or that resolved. Times are event times, UTC."""

    stream: str
    alert: str
    event: Literal["opened", "resolved"]
    severity: str
    episode: str
    key: Mapping[str, Any]
    started_at: datetime
    last_fired_at: datetime
    resolved_at: datetime | None
    firings: int
    peaks: Mapping[str, Any]
    withdrawn: bool = False
    description: str = ""
    channels: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """One line for people: `api_logs error_spike opened (high) for endpoint=/login: since 2026-11-26 05:00 UTC, …`."""
        key = ", ".join(f"{name}={one_line(value)}" for name, value in self.key.items())
        where = f" for {key}" if key else ""
        peaks = "".join(f", {name} {value:.6g}" for name, value in self.peaks.items() if isinstance(value, int | float))
        since = f"since {self.started_at:%Y-%m-%d %H:%M} UTC, {self.firings} firing{'' if self.firings == 1 else 's'}{peaks}"
        if self.event == "opened":
            return f"{self.stream} {self.alert} opened ({self.severity}){where}: {since}"
        why = (
            "withdrawn: late data or a new definition undid it"
            if self.withdrawn
            else f"at {self.resolved_at:%Y-%m-%d %H:%M} UTC"
        )
        return f"{self.stream} {self.alert} resolved ({self.severity}){where}: {why}; {since}"


def one_line(value: Any, limit: int = 80) -> str:
    """The value as it may stand in a line of a log or a message: control characters as `�`, cut at `limit` characters."""
    text = "".join(c if c.isprintable() else "\ufffd" for c in str(value))
    return text if len(text) <= limit else f"{text[: limit - 1]}…"


Notify = Callable[[Notification], None]


class OvertakenError(TransientError):
    """Another refresh of the stream's alerts is further on than the versions at hand."""

    def __init__(self, path: str) -> None:
        super().__init__(
            f"{path}: another refresh of the alerts is further on "
            f"(if the served tables were rebuilt from nothing, delete {path.rpartition('/')[0]}/)"
        )


class _Overtaken(Exception):
    """Says so from inside a commit's decision, where a transient error would only be tried again."""


def refresh(
    stream: Stream, store: AlertStore, sources: Mapping[str, Snapshot], session: Session, dialect: Dialect
) -> dict[str, int]:
    """Counts after firings, days and episodes agree with `sources` (`rows`: unified, else analytics tables, by name).

    Evaluates only days that changed since the last refresh; all days when an alert was added, changed or removed. An alert on
    columns that the served table does not have yet waits until it does. Raises
    `TransientError` when another refresh of the stream was at work at the same time.
    """
    compiled = {a.name: compile_condition(stream, a) for a in stream.alerts if a.on in sources}
    conditions = {name: c for name, c in compiled.items() if c.columns <= set(sources[c.on].schema.names)}
    alerts = [alert for alert in stream.alerts if alert.name in conditions]
    snapshot = store.days.snapshot()
    target = {f"source/{name}": sources[name].ordinal for name in sorted({alert.on for alert in alerts})}
    target["definitions"] = _digest(alerts)
    reached = {name: snapshot.position(name) if snapshot else 0 for name in target}
    if reached == target or (snapshot is None and not alerts):
        return {"days": 0, "firings": 0}
    base = snapshot.version if snapshot else -1
    touched = _touched(alerts, sources, reached, target, snapshot)
    firings: list[Firing] = []
    after: dict[tuple[Key, date], Day] = {}
    for condition in conditions.values():
        fired, days = evaluate(condition, sources[condition.on].dataset(touched), session, dialect)
        firings += fired
        after |= {((day.alert, day.key), day.event_date): day for day in days}
    before = {((d.alert, d.key), d.event_date): d for d in read_days(snapshot, touched, None)} if snapshot else {}
    _replace(store.firings, FIRINGS, touched, [firing_row(f) for f in firings], target)
    _replace_episodes(store, conditions, snapshot, touched, before, after, target)
    _replace(store.days, DAYS, touched, [day_row(day) for day in after.values()], target, base)
    return {"days": len(touched), "firings": len(firings)}


def _touched(
    alerts: Sequence[Alert],
    sources: Mapping[str, Snapshot],
    reached: Mapping[str, int],
    target: Mapping[str, int],
    days: Snapshot | None,
) -> set[date]:
    """The event dates to evaluate again."""
    if reached["definitions"] != target["definitions"]:
        stored = {f.partition for f in days.files} if days else set()
        return {p for p in stored | {f.partition for alert in alerts for f in sources[alert.on].files} if p is not None}
    changed = (f.partition for alert in alerts for f in sources[alert.on].files_since(reached[f"source/{alert.on}"]))
    return {partition for partition in changed if partition is not None}


def _digest(alerts: Sequence[Alert]) -> int:
    """The definitions as a positive number that changes with them."""
    text = repr([(a.name, a.on, a.when, a.for_, a.severity, a.key) for a in alerts])
    return int(hashlib.sha256(text.encode()).hexdigest()[:12], 16) + 1


def _replace_episodes(
    store: AlertStore,
    conditions: Mapping[str, Condition],
    days: Snapshot | None,
    touched: Collection[date],
    before: Mapping[tuple[Key, date], Day],
    after: Mapping[tuple[Key, date], Day],
    target: Mapping[str, int],
) -> None:
    """Commit the episodes that follow from the changed days, with the marks of those they replace."""
    redefined = days is None or days.position("definitions") != target["definitions"]
    first = min(touched, default=date.max)
    since = None if redefined else datetime(first.year, first.month, first.day, tzinfo=UTC)
    stored = {f.partition for f in days.files if f.partition is not None and f.partition not in touched} if days else set()

    def read(dates: Collection[date], keys: Collection[Key]) -> Iterable[Day]:
        yield from (day for (_, on), day in after.items() if on in dates)
        yield from read_days(days, [day for day in dates if day in stored], keys)

    def decide(snapshot: Snapshot) -> Commit | None:
        if _there(snapshot, target):
            return None
        _not_overtaken(snapshot, target)
        old = read_episodes(snapshot, since)
        resumed = any(snapshot.position(name) != (days.position(name) if days else 0) for name in target)
        keys = affected(before, after, old, doubt=resumed)
        reader = DayReader(stored | set(touched), read, set(keys))
        mine: dict[Key, list[Episode]] = {}
        for episode in old:
            mine.setdefault((episode.alert, episode.key), []).append(episode)
        removed: list[Episode] = [e for e in old if e.alert not in conditions]
        added: list[Episode] = []
        for (alert, key), dates in sorted(keys.items()):
            if alert in conditions:
                gone, fresh = restitch(conditions[alert].rule, key, dates, reader, mine.get((alert, key), ()))
                removed += gone
                added += fresh
        gone_ids = {e.id for e in removed}
        rows = [e for e in old if e.id not in gone_ids] + added
        return episode_commit(store.episodes, snapshot, old, rows, target, since)

    _commit(store.episodes, EPISODES, decide)


def _replace(
    table: Table,
    schema: pa.Schema,
    dates: Collection[date],
    rows: list[dict[str, Any]],
    positions: Mapping[str, int],
    base: int | None = None,
) -> None:
    """Commit `rows` in place of the partitions `dates`; with `base`, only on that version (-1: a table just made)."""

    def decide(snapshot: Snapshot) -> Commit | None:
        if _there(snapshot, positions):
            return None
        if base is not None and snapshot.version != max(base, 0):
            raise _Overtaken
        _not_overtaken(snapshot, positions)
        writer = table.writer(snapshot, schema)
        if rows:
            writer.write(pa.Table.from_pylist(rows, schema))
        return Commit(writer.close(), snapshot.files_of(dates), positions)

    _commit(table, schema, decide)


def _commit(table: Table, schema: pa.Schema, decide: Callable[[Snapshot], Commit | None]) -> None:
    try:
        table.commit(schema, decide, "event_date")
    except _Overtaken as error:
        raise OvertakenError(table.path) from error


def _there(snapshot: Snapshot, positions: Mapping[str, int]) -> bool:
    """Whether the table is at these positions: by a commit whose reply was lost, or of a run that died or is under way."""
    return all(snapshot.position(name) == value for name, value in positions.items())


def _not_overtaken(snapshot: Snapshot, positions: Mapping[str, int]) -> None:
    if any(snapshot.position(name) > value for name, value in positions.items() if name.startswith("source/")):
        raise _Overtaken


def tell(stream: Stream, store: AlertStore, notify: Notify, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> int:
    """How many notifications were handed over: each episode once for opening and once for resolving, oldest first.

    What was handed over is marked even when a later one raises. See the module for what a kill in between does.
    """
    alerts = {alert.name: alert for alert in stream.alerts}
    snapshot = store.episodes.snapshot()
    told: dict[tuple[str, str], datetime] = {}
    if snapshot is None:
        return 0
    try:
        for episode in sorted(read_episodes(snapshot, NEVER), key=lambda e: (e.started_at, e.alert, e.key)):
            for event in pending(episode):
                notify(notification(stream.name, alerts.get(episode.alert), episode, event))
                told[(episode.id, event)] = now()
    finally:
        if told:
            _mark(store.episodes, told)
    return len(told)


def notification(stream: str, alert: Alert | None, episode: Episode, event: Literal["opened", "resolved"]) -> Notification:
    """The notification of one event of an episode."""
    return Notification(
        stream=stream,
        alert=episode.alert,
        event=event,
        severity=episode.severity,
        episode=episode.id,
        key=json.loads(episode.key),
        started_at=episode.started_at,
        last_fired_at=episode.last_fired_at,
        resolved_at=episode.resolved_at,
        firings=episode.firings,
        peaks=episode.peaks,
        withdrawn=episode.state == "withdrawn",
        description=alert.description if alert else "",
        channels=alert.notify if alert else (),
    )


def _mark(table: Table, told: Mapping[tuple[str, str], datetime]) -> None:
    """Commit the marks of what was told to the episodes that still lack them."""

    def marked(episode: Episode) -> Episode:
        opened, resolved = told.get((episode.id, "opened")), told.get((episode.id, "resolved"))
        return replace(
            episode,
            notified_opened_at=episode.notified_opened_at or opened,
            notified_resolved_at=episode.notified_resolved_at or resolved,
        )

    def decide(snapshot: Snapshot) -> Commit | None:
        old = read_episodes(snapshot, NEVER)
        new = [marked(episode) for episode in old]
        return None if new == old else episode_commit(table, snapshot, old, new, {}, NEVER)

    table.commit(EPISODES, decide, "event_date")
