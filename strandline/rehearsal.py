"""A rehearsal: lines through every step in memory. No lake, nothing written; each step is the code that the pipeline runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from strandline.errors import DataError
from strandline.intervals import Interval, floor
from strandline.lines.protect import KeyRing, Protector
from strandline.plan import schemas
from strandline.plan.aggregate import aggregate
from strandline.plan.judge import Judgement, deduplicate
from strandline.publish.conditions import Firing, compile_condition, evaluate
from strandline.publish.episodes import Run, stitch
from strandline.publish.panels import PanelData, panel_data, slugs
from strandline.sources.source import RawLine
from strandline.spec.model import Alert, Budget, Stream
from strandline.stages.land import landed_rows
from strandline.stages.rows import JUDGED, Counts, broken_budgets, check_fail_rules, judge_lines, refused_rows
from strandline.stages.staged import staged_batch

if TYPE_CHECKING:
    from strandline.engines.duckdb import DuckEngine, DuckSession

UNKNOWN = datetime(2000, 1, 1, tzinfo=UTC)
"""When lines landed of which none has an event time."""
_EARLIEST, _LATEST = datetime(1900, 1, 1, tzinfo=UTC), datetime(9000, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class AlertOutcome:
    """What an alert does on the sample: of `evaluated` windows (or good rows) it fires on `firings`.

    `runs` are firing evaluations one after another, each with its key as JSON; `episodes` those that are long enough (`for`).
    """

    alert: Alert
    evaluated: int
    firings: tuple[Firing, ...]
    runs: tuple[tuple[str, Run], ...]

    @property
    def episodes(self) -> tuple[tuple[str, Run], ...]:
        """What would be told to people, in order of start."""
        return tuple((key, run) for key, run in self.runs if run.evaluations >= self.alert.for_)


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """What the steps made of the lines: `counts.lines = good + duplicates + counts.quarantined`.

    `landed` has the realtime schema, `good` silver's, `refused` quarantine's and each table of `gold` the served one's; rows
    in order of landing, gold by window and dimensions. `stops` says why a real run would stop before anything was published.
    """

    stream: Stream
    landed: pa.Table
    good: pa.Table
    refused: pa.Table
    counts: Counts
    duplicates: int
    stops: tuple[str, ...]
    budgets: tuple[Budget, ...]
    gold: Mapping[str, pa.Table]
    alerts: tuple[AlertOutcome, ...]
    panels: tuple[PanelData, ...]
    as_of: datetime | None


def interval_ending(at: datetime, length: timedelta) -> Interval:
    """The aligned interval of `length` that ends at `at`, or is under way then."""
    start = floor(at - timedelta(microseconds=1), length)
    return Interval(start, start + length)


def land_lines(stream: Stream, lines: Sequence[RawLine], keys: KeyRing, interval: Interval) -> pa.Table:
    """The lines as landed rows, protected and parsed as *generate* and *land* do it; `_line` counts from 1."""
    if not lines:
        return schemas.realtime(stream).empty_table()
    return landed_rows(stream, interval, staged_batch(lines, Protector(stream, keys).protect_many(lines)), 1)


def event_times(engine: DuckEngine, session: DuckSession, stream: Stream, landed: pa.Table) -> pa.Array:
    """The event time of each landed row (UTC), as judging converts it; null where there is none that is plausible."""
    field = stream.field_named(stream.event_time)
    session.register("texts", pa.table({"n": pa.array(range(landed.num_rows), pa.int64()), "text": landed[field.name]}))
    moment = f"CAST({engine.dialect.convert('text', field.type, field.scale)} AS TIMESTAMP)"
    found = session.table(f"SELECT {moment} AS moment FROM texts ORDER BY n")["moment"].combine_chunks().cast(schemas.MOMENT)
    inside = pc.and_(pc.greater_equal(found, _EARLIEST), pc.less(found, _LATEST))
    return pc.if_else(inside, found, pa.scalar(None, schemas.MOMENT))


def landed_in(landed: pa.Table, interval: Interval) -> pa.Table:
    """The rows as if they had all landed in one interval."""
    starts = pa.repeat(pa.scalar(interval.start, schemas.MOMENT), landed.num_rows)
    return _landed(landed, starts, interval.end - interval.start)


def landed_as_it_happened(stream: Stream, landed: pa.Table, moments: pa.Array) -> pa.Table:
    """The rows as if each had landed in the interval of its own event time: none is late, none from the future.

    A row without an event time lands with the one before it.
    """
    length = stream.interval // timedelta(microseconds=1)
    micros = moments.cast(pa.int64())
    before_epoch = pc.less(micros, 0)
    shifted = pc.if_else(before_epoch, pc.subtract(micros, length - 1), micros)
    starts = pc.multiply(pc.divide(shifted, length), length).cast(schemas.MOMENT)
    known = pc.min(starts).as_py() or floor(UNKNOWN, stream.interval)
    return _landed(landed, pc.fill_null(pc.fill_null_forward(starts), pa.scalar(known, schemas.MOMENT)), stream.interval)


def _landed(landed: pa.Table, starts: pa.Array, length: timedelta) -> pa.Table:
    columns = {
        schemas.LANDING_DATE: starts.cast(pa.timestamp("us")).cast(pa.date32(), safe=False),
        "_landing_start": starts,
        "_landing_end": pc.add(starts, pa.scalar(length, pa.duration("us"))),
    }
    for name, values in columns.items():
        landed = landed.set_column(landed.schema.get_field_index(name), landed.schema.field(name), values)
    return landed


def rehearse(engine: DuckEngine, session: DuckSession, stream: Stream, landed: pa.Table) -> Rehearsal:
    """Landed rows judged, deduplicated, aggregated, watched by the alerts and shown by the panels.

    Lines that break a `fail` rule are refused like others, and `stops` says so.
    """
    judged = judge_lines(engine, session, stream, landed)
    refused = session.table(refused_rows(judged.judgement)).cast(schemas.quarantine())
    silver = schemas.silver(stream)
    relation = f"(SELECT * FROM {JUDGED} WHERE _verdict IS NULL) AS r"
    session.materialise("merged", deduplicate(stream, engine.dialect, relation, silver.names))
    good = session.table("SELECT * FROM merged ORDER BY _landing_start, _line").cast(silver)
    duplicates = judged.counts.lines - judged.counts.quarantined - good.num_rows
    budgets = broken_budgets(engine, session, stream, judged.counts, duplicates)
    gold = _gold(engine, session, stream)
    as_of = pc.max(landed["_landing_end"]).as_py() if landed.num_rows else None
    panels: list[PanelData] = []
    for panel, slug in zip(stream.dashboard, slugs(p.title for p in stream.dashboard), strict=True):
        if as_of is not None:
            panels.append(panel_data(stream, panel, slug, gold[panel.table], as_of))
    return Rehearsal(
        stream, landed, good, refused, judged.counts, duplicates,
        stops=tuple(_stops(session, stream, judged.judgement, budgets)),
        budgets=tuple(budgets),
        gold=gold,
        alerts=tuple(_watched(engine, session, stream, alert, good, gold) for alert in stream.alerts),
        panels=tuple(panels),
        as_of=as_of,
    )  # fmt: skip


def _gold(engine: DuckEngine, session: DuckSession, stream: Stream) -> dict[str, pa.Table]:
    """Each gold table as serving has it, from the session's `merged` rows; all of it is provisional."""
    quote = engine.dialect.quote
    session.materialise("served", f"SELECT *, '{schemas.PROVISIONAL}' AS _status FROM merged")
    tables = {}
    for table in stream.gold:
        schema = schemas.gold(stream, table, served=True)
        names = ", ".join(quote(name) for name in schema.names)
        order = ", ".join(quote(name) for name in ("window_start", *table.dimensions))
        rows = aggregate(stream, table, engine.dialect, "served", served=True)
        tables[table.name] = session.table(f"SELECT {names} FROM ({rows}) AS a ORDER BY {order}").cast(schema)
    return tables


def _watched(
    engine: DuckEngine, session: DuckSession, stream: Stream, alert: Alert, good: pa.Table, gold: Mapping[str, pa.Table]
) -> AlertOutcome:
    condition = compile_condition(stream, alert)
    rows = good if alert.on == "rows" else gold[alert.on]
    firings, days = evaluate(condition, rows, session, engine.dialect)
    by_key: dict[str, list[Run]] = {}
    for key in dict.fromkeys(day.key for day in days):
        by_key[key] = stitch([day for day in days if day.key == key], condition.rule.directions)
    runs = sorted(((key, run) for key, found in by_key.items() for run in found), key=lambda each: (each[1].start, each[0]))
    return AlertOutcome(alert, rows.num_rows, tuple(firings), tuple(runs))


def _stops(session: DuckSession, stream: Stream, judgement: Judgement, budgets: Sequence[Budget]) -> list[str]:
    """Why a real run would stop: broken `fail` rules and budgets."""
    found = [f"the budget {b.name} is broken: {b.expect}" for b in budgets if b.action == "fail"]
    try:
        check_fail_rules(stream, session, judgement)
    except DataError as error:
        found.insert(0, str(error).removeprefix(f"{stream.name}: stopped by "))
    return found
