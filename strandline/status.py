"""How a lake stands: what it holds layer by layer, and whether every landed line is accounted for on both sides of the line.

The batch side is what the ledger says. The speed side is judged here and now, from the realtime files above the line. Both are
held against what the micro-batches themselves say they landed, and against the rows of silver, quarantine and unified.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

import pyarrow.dataset as pads

from strandline.lake import paths
from strandline.lake.landings import Landings, micro_batches
from strandline.lake.snapshot import DataFile, Snapshot
from strandline.plan.judge import moment_literal
from strandline.plan.schemas import FINAL
from strandline.stages.bronze import Line
from strandline.stages.merge import read_pointer
from strandline.stages.rejudge import Tables
from strandline.stages.restate import is_unfinished
from strandline.stages.rows import JUDGED, judge_files
from strandline.stages.silver import ledger_position

if TYPE_CHECKING:
    from strandline.engines.duckdb import DuckEngine, DuckSession
    from strandline.runtime import Runtime
    from strandline.spec.model import Stream

LAYERS = ("realtime", "bronze", "silver", "quarantine", "gold", "unified", "analytics", "alerts")
_SIDE_BY_SIDE = 4


@dataclass(frozen=True, slots=True)
class Size:
    """Rows and bytes of the live files of one or more tables; a micro-batch's own row is not counted."""

    rows: int = 0
    bytes: int = 0

    def __add__(self, other: Size) -> Size:
        return Size(self.rows + other.rows, self.bytes + other.bytes)


@dataclass(frozen=True, slots=True)
class Account:
    """Lines, and what became of them; `reasons` counts refusals by code."""

    lines: int = 0
    good: int = 0
    duplicates: int = 0
    quarantined: int = 0
    reasons: Mapping[str, int] = field(default_factory=dict)

    def __add__(self, other: Account) -> Account:
        named = {**self.reasons, **other.reasons}
        summed = {reason: self.reasons.get(reason, 0) + other.reasons.get(reason, 0) for reason in named}
        reasons = {reason: n for reason, n in summed.items() if n}
        return Account(
            self.lines + other.lines,
            self.good + other.good,
            self.duplicates + other.duplicates,
            self.quarantined + other.quarantined,
            dict(sorted(reasons.items(), key=lambda item: (-item[1], item[0]))),
        )


@dataclass(frozen=True, slots=True)
class Balance:
    """What became of every line of a stream that ever landed.

    `landed` is what the micro-batches say of themselves; `batch` comes from the ledger, `speed` from judging what is above the
    line. `faults` are sentences, one for each number that does not fit; `notes` say what could not be held against anything,
    such as lines that no merge has seen yet.
    """

    landed: int = 0
    batch: Account = Account()
    speed: Account = Account()
    faults: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def total(self) -> Account:
        """Both sides of the line."""
        return self.batch + self.speed

    @property
    def holds(self) -> bool:
        """lines landed = good + duplicates + quarantined, and every table agrees."""
        return not self.faults


@dataclass(frozen=True, slots=True)
class Standing:
    """How far a stream has come: times are UTC, None before the first; `open_alerts` are rows of the episodes table."""

    landed_until: datetime | None
    watermark: datetime | None
    as_of: datetime | None
    final: int
    provisional: int
    open_alerts: tuple[Mapping[str, Any], ...]


def layout(runtime: Runtime, streams: Iterable[Stream]) -> dict[str, dict[str, Size]]:
    """Rows and bytes by stream and layer (`LAYERS`, in that order); tables that do not exist count as empty."""
    chosen = list(streams)
    with ThreadPoolExecutor(_SIDE_BY_SIDE) as pool:
        found = list(pool.map(lambda stream: _layers(runtime, stream), chosen))
    return {stream.name: sizes for stream, sizes in zip(chosen, found, strict=True)}


def size_of(runtime: Runtime, path: str) -> Size | None:
    """The live size of the table at `path`; None when there is no such table."""
    snapshot = runtime.lake.table(path).snapshot()
    if snapshot is None:
        return None
    rows = snapshot.rows
    if path.startswith(f"{paths.REALTIME}/"):  # a file belongs to one interval, so the log alone tells their number
        rows -= len(_starts(snapshot.files))
    elif "_position" in snapshot.schema.names:
        rows = snapshot.dataset().count_rows(filter=pads.field("_line") > 0)
    return Size(rows, sum(file.size for file in snapshot.files))


def _layers(runtime: Runtime, stream: Stream) -> dict[str, Size]:
    name, gold = stream.name, [table.name for table in stream.gold]
    tables = {
        "realtime": [paths.realtime(name)],
        "bronze": [paths.bronze(name)],
        "silver": [paths.silver(name)],
        "quarantine": [paths.quarantine(name)],
        "gold": [paths.gold(name, table) for table in gold],
        "unified": [paths.unified(name)],
        "analytics": [paths.analytics(name, table) for table in gold],
        "alerts": [paths.firings(name), paths.episodes(name)],
    }
    return {layer: sum((size_of(runtime, path) or Size() for path in tables[layer]), Size()) for layer in LAYERS}


def standing(runtime: Runtime, stream: Stream) -> Standing:
    """How far the stream has come; costs the logs and one column of unified."""
    lake = runtime.lake
    realtime, bronze = lake.table(paths.realtime(stream.name)).snapshot(), lake.table(paths.bronze(stream.name)).snapshot()
    unified = lake.table(paths.unified(stream.name)).snapshot()
    pointer = read_pointer(runtime, stream.name)
    episodes = lake.table(paths.episodes(stream.name)).snapshot()
    final = unified.dataset().count_rows(filter=pads.field("_status") == FINAL) if unified else 0
    return Standing(
        Landings(realtime, lambda: bronze).last_end,
        Line.of(bronze).watermark,
        datetime.fromisoformat(pointer.as_of) if pointer and pointer.as_of else None,
        final,
        unified.rows - final if unified else 0,
        tuple(episodes.arrow(where=pads.field("state") == "open").to_pylist()) if episodes else (),
    )


@dataclass(frozen=True, slots=True)
class _Tables:
    """The snapshots a balance is drawn from."""

    realtime: Snapshot | None
    bronze: Snapshot | None
    silver: Snapshot | None
    quarantine: Snapshot | None
    ledger: Snapshot | None
    unified: Snapshot | None

    @classmethod
    def of(cls, runtime: Runtime, name: str) -> _Tables:
        """Unified first and realtime last, so that a step running meanwhile can only make the later ones newer."""
        made = (
            paths.unified(name),
            paths.LEDGER,
            paths.quarantine(name),
            paths.silver(name),
            paths.bronze(name),
            paths.realtime(name),
        )
        unified, ledger, quarantine, silver, bronze, realtime = (runtime.lake.table(path).snapshot() for path in made)
        return cls(realtime, bronze, silver, quarantine, ledger, unified)


def balance(runtime: Runtime, stream: Stream) -> Balance:
    """Whether lines landed = good + duplicates + quarantined, now. Raises `DataError` when a line breaks a `fail` rule.

    While a batch is between its tables (or was stopped there) only a note says so; the next batch ends it.
    """
    tables = _Tables.of(runtime, stream.name)
    batch = _booked(tables.ledger, stream)
    if tables.realtime is None:
        return Balance(batch=batch)
    taken = tables.ledger.position(ledger_position(stream)) if tables.ledger else 0
    reached = [table.position("bronze") for table in (tables.silver, tables.quarantine) if table]
    if any(position != taken for position in reached):
        return Balance(
            batch=batch, notes=("a batch is at work or was stopped half-way: run `strandline run batch` and look again",)
        )
    if is_unfinished(Tables(tables.bronze, tables.silver, tables.quarantine, tables.ledger), stream):
        note = "a rebuild or replay is at work or was stopped half-way: run it again (`strandline run batch --rebuild`)"
        return Balance(batch=batch, notes=(note,))
    line = Line.of(tables.silver)
    above = [file for file in tables.realtime.files if line.is_above(file)]
    settled = [file for file in tables.bronze.files if file.ordinal <= taken] if tables.bronze else []
    below_batches = micro_batches(tables.bronze, settled) if tables.bronze else []
    above_batches = micro_batches(tables.realtime, above)
    landed = sum(each.lines for each in (*below_batches, *above_batches))
    with runtime.engine.session() as session:
        speed, merged = _judged(runtime.engine, session, stream, tables, above)
    faults = _faults(stream, tables, batch, speed, landed)
    known = {each.start for each in (*below_batches, *above_batches)}
    if lost := _starts(tables.realtime.files) - known:
        faults.append(
            f"{len(lost)} landed interval(s) are on neither side of the line, the first at {min(lost):%Y-%m-%dT%H:%MZ}"
        )
    notes = []
    if tables.unified and tables.silver and tables.unified.position("silver") < tables.silver.ordinal:
        notes.append("no merge has seen the last batch yet")
    elif tables.unified and merged is not None and tables.unified.rows != batch.good + merged:
        faults.append(f"unified has {tables.unified.rows:,} rows where {batch.good + merged:,} are good")
    seen = tables.unified.position("realtime") if tables.unified else 0
    unseen = [file for file in above if file.ordinal > seen]
    if lines := sum(file.rows for file in unseen) - len(_starts(unseen)):
        notes.append(f"{lines:,} line(s) landed since the last merge")
    return Balance(landed, batch, speed, tuple(faults), tuple(notes))


def _booked(ledger: Snapshot | None, stream: Stream) -> Account:
    """The sum of the stream's ledger rows."""
    columns = ["lines", "good", "duplicates", "quarantined", "reasons"]
    rows = ledger.arrow(columns, pads.field("stream") == stream.name).to_pylist() if ledger and ledger.files else []
    booked = (
        Account(row["lines"], row["good"], row["duplicates"], row["quarantined"], json.loads(row["reasons"] or "{}"))
        for row in rows
    )
    return sum(booked, Account())


def _judged(
    engine: DuckEngine, session: DuckSession, stream: Stream, tables: _Tables, above: Sequence[DataFile]
) -> tuple[Account, int | None]:
    """The speed side, and how many of its events unified should hold by what it has seen (None: no unified)."""
    if not above or tables.realtime is None:
        return Account(), 0 if tables.unified else None
    counts = judge_files(engine, session, stream, tables.realtime, above).counts
    if tables.silver:
        session.register("settled", tables.silver.dataset())
    new = _new_events(engine, session, stream, tables.silver, ())
    speed = Account(counts.lines, new, counts.lines - counts.quarantined - new, counts.quarantined, dict(counts.reasons))
    if tables.unified is None:
        return speed, None
    seen = tables.unified.position("realtime")
    unseen = _starts(file for file in above if file.ordinal > seen)
    return speed, _new_events(engine, session, stream, tables.silver, sorted(unseen)) if unseen else new


def _new_events(
    engine: DuckEngine, session: DuckSession, stream: Stream, silver: Snapshot | None, without: Sequence[datetime]
) -> int:
    """How many different events the judged good lines bring that silver does not hold, leaving out some landing intervals."""
    key = [engine.dialect.quote(name) for name in stream.primary_key]
    if stream.deduplicate_within == "event_date":
        key.append("event_date")
    left_out = ", ".join(moment_literal(start) for start in without)
    chosen = f" AND CAST(_landing_start AS TIMESTAMP) NOT IN ({left_out})" if without else ""
    fresh = f"SELECT DISTINCT {', '.join(key)} FROM {JUDGED} WHERE _verdict IS NULL{chosen}"
    held = ""
    if silver:
        same = " AND ".join(f"s.{name} = f.{name}" for name in key)
        held = f" WHERE NOT EXISTS (SELECT 1 FROM settled s WHERE {same})"
    return int(session.rows(f"SELECT COUNT(*) AS n FROM ({fresh}) AS f{held}")[0]["n"])


def _starts(files: Iterable[DataFile]) -> set[datetime]:
    return {file.minimum["_landing_start"] for file in files}


def _faults(stream: Stream, tables: _Tables, batch: Account, speed: Account, landed: int) -> list[str]:
    """The sentences of `Balance.faults` that the counts alone give."""
    total = batch + speed
    faults = []
    if landed != total.lines:
        faults.append(f"the micro-batches landed {landed:,} lines, but {total.lines:,} are accounted for")
    if total.lines != total.good + total.duplicates + total.quarantined:
        parts = f"{total.good:,} good + {total.duplicates:,} duplicates + {total.quarantined:,} quarantined"
        faults.append(f"{total.lines:,} lines are not {parts}")
    if min(total.good, total.duplicates, total.quarantined) < 0:
        faults.append("a count is below zero")
    if tables.silver and tables.silver.rows != batch.good:
        faults.append(f"silver has {tables.silver.rows:,} rows, the ledger {batch.good:,} good lines")
    kept = tables.quarantine.rows if tables.quarantine else 0
    if kept > batch.quarantined or (kept < batch.quarantined and stream.retention.quarantine is None):
        faults.append(f"quarantine has {kept:,} rows, the ledger {batch.quarantined:,} refused lines")
    return faults
