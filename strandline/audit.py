"""The audit: everything recomputed from the raw bytes in one pass, held against what is stored and served.

The recompute shares no state with the steps: every line is parsed again by the strict parser alone, judged, deduplicated
and aggregated as one set, without positions, earlier rows or the order of arrival. It speaks of exact table versions: those
that were published together, and of the lines that these versions say they have taken.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.dataset as pads

from strandline.engines.port import Scan
from strandline.errors import TransientError
from strandline.lake import paths
from strandline.lake.tables import Commit, DataFile, Snapshot
from strandline.lines.parse import parser_of
from strandline.lines.strict import Refusal
from strandline.plan import schemas
from strandline.plan.aggregate import aggregate
from strandline.plan.judge import deduplicate, judge
from strandline.stages.again import VERSION as JUDGED_BY
from strandline.stages.again import again, with_columns
from strandline.stages.bronze import Line
from strandline.stages.merge import read_pointer
from strandline.stages.silver import RESTATEMENTS
from strandline.status import balance

if TYPE_CHECKING:
    from strandline.engines.port import Engine, Session
    from strandline.runtime import Runtime
    from strandline.spec.model import Stream

SHOWN = 20
_TABLE = "batch/audits"
_SCHEMA = pa.schema(
    [
        ("stream", pa.string()),
        ("audited_at", schemas.MOMENT),
        ("agrees", pa.bool_()),
        ("lines", pa.int64()),
        ("rows", pa.int64()),
        ("versions", pa.string()),
        ("differences", pa.string()),
        ("faults", pa.string()),
    ]
)


@dataclass(frozen=True, slots=True)
class Difference:
    """Rows of one partition of a table that the recompute has otherwise.

    `missing` are keys that should be there, `extra` keys that should not, `changed` keys whose values differ; at most
    `SHOWN` of each (with `fast` none: only `partition` is named).
    """

    table: str
    partition: str
    missing: tuple[str, ...] = ()
    extra: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()

    def __str__(self) -> str:
        told = [f"{kind} {', '.join(keys)}" for kind, keys in self._kinds() if keys]
        return f"{self.table}, {self.partition}: {'; '.join(told) or 'differs'}"

    def _kinds(self) -> list[tuple[str, tuple[str, ...]]]:
        return [("missing", self.missing), ("extra", self.extra), ("changed", self.changed)]


@dataclass(frozen=True, slots=True)
class Audit:
    """What an audit of one stream found: `lines` recomputed, `rows` compared, of the table `versions` (path → version)."""

    stream: str
    lines: int
    rows: int
    versions: Mapping[str, int]
    differences: tuple[Difference, ...] = ()
    faults: tuple[str, ...] = ()

    @property
    def agrees(self) -> bool:
        """Whether nothing differs and every line is accounted for."""
        return not self.differences and not self.faults


@dataclass
class _Findings:
    lines: int = 0
    rows: int = 0
    versions: dict[str, int] = field(default_factory=dict)
    differences: list[Difference] = field(default_factory=list)


def audit(runtime: Runtime, stream: Stream, *, fast: bool = False) -> Audit:
    """The audit of a stream's silver, gold, unified and analytics, and of its balance; stored in `batch/audits`.

    `fast` compares digests by partition and does not look for the keys that differ. Nothing is changed but the stored result.
    Raises `TransientError` after a rebuild or replay that the merge has not followed yet.
    """
    findings = _Findings()
    engine = runtime.engine_of(stream)
    silver = runtime.lake.table(paths.silver(stream.name)).snapshot()
    pointer = read_pointer(runtime, stream.name)
    unified = runtime.lake.table(paths.unified(stream.name)).snapshot(pointer.unified) if pointer else None
    if silver is not None and unified is not None and unified.position(RESTATEMENTS) != silver.position(RESTATEMENTS):
        raise TransientError(f"{stream.name}: what is served has not followed the last rebuild or replay yet: run the merge")
    if silver is not None and silver.ordinal:
        line = Line.of(silver)
        with engine.session() as session:
            _recompute(runtime, engine, session, stream, lambda f: not line.is_above(f), findings)
            _compare(engine, session, stream, paths.silver(stream.name), silver, schemas.silver(stream), fast, findings)
            for table in stream.gold:
                path = paths.gold(stream.name, table.name)
                held = runtime.lake.table(path).snapshot()
                if held is not None and held.position("silver") == silver.ordinal:
                    session.materialise("computed", aggregate(stream, table, engine.dialect, "recomputed"))
                    _compare(engine, session, stream, path, held, schemas.gold(stream, table), fast, findings, "computed")
    if pointer is not None:
        assert unified is not None, "a published version exists"
        with engine.session() as session:
            _recompute(runtime, engine, session, stream, lambda f: f.ordinal <= pointer.realtime, findings)
            _compare(engine, session, stream, paths.unified(stream.name), unified, schemas.silver(stream), fast, findings)
            for table in stream.gold:
                path = paths.analytics(stream.name, table.name)
                if table.name not in pointer.analytics:
                    continue  # declared since the last merge
                held = runtime.lake.table(path).snapshot(pointer.analytics[table.name])
                assert held is not None, "a published version exists"
                session.materialise("computed", aggregate(stream, table, engine.dialect, "recomputed"))
                _compare(engine, session, stream, path, held, schemas.gold(stream, table), fast, findings, "computed")
    faults = balance(runtime, stream).faults
    found = Audit(stream.name, findings.lines, findings.rows, findings.versions, tuple(findings.differences), tuple(faults))
    _store(runtime, found)
    return found


def _recompute(
    runtime: Runtime, engine: Engine, session: Session, stream: Stream, wanted: Callable[[DataFile], bool], findings: _Findings
) -> None:
    """The relation `recomputed`: the good events of all lines of the wanted realtime files and of bronze where retention
    took them.
    """
    schema = schemas.realtime(stream)
    session.register("raw_lines", _raw_lines(runtime, stream, wanted) or schema.empty_table())
    parsed = ", ".join(engine.dialect.quote(name) for name in schema.names if name != "_raw")
    runtime.progress(f"audit {stream.name}: parse", 0, None)
    session.materialise("lines", f"SELECT {parsed} FROM raw_lines")
    findings.lines = session.rows("SELECT COUNT(*) AS n FROM lines")[0]["n"]
    runtime.progress(f"audit {stream.name}: judge", findings.lines, findings.lines)
    session.materialise("judged", judge(stream, engine.dialect, raw=False).sql)
    columns = schemas.silver(stream).names
    names = ", ".join(engine.dialect.quote(name) for name in columns)
    good = f"(SELECT {names} FROM judged WHERE _verdict IS NULL) AS good"
    session.materialise("recomputed", deduplicate(stream, engine.dialect, good, columns))


def _raw_lines(runtime: Runtime, stream: Stream, wanted: Callable[[DataFile], bool]) -> list[Scan]:
    realtime = runtime.lake.table(paths.realtime(stream.name)).snapshot()
    bronze = runtime.lake.table(paths.bronze(stream.name)).snapshot()
    if realtime is None:
        return []
    kept = {f.minimum["_landing_start"] for f in realtime.files}
    lines = pads.field("_line") > 0
    scans = [_scan(stream, realtime, [f for f in realtime.files if wanted(f)], lines)]
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


def _compare(
    engine: Engine,
    session: Session,
    stream: Stream,
    path: str,
    held: Snapshot,
    schema: pa.Schema,
    fast: bool,
    findings: _Findings,
    computed: str = "recomputed",
) -> None:
    """Digests by partition first, then the keys of the partitions that differ."""
    quote = engine.dialect.quote
    compared = [quote(name) for name in schema.names if name != JUDGED_BY]
    names = ", ".join(compared)
    session.register("held", with_columns(held.dataset(), schema))
    session.materialise("stored", f"SELECT {names} FROM held")
    findings.versions[path] = held.version
    findings.rows += held.rows
    digest = f"event_date, COUNT(*) AS n, {engine.dialect.digest(compared)} AS digest"
    sides = [f"(SELECT {digest} FROM {relation} GROUP BY 1)" for relation in ("stored", computed)]
    differing = session.rows(
        f"SELECT COALESCE(a.event_date, b.event_date) AS event_date FROM {sides[0]} AS a FULL JOIN {sides[1]} AS b "
        "ON a.event_date = b.event_date WHERE a.n IS DISTINCT FROM b.n OR a.digest IS DISTINCT FROM b.digest ORDER BY 1"
    )
    for row in differing:
        day = row["event_date"]
        findings.differences.append(
            Difference(path, f"event_date={day}") if fast else _keys(engine, session, stream, path, schema, day, computed)
        )


def _keys(
    engine: Engine, session: Session, stream: Stream, path: str, schema: pa.Schema, day: Any, computed: str
) -> Difference:
    quote = engine.dialect.quote
    names = ", ".join(quote(name) for name in schema.names if name != JUDGED_BY)
    key = _key_columns(stream, schema)
    shown = ", ".join(quote(name) for name in key)

    def only(one: str, other: str) -> set[str]:
        chosen = f"SELECT {names} FROM {{}} WHERE event_date = DATE '{day}'"
        sql = f"SELECT DISTINCT {shown} FROM ({chosen.format(one)} EXCEPT ALL {chosen.format(other)}) AS d ORDER BY {shown}"
        return {json.dumps(row, default=str, ensure_ascii=False) for row in session.rows(sql)}

    stored, fresh = only("stored", computed), only(computed, "stored")
    return Difference(
        path,
        f"event_date={day}",
        missing=tuple(sorted(fresh - stored)[:SHOWN]),
        extra=tuple(sorted(stored - fresh)[:SHOWN]),
        changed=tuple(sorted(stored & fresh)[:SHOWN]),
    )


def _key_columns(stream: Stream, schema: pa.Schema) -> list[str]:
    if "window_start" not in schema.names:
        return list(stream.primary_key)
    metrics = {metric.name for table in stream.gold for metric in table.metrics}
    return [name for name in schema.names if name not in metrics and not name.startswith("_") and name != schemas.EVENT_DATE]


def _store(runtime: Runtime, found: Audit) -> None:
    row = {
        "stream": found.stream,
        "audited_at": datetime.now(UTC),
        "agrees": found.agrees,
        "lines": found.lines,
        "rows": found.rows,
        "versions": json.dumps(dict(found.versions)),
        "differences": json.dumps([asdict(d) for d in found.differences]),
        "faults": json.dumps(list(found.faults)),
    }
    table = runtime.lake.table(_TABLE)

    def decide(snapshot: Snapshot) -> Commit | None:
        writer = table.writer(snapshot, _SCHEMA)
        writer.write(pa.Table.from_pylist([row], schema=_SCHEMA))
        return Commit(add=writer.close())

    table.commit(_SCHEMA, decide)
