"""The audit: events and aggregates recomputed from the raw bytes, held against what is stored and served.

The recompute shares no state with the steps: every line is parsed again by the strict parser alone, judged, deduplicated
and aggregated as one set, without positions or the order of arrival. It speaks of exact table versions: those that were
published together, and of the lines that these versions say they have taken.

An audit may stand on the last one that agreed. Then the rows of that moment take the place of the lines that they were proven
to equal, and only days that have changed are compared: it costs what is new.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING

import pyarrow as pa

from strandline.audit.base import find_base, keep
from strandline.audit.compare import Difference, compare
from strandline.audit.recompute import RECOMPUTED, Changed, Recompute
from strandline.audit.sides import Side, sides_now
from strandline.lake import paths
from strandline.lake.snapshot import Snapshot
from strandline.plan import schemas
from strandline.plan.aggregate import aggregate
from strandline.status import balance

if TYPE_CHECKING:
    from strandline.engines.port import Session
    from strandline.runtime import Runtime
    from strandline.spec.model import Stream


@dataclass(frozen=True, slots=True)
class Audit:
    """What an audit of one stream found: `lines` recomputed, `rows` compared, of the table `versions` (path → version).

    `since`: the moment (UTC) of the audit that it stands on; None when everything was recomputed.
    """

    stream: str
    lines: int
    rows: int
    versions: Mapping[str, int]
    differences: tuple[Difference, ...] = ()
    faults: tuple[str, ...] = ()
    since: datetime | None = None

    @property
    def agrees(self) -> bool:
        """Whether nothing differs and every line is accounted for."""
        return not self.differences and not self.faults


@dataclass
class _Findings:
    rows: int = 0
    differences: list[Difference] = field(default_factory=list)


def audit(runtime: Runtime, stream: Stream, *, fast: bool = False, whole_every: timedelta | None = None) -> Audit:
    """The audit of a stream's silver, gold, unified and analytics, and of its balance; stored in `batch/audits`.

    `fast` compares digests by partition and does not look for the keys that differ. With `whole_every` the audit stands on the
    last one that agreed, where it can and the last whole recompute is no longer ago than that. Nothing is changed but the
    stored result. Raises `TransientError` after a rebuild or replay that the merge has not followed yet.
    """
    sides = sides_now(runtime, stream)
    realtime = runtime.lake.table(paths.realtime(stream.name)).snapshot()
    base = find_base(runtime, stream, sides, realtime, whole_every) if whole_every else None
    findings = _Findings()
    with runtime.engine_of(stream).session() as session:
        recompute = Recompute(runtime, session, stream, realtime, sides, base.sides if base else ())
        for number, side in enumerate(sides):
            _audit_side(session, stream, side, recompute.events(number), fast, findings)
    faults = balance(runtime, stream).faults
    versions = {path: version for side in sides for path, version in side.versions.items()}
    if realtime is not None:
        versions[realtime.path] = realtime.version
    told = (tuple(findings.differences), tuple(faults), base.audited_at if base else None)
    found = Audit(stream.name, recompute.lines, findings.rows, versions, *told)
    keep(runtime, stream, found, base)
    return found


def _audit_side(session: Session, stream: Stream, side: Side, changed: Changed | None, fast: bool, findings: _Findings) -> None:
    def hold(held: Snapshot, schema: pa.Schema, computed: str, days: Collection[date] | None) -> None:
        findings.rows += held.rows if days is None else sum(file.rows for file in held.files_of(days))
        findings.differences += compare(session, stream, held, schema, computed, dates=days, fast=fast)

    days = changed.days if changed else None
    hold(side.events, schemas.silver(stream), f"(SELECT * FROM {RECOMPUTED}{_of(days)}) AS r", days)
    for table in stream.gold:
        if table.name in side.aggregates:
            starts = changed.starts[table.name] if changed else None
            sql = aggregate(stream, table, session.dialect, RECOMPUTED)
            session.materialise("computed", f"SELECT * FROM ({sql}) AS r{_of(starts)}")
            hold(side.aggregates[table.name], schemas.gold(stream, table), "computed", starts)


def _of(days: Collection[date] | None) -> str:
    """The condition on rows of some days; empty: all."""
    if days is None:
        return ""
    listed = ", ".join(f"DATE '{day}'" for day in sorted(days))
    return f" WHERE event_date IN ({listed})" if days else " WHERE FALSE"
