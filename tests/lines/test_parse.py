"""What a line means: reasons, texts, neighbours, and that the fast way says what the strict one says."""

from __future__ import annotations

import inspect
import json
import sys

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from strandline.lines.parse import LineParser, ParsedLines, parse_lines
from strandline.lines.shape import Shapes, shape_of
from strandline.lines.strict import MAX_DEPTH, Refusal, Row, Wanted
from tests.lines.streams import POISONED_FIELDS, poisoned, stream_of
from tests.poison.corpus import POISON
from tests.poison.lines import GOOD, Poison


def one(raw: bytes, header: str | None = None) -> ParsedLines:
    return parse_lines(poisoned(), [raw], [header])


def texts(raw: bytes, header: str | None = None) -> dict[str, str | None]:
    parsed = one(raw, header)
    assert parsed.reason == [None], parsed.reason_detail
    return {name: column[0] for name, column in parsed.columns.items() if column[0] is not None}


def entry(parsed: ParsedLines, index: int) -> Row | Refusal:
    reason = parsed.reason[index]
    if reason is None:
        assert (parsed.reason_field[index], parsed.reason_detail[index]) == (None, None)
        return Row(tuple(column[index] for column in parsed.columns.values()), parsed.unknown_fields[index])
    detail = parsed.reason_detail[index]
    assert detail is not None
    return Refusal(reason, parsed.reason_field[index], detail)


@pytest.mark.parametrize("poison", POISON, ids=lambda poison: poison.name)
def test_a_poisoned_line_gets_its_reason_and_leaves_its_neighbours_unharmed(poison: Poison) -> None:
    raws = [GOOD, poison.raw, GOOD]
    parsed = parse_lines(poisoned(), raws, [None, poison.header, None])
    assert parsed.reason == [None, poison.reason, None]
    assert parsed.reason_field[1] == poison.field
    assert (parsed.reason_detail[1] is None) == (poison.reason is None)
    assert {len(column) for column in parsed.columns.values()} == {3}
    for column in parsed.columns.values():
        assert column[0] == column[2] is not None
        assert poison.reason is None or column[1] is None


def test_the_poison_table_has_no_name_twice() -> None:
    assert len({poison.name for poison in POISON}) == len(POISON) >= 80


def test_a_string_is_itself_a_number_is_as_written_and_null_is_none() -> None:
    raw = b'{"id":"1\\n\\u00e9","n":-0,"x":1.50e+02,"price":00.10,"ok":false}'.replace(b"00.10", b"0.10")
    assert texts(raw) == {"id": "1\né", "n": "-0", "x": "1.50e+02", "price": "0.10", "ok": "false"}


def test_nested_values_of_a_json_field_become_compact_json_with_their_number_tokens_and_key_order() -> None:
    raw = b'{"tags": {"b" : [1.0, 1e2, 12345678901234567890123, "\\u00e9\\n", null, true], "a": {} }}'
    assert texts(raw) == {"tags": '{"b":[1.0,1e2,12345678901234567890123,"é\\n",null,true],"a":{}}'}


def test_a_scalar_in_a_json_field_is_its_text() -> None:
    assert texts(b'{"tags":"[1]"}') == {"tags": "[1]"}
    assert texts(b'{"tags":7.0}') == {"tags": "7.0"}


def test_a_text_listed_in_null_values_is_none_and_other_texts_like_it_stay() -> None:
    assert texts(b'{"Note-Text":"-","id":"-"}') == {"id": "-"}
    assert texts(b"-,b,1,-", "id,at,n,Note-Text") == {"id": "-", "at": "b", "n": "1"}


def test_only_undeclared_top_level_keys_are_counted_as_unknown() -> None:
    parsed = parse_lines(poisoned(), [b'{"id":"a","z":{"y":1},"note":"x"}', b'{"id":"a"}', b'{"z":[NaN]}'])
    assert parsed.unknown_fields == [2, 0, 0]
    assert parse_lines(poisoned(), [b"a,b"], ["id,zzz"]).unknown_fields == [1]


def test_two_fields_may_take_the_same_key() -> None:
    from strandline.spec.model import Field

    stream = stream_of(Field("a", "string", "k"), Field("b", "integer", "k"))
    for raws in ([b'{"k":1}'], [b'{"k":1}'] * 10):
        assert parse_lines(stream, raws).columns == {"a": ["1"] * len(raws), "b": ["1"] * len(raws)}


def test_no_detail_quotes_a_value() -> None:
    for poison in POISON:
        secret = poison.raw.replace(b'"a"', b'"hunter2"').replace(b'"x"', b'"hunter2"')
        assert "hunter2" not in str(one(secret, poison.header).reason_detail)


def test_csv_cells_are_texts_an_empty_one_is_null_and_quotes_fall_away() -> None:
    header = "\ufeffid,Note-Text,n\r"
    assert texts(b'"a,b","line\r\nbreak ""q""",\r', header) == {"id": "a,b", "note": 'line\r\nbreak "q"'}


def test_csv_uses_the_delimiter_of_the_stream() -> None:
    stream = stream_of(*POISONED_FIELDS, delimiter="\t")
    parsed = parse_lines(stream, [b"a\t\t5", b"\t\t"], ["id\tNote-Text\tn"] * 2)
    assert (parsed.reason, parsed.columns["id"], parsed.columns["n"]) == ([None, None], ["a", None], ["5", None])


def test_json_and_csv_lines_may_mix_across_chunks() -> None:
    raws = [GOOD, b"a,5"] * 3000
    parsed = parse_lines(poisoned(), raws, [None, "id,n"] * 3000)
    assert parsed.columns["n"] == ["1", "5"] * 3000
    assert parsed.reason == [None] * 6000


def test_no_lines_are_empty_columns() -> None:
    parsed = parse_lines(poisoned(), [])
    assert parsed.reason == []
    assert set(parsed.columns) == {f.name for f in POISONED_FIELDS}
    assert not any(parsed.columns.values())


# --- the fast way agrees with the strict one ---

_KEYS = st.sampled_from(
    ["id", "at", "n", "x", "price", "ok", "day", "tags", "Note-Text", "z", "zz", "", 'q"q', "\\", "é", "a b"]
)
_TEXT = st.one_of(
    st.text(max_size=8), st.sampled_from(["-", "null", "true", "1", "2026-01-01", "\\ud800", '","n":1', "}", "😀"])
)
_TOKENS = st.sampled_from(
    [
        "0",
        "-0",
        "1.50",
        "1e5",
        "1E400",
        "-1e-400",
        "NaN",
        "-Infinity",
        "01",
        "1.",
        "9" * 18,
        "9" * 19,
        "9" * 400,
        "0." + "1" * 41,
        "--1",
    ]
)


class Token(str):
    """A number token written as it stands."""

    __slots__ = ()


def _written(value: object, ascii_only: bool, space: str) -> str:
    if isinstance(value, Token):
        return str(value)
    if isinstance(value, list):
        return "[" + f",{space}".join(_written(inner, ascii_only, space) for inner in value) + "]"
    if isinstance(value, tuple):
        pairs = (f"{_written(key, ascii_only, space)}:{space}{_written(inner, ascii_only, space)}" for key, inner in value)
        return "{" + f",{space}".join(pairs) + "}"
    return json.dumps(value, ensure_ascii=ascii_only)


_SCALARS = st.one_of(
    _TEXT, _TOKENS.map(Token), st.none(), st.booleans(), st.integers(-(10**20), 10**20).map(lambda n: Token(str(n))),
    st.floats(allow_nan=False, allow_infinity=False).map(lambda x: Token(repr(x))),
)  # fmt: skip
_VALUES = st.recursive(
    _SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.lists(st.tuples(_KEYS, inner), max_size=3).map(tuple)),
    max_leaves=6,
)
_OBJECTS = st.builds(
    lambda pairs, ascii_only, space, tail: (_written(tuple(pairs), ascii_only, space) + tail).encode("utf-8", "surrogatepass"),
    st.lists(st.tuples(_KEYS, _VALUES), max_size=7),
    st.booleans(),
    st.sampled_from(["", "", " ", "\t"]),
    st.sampled_from(["", "", "\r", " ", "\r\r", "\x00"]),
)


@st.composite
def _damaged(draw: st.DrawFn) -> bytes:
    raw = bytearray(draw(_OBJECTS))
    for _ in range(draw(st.integers(0, 3))):
        at = draw(st.integers(0, max(0, len(raw) - 1)))
        raw[at : at + draw(st.integers(0, 2))] = draw(
            st.sampled_from([b"", b",", b'"', b"}", b"{", b"\\", b"\xff", b"\n", b"0", b" ", b":"])
        )
    return bytes(raw)


_LINES = st.one_of(_OBJECTS, _damaged(), st.binary(max_size=30))


@given(st.lists(_LINES, min_size=1, max_size=12))
@settings(max_examples=200, deadline=None)
def test_the_fast_way_agrees_with_the_strict_one_on_every_line(raws: list[bytes]) -> None:
    """Each line is offered to shapes learned from all the others too."""
    parser = LineParser(Wanted(POISONED_FIELDS))
    expected = [parser.strict(raw) for raw in raws]
    for _ in range(Shapes._seen_before + 1):
        parsed = parser.parse(raws)
        assert [entry(parsed, index) for index in range(len(raws))] == expected


_SHAPES = st.lists(st.sampled_from(["id", "at", "n", "tags", "Note-Text", "z"]), unique=True, min_size=1)


@given(_SHAPES, st.integers(1, 5), st.data())
@settings(max_examples=200, deadline=None)
def test_a_shape_accepts_only_what_the_strict_way_accepts_alike(keys: list[str], count: int, data: st.DataObject) -> None:
    """Lines with the keys of the shape, in its order, with any values: the case nearest to the shape's limits."""
    parser = LineParser(Wanted(POISONED_FIELDS))
    plain = "{" + ",".join(f'"{key}":1' for key in keys) + "}"
    shape = shape_of(parser.wanted, tuple(keys), plain, parser.wanted.columns)
    assert shape is not None
    raws = []
    for _ in range(count):
        values = data.draw(
            st.lists(st.one_of(_SCALARS, st.lists(_SCALARS, max_size=3)), min_size=len(keys), max_size=len(keys))
        )
        present = data.draw(st.sets(st.sampled_from(keys))) | ({"z"} & set(keys))
        pairs = tuple((key, value) for key, value in zip(keys, values, strict=True) if key in present)
        raws.append(_written(pairs, False, "").encode("utf-8", "surrogatepass"))
    expected = [parser.strict(raw) for raw in raws]
    parser.shapes.known = [shape]
    parsed = parser.parse(raws)
    assert [entry(parsed, index) for index in range(count)] == expected


def test_strings_numbers_and_nulls_mix_in_a_column_of_one_shape() -> None:
    values = ['"a"', "1.0", "null", "true", '"null"', '"-"']
    parser = LineParser(Wanted(POISONED_FIELDS))
    parser.parse([b'{"id":"x","Note-Text":"y"}'] * 5)
    parsed = parser.parse([f'{{"id":{value},"Note-Text":{value}}}'.encode() for value in values])
    assert parsed.columns["id"] == ["a", "1.0", None, "true", "null", "-"]
    assert parsed.columns["note"] == ["a", "1.0", None, "true", "null", None]


def test_plain_lines_do_take_the_fast_way() -> None:
    parser = LineParser(Wanted(POISONED_FIELDS))
    parser.parse([GOOD] * 5)
    assert parser.shapes.find(GOOD.decode()) is not None
    assert parser.shapes.find(GOOD.decode().replace('"n":1,', "")) is not None
    spaced = json.dumps(json.loads(GOOD)).encode()
    parser = LineParser(Wanted(POISONED_FIELDS))
    parser.parse([spaced] * 5)
    assert parser.shapes.find(spaced.decode()) is not None


def test_the_deepest_allowed_value_needs_little_stack() -> None:
    """A line is judged alike wherever it is parsed: deep inside Airflow as well as in a test."""
    depth = MAX_DEPTH - 1
    for opening, closing in (("[", "]"), ('{"a":', "}")):
        value = opening * (depth - 1) + opening[0] + "]}"[opening == '{"a":'] + closing * (depth - 1)
        raw = f'{{"tags":{value}}}'.encode()
        limit = sys.getrecursionlimit()
        sys.setrecursionlimit(len(inspect.stack(0)) + MAX_DEPTH + 60)
        try:
            found = one(raw)
        finally:
            sys.setrecursionlimit(limit)
        assert found.columns["tags"] == [value]


@given(_LINES)
@settings(max_examples=400, deadline=None)
def test_what_is_json_is_what_an_unrelated_reader_says_and_so_are_the_values(raw: bytes) -> None:
    parser = LineParser(Wanted(POISONED_FIELDS))
    found = parser.strict(raw)
    try:
        value = orjson.loads(raw.removeprefix(b"\xef\xbb\xbf"))
    except orjson.JSONDecodeError:
        assert isinstance(found, Refusal)
        return
    if not isinstance(value, dict):
        assert isinstance(found, Refusal)
        assert found.reason == "not_object"
    elif isinstance(found, Refusal):
        assert found.reason in ("duplicate_key", "type")
    else:
        for declared, text in zip(POISONED_FIELDS, found.texts, strict=True):
            other = value.get(declared.source_name)
            if text is None:
                assert other is None or other in declared.null_values
            elif isinstance(other, str):
                assert text == other
            else:
                assert orjson.loads(text) == other
