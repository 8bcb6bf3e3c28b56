"""Episodes kept day by day equal episodes found by looking at everything at once."""

from __future__ import annotations

import random
from collections.abc import Collection, Iterable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from strandline.publish.episodes import Day, Episode, Island, Key, Rule
from strandline.publish.stitching import DayReader, affected, restitch

START = datetime(2026, 3, 1, tzinfo=UTC)
Evaluations = dict[tuple[str, datetime], float]  # (key, time) → value; above 10 fires


def oracle(evaluations: Evaluations, for_: int) -> set[tuple[object, ...]]:
    """Every episode, found by walking each key's whole history one evaluation at a time."""
    found: set[tuple[object, ...]] = set()
    for key in {k for k, _ in evaluations}:
        current: list[tuple[datetime, float]] = []
        for at in sorted(t for k, t in evaluations if k == key):
            value = evaluations[(key, at)]
            if value > 10:
                current.append((at, value))
                continue
            if len(current) >= for_:
                found.add((key, current[0][0], current[-1][0], len(current), max(v for _, v in current), at))
            current = []
        if len(current) >= for_:
            found.add((key, current[0][0], current[-1][0], len(current), max(v for _, v in current), None))
    return found


def summarise(evaluations: Evaluations, dates: Collection[date]) -> dict[tuple[Key, date], Day]:
    """The day summaries of some days, as the engine would give them."""
    grouped: dict[tuple[str, date], list[tuple[datetime, float]]] = {}
    for (key, at), value in sorted(evaluations.items(), key=lambda item: item[0][1]):
        if at.date() in dates:
            grouped.setdefault((key, at.date()), []).append((at, value))
    days: dict[tuple[Key, date], Day] = {}
    for (key, day), rows in grouped.items():
        islands: list[Island] = []
        index = 0
        while index < len(rows):
            stop = index
            while stop < len(rows) and rows[stop][1] > 10:
                stop += 1
            if stop > index:
                following = rows[stop][0] if stop < len(rows) else None
                peak = max(v for _, v in rows[index:stop])
                count = stop - index
                islands.append(Island(rows[index][0], rows[stop - 1][0], count, count, {"v": peak}, following))
            index = max(stop, index + 1)
        days[(("hot", key), day)] = Day("hot", key, day, rows[0][0], rows[0][1] > 10, rows[-1][1] > 10, tuple(islands))
    return days


class Kept:
    """Day summaries and episodes kept incrementally, in memory."""

    def __init__(self, for_: int) -> None:
        self.rule = Rule("hot", "high", for_)
        self.evaluations: Evaluations = {}
        self.days: dict[tuple[Key, date], Day] = {}
        self.episodes: list[Episode] = []
        self.read_dates: list[date] = []

    def apply(self, changes: dict[tuple[str, datetime], float | None]) -> None:
        """Let evaluations appear, change or (None) vanish."""
        for entry, value in changes.items():
            if value is None:
                self.evaluations.pop(entry, None)
            else:
                self.evaluations[entry] = value
        dates = {at.date() for _, at in changes}
        before = {k: d for k, d in self.days.items() if k[1] in dates}
        after = summarise(self.evaluations, dates)
        keys = affected(before, after, self.episodes)
        self.days = {k: d for k, d in self.days.items() if k[1] not in dates} | after

        def read(wanted: Collection[date], of: Collection[Key]) -> Iterable[Day]:
            self.read_dates += wanted
            return [d for (k, day), d in self.days.items() if day in wanted and k in of]

        reader = DayReader({day for _, day in self.days} | dates, read, set(keys))
        for key, touched in keys.items():
            mine = [e for e in self.episodes if e.key == key[1]]
            gone, fresh = restitch(self.rule, key[1], touched, reader, mine)
            ids = {e.id for e in gone}
            self.episodes = [e for e in self.episodes if e.id not in ids] + fresh

    def tell(self) -> list[tuple[str, str]]:
        """Tell what is pending and mark it."""
        told: list[tuple[str, str]] = []
        for index, episode in enumerate(self.episodes):
            if episode.notified_opened_at is None and episode.state != "withdrawn":
                told.append((episode.id, "opened"))
                episode = replace(episode, notified_opened_at=START)
            if episode.notified_resolved_at is None and episode.state != "open":
                told.append((episode.id, "resolved"))
                episode = replace(episode, notified_resolved_at=START)
            self.episodes[index] = episode
        return told

    def seen(self) -> set[tuple[object, ...]]:
        return {
            (e.key, e.started_at, e.last_fired_at, e.firings, e.peaks["v"], e.resolved_at)
            for e in self.episodes
            if e.state != "withdrawn"
        }


entries = st.tuples(st.sampled_from("abc"), st.integers(0, 23).map(lambda n: START + timedelta(hours=n * 7)))
changes = st.dictionaries(entries, st.one_of(st.none(), st.sampled_from([1.0, 2.0, 11.0, 12.0, 13.0])), min_size=1, max_size=12)


@settings(max_examples=200, deadline=None)
@given(batches=st.lists(changes, min_size=1, max_size=12), for_=st.integers(1, 3))
def test_episodes_kept_through_changes_in_any_order_equal_those_of_the_whole_history(
    batches: list[dict[tuple[str, datetime], float | None]], for_: int
) -> None:
    kept = Kept(for_)
    for batch in batches:
        kept.apply(batch)
        assert kept.seen() == oracle(kept.evaluations, for_)


@settings(max_examples=200, deadline=None)
@given(batches=st.lists(changes, min_size=1, max_size=12), for_=st.integers(1, 2))
def test_an_episode_is_told_at_most_once_for_opening_and_once_for_resolving_and_in_that_order(
    batches: list[dict[tuple[str, datetime], float | None]], for_: int
) -> None:
    kept = Kept(for_)
    told: list[tuple[str, str]] = []
    for batch in batches:
        kept.apply(batch)
        told += kept.tell()
        assert len({e.id for e in kept.episodes}) == len(kept.episodes)
        assert kept.tell() == []
    assert len(told) == len(set(told))
    assert sum(e == "resolved" for _, e in told) <= sum(e == "opened" for _, e in told)
    for episode, event in told:
        if event == "resolved":
            assert any(other == "opened" for _, other in told[: told.index((episode, event))])


def test_an_episode_that_was_merged_away_and_comes_back_is_not_told_again() -> None:
    at = [START + timedelta(hours=7 * n) for n in range(7)]
    kept = Kept(2)
    kept.apply({("c", at[0]): 11.0, ("c", at[3]): 11.0, ("c", at[4]): 1.0, ("c", at[5]): 11.0, ("c", at[6]): 11.0})
    assert len(kept.tell()) == 3
    kept.apply({("c", at[4]): None, ("c", at[2]): 1.0})
    kept.apply({("c", at[1]): 11.0})
    assert {(e.started_at, e.state) for e in kept.episodes if e.state != "withdrawn"} == {(at[0], "resolved"), (at[3], "open")}
    assert kept.tell() == []


def test_the_same_evaluations_again_change_nothing() -> None:
    rng = random.Random(7)
    kept = Kept(1)
    history = {("a", START + timedelta(hours=h)): rng.choice([1.0, 12.0]) for h in range(96)}
    kept.apply(dict(history))
    kept.tell()
    before = list(kept.episodes)
    kept.apply(dict(history))
    assert kept.episodes == before


def test_a_late_quiet_evaluation_splits_an_episode_and_both_parts_count_as_told() -> None:
    kept = Kept(1)
    kept.apply({("a", START): 11.0, ("a", START + timedelta(days=2)): 12.0})
    assert kept.tell() == [(kept.episodes[0].id, "opened")]
    kept.apply({("a", START + timedelta(days=1)): 1.0})
    assert [e.state for e in sorted(kept.episodes, key=lambda e: e.started_at)] == ["resolved", "open"]
    assert kept.tell() == []
    kept.apply({("a", START + timedelta(days=3)): 1.0})
    assert [event for _, event in kept.tell()] == ["resolved"]


def test_an_episode_that_late_data_undoes_is_told_as_resolved_once() -> None:
    kept = Kept(1)
    kept.apply({("a", START): 11.0})
    assert [event for _, event in kept.tell()] == ["opened"]
    kept.apply({("a", START): 1.0})
    assert [e.state for e in kept.episodes] == ["withdrawn"]
    assert [event for _, event in kept.tell()] == ["resolved"]
    assert kept.tell() == []


def test_two_told_episodes_that_late_data_joins_are_one_and_not_told_again() -> None:
    kept = Kept(1)
    kept.apply({("a", START + timedelta(hours=h)): v for h, v in ((0, 11.0), (1, 1.0), (2, 15.0), (3, 1.0))})
    assert len(kept.tell()) == 4
    kept.apply({("a", START + timedelta(hours=1)): 12.0})
    assert [(e.firings, e.peaks) for e in kept.episodes if e.state != "withdrawn"] == [(3, {"v": 15.0})]
    assert kept.tell() == []


def test_a_refresh_of_one_day_reads_the_neighbouring_days_only() -> None:
    kept = Kept(1)
    for day in range(60):
        kept.apply({("a", START + timedelta(days=day, hours=h)): (12.0 if 5 < h < 9 else 1.0) for h in range(24)})
    kept.read_dates.clear()
    kept.apply({("a", START + timedelta(days=30, hours=3)): 14.0})
    assert set(kept.read_dates) <= {(START + timedelta(days=d)).date() for d in range(28, 33)}
