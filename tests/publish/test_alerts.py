"""Alerts in a lake: evaluated by the engine, kept as episodes in Delta tables, told once."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from strandline.engines.duckdb import DuckEngine
from strandline.lake.lake import Lake
from strandline.lake.snapshot import Snapshot
from strandline.lake.tables import Commit, Table
from strandline.publish import alerts
from strandline.publish.alert_tables import NEVER, AlertStore, newest_episodes, read_episodes
from strandline.publish.conditions import compile_condition, evaluate
from strandline.publish.episodes import Episode
from strandline.spec.model import Alert, Field, GeneratorSource, GoldTable, Metric, Stream, Team

START = datetime(2026, 3, 1, tzinfo=UTC)
ENGINE = DuckEngine("512MB", 1)
SCHEMA = pa.schema(
    [
        ("event_date", pa.date32()),
        ("window_start", pa.timestamp("us", "UTC")),
        ("device", pa.string()),
        ("zone", pa.string()),
        ("heat", pa.float64()),
        ("readings", pa.int64()),
    ]
)


def stream(*declared: Alert) -> Stream:
    fields = (Field("id", "string", "id"), Field("at", "timestamp", "at"), Field("device", "string", "device"),
              Field("zone", "string", "zone"), Field("value", "number", "value"))  # fmt: skip
    metrics = (Metric("heat", "max", "number", expression="value"), Metric("readings", "count", "integer"))
    return Stream(
        "sensors", "1.0.0", "Readings", Team("plant", "plant@example.com"), GeneratorSource({}), ("id",), "at", fields,
        Path("s.yaml"), gold=(GoldTable("hourly", "hour", ("device", "zone"), metrics),), alerts=declared,
    )  # fmt: skip


HOT = Alert("hot", "hourly", "heat > 10 and readings >= 2", severity="high", notify=("pager",), key=("device",))


def put(table: Table, rows: list[dict[str, object]], dates: set[date], schema: pa.Schema = SCHEMA) -> Snapshot:
    """Replace whole days of a served table."""

    def decide(snapshot: Snapshot) -> Commit:
        writer = table.writer(snapshot, schema)
        if rows:
            writer.write(pa.Table.from_pylist(rows, schema))
        for day in dates:
            writer.touch(day)
        return Commit(writer.close(), snapshot.files_of(dates))

    table.commit(schema, decide, "event_date")
    found = table.snapshot()
    assert found is not None
    return found


def window(hour: int, device: str, heat: float | None, zone: str = "a", readings: int = 5) -> dict[str, object]:
    at = START + timedelta(hours=hour)
    return {"event_date": at.date(), "window_start": at, "device": device, "zone": zone, "heat": heat, "readings": readings}


class World:
    """A lake with one served table whose windows come and change."""

    def __init__(self, folder: Path, *declared: Alert) -> None:
        self.stream = stream(*declared)
        self.lake = Lake.open(str(folder))
        self.store = AlertStore(self.lake, "sensors")
        self.table = self.lake.table("serving/analytics/sensors/hourly")
        self.windows: dict[tuple[str, str, str], dict[str, object]] = {}
        self.told: list[alerts.Notification] = []

    def land(self, *rows: dict[str, object]) -> dict[str, int]:
        dates = {row["event_date"] for row in rows}
        for row in rows:
            self.windows[(str(row["window_start"]), str(row["device"]), str(row["zone"]))] = row
        mine = [row for row in self.windows.values() if row["event_date"] in dates]
        return self.refresh(put(self.table, mine, dates))  # type: ignore[arg-type]

    def refresh(self, snapshot: Snapshot) -> dict[str, int]:
        with ENGINE.session() as session:
            return alerts.refresh(self.stream, self.store, {"hourly": snapshot}, session, ENGINE.dialect)

    def tell(self) -> list[tuple[str, str]]:
        told: list[alerts.Notification] = []
        alerts.tell(self.stream, self.store, told.append)
        self.told += told
        return [(n.event, n.key["device"]) for n in told]

    def episodes(self) -> list[Episode]:
        snapshot = self.store.episodes.snapshot()
        return sorted(read_episodes(snapshot), key=lambda e: (e.key, e.started_at)) if snapshot else []

    def firings(self) -> list[tuple[str, ...]]:
        snapshot = self.store.firings.snapshot()
        return sorted(tuple(map(str, row.values())) for row in snapshot.arrow().to_pylist()) if snapshot else []

    def versions(self) -> list[int]:
        tables = (self.store.firings, self.store.days, self.store.episodes)
        return [s.version if (s := t.snapshot()) else -1 for t in tables]


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path, HOT)


def test_an_episode_opens_goes_on_and_resolves_and_is_told_twice_in_all(world: World) -> None:
    world.land(window(22, "d1", 11.0), window(22, "d2", 3.0))
    assert world.tell() == [("opened", "d1")]
    world.land(window(25, "d1", 14.0))
    assert world.tell() == []
    assert [(e.firings, e.peaks, e.state) for e in world.episodes()] == [(2, {"heat": 14.0, "readings": 5}, "open")]
    world.land(window(26, "d1", 2.0))
    assert world.tell() == [("resolved", "d1")]
    assert world.episodes()[0].resolved_at == START + timedelta(hours=26)
    assert world.tell() == []
    assert world.told[0].channels == ("pager",)
    assert "d1" in world.told[1].text
    assert "resolved" in world.told[1].text


def test_any_row_of_the_key_makes_its_window_fire_and_null_fires_nothing(world: World) -> None:
    world.land(window(1, "d1", None), window(2, "d1", 3.0, "a"), window(2, "d1", 12.0, "b"), window(3, "d1", 30.0, readings=1))
    assert [(e.started_at.hour, e.firings, e.state) for e in world.episodes()] == [(2, 1, "resolved")]


def test_an_alert_with_for_opens_only_after_so_many_evaluations_in_a_row(tmp_path: Path) -> None:
    world = World(tmp_path, Alert("hot", "hourly", "heat > 10", for_=3, key=("device",)))
    world.land(window(22, "d1", 11.0), window(23, "d1", 12.0))
    assert world.episodes() == []
    world.land(window(30, "d1", 13.0))
    assert [(e.started_at, e.firings) for e in world.episodes()] == [(START + timedelta(hours=22), 3)]


def test_a_second_refresh_and_a_second_telling_commit_nothing(world: World) -> None:
    world.land(window(1, "d1", 11.0))
    world.tell()
    before = world.versions()
    snapshot = world.table.snapshot()
    assert snapshot is not None
    assert world.refresh(snapshot) == {"days": 0, "firings": 0}
    assert world.tell() == []
    assert world.versions() == before


def test_only_the_days_that_changed_are_evaluated_again(world: World) -> None:
    world.land(*(window(24 * day + hour, "d1", 1.0) for day in range(10) for hour in range(3)))
    assert world.land(window(24 * 4 + 5, "d1", 20.0)) == {"days": 1, "firings": 1}


def test_a_changed_definition_is_evaluated_over_all_days(tmp_path: Path) -> None:
    world = World(tmp_path, HOT)
    world.land(window(1, "d1", 8.0), window(40, "d1", 12.0))
    assert len(world.episodes()) == 1
    world.stream = stream(Alert("warm", "hourly", "heat > 5", key=("device",)))
    snapshot = world.table.snapshot()
    assert snapshot is not None
    world.refresh(snapshot)
    assert [(e.alert, e.firings) for e in world.episodes()] == [("warm", 2)]


def test_a_notifier_that_fails_leaves_the_rest_to_be_told_and_nothing_twice(world: World) -> None:
    world.land(window(1, "d1", 11.0), window(2, "d2", 11.0))
    told: list[str] = []

    def notify(notification: alerts.Notification) -> None:
        if len(told) == 1:
            raise ConnectionError("the pager is down")
        told.append(notification.key["device"])

    with pytest.raises(ConnectionError, match="pager"):
        alerts.tell(world.stream, world.store, notify)
    assert told == ["d1"]
    assert world.tell() == [("opened", "d2")]


def test_a_refresh_that_died_before_its_last_commit_is_taken_up_again(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.land(window(1, "d1", 11.0), window(2, "d1", 2.0))
    commit = world.store.days.commit

    def die(*args: object, **kwargs: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(world.store.days, "commit", die)
    with pytest.raises(KeyboardInterrupt):
        world.land(window(2, "d1", 12.0), window(3, "d1", 12.0))
    monkeypatch.setattr(world.store.days, "commit", commit)
    world.land(window(2, "d1", 2.0), window(3, "d1", 2.0), window(4, "d1", 13.0))
    assert [(e.started_at.hour, e.firings, e.state) for e in world.episodes()] == [(1, 1, "resolved"), (4, 1, "open")]


def test_an_older_published_version_does_not_overwrite_a_newer_evaluation(world: World) -> None:
    world.land(window(1, "d1", 11.0))
    older = world.table.snapshot()
    world.land(window(2, "d1", 12.0))
    assert older is not None
    with pytest.raises(alerts.OvertakenError, match="another refresh"):
        world.refresh(older)
    assert [e.firings for e in world.episodes()] == [2]


cells = st.tuples(st.integers(0, 30).map(lambda n: n * 5), st.sampled_from(["d1", "d2"]), st.sampled_from("ab"))
arrivals = st.lists(
    st.dictionaries(cells, st.sampled_from([1.0, 11.0, 12.5, None]), min_size=1, max_size=10), min_size=1, max_size=4
)


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(batches=arrivals)
def test_tables_kept_through_arrivals_in_any_order_equal_those_made_from_scratch(
    batches: list[dict[tuple[int, str, str], float | None]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    kept = World(tmp_path_factory.mktemp("kept"), HOT)
    for batch in batches:
        kept.land(*(window(hour, device, heat, zone) for (hour, device, zone), heat in batch.items()))
    fresh = World(tmp_path_factory.mktemp("fresh"), HOT)
    fresh.land(*kept.windows.values())
    same = ["key", "started_at", "last_fired_at", "resolved_at", "firings", "peaks", "state"]
    assert [[getattr(e, n) for n in same] for e in kept.episodes()] == [[getattr(e, n) for n in same] for e in fresh.episodes()]
    assert kept.firings() == fresh.firings()


def test_rows_of_one_instant_are_one_evaluation_and_each_firing_row_is_kept_with_its_key() -> None:
    own = stream(Alert("high", "rows", "value > 10", key=("device",)))
    names = {
        "event_date": pa.date32(),
        "id": pa.string(),
        "at": pa.timestamp("us", "UTC"),
        "device": pa.string(),
        "value": pa.float64(),
    }
    schema = pa.schema(list(names.items()))
    at = [START + timedelta(minutes=m) for m in (0, 1, 1, 2)]
    values = [12.0, 3.0, 15.0, 1.0]
    rows = [{"event_date": START.date(), "id": f"r{i}", "at": at[i], "device": "d", "value": v} for i, v in enumerate(values)]
    with ENGINE.session() as session:
        condition = compile_condition(own, own.alerts[0])
        firings, days = evaluate(condition, pa.Table.from_pylist(rows, schema), session, ENGINE.dialect)
    assert [json.loads(f.row or "") for f in firings] == [{"id": "r0"}, {"id": "r2"}]
    assert [(i.evaluations, i.firings, i.next_at) for i in days[0].islands] == [(2, 2, at[3])]


def test_values_that_are_bad_when_low_peak_at_their_lowest() -> None:
    own = stream(Alert("cold", "hourly", "heat < 0 or 100 < readings"))
    condition = compile_condition(own, own.alerts[0])
    assert condition.rule.directions == {"heat": "min", "readings": "max"}
    assert condition.keys == ("device", "zone")


def test_a_hostile_key_stays_one_line_of_bounded_length_in_a_notification(world: World) -> None:
    world.land(window(1, "evil\nERROR root: all is lost\x1b[2J" + "x" * 500, 11.0))
    world.tell()
    text = world.told[0].text
    assert text.isprintable()
    assert len(text) < 250


def test_an_episode_that_comes_to_start_on_a_settled_day_leaves_the_others_of_that_day_alone(tmp_path: Path) -> None:
    world = World(tmp_path, Alert("hot", "hourly", "heat > 10", for_=2, key=("device",)))
    world.land(window(1, "d2", 11.0), window(2, "d2", 11.0), window(3, "d2", 1.0), window(23, "d1", 11.0))
    assert world.tell() == [("opened", "d2"), ("resolved", "d2")]
    world.land(window(24, "d1", 12.0))
    assert [(json.loads(e.key)["device"], e.state, e.event_date) for e in world.episodes()] == [
        ("d1", "open", START.date()),
        ("d2", "resolved", START.date()),
    ]
    assert world.tell() == [("opened", "d1")]


def test_telling_and_refreshing_read_only_days_with_something_unsettled(world: World) -> None:
    for day in range(6):
        world.land(window(24 * day + 1, "d1", 11.0), window(24 * day + 2, "d1", 1.0))
    world.tell()
    snapshot = world.store.episodes.snapshot()
    assert snapshot is not None
    assert read_episodes(snapshot, NEVER) == []
    assert len(read_episodes(snapshot, START + timedelta(days=4))) == 2
    assert len(newest_episodes(snapshot, 3)) == 3
