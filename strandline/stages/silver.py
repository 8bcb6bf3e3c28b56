"""Silver: bronze's new lines, judged; good ones typed and deduplicated, refused ones in quarantine, all of them in the ledger.

The three tables advance through the same bronze commits, quarantine first and the ledger last, each with its position in
its own commit. A run that finds them apart (it was killed in between) finishes that step first, under one contract: if the
contract is another one by now, quarantine's part is judged again; what silver has taken stands, and is booked from the tables.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import partial
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as pads

from strandline.contracts import Deployed, deploy, deployed_as, digest_number
from strandline.lake.landings import micro_batches
from strandline.lake.paths import LEDGER
from strandline.lake.paths import bronze as bronze_path
from strandline.lake.paths import quarantine as quarantine_path
from strandline.lake.paths import silver as silver_path
from strandline.lake.snapshot import DataFile, Snapshot
from strandline.lake.tables import Commit, SupersededError, Table
from strandline.plan import schemas
from strandline.runtime import Runtime
from strandline.spec.model import Stream
from strandline.stages.again import with_columns
from strandline.stages.bronze import Line
from strandline.stages.pieces import judge_in_pieces
from strandline.stages.rows import JUDGED, Counts, Judged, check_budgets, judge_files, without_repeats, write_refused
from strandline.stages.slices import write_by_time

if TYPE_CHECKING:
    from strandline.engines.port import Engine, Session
    from strandline.lake.parquet import WrittenFile

_TRIES = 5
_ROWS, _LONG_ROWS = 127, 16  # of raw bytes at once: a batch of them stays below 2 GiB, whatever the lines
RESTATED = "restated"
"""The position that sums up by how many rows restatements have changed a table."""
RESTATEMENTS, CONTRACT = "restatements", "contract"
"""Silver's positions: how often it was restated, and the contract (as a number) it was last rebuilt under."""
JUDGED_BY = "judged_by"
"""Quarantine's position: the contract (as a number) that judged its last step."""


@dataclass(frozen=True, slots=True)
class _Step:
    """The bronze commits `(base, target]` to take, and the line at `target`; `begun` is quarantine where it has taken them."""

    base: int
    target: int
    line: Line
    bronze: Snapshot
    begun: Snapshot | None = None

    @property
    def files(self) -> list[DataFile]:
        """Bronze's files of these commits."""
        return [f for f in self.bronze.files if self.base < f.ordinal <= self.target]


def silver(runtime: Runtime, stream: Stream) -> dict[str, int]:
    """Counts of the lines taken now: `lines = good + duplicates + quarantined`, and `unknown_fields`; zeros when nothing
    was new.

    Raises `DataError` when a `fail` rule or budget is broken; then nothing of the step is visible.
    """
    total = dict.fromkeys(("lines", "good", "duplicates", "quarantined", "unknown_fields"), 0)
    for attempt in range(_TRIES):
        try:
            while step := _next_step(runtime, stream):
                counts = _book(runtime, stream, step)
                if counts is None:
                    counts = _take(runtime, stream, step)
                for name, count in counts.items():
                    total[name] = total.get(name, 0) + count
            return total
        except SupersededError:
            if attempt + 1 == _TRIES:
                raise
    raise AssertionError("the loop returns or raises")


def ledger_position(stream: Stream) -> str:
    """The ledger's position in a stream's bronze commits."""
    return f"bronze/{stream.name}"


def _next_step(runtime: Runtime, stream: Stream) -> _Step | None:
    lake = runtime.lake
    bronze = lake.table(bronze_path(stream.name)).snapshot()
    if bronze is None:
        return None
    quarantine, ledger = lake.table(quarantine_path(stream.name)).snapshot(), lake.table(LEDGER).snapshot()
    base = ledger.position(ledger_position(stream)) if ledger else 0
    begun = quarantine.position("bronze") if quarantine else 0
    if begun > base:
        assert quarantine is not None
        return _Step(base, begun, Line.of(quarantine), bronze, quarantine)
    if bronze.ordinal > base:
        return _Step(base, bronze.ordinal, Line.of(bronze), bronze)
    return None


def _take(runtime: Runtime, stream: Stream, step: _Step) -> dict[str, int]:
    started, lake, engine = time.monotonic(), runtime.lake, runtime.engine_of(stream)
    files = step.files
    quarantine = lake.table(quarantine_path(stream.name))
    with engine.session() as session:
        runtime.progress(f"silver {stream.name}: judge", 0, None)
        contract = deploy(lake.objects, stream)
        table = lake.table(silver_path(stream.name))
        before = _opened(table, stream)
        writer = table.writer(before, schemas.silver(stream), silver_statistics(stream))
        judged = None
        if not contract.reused and not _is_taken(before, step):
            told = partial(runtime.progress, f"silver {stream.name}, rows of bronze")
            judged = judge_in_pieces(engine, session, stream, step.bronze, files, before, writer, told)
        if judged is None:
            judged = judge_files(engine, session, stream, step.bronze, files, anew=contract.reused)
        written = writer.close()
        judged_at = time.monotonic()
        merged = _merge(engine, session, stream, judged, before, step)
        check_budgets(engine, session, stream, judged.counts, merged.duplicates)
        _commit_quarantine(quarantine, session, stream, judged, step)
        runtime.progress(f"silver {stream.name}: write", 0, None)
        _commit_silver(table, session, stream, merged, step, contract, written)
        after = table.snapshot()
    assert after is not None
    seconds = {"judge": round(judged_at - started, 3), "write": round(time.monotonic() - judged_at, 3)}
    row = {"seconds": json.dumps(seconds), "contract": contract.path, "contract_version": stream.version}
    counts = _commit_ledger(lake.table(LEDGER), stream, judged.counts, after, step, row)
    return {**counts, "version_reused": 1} if counts and contract.reused else counts


def _book(runtime: Runtime, stream: Stream, step: _Step) -> dict[str, int] | None:
    """Counts of a step that silver has taken and the ledger has not, when the contract is another one by now: counted from the
    tables (`warn` rules cannot be). None for any other step.
    """
    lake, quarantine = runtime.lake, step.begun
    if quarantine is None or quarantine.position(JUDGED_BY) == digest_number(stream):
        return None
    silver_now = lake.table(silver_path(stream.name)).snapshot()
    if silver_now is None or silver_now.position("bronze") < step.target:
        return None
    refused = quarantine.arrow(["_reason"], files=[f for f in quarantine.files if f.ordinal == quarantine.ordinal])
    reasons = {each["values"]: each["counts"] for each in pc.value_counts(refused["_reason"]).to_pylist()}
    unknown = pc.sum(step.bronze.arrow(["_unknown_fields"], files=step.files)["_unknown_fields"]).as_py()
    lines = sum(batch.lines for batch in micro_batches(step.bronze, step.files))
    counts = Counts(lines, refused.num_rows, unknown or 0, dict(sorted(reasons.items())))
    path, version = deployed_as(lake.objects, stream.name, quarantine.position(JUDGED_BY))
    row = {"seconds": "{}", "contract": path, "contract_version": version}
    return _commit_ledger(lake.table(LEDGER), stream, counts, silver_now, step, row)


@dataclass(frozen=True, slots=True)
class _Merged:
    """The silver rows of `dates` after this step, as a query of the session; at most so many `rows`."""

    sql: str
    rows: int
    dates: tuple[date, ...]
    duplicates: int
    base: int
    ordinal: int


def _opened(table: Table, stream: Stream) -> Snapshot:
    """The table as it is, made if there is none yet. Raises `DataError` when it holds a column in another type."""
    before = table.snapshot()
    if before is None:
        table.commit(schemas.silver(stream), lambda snapshot: None, schemas.EVENT_DATE)
        before = table.snapshot()
    assert before is not None
    table.check_types(before, schemas.silver(stream))
    return before


def _merge(engine: Engine, session: Session, stream: Stream, judged: Judged, before: Snapshot, step: _Step) -> _Merged:
    columns = schemas.silver(stream).names
    names = ", ".join(engine.dialect.quote(name) for name in columns)
    parts, dates = [f"SELECT {names}, FALSE AS _held FROM {JUDGED} WHERE _verdict IS NULL"], list(judged.dates)
    rows = judged.counts.lines
    if not _is_taken(before, step):
        dates += dates_of_same_keys(session, stream, before, engine)
        dates = sorted(set(dates))
        held = before.files_of(dates)
        if held:
            session.register("existing", with_columns(before.dataset(files=held), schemas.silver(stream)))
            parts.append(f"SELECT {names}, TRUE AS _held FROM existing")
            rows += sum(f.rows for f in held)
    relation = f"({' UNION ALL '.join(parts)})"
    sql, duplicates = without_repeats(session, stream, relation, names)
    return _Merged(sql, rows, tuple(dates), duplicates, before.position("bronze"), before.ordinal)


def dates_of_same_keys(session: Session, stream: Stream, before: Snapshot, engine: Engine) -> list[date]:
    """For keys unique over the whole stream: the dates that hold an event of a new key already."""
    if stream.deduplicate_within == "event_date":
        return []
    key = [engine.dialect.quote(name) for name in stream.primary_key]
    session.register("held_keys", before.dataset())
    same = " AND ".join(f"h.{name} = j.{name}" for name in key)
    found = session.rows(f"SELECT DISTINCT h.event_date FROM held_keys h JOIN {JUDGED} j ON {same} WHERE j._verdict IS NULL")
    return [row["event_date"] for row in found]


def _commit_quarantine(table: Table, session: Session, stream: Stream, judged: Judged, step: _Step) -> None:
    schema, contract = schemas.quarantine(), digest_number(stream)

    def decide(snapshot: Snapshot) -> Commit | None:
        if snapshot.position("bronze") > step.target:
            return None
        begun = _is_taken(snapshot, step)
        if begun and snapshot.position(JUDGED_BY) == contract:
            return None
        replaced = [f for f in snapshot.files if f.ordinal == snapshot.ordinal] if begun else []
        writer = table.writer(snapshot, schema, ("_landing_start",))
        if judged.counts.quarantined:
            rows = _LONG_ROWS if "too_long" in judged.counts.reasons else _ROWS
            write_refused(session, judged, writer, rows)
        return Commit(add=writer.close(), remove=replaced, positions={**_positions(step), JUDGED_BY: contract})

    table.commit(schema, decide, schemas.LANDING_DATE)


def _commit_silver(
    table: Table,
    session: Session,
    stream: Stream,
    merged: _Merged,
    step: _Step,
    contract: Deployed,
    written: Sequence[WrittenFile],
) -> None:
    schema = schemas.silver(stream)

    def decide(snapshot: Snapshot) -> Commit | None:
        if _is_taken(snapshot, step):
            return None
        if (snapshot.position("bronze"), snapshot.ordinal) != (merged.base, merged.ordinal):
            raise SupersededError(f"silver of {stream.name} moved on")
        writer = table.writer(snapshot, schema, silver_statistics(stream))
        write_by_time(session, stream, f"({merged.sql})", merged.rows, writer)
        note = {"contract": contract.path}
        return Commit(
            add=[*written, *writer.close()], remove=snapshot.files_of(merged.dates), positions=_positions(step), note=note
        )

    table.commit(schema, decide, schemas.EVENT_DATE)


def silver_statistics(stream: Stream) -> tuple[str, ...]:
    """The columns of silver whose bounds stand in the log."""
    return (stream.event_time, "_landing_start", "_landing_end")


def _is_taken(snapshot: Snapshot, step: _Step) -> bool:
    """Whether the table has this step. Raises `SupersededError` when it stands at neither end of it."""
    position = snapshot.position("bronze")
    if position >= step.target:
        return True
    if position != step.base:
        raise SupersededError(f"the table stands at bronze commit {position}, between {step.base} and {step.target}")
    return False


def _positions(step: _Step) -> dict[str, int]:
    watermark = int(step.line.watermark.timestamp()) if step.line.watermark else 0
    return {"bronze": step.target, "watermark": watermark, "realtime": step.line.realtime}


def restated_position(stream: Stream, what: str) -> str:
    """The ledger's position in the restated good lines (`good`), or refused ones of a reason, of a stream."""
    return f"{RESTATED}/{stream.name}/{what}"


def _commit_ledger(
    table: Table, stream: Stream, judged: Counts, silver: Snapshot, step: _Step, told: Mapping[str, str]
) -> dict[str, int]:
    """The ledger row of the step; what is good is what silver grew by (but for a restatement that has no row of its own yet),
    so duplicates are what is left. `told` are further columns of it.
    """
    counts: dict[str, int] = {}

    def decide(snapshot: Snapshot) -> Commit | None:
        counts.clear()
        position = snapshot.position(ledger_position(stream))
        if position >= step.target:
            return None
        if position != step.base:
            raise SupersededError(f"the ledger of {stream.name} moved on")
        if silver.position("bronze") != step.target:
            raise SupersededError(f"silver of {stream.name} moved on before its ledger row")
        unbooked = silver.position(RESTATED) - snapshot.position(restated_position(stream, "good"))
        good = silver.rows - ledger_total(snapshot, stream.name, "good") - unbooked
        lines, quarantined = judged.lines, judged.quarantined
        counts.update(lines=lines, good=good, quarantined=quarantined, duplicates=lines - quarantined - good)
        counts["unknown_fields"] = judged.unknown_fields
        row = {
            "stream": stream.name,
            "batch": step.target,
            **counts,
            **told,
            "reasons": json.dumps(judged.reasons),
            "warnings": json.dumps(judged.warnings),
            "intervals": len(micro_batches(step.bronze, step.files)),
            "watermark": step.line.watermark,
            "recorded_at": datetime.now(UTC),
            "kind": "batch",
            "replayed": 0,
            "still_refused": 0,
        }
        writer = table.writer(snapshot, schemas.LEDGER)
        writer.write(pa.Table.from_pylist([row], schema=schemas.LEDGER))
        return Commit(add=writer.close(), positions={ledger_position(stream): step.target})

    table.commit(schemas.LEDGER, decide)
    return counts


def ledger_total(ledger: Snapshot | None, stream: str, column: str) -> int:
    """The sum of a count over a stream's ledger rows."""
    if ledger is None or not ledger.files:
        return 0
    rows = ledger.arrow([column], pads.field("stream") == stream)
    return pc.sum(rows[column]).as_py() or 0
