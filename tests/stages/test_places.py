"""Places of lines: which rows of batches stand at them, against sets of pairs."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from strandline.stages.places import Places

START = datetime(2026, 1, 1, tzinfo=UTC)
SCHEMA = pa.schema([("_landing_start", pa.timestamp("us", "UTC")), ("_line", pa.int64()), ("number", pa.int64())])
PAIRS = st.lists(st.tuples(st.integers(0, 5), st.one_of(st.integers(1, 4), st.just(1_000_000))), max_size=30)


def rows(pairs: list[tuple[int, int]]) -> pa.Table:
    found = [
        {"_landing_start": START + interval * timedelta(minutes=5), "_line": line, "number": number}
        for number, (interval, line) in enumerate(pairs)
    ]
    return pa.Table.from_pylist(found, schema=SCHEMA)


@given(PAIRS, PAIRS, st.integers(1, 7))
def test_rows_are_parted_by_whether_they_stand_at_one_of_the_places(
    held: list[tuple[int, int]], wanted: list[tuple[int, int]], size: int
) -> None:
    places, at = Places.of(rows(wanted)), set(wanted)
    batches = rows(held).to_batches(max_chunksize=size)
    here = [n for batch in places.here(batches) for n in batch["number"].to_pylist()]
    elsewhere = [n for batch in places.elsewhere(batches) for n in batch["number"].to_pylist()]
    assert here == [n for n, pair in enumerate(held) if pair in at]
    assert elsewhere == [n for n, pair in enumerate(held) if pair not in at]
