"""SQL over the lake, read-only: each table under a name of two parts, such as `unified.api_logs` or
`gold.api_logs__api_hourly`.

Served tables are read at the versions that were published together. Timestamps are UTC.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from difflib import get_close_matches

import pyarrow as pa

from strandline.errors import UsageError
from strandline.lake import paths
from strandline.lake.snapshot import Snapshot
from strandline.runtime import Runtime
from strandline.spec.model import Stream
from strandline.stages.merge import Pointer, read_pointer


def relations(streams: Mapping[str, Stream]) -> dict[str, str]:
    """Every name that a query may use → the path of its table in the lake."""
    found = {"ledger": paths.LEDGER}
    layers: dict[str, Callable[[str], str]] = {
        "realtime": paths.realtime,
        "bronze": paths.bronze,
        "silver": paths.silver,
        "quarantine": paths.quarantine,
        "unified": paths.unified,
        "firings": paths.firings,
        "alerts": paths.episodes,
    }
    for name, stream in streams.items():
        found |= {f"{layer}.{name}": path(name) for layer, path in layers.items()}
        for table in stream.gold:
            found[f"gold.{name}__{table.name}"] = paths.gold(name, table.name)
            found[f"analytics.{name}__{table.name}"] = paths.analytics(name, table.name)
    return found


@dataclass(frozen=True, slots=True)
class Answer:
    """The columns of a result, and its rows as they come; they can be read once."""

    schema: pa.Schema
    batches: Iterator[pa.RecordBatch]

    def table(self) -> pa.Table:
        """All rows that are left, in memory."""
        return pa.Table.from_batches(self.batches, schema=self.schema)


@contextmanager
def query(runtime: Runtime, streams: Mapping[str, Stream], sql: str) -> Iterator[Answer]:
    """The answer to one query, read while this lasts. Raises `UsageError` for a name that does not exist (with the closest) or
    a statement that is no query; `DataError` when it fails, at once or on the way.
    """
    known = relations(streams)
    pointers: dict[str, Pointer | None] = {}  # each looked at once, so that all tables are those of one merge
    with replace(runtime).engine.session() as session:  # in a database of its own: its views are this query's alone
        for number, name in enumerate(sorted(session.relations_of(sql))):
            if name not in known:
                close = [f"unified.{name}"] if f"unified.{name}" in known else get_close_matches(name, known, 1, 0.5)
                hint = f"; did you mean {close[0]}?" if close else f"; there is {', '.join(list(known)[:8])}, …"
                raise UsageError(f"there is no table {name}{hint}")
            snapshot = _snapshot(runtime, name, known[name], pointers)
            if snapshot is None:
                raise UsageError(f"{name} is empty: nothing was written to {runtime.lake.url}/{known[name]} yet")
            session.register(f"__relation_{number}", snapshot.dataset())
            session.view(name, f"__relation_{number}")
        yield Answer(*session.result(sql))


def _snapshot(runtime: Runtime, name: str, path: str, pointers: dict[str, Pointer | None]) -> Snapshot | None:
    layer, _, rest = name.partition(".")
    version: int | None = None
    if layer in ("unified", "analytics"):
        stream, _, table = rest.partition("__")
        if stream not in pointers:
            pointers[stream] = read_pointer(runtime, stream)
        if (pointer := pointers[stream]) is not None:
            version = pointer.analytics.get(table) if layer == "analytics" else pointer.unified
    return runtime.lake.table(path).snapshot(version)
