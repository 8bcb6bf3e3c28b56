"""Restating: silver, quarantine and the ledger brought in line with what judging again gives.

One commit a table: silver first, then quarantine, the ledger last. Silver's commit says what is being restated (its positions
`restating/…`) and counts it (`restatements`); quarantine and ledger follow to the same count, so a restatement that was killed
half-way is seen and ended by the next one. Sums travel as positions too (`restated`, by reason in quarantine): the ledger's row
is what it has not booked of them, so it is booked once, whoever does it.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.dataset as pads

from strandline.contracts import Deployed, deploy, digest_number
from strandline.lake import paths
from strandline.lake.snapshot import Snapshot
from strandline.lake.tables import Commit, SupersededError
from strandline.plan import schemas
from strandline.runtime import Runtime
from strandline.spec.model import Stream
from strandline.stages.bronze import Line
from strandline.stages.rejudge import AFTER, REFUSED_AFTER, Rejudged, Scope, Tables, rejudge
from strandline.stages.rows import JUDGED, check_budgets
from strandline.stages.silver import (
    CONTRACT,
    RESTATED,
    RESTATEMENTS,
    ledger_position,
    restated_position,
    silver,
    silver_statistics,
)

if TYPE_CHECKING:
    from strandline.engines.port import Session

REASONS = (
    "not_utf8", "not_json", "not_object", "duplicate_key", "number_range", "lone_surrogate", "nul", "too_long", "too_deep",
    "empty_line", "ragged_row", "unsealed", "type", "missing", "range", "choice", "pattern", "length", "unknown_field", "late",
    "future", "rule",
)  # fmt: skip
_TRIES = 5
_KIND, _START, _END = "restating/kind", "restating/start", "restating/end"
_KINDS = ("rebuild", "replay")


@dataclass(frozen=True, slots=True)
class _Work:
    """What one attempt works with."""

    runtime: Runtime
    stream: Stream
    scope: Scope
    contract: Deployed
    started: float


def restate(runtime: Runtime, stream: Stream, scope: Scope) -> dict[str, int]:
    """Counts: `judged` lines; by how many `good`, `duplicates`, `quarantined` changed, and the event `days` written again.

    Run again, it changes nothing. Raises `DataError` for a broken `fail` rule or budget, `UsageError` for a range that the
    change of contract does not allow; then no table was touched.
    """
    if runtime.lake.table(paths.realtime(stream.name)).snapshot() is None:
        return dict.fromkeys(("judged", "good", "duplicates", "quarantined", "days"), 0)
    contract = deploy(runtime.lake.objects, stream)
    for attempt in range(_TRIES):
        try:
            begun = _begun(runtime, stream)
            if begun is not None and begun != scope and not scope.whole:
                _restate(_Work(runtime, stream, begun, contract, time.monotonic()))
            return _restate(_Work(runtime, stream, scope, contract, time.monotonic()))
        except SupersededError:
            if attempt + 1 == _TRIES:
                raise
    raise AssertionError("the loop returns or raises")


def is_unfinished(tables: Tables, stream: Stream) -> bool:
    """Whether a restatement was begun that the ledger does not have yet."""
    return bool(tables.silver) and bool(_unbooked(tables.silver, tables.quarantine, tables.ledger, stream))


def _unbooked(
    silver_now: Snapshot | None, quarantine: Snapshot | None, ledger: Snapshot | None, stream: Stream
) -> dict[str, int]:
    """What the ledger has not booked yet: by how many lines `good` and each reason were restated, and how often it was."""
    now = {"good": silver_now.position(RESTATED), RESTATEMENTS: silver_now.position(RESTATEMENTS)} if silver_now else {}
    if quarantine:
        now |= {reason: quarantine.position(f"{RESTATED}/{reason}") for reason in REASONS}
    booked = {name: ledger.position(restated_position(stream, name)) if ledger else 0 for name in now}
    return {name: value - booked[name] for name, value in now.items() if value != booked[name]}


def _begun(runtime: Runtime, stream: Stream) -> Scope | None:
    """The scope of a restatement that was begun and not ended; of a replay all that is in quarantine."""
    tables = Tables.of(runtime, stream)
    if tables.silver is None or RESTATEMENTS not in _unbooked(tables.silver, None, tables.ledger, stream):
        return None
    start, end = (_day(tables.silver.position(name)) for name in (_START, _END))
    return Scope(_KINDS[tables.silver.position(_KIND)], start, end)  # type: ignore[arg-type]


def _day(ordinal: int) -> date | None:
    return date.fromordinal(ordinal) if ordinal else None


def _restate(work: _Work) -> dict[str, int]:
    runtime, stream, scope = work.runtime, work.stream, work.scope
    held = runtime.lake.table(paths.silver(stream.name)).snapshot()
    retyped = held is not None and bool(held.retyped(schemas.silver(stream)))
    if not retyped:
        _end_half_step(runtime, stream)
    tables = Tables.of(runtime, stream)
    engine = runtime.engine_of(stream)
    with engine.session() as session:
        found = rejudge(runtime, engine, session, stream, tables, scope)
        if scope.whole:
            counts = found.judged.counts
            check_budgets(engine, session, stream, counts, counts.lines - counts.quarantined - found.rows)
        runtime.progress(f"{scope.kind} {stream.name}: write", 0, None)
        _commit_silver(work, session, tables, found)
        if not retyped:
            if tables.quarantine is not None and tables.quarantine.position("bronze") != tables.taken:
                raise SupersededError(f"a batch of {stream.name} is at work")
            _commit_quarantine(work, session, tables, found)
    if retyped:  # only now can a batch that was stopped half-way end its step, and the rest be compared
        return {**_restate(work), "days": len(found.days)}
    booked = _commit_ledger(work, found)
    return {"judged": found.judged.counts.lines, **booked, "days": len(found.days)}


def _end_half_step(runtime: Runtime, stream: Stream) -> None:
    """Let silver end the step in which it was stopped, so that all three tables stand at the same bronze commit."""
    tables = Tables.of(runtime, stream)
    begun = tables.quarantine.position("bronze") if tables.quarantine else 0
    booked = tables.ledger.position(ledger_position(stream)) if tables.ledger else 0
    if not begun == booked == tables.taken:
        silver(runtime, stream)


def _commit_silver(work: _Work, session: Session, tables: Tables, found: Rejudged) -> None:
    stream, scope = work.stream, work.scope
    table, schema = work.runtime.lake.table(paths.silver(stream.name)), schemas.silver(stream)
    expected = tables.silver.ordinal if tables.silver else 0
    contract = digest_number(stream) if scope.kind == "rebuild" else 0

    def decide(snapshot: Snapshot) -> Commit | None:
        if snapshot.ordinal != expected:
            raise SupersededError(f"silver of {stream.name} moved on")
        if not (found.days or found.retyped or (contract and snapshot.position(CONTRACT) != contract)):
            return None
        writer = table.writer(snapshot, schema, silver_statistics(stream))
        chosen = f'SELECT * FROM {AFTER} WHERE event_date IN ({_dates(found.days)}) ORDER BY event_date, "{stream.event_time}"'
        session.write(chosen, writer)
        for day in found.days:
            writer.touch(day)  # who follows silver hears of a day that has no row left
        positions = {
            RESTATED: snapshot.position(RESTATED) + found.good,
            RESTATEMENTS: snapshot.position(RESTATEMENTS) + 1,
            _KIND: _KINDS.index(scope.kind),
            _START: scope.start.toordinal() if scope.start else 0,
            _END: scope.end.toordinal() if scope.end else 0,
            **({CONTRACT: contract} if contract else {}),
        }
        note = {"contract": work.contract.path, "restatement": scope.kind}
        schema_now = schema if found.retyped else None
        return Commit(writer.close(), snapshot.files_of(found.days), positions, note, schema_now)

    table.commit(schema, decide, schemas.EVENT_DATE, may_retype=found.retyped)


def _dates(days: tuple[date, ...]) -> str:
    return ", ".join(f"DATE '{day}'" for day in days) or "NULL"


def _commit_quarantine(work: _Work, session: Session, tables: Tables, found: Rejudged) -> None:
    stream = work.stream
    table, schema = work.runtime.lake.table(paths.quarantine(stream.name)), schemas.quarantine()
    expected = tables.quarantine.version if tables.quarantine else None
    restated = work.runtime.lake.table(paths.silver(stream.name)).snapshot()
    assert restated is not None, "silver was committed before"

    def decide(snapshot: Snapshot) -> Commit | None:
        if snapshot.version != expected and (expected is not None or snapshot.ordinal):
            raise SupersededError(f"quarantine of {stream.name} moved on")
        positions = _reached(work, tables, snapshot, found)
        positions[RESTATEMENTS] = restated.position(RESTATEMENTS)
        positions = {name: value for name, value in positions.items() if snapshot.position(name) != value}
        if not found.landing_days and not positions:
            return None
        writer = table.writer(snapshot, schema, ("_landing_start",))
        files = snapshot.files_of(found.landing_days)
        names = ", ".join(f'"{name}"' for name in schema.names)
        sql = f"SELECT {names} FROM {REFUSED_AFTER} WHERE landing_date IN ({_dates(found.landing_days)})"
        if files:
            session.register("held_days", snapshot.dataset(files=files))
            same = f"SELECT 1 FROM {JUDGED} j WHERE j._landing_start = q._landing_start AND j._line = q._line"
            sql += f" UNION ALL SELECT {names} FROM held_days q WHERE NOT EXISTS ({same})"
        session.write(f"SELECT * FROM ({sql}) AS r ORDER BY landing_date, _landing_start, _line", writer)
        return Commit(writer.close(), files, positions, {"contract": work.contract.path, "restatement": work.scope.kind})

    table.commit(schema, decide, schemas.LANDING_DATE)


def _reached(work: _Work, tables: Tables, quarantine: Snapshot, found: Rejudged) -> dict[str, int]:
    """By how many lines each reason was restated in all, after this.

    After a rebuild of everything that is what was judged, less what the batches counted: right also where retention has let
    refused lines go. Otherwise it is what the table grows by.
    """
    if not work.scope.whole:
        return {f"{RESTATED}/{r}": quarantine.position(f"{RESTATED}/{r}") + n for r, n in found.reasons.items()}
    stream, ledger, counted = work.stream, tables.ledger, dict.fromkeys(REASONS, 0)
    if ledger is not None and ledger.files:
        for row in ledger.arrow(["reasons"], pads.field("stream") == stream.name).to_pylist():
            for reason, n in json.loads(row["reasons"] or "{}").items():
                counted[reason] = counted.get(reason, 0) + n
        counted = {r: n - ledger.position(restated_position(stream, r)) for r, n in counted.items()}
    return {f"{RESTATED}/{r}": found.judged.counts.reasons.get(r, 0) - n for r, n in counted.items()}


def _commit_ledger(work: _Work, found: Rejudged) -> dict[str, int]:
    """The ledger row of what is not booked yet: no new lines, so what is good or refused now was a duplicate before."""
    lake, stream, scope = work.runtime.lake, work.stream, work.scope
    table, booked = lake.table(paths.LEDGER), dict.fromkeys(("good", "duplicates", "quarantined"), 0)

    def decide(snapshot: Snapshot) -> Commit | None:
        booked.update(good=0, duplicates=0, quarantined=0)
        silver_now = lake.table(paths.silver(stream.name)).snapshot()
        quarantine = lake.table(paths.quarantine(stream.name)).snapshot()
        assert silver_now is not None
        assert quarantine is not None
        if quarantine.position(RESTATEMENTS) != silver_now.position(RESTATEMENTS):
            raise SupersededError(f"another restatement of {stream.name} has begun")
        new = _unbooked(silver_now, quarantine, snapshot, stream)
        if not new:
            return None
        reasons = {name: n for name, n in new.items() if name in REASONS}
        good, quarantined = new.get("good", 0), sum(reasons.values())
        booked.update(good=good, quarantined=quarantined, duplicates=-good - quarantined)
        places = {name: restated_position(stream, name) for name in new}
        positions = {place: snapshot.position(place) + new[name] for name, place in places.items()}
        if not any(booked.values()) and not reasons:
            return Commit(positions=positions)
        writer = table.writer(snapshot, schemas.LEDGER)
        row = _row(work, found, Line.of(silver_now), silver_now.position("bronze"), booked, reasons)
        writer.write(pa.Table.from_pylist([row], schema=schemas.LEDGER))
        return Commit(add=writer.close(), positions=positions)

    table.commit(schemas.LEDGER, decide)
    return booked if scope.kind == "rebuild" else {**booked, "still_refused": found.judged.counts.quarantined}


def _row(
    work: _Work, found: Rejudged, line: Line, batch: int, booked: Mapping[str, int], reasons: Mapping[str, int]
) -> dict[str, object]:
    replay = work.scope.kind == "replay"
    return {
        "stream": work.stream.name,
        "batch": batch,
        "lines": 0,
        **booked,
        "reasons": json.dumps(dict(reasons)),
        "warnings": "{}",
        "unknown_fields": 0,
        "intervals": 0,
        "watermark": line.watermark,
        "contract_version": work.stream.version,
        "recorded_at": datetime.now(UTC),
        "seconds": json.dumps({work.scope.kind: round(time.monotonic() - work.started, 3)}),
        "kind": work.scope.kind,
        "contract": work.contract.path,
        "replayed": max(0, -booked["quarantined"]) if replay else 0,
        "still_refused": found.judged.counts.quarantined if replay else 0,
    }
