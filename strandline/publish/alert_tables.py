"""The three tables of a stream's alerts: their schemas, and rows from and to values."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any, Literal

import pyarrow as pa
import pyarrow.dataset as pads

from strandline.lake import paths
from strandline.lake.snapshot import DataFile, Snapshot
from strandline.lake.tables import Commit, Table
from strandline.publish.conditions import Firing, plain
from strandline.publish.episodes import Day, Episode, Island, Key

if TYPE_CHECKING:
    from strandline.lake.lake import Lake

_STAMP = pa.timestamp("us", "UTC")
FIRINGS = pa.schema(
    [("alert", pa.string()), ("key", pa.string()), ("at", _STAMP), ("values", pa.string()), ("row", pa.string()),
     ("event_date", pa.date32())]
)  # fmt: skip
DAYS = pa.schema(
    [("alert", pa.string()), ("key", pa.string()), ("first_at", _STAMP), ("first_fires", pa.bool_()),
     ("last_fires", pa.bool_()), ("islands", pa.string()), ("event_date", pa.date32())]
)  # fmt: skip
EPISODES = pa.schema(
    [("id", pa.string()), ("alert", pa.string()), ("severity", pa.string()), ("key", pa.string()), ("started_at", _STAMP),
     ("last_fired_at", _STAMP), ("resolved_at", _STAMP), ("firings", pa.int64()), ("peaks", pa.string()),
     ("state", pa.string()), ("notified_opened_at", _STAMP), ("notified_resolved_at", _STAMP),
     ("settled_at", _STAMP), ("event_date", pa.date32())]
)  # fmt: skip


NEVER = datetime(9999, 12, 31, tzinfo=UTC)
"""`settled_at` of an episode that is open or still to be told; otherwise it is when the episode was resolved."""


class AlertStore:
    """The three tables of a stream's alerts."""

    def __init__(self, lake: Lake, stream: str) -> None:
        self.firings = lake.table(paths.firings(stream))
        self.days = lake.table(f"{paths.ALERTS}/{stream}/days")
        self.episodes = lake.table(paths.episodes(stream))


def firing_row(firing: Firing) -> dict[str, Any]:
    """The firing as a row of `FIRINGS`."""
    return {name: getattr(firing, name) for name in FIRINGS.names}


def day_row(day: Day) -> dict[str, Any]:
    """The day summary as a row of `DAYS`."""
    islands = [[plain(i.start), plain(i.end), i.evaluations, i.firings, i.peaks, plain(i.next_at)] for i in day.islands]
    row = {name: getattr(day, name) for name in DAYS.names if name != "islands"}
    return {**row, "islands": json.dumps(islands) if islands else None}


def _island(stored: Sequence[Any]) -> Island:
    start, end, evaluations, firings, peaks, following = stored
    next_at = datetime.fromisoformat(following) if following else None
    return Island(datetime.fromisoformat(start), datetime.fromisoformat(end), evaluations, firings, peaks, next_at)


def read_days(snapshot: Snapshot | None, dates: Collection[date], keys: Collection[Key] | None) -> list[Day]:
    """The day summaries of some days, of some keys only unless None."""
    if snapshot is None or not dates or (keys is not None and not keys):
        return []
    chosen = None
    if keys is not None:
        chosen = pads.field("key").isin(sorted({key for _, key in keys})) & pads.field("alert").isin(
            sorted({a for a, _ in keys})
        )
    rows = snapshot.arrow(where=chosen, partitions=dates).to_pylist()
    return [
        Day(**{**row, "islands": tuple(_island(i) for i in json.loads(row["islands"] or "[]"))})
        for row in rows
        if keys is None or (row["alert"], row["key"]) in keys
    ]


def episode_row(episode: Episode) -> dict[str, Any]:
    """The episode as a row of `EPISODES`."""
    row = {name: getattr(episode, name) for name in EPISODES.names if name not in ("peaks", "settled_at")}
    settled = episode.state != "open" and not pending(episode) and episode.resolved_at is not None
    return row | {
        "peaks": json.dumps(episode.peaks, ensure_ascii=False),
        "settled_at": episode.resolved_at if settled else NEVER,
    }


def pending(episode: Episode) -> list[Literal["opened", "resolved"]]:
    """What is still to be told of the episode."""
    events: list[Literal["opened", "resolved"]] = []
    if episode.notified_opened_at is None and episode.state != "withdrawn":
        events.append("opened")
    if episode.notified_resolved_at is None and episode.state != "open":
        events.append("resolved")
    return events


def read_episodes(snapshot: Snapshot, since: datetime | None = None) -> list[Episode]:
    """The episodes in no order; with `since`, at least those that were not over and told before it."""
    return _episodes(snapshot, [f for f in snapshot.files if _reaches(f, since)])


def newest_episodes(snapshot: Snapshot, count: int) -> list[Episode]:
    """At least the `count` episodes that started last and every open one, as far as there are any."""
    chosen, rows = [], 0
    for file in sorted(snapshot.files, key=lambda f: f.partition or date.max, reverse=True):
        if rows < count or _reaches(file, NEVER):
            chosen.append(file)
            rows += file.rows
    return _episodes(snapshot, chosen)


def _reaches(file: DataFile, since: datetime | None) -> bool:
    """Whether the file may hold an episode that was not settled before `since`."""
    latest = file.maximum.get("settled_at")
    if since is None or not isinstance(latest, datetime):
        return True
    return (latest if latest.tzinfo else latest.replace(tzinfo=UTC)) >= since


def _episodes(snapshot: Snapshot, files: Sequence[DataFile]) -> list[Episode]:
    names = [name for name in EPISODES.names if name not in ("event_date", "settled_at")]
    rows = snapshot.arrow(columns=names, files=files).to_pylist() if files else []
    return [Episode(**{**row, "peaks": json.loads(row["peaks"])}) for row in rows]


def episode_commit(
    table: Table,
    snapshot: Snapshot,
    old: Sequence[Episode],
    new: Sequence[Episode],
    positions: Mapping[str, int],
    since: datetime | None = None,
) -> Commit:
    """The commit that makes `old` (as read with `since`) into `new` and carries the positions; rewrites only days that
    differ.
    """
    was, now = _by_partition(old), _by_partition(new)
    dates = {day for day in was.keys() | now.keys() if was.get(day) != now.get(day)}
    unread = _episodes(snapshot, [f for f in snapshot.files_of(dates) if not _reaches(f, since)])
    rows = [e for e in (*new, *unread) if e.event_date in dates]
    writer = table.writer(snapshot, EPISODES, ("settled_at",))
    if rows:
        rows.sort(key=lambda e: (e.event_date, e.started_at, e.id))
        writer.write(pa.Table.from_pylist([episode_row(e) for e in rows], EPISODES))
    return Commit(writer.close(), snapshot.files_of(dates), positions)


def _by_partition(episodes: Iterable[Episode]) -> dict[date, set[str]]:
    found: dict[date, set[str]] = {}
    for episode in episodes:
        found.setdefault(episode.event_date, set()).add(repr(episode))
    return found
