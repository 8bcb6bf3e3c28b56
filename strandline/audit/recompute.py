"""Events computed from raw lines again: parsed by the strict parser alone, judged and deduplicated as one set."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import partial
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.dataset as pads

from strandline.audit.sides import Side
from strandline.engines.port import Scan
from strandline.lake import paths
from strandline.lake.snapshot import DataFile, Snapshot
from strandline.lines.parse import parser_of
from strandline.lines.strict import Refusal
from strandline.plan import schemas
from strandline.plan.judge import deduplicate, judge
from strandline.stages.again import again, with_columns
from strandline.stages.gold import source_dates, window_dates

if TYPE_CHECKING:
    from strandline.engines.port import Session
    from strandline.runtime import Runtime
    from strandline.spec.model import Stream

RECOMPUTED = "recomputed"


def recompute_all(runtime: Runtime, session: Session, stream: Stream, side: Side, realtime: Snapshot | None) -> int:
    """How many lines the side has taken, of realtime files and of bronze where retention took them. Makes the relation
    `recomputed`: all their good events.
    """
    lines = _judge(runtime, session, stream, _all_lines(runtime, stream, side, realtime))
    _deduplicate(session, stream, _good(session, stream))
    return lines


@dataclass(frozen=True, slots=True)
class Changed:
    """What is to be compared: `days` of events, and of each aggregate the days on which its windows `start`."""

    days: set[date]
    starts: Mapping[str, set[date]]


def recompute_new(
    runtime: Runtime, session: Session, stream: Stream, then: Side, now: Side, realtime: Snapshot
) -> tuple[int, Changed]:
    """How many lines the side has taken since `then`, and what may have changed with them. Makes the relation `recomputed`:
    the good events of these days and of all their windows, from the rows of then and the new lines.
    """
    files = [file for file in realtime.files if now.has_taken(file) and not then.has_taken(file)]
    scan = _scan(stream, realtime, files, pads.field("_line") > 0)
    lines = _judge(runtime, session, stream, [scan] if scan else [])
    changed = _changed(session, stream, then, now)
    read = changed.days.union(*(source_dates(changed.starts[t.name], t.grain) for t in stream.gold if t.name in changed.starts))
    session.register("proven", with_columns(then.events.dataset(read), schemas.silver(stream)))
    names = _names(session, stream)
    _deduplicate(session, stream, f"(SELECT {names} FROM {_good(session, stream)} UNION ALL SELECT {names} FROM proven) AS e")
    return lines, changed


def _changed(session: Session, stream: Stream, then: Side, now: Side) -> Changed:
    """The days of new good events, of earlier events that these may be versions of, and those whose files are others; the
    windows of these, and aggregates' days whose files are others.
    """
    good = _good(session, stream)
    days = {row["event_date"] for row in session.rows(f"SELECT DISTINCT event_date FROM {good}")}
    if stream.deduplicate_within != "event_date":
        key = [session.dialect.quote(name) for name in stream.primary_key]
        session.register("proven_keys", then.events.dataset())
        same = " AND ".join(f"t.{name} = good.{name}" for name in key)
        found = session.rows(f"SELECT DISTINCT t.event_date FROM proven_keys AS t JOIN {good} ON {same}")
        days |= {row["event_date"] for row in found}
    days |= _rewritten(then.events, now.events)
    starts = {
        table.name: window_dates(days, table.grain) | _rewritten(then.aggregates[table.name], now.aggregates[table.name])
        for table in stream.gold
        if table.name in now.aggregates
    }
    return Changed(days, starts)


def _rewritten(then: Snapshot, now: Snapshot) -> set[date]:
    """The partitions whose files are not the same."""
    old, new = ({(file.partition, file.path) for file in snapshot.files} for snapshot in (then, now))
    return {day for day, _ in old ^ new if day}


def _judge(runtime: Runtime, session: Session, stream: Stream, scans: Sequence[Scan]) -> int:
    """How many lines there are; makes the relation `judged` of them."""
    schema = schemas.realtime(stream)
    session.register("raw_lines", scans or schema.empty_table())
    parsed = ", ".join(session.dialect.quote(name) for name in schema.names if name != "_raw")
    runtime.progress(f"audit {stream.name}: parse", 0, None)
    session.materialise("lines", f"SELECT {parsed} FROM raw_lines")
    lines = int(session.rows("SELECT COUNT(*) AS n FROM lines")[0]["n"])
    runtime.progress(f"audit {stream.name}: judge", lines, lines)
    session.materialise("judged", judge(stream, session.dialect, raw=False).sql)
    return lines


def _good(session: Session, stream: Stream) -> str:
    return f"(SELECT {_names(session, stream)} FROM judged WHERE _verdict IS NULL) AS good"


def _names(session: Session, stream: Stream) -> str:
    return ", ".join(session.dialect.quote(name) for name in schemas.silver(stream).names)


def _deduplicate(session: Session, stream: Stream, events: str) -> None:
    session.materialise(RECOMPUTED, deduplicate(stream, session.dialect, events, schemas.silver(stream).names))


def _all_lines(runtime: Runtime, stream: Stream, side: Side, realtime: Snapshot | None) -> list[Scan]:
    bronze = runtime.lake.table(paths.bronze(stream.name)).snapshot()
    if realtime is None:
        return []
    kept = {f.minimum["_landing_start"] for f in realtime.files}
    lines = pads.field("_line") > 0
    scans = [_scan(stream, realtime, [f for f in realtime.files if side.has_taken(f)], lines)]
    if bronze is not None and kept:
        gone = [f for f in bronze.files if f.minimum["_landing_start"] not in kept]
        expired = lines & ~pads.field("_landing_start").isin(pa.array(sorted(kept), schemas.MOMENT))
        scans.append(_scan(stream, bronze, gone, expired))
    return [scan for scan in scans if scan is not None]


def _scan(stream: Stream, snapshot: Snapshot, files: Sequence[DataFile], where: pads.Expression) -> Scan | None:
    if not files:
        return None
    return again(stream, snapshot.dataset(files=files), where, partial(_all_strict, stream))


def _all_strict(stream: Stream, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    schema = schemas.realtime(stream)
    for batch in batches:
        yield _strict(stream, batch, schema)


def _strict(stream: Stream, batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    """The batch with every field parsed again from the raw bytes by the strict way alone; a sealed line keeps its reason."""
    parser, width = parser_of(stream), len(stream.fields)
    texts: list[tuple[str | None, ...]] = []
    reasons: list[tuple[str | None, str | None, str | None]] = []
    unknown: list[int] = []
    told = [batch[name].to_pylist() for name in ("_raw", "_header", "_sealed", "_reason", "_reason_field", "_reason_detail")]
    for raw, header, sealed, *reason in zip(*told, strict=True):
        found = None if sealed else parser.strict(raw, header)
        if found is None or isinstance(found, Refusal):
            texts.append((None,) * width)
            reasons.append((reason[0], reason[1], reason[2]) if found is None else (found.reason, found.field, found.detail))
            unknown.append(0)
        else:
            texts.append(found.texts)
            reasons.append((None, None, None))
            unknown.append(found.unknown)
    fresh: dict[str, Any] = {
        "_reason": pa.array([r[0] for r in reasons], pa.string()),
        "_reason_field": pa.array([r[1] for r in reasons], pa.string()),
        "_reason_detail": pa.array([r[2] for r in reasons], pa.string()),
        "_unknown_fields": pa.array(unknown, pa.int32()),
    }
    fresh |= {f.name: pa.array([row[i] for row in texts], pa.string()) for i, f in enumerate(stream.fields)}
    columns = [fresh[name] if name in fresh else batch[name].cast(schema.field(name).type) for name in schema.names]
    return pa.RecordBatch.from_arrays(columns, schema=schema)
