"""Rows that are stored, held against rows that were computed: digests by partition first, then the keys that differ."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

import pyarrow as pa

from strandline.lake.snapshot import Snapshot
from strandline.plan import schemas
from strandline.stages.again import VERSION as JUDGED_BY
from strandline.stages.again import with_columns

if TYPE_CHECKING:
    from strandline.engines.port import Session
    from strandline.spec.model import Stream

SHOWN = 20


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
        kinds = [("missing", self.missing), ("extra", self.extra), ("changed", self.changed)]
        told = [f"{kind} {', '.join(keys)}" for kind, keys in kinds if keys]
        return f"{self.table}, {self.partition}: {'; '.join(told) or 'differs'}"


def compare(
    session: Session,
    stream: Stream,
    held: Snapshot,
    schema: pa.Schema,
    computed: str,
    *,
    dates: Collection[date] | None = None,
    fast: bool = False,
) -> list[Difference]:
    """Where a table differs from the relation `computed`, in all its partitions or in those of `dates`."""
    quote = session.dialect.quote
    compared = [quote(name) for name in schema.names if name != JUDGED_BY]
    session.register("held", with_columns(held.dataset(dates), schema))
    session.materialise("stored", f"SELECT {', '.join(compared)} FROM held")
    digest = f"event_date, COUNT(*) AS n, {session.dialect.digest(compared)} AS digest"
    sides = [f"(SELECT {digest} FROM {relation} GROUP BY 1)" for relation in ("stored", computed)]
    differing = session.rows(
        f"SELECT COALESCE(a.event_date, b.event_date) AS event_date FROM {sides[0]} AS a FULL JOIN {sides[1]} AS b "
        "ON a.event_date = b.event_date WHERE a.n IS DISTINCT FROM b.n OR a.digest IS DISTINCT FROM b.digest ORDER BY 1"
    )
    days = [row["event_date"] for row in differing]
    if fast:
        return [Difference(held.path, f"event_date={day}") for day in days]
    return [_keys(session, stream, held.path, schema, day, computed) for day in days]


def _keys(session: Session, stream: Stream, path: str, schema: pa.Schema, day: date, computed: str) -> Difference:
    quote = session.dialect.quote
    names = ", ".join(quote(name) for name in schema.names if name != JUDGED_BY)
    shown = ", ".join(quote(name) for name in _key_columns(stream, schema))

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


def _key_columns(stream: Stream, schema: pa.Schema) -> Sequence[str]:
    if "window_start" not in schema.names:
        return stream.primary_key
    metrics = {metric.name for table in stream.gold for metric in table.metrics}
    return [name for name in schema.names if name not in metrics and not name.startswith("_") and name != schemas.EVENT_DATE]
