"""A block of lines says what each of its lines says alone."""

from __future__ import annotations

import json
from collections.abc import Sequence

import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from strandline.lines.arrays import parse_array
from strandline.lines.block import Block, layout_of
from strandline.lines.parse import LineParser
from strandline.lines.strict import Refusal, Row, Wanted, decode, parse_object
from tests.lines.streams import POISONED_FIELDS, poisoned
from tests.poison.corpus import POISON
from tests.poison.lines import GOOD

MANY = 80


def strictly(raws: Sequence[bytes]) -> list[Row | Refusal]:
    parser = LineParser(Wanted(POISONED_FIELDS))
    return [parser.strict(raw) for raw in raws]


def by_block(raws: Sequence[bytes]) -> list[Row | Refusal]:
    parsed = parse_array(poisoned(), pa.array(raws, pa.binary()), pa.nulls(len(raws), pa.string()))
    columns = [column.to_pylist() for column in parsed.columns.values()]
    told = zip(parsed.reason.to_pylist(), parsed.reason_field.to_pylist(), parsed.reason_detail.to_pylist(), strict=True)
    found: list[Row | Refusal] = []
    for index, (reason, about, detail) in enumerate(told):
        if reason is None:
            found.append(Row(tuple(column[index] for column in columns), parsed.unknown_fields[index].as_py()))
        else:
            assert all(column[index] is None for column in columns)
            found.append(Refusal(reason, about, detail))
    return found


def test_poison_among_good_lines_is_told_apart_and_harms_none() -> None:
    raws = [line for poison in POISON if poison.header is None for line in (GOOD, poison.raw)]
    assert by_block(raws) == strictly(raws)


@pytest.mark.parametrize(
    "poison", [p for p in POISON if p.header is None and len(p.raw) < 5000], ids=lambda poison: poison.name
)
def test_a_block_of_one_poison_alone_is_judged_as_the_strict_parser_does(poison: object) -> None:
    raw: bytes = poison.raw  # type: ignore[attr-defined]
    raws = [raw] * MANY + [GOOD, raw]
    assert by_block(raws) == strictly(raws)


SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(10**25), 10**25)
    | st.floats(allow_nan=True, allow_infinity=True)
    | st.text(max_size=8)
)
KEYS = st.sampled_from([*(declared.source_name for declared in POISONED_FIELDS), "other", "ö", 'q"', "\\"])
OBJECTS = st.dictionaries(KEYS, SCALARS | st.lists(SCALARS, max_size=2), max_size=6)
SPACES = st.sampled_from([(",", ":"), (", ", ": "), (" ,", ":")])


@settings(max_examples=300, deadline=None)
@given(OBJECTS, SPACES, st.booleans(), st.integers(0, 400), st.binary(min_size=1, max_size=3), st.booleans())
@example({"id": "a"}, (",", ":"), False, 5, b'"', True)
def test_a_line_damaged_anywhere_among_its_like_is_judged_as_the_strict_parser_does(
    tree: dict[str, object], space: tuple[str, str], plain: bool, at: int, with_: bytes, inserted: bool
) -> None:
    line = json.dumps(tree, separators=space, ensure_ascii=plain).encode("utf-8", "surrogatepass")
    at %= len(line) + 1
    damaged = line[:at] + with_ + line[at + (0 if inserted else len(with_)) :]
    raws = [line] * MANY + [damaged, line, b"", GOOD, damaged]
    assert by_block(raws) == strictly(raws)


def test_lines_of_an_array_that_is_part_of_another_one_are_cut_where_they_are() -> None:
    raws = pa.array([b"xx", *[GOOD] * MANY, b"yy"], pa.binary()).slice(1, MANY)
    parsed = parse_array(poisoned(), raws, pa.nulls(MANY, pa.string()))
    assert {name: column.to_pylist() for name, column in parsed.columns.items()} == {
        declared.name: [text] * MANY
        for declared, text in zip(POISONED_FIELDS, _row(GOOD).texts, strict=True)
    }  # fmt: skip


def test_lines_that_look_alike_do_take_the_block_way() -> None:
    wanted = Wanted(POISONED_FIELDS)
    text = decode(b'{"id":"1","n":5,"other":"x"}')
    assert isinstance(text, str)
    tree = parse_object(wanted, text)
    assert not isinstance(tree, Refusal)
    layout = layout_of(wanted, tree, text)
    assert layout is not None
    block = Block(pa.array([text.encode(), b'{"id":"2","n":null,"other":""}', b'{"id":"3","m":1,"other":"x"}'], pa.binary()))
    cut = layout.cut(block, block.counts.nonzero()[0])
    assert (cut.lines.tolist(), cut.unknown) == ([0, 1], 1)
    assert {key: texts.to_pylist() for key, texts in cut.texts.items()} == {"id": ["1", "2"], "n": ["5", None]}


def _row(raw: bytes) -> Row:
    (found,) = strictly([raw])
    assert isinstance(found, Row)
    return found
