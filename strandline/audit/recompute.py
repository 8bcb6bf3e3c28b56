"""Events computed from raw lines again: parsed by the strict parser alone, judged and deduplicated as one set."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias

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
_Taken: TypeAlias = Callable[[DataFile], bool]


@dataclass(frozen=True, slots=True)
class Changed:
    """What is to be compared: `days` of events, and of each aggregate the days on which its windows `start`."""

    days: set[date]
    starts: Mapping[str, set[date]]


class Recompute:
    """The lines that the sides have taken, of realtime files and of bronze where retention took them: parsed and judged once,
    in one session. `lines`: how many they are.

    With `then`, the same sides at an earlier audit that agreed, they are the lines since.
    """

    def __init__(
        self,
        runtime: Runtime,
        session: Session,
        stream: Stream,
        realtime: Snapshot | None,
        now: Sequence[Side],
        then: Sequence[Side],
    ) -> None:
        self._session, self._stream, self._now, self._then = session, stream, now, then
        self._taken = [_since(*both) for both in zip(now, then, strict=True)] if then else [side.has_taken for side in now]
        files = realtime.files if realtime else []
        self._files = [file for file in files if any(taken(file) for taken in self._taken)]
        scans = []
        if realtime is not None and now:
            scans.append(_scan(stream, realtime, self._files, _LINES))
            scans += [] if then else [_expired(runtime, stream, realtime)]
        self.lines = _judge(runtime, session, stream, [scan for scan in scans if scan is not None])
        self._left_out: set[datetime] | None = None

    def events(self, number: int) -> Changed | None:
        """Make the relation `recomputed`: all good events of the side `number`.

        With an earlier audit: those of the days that may have changed since, which are given, and of all their windows, from
        the rows of then and the new lines.
        """
        same = self._leave_out(self._taken[number])
        if self._then:
            return self._new_events(self._then[number], self._now[number])
        if not same:
            self._deduplicate(self._good)
        return None

    def _leave_out(self, taken: _Taken) -> bool:
        """Leave the landings out that this side has not taken; whether they are the same as before."""
        starts = {file.minimum["_landing_start"] for file in self._files if not taken(file)}
        same, self._left_out = starts == self._left_out, starts
        self._session.register("left_out", pa.table({"_landing_start": pa.array(sorted(starts), schemas.MOMENT)}))
        return same

    def _new_events(self, then: Side, now: Side) -> Changed:
        changed = self._changed(then, now)
        stream, starts = self._stream, changed.starts
        read = changed.days.union(*(source_dates(starts[t.name], t.grain) for t in stream.gold if t.name in starts))
        self._session.register("proven", with_columns(then.events.dataset(read), schemas.silver(stream)))
        self._deduplicate(f"(SELECT {self._names} FROM {self._good} UNION ALL SELECT {self._names} FROM proven) AS e")
        return changed

    def _changed(self, then: Side, now: Side) -> Changed:
        """The days of new good events, of earlier events that these may be versions of, and those whose files are others; the
        windows of these, and aggregates' days whose files are others.
        """
        session, stream, good = self._session, self._stream, self._good
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

    @property
    def _names(self) -> str:
        return ", ".join(self._session.dialect.quote(name) for name in schemas.silver(self._stream).names)

    @property
    def _good(self) -> str:
        left_out = "SELECT 1 FROM left_out AS l WHERE l._landing_start = j._landing_start"
        return f"(SELECT {self._names} FROM judged AS j WHERE _verdict IS NULL AND NOT EXISTS ({left_out})) AS good"

    def _deduplicate(self, events: str) -> None:
        names = schemas.silver(self._stream).names
        self._session.materialise(RECOMPUTED, deduplicate(self._stream, self._session.dialect, events, names))


_LINES = pads.field("_line") > 0


def _since(now: Side, then: Side) -> _Taken:
    return lambda file: now.has_taken(file) and not then.has_taken(file)


def _rewritten(then: Snapshot, now: Snapshot) -> set[date]:
    """The partitions whose files are not the same."""
    old, new = ({(file.partition, file.path) for file in snapshot.files} for snapshot in (then, now))
    return {day for day, _ in old ^ new if day}


def _judge(runtime: Runtime, session: Session, stream: Stream, scans: Sequence[Scan]) -> int:
    """How many lines there are; makes the relation `judged` of them."""
    session.register("lines", scans or schemas.realtime(stream).empty_table())
    runtime.progress(f"audit {stream.name}: parse and judge", 0, None)
    session.materialise("judged", judge(stream, session.dialect, raw=False).sql)
    return int(session.rows("SELECT COUNT(*) AS n FROM judged")[0]["n"])


def _expired(runtime: Runtime, stream: Stream, realtime: Snapshot) -> Scan | None:
    """The lines of bronze that retention took from realtime; every side has taken them."""
    bronze = runtime.lake.table(paths.bronze(stream.name)).snapshot()
    kept = {f.minimum["_landing_start"] for f in realtime.files}
    if bronze is None or not kept:
        return None
    gone = [f for f in bronze.files if f.minimum["_landing_start"] not in kept]
    return _scan(stream, bronze, gone, _LINES & ~pads.field("_landing_start").isin(pa.array(sorted(kept), schemas.MOMENT)))


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
