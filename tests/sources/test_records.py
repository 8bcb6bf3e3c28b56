"""Lines out of bytes: in blocks or one by one, wherever the chunks are cut."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from strandline.errors import SourceError
from strandline.sources import records
from strandline.sources.records import line_blocks, lines


@settings(deadline=None)
@given(st.lists(st.binary(max_size=6) | st.sampled_from([b"\n", b"\n\n", b"a\nb\n", b"{}\r\n"])), st.integers(1, 9))
def test_blocks_hold_the_lines_that_are_read_one_by_one(chunks: list[bytes], block: int) -> None:
    held, records._BLOCK = records._BLOCK, block
    try:
        found = [raw for each in line_blocks(chunks, "x") for raw in each.to_pylist()]
    finally:
        records._BLOCK = held
    assert found == list(lines(chunks, "x"))


@pytest.mark.parametrize(
    "chunks", [[b"a\n", b"b" * 50, b"b" * 51, b"\n"], [b"b" * 101], [b"a\n" + b"b" * 60, b"b" * 60 + b"\nc"]]
)
def test_a_line_that_is_too_long_is_refused_in_blocks_as_well(chunks: list[bytes]) -> None:
    for way in (line_blocks, lines):
        with pytest.raises(SourceError, match="x: a line of more than 100 bytes"):
            list(way(chunks, "x", 100))
