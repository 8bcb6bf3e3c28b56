"""Whether two lakes hold the same rows, table by table and row for row."""

from __future__ import annotations

import duckdb
import pyarrow as pa

from strandline.lake import paths
from strandline.lake.lake import Lake
from strandline.spec.model import Stream
from tests.spark import counts


def tables_of(stream: Stream) -> dict[str, str]:
    """The path of every table of a stream that an engine computes, by kind."""
    found = {
        "silver": paths.silver(stream.name),
        "quarantine": paths.quarantine(stream.name),
        "unified": paths.unified(stream.name),
    }
    for table in stream.gold:
        found[f"gold {table.name}"] = paths.gold(stream.name, table.name)
        found[f"analytics {table.name}"] = paths.analytics(stream.name, table.name)
    return found


def differing_rows(one: Lake, other: Lake, stream: Stream, variant: str) -> dict[str, int]:
    """By table, how many rows only one of the lakes has; all that was compared is counted under the variant."""
    found = {}
    for kind, path in tables_of(stream).items():
        found[kind], rows = _difference(_rows(one, path), _rows(other, path))
        counts.rows(stream.name, variant, kind).add(rows, found[kind])
    return found


def _rows(lake: Lake, path: str) -> pa.Table:
    snapshot = lake.table(path).snapshot()
    assert snapshot is not None, f"{path} does not exist"
    return snapshot.arrow()


def _difference(one: pa.Table, other: pa.Table) -> tuple[int, int]:
    """How many rows only one of them has, and how many rows there are."""
    assert one.schema.names == other.schema.names
    with duckdb.connect() as connection:
        connection.register("one", one)
        connection.register("other", other)
        names = ", ".join(f'"{name}"' for name in one.schema.names)
        sides = (f"SELECT {names} FROM {a} EXCEPT ALL SELECT {names} FROM {b}" for a, b in (("one", "other"), ("other", "one")))
        [(differ,)] = connection.execute(
            f"SELECT COUNT(*) FROM ({' UNION ALL '.join(f'SELECT * FROM ({side})' for side in sides)})"
        ).fetchall()
    return differ, one.num_rows
