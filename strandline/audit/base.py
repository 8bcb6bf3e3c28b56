"""What an audit may stand on: the last one that agreed. What it found right need not be computed again, since files never
change: today's rows of a day are the ones of then and the lines since, and days whose files are the same are the same.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from strandline.audit.sides import Side, sides_at
from strandline.contracts import digest_number
from strandline.errors import StorageError
from strandline.lake.landings import EXPIRED
from strandline.lake.snapshot import Snapshot
from strandline.lake.tables import Commit
from strandline.plan import schemas
from strandline.stages.silver import RESTATEMENTS

if TYPE_CHECKING:
    from strandline.audit.audit import Audit
    from strandline.runtime import Runtime
    from strandline.spec.model import Stream

TABLE = "batch/audits"
OLDEST = timedelta(days=6)
"""How old a base may be: what a version names is kept for seven days."""
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
        ("since", schemas.MOMENT),
        ("whole_at", schemas.MOMENT),
        ("contract", pa.int64()),
    ]
)


@dataclass(frozen=True, slots=True)
class Base:
    """An audit that agreed: when, when the last whole recompute below it was, and the tables as they were then, in the order
    of those of now.
    """

    audited_at: datetime
    whole_at: datetime
    sides: tuple[Side, ...]


def find_base(
    runtime: Runtime, stream: Stream, now: list[Side], realtime: Snapshot | None, whole_every: timedelta
) -> Base | None:
    """The audit to stand on; None where everything is to be recomputed: there is none of the last days under this contract,
    its last whole recompute is `whole_every` ago, something was restated since, or lines came and went meanwhile.
    """
    if realtime is None or not now:
        return None
    moment = datetime.now(UTC)
    for row in _newest_first(runtime, stream):
        if moment - row["audited_at"] > OLDEST or moment - row["whole_at"] > whole_every:
            return None
        if row["agrees"]:
            return _standing(runtime, stream, now, realtime, row) if row["contract"] == digest_number(stream) else None
    return None


def _newest_first(runtime: Runtime, stream: Stream) -> Iterator[dict[str, Any]]:
    audits = runtime.lake.table(TABLE).snapshot()
    for file in reversed(audits.files if audits else ()):
        if audits is not None and file.minimum.get("stream") == stream.name:
            yield from audits.arrow(files=[file]).to_pylist()


def _standing(runtime: Runtime, stream: Stream, now: list[Side], realtime: Snapshot, row: dict[str, Any]) -> Base | None:
    versions = json.loads(row["versions"])
    try:
        then = sides_at(runtime, stream, versions, now)
        landed = runtime.lake.table(realtime.path).snapshot(versions[realtime.path])
    except (KeyError, StorageError):
        return None
    if any(a.events.position(RESTATEMENTS) != b.events.position(RESTATEMENTS) for a, b in zip(then, now, strict=True)):
        return None
    live = {file.path for file in realtime.files}
    gone = [file for file in landed.files if file.path not in live] if landed else []
    if landed is None or len(gone) != realtime.position(EXPIRED) - landed.position(EXPIRED):
        return None
    if not all(side.has_taken(file) for side in then for file in gone):
        return None
    return Base(row["audited_at"], row["whole_at"], tuple(then))


def keep(runtime: Runtime, stream: Stream, found: Audit, base: Base | None) -> None:
    """Store what an audit found, for people and for the next audit."""
    moment = datetime.now(UTC)
    row = {
        "stream": found.stream,
        "audited_at": moment,
        "agrees": found.agrees,
        "lines": found.lines,
        "rows": found.rows,
        "versions": json.dumps(dict(found.versions)),
        "differences": json.dumps([asdict(each) for each in found.differences]),
        "faults": json.dumps(list(found.faults)),
        "since": found.since,
        "whole_at": base.whole_at if base else moment,
        "contract": digest_number(stream),
    }
    table = runtime.lake.table(TABLE)

    def decide(snapshot: Snapshot) -> Commit | None:
        writer = table.writer(snapshot, _SCHEMA, ("stream", "audited_at"))
        writer.write(pa.Table.from_pylist([row], schema=_SCHEMA))
        return Commit(add=writer.close())

    table.commit(_SCHEMA, decide)
