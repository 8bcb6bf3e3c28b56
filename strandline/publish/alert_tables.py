"""The three tables of a stream's alerts: their schemas, and rows from and to values."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.dataset as pads

from strandline.lake import paths
from strandline.lake.tables import Commit, Snapshot, Table
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
     ("state", pa.string()), ("notified_opened_at", _STAMP), ("notified_resolved_at", _STAMP), ("event_date", pa.date32())]
)  # fmt: skip


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
    return {**{name: getattr(episode, name) for name in EPISODES.names}, "peaks": json.dumps(episode.peaks, ensure_ascii=False)}


def read_episodes(snapshot: Snapshot) -> list[Episode]:
    """Every episode of the snapshot, in no order."""
    rows = snapshot.arrow(columns=[name for name in EPISODES.names if name != "event_date"]).to_pylist()
    return [Episode(**{**row, "peaks": json.loads(row["peaks"])}) for row in rows]


def episode_commit(
    table: Table, snapshot: Snapshot, old: Sequence[Episode], new: Sequence[Episode], positions: Mapping[str, int]
) -> Commit:
    """The commit that rewrites the partitions in which an episode differs, with the positions; only these when none does."""
    was, now = _by_partition(old), _by_partition(new)
    dates = {day for day in was.keys() | now.keys() if was.get(day) != now.get(day)}
    writer = table.writer(snapshot, EPISODES)
    rows = sorted((e for e in new if e.event_date in dates), key=lambda e: (e.event_date, e.started_at, e.id))
    if rows:
        writer.write(pa.Table.from_pylist([episode_row(e) for e in rows], EPISODES))
    return Commit(writer.close(), snapshot.files_of(dates), positions)


def _by_partition(episodes: Iterable[Episode]) -> dict[date, set[str]]:
    found: dict[date, set[str]] = {}
    for episode in episodes:
        found.setdefault(episode.event_date, set()).add(repr(episode))
    return found
