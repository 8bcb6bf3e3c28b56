"""Protected values never leave in clear, and nothing else changes."""

from __future__ import annotations

import hashlib
import json
import pickle
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from strandline.errors import DataError, UsageError
from strandline.lines.keys import KeyRing
from strandline.lines.members import elements, members
from strandline.lines.parse import parse_lines
from strandline.lines.protect import ProtectedLine, Protector
from strandline.lines.records import cell_spans, split_record
from strandline.lines.strict import MAX_LINE
from strandline.sources.source import RawLine
from strandline.spec.model import Field
from tests.lines.streams import KEYS, POISONED_FIELDS, poisoned, secretive, stream_of
from tests.poison.corpus import POISON
from tests.poison.lines import Poison

MARK = b"\x00strandline-sealed-1\x00"


def protect(raw: bytes, header: str | None = None) -> ProtectedLine:
    return Protector(secretive(), KEYS).protect(RawLine(raw, "s", 1, header))


def test_a_hashed_value_becomes_a_token_of_key_id_and_digest_and_the_rest_stays_byte_for_byte() -> None:
    raw = b' {"id" : "a\\u0062", "e-mail":\t"eve@example.com" ,"n":1.50}\t\r'
    found = protect(raw)
    before, after = raw.split(b'"eve@example.com"')
    assert not found.sealed
    assert found.reason is None
    assert found.raw.startswith(before)
    assert found.raw.endswith(after)
    token = json.loads(found.raw[len(before) : len(found.raw) - len(after)])
    kind, key, digest = token.split(":")
    assert (kind, len(key), len(digest)) == ("h", 8, 32)
    int(key + digest, 16)


def test_a_dropped_value_becomes_null_and_null_stays_null() -> None:
    assert protect(b'{"ip":"10.0.0.1","card":null,"e-mail":"-"}').raw == b'{"ip":null,"card":null,"e-mail":"-"}'


def test_equal_values_hash_equally_whatever_their_escaping_and_the_field_matters() -> None:
    def token(raw: bytes, key: str) -> str:
        return str(json.loads(protect(raw).raw)[key])

    assert token(b'{"e-mail":"\\u0061/b"}', "e-mail") == token(b'{ "e-mail" : "a\\/b" }', "e-mail")
    assert token(b'{"\\u0065-mail":"a/b"}', "e-mail") == token(b'{"e-mail":"a/b"}', "e-mail")
    assert token(b'{"e-mail":"12"}', "e-mail") != token(b'{"card":"12"}', "card")
    assert token(b'{"card":12}', "card") == token(b'{"card":"12"}', "card") != token(b'{"card":12.0}', "card")
    cell = parse_lines(secretive(), [protect(b"a/b", "e-mail").raw], ["e-mail"]).columns["email"][0]
    assert cell == token(b'{"e-mail":"a/b"}', "e-mail")


def test_csv_cells_are_replaced_and_the_rest_of_the_record_stays() -> None:
    header = "\ufeffid,e-mail,ip,n\r"
    found = protect(b'"a ""b""",eve@example.com,"10.0.0.1", 7\r', header)
    start, token, rest = found.raw.split(b"h:")[0], found.raw.split(b",")[1], found.raw.split(b",", 2)[2]
    assert start == b'"a ""b""",'
    assert token.startswith(b"h:")
    assert rest == b", 7\r"
    assert protect(b'"a ""b""","eve@example.com",10.0.0.1, 7\r', header).raw == found.raw
    assert protect(b"a,,,", header).raw == b"a,,,"


def test_a_second_byte_order_mark_is_data_and_stays() -> None:
    mark = b"\xef\xbb\xbf"
    found = protect(mark * 2 + b"a,eve@example.com\r", "id,e-mail").raw
    assert found.startswith(mark * 2 + b"a,h:")
    assert found.endswith(b"\r")


def test_a_line_too_long_to_be_parsed_is_sealed_though_its_shape_is_known() -> None:
    protector = Protector(secretive(), KEYS)
    short = b'{"id":"a","e-mail":"eve@example.com"}'
    for raw in (short, short, short, short, short.replace(b'"a"', b'"%s"' % (b"a" * MAX_LINE))):
        found = protector.protect(RawLine(raw, "s", 1, None))
    assert (found.sealed, found.reason) == (True, "too_long")


def test_of_two_fields_on_one_key_the_stricter_protection_wins() -> None:
    stream = stream_of(Field("a", "string", "k", protect="drop"), Field("b", "string", "k", protect="hash"))
    assert Protector(stream, KEYS).protect(RawLine(b'{"k":"eve"}', "s", 1, None)).raw == b'{"k":null}'


def test_a_hash_in_a_csv_with_colons_as_delimiter_is_quoted() -> None:
    stream = stream_of(*secretive().fields, delimiter=":")
    raw = Protector(stream, KEYS).protect(RawLine(b"a:eve:x", "s", 1, "id:e-mail:n")).raw
    parsed = parse_lines(stream, [raw], ["id:e-mail:n"])
    assert parsed.columns["id"] == ["a"]
    assert str(parsed.columns["email"][0]).startswith("h:")


@pytest.mark.parametrize("poison", POISON, ids=lambda poison: poison.name)
def test_a_line_the_parser_refuses_is_sealed_whole_with_the_reason_and_comes_back_exactly(poison: Poison) -> None:
    stream = stream_of(*POISONED_FIELDS, *secretive().fields[2:5])
    protector = Protector(stream, KEYS)
    found = protector.protect(RawLine(poison.raw, "s", 1, poison.header))
    assert (found.sealed, found.reason, found.reason_field) == (poison.reason is not None, poison.reason, poison.field)
    if found.sealed:
        assert found.reason_detail
        assert found.raw.startswith(MARK)
        assert protector.unseal(found.raw) == poison.raw
    else:
        assert found.raw == poison.raw


@pytest.mark.parametrize(
    ("raw", "reason", "field"),
    [
        (b'{"e-mail":"eve@example.com","e-mail":"x"}', "duplicate_key", "email"),
        (b'{"e-mail":{"v":"eve@example.com"}}', "type", "email"),
        (b'{"e-mail":["eve@example.com"]}', "type", "email"),
        (b'{"e-mail":"eve@example.com"', "not_json", None),
        (b'{"e-mail":"eve@example.com","n":NaN}', "number_range", "n"),
        (b'["eve@example.com"]', "not_object", None),
        (b"eve@example.com\xff", "not_utf8", None),
    ],
)
def test_no_refused_line_shows_its_protected_value(raw: bytes, reason: str, field: str | None) -> None:
    found = protect(raw)
    assert (found.sealed, found.reason, found.reason_field) == (True, reason, field)
    assert b"eve@example.com" not in found.raw
    assert "eve" not in f"{found.reason_detail}{found.digest}"


def test_equal_lines_seal_equally_and_other_lines_streams_and_keys_do_not() -> None:
    other = KeyRing({"STRANDLINE_KEY": "ab" * 32})
    line = RawLine(b"broken", "s", 1, None)
    sealed = Protector(secretive(), KEYS).protect(line)
    assert sealed == Protector(secretive(), KEYS).protect(RawLine(b"broken", "other", 9, None))
    digest = slice(len(MARK) + 8, len(MARK) + 24)  # it selects the nonce, which must not meet two texts
    assert protect(b"broken2").raw[digest] != sealed.raw[digest]
    namesake = stream_of(*secretive().fields, name="others")
    assert Protector(namesake, KEYS).protect(line).raw != sealed.raw
    with pytest.raises(DataError, match="another stream"):
        Protector(namesake, KEYS).unseal(sealed.raw)
    with pytest.raises(DataError, match="sealed under key"):
        Protector(secretive(), other).unseal(sealed.raw)


def test_a_changed_byte_of_a_sealed_line_is_found() -> None:
    sealed = protect(b"broken").raw
    protector = Protector(secretive(), KEYS)
    for at in range(len(sealed)):
        damaged = sealed[:at] + bytes([sealed[at] ^ 1]) + sealed[at + 1 :]
        with pytest.raises(DataError, match=r"damaged|no sealed line|sealed under key"):
            protector.unseal(damaged)
    for short in (b"", sealed[:-1], sealed[:40]):
        with pytest.raises(DataError, match=r"damaged|no sealed line"):
            protector.unseal(short)


def test_a_protected_stream_keeps_a_keyed_digest_of_the_original_and_others_the_original_itself() -> None:
    raw = b'{"id":"a"}'
    assert Protector(poisoned(), KeyRing({})).protect(RawLine(raw, "s", 1, None)) == (raw, None, False, None, None, None)
    keyed = protect(raw).digest
    assert keyed is not None
    assert len(keyed) == 64
    assert keyed != hashlib.sha256(raw).hexdigest()
    assert keyed == protect(raw).digest != protect(raw + b" ").digest


def test_a_stream_without_protected_fields_passes_every_line_unchanged_and_needs_no_key() -> None:
    protector = Protector(poisoned(), KeyRing({}))
    lines = [RawLine(poison.raw, "s", 1, poison.header) for poison in POISON]
    found = protector.protect_many(lines)
    assert [entry.raw for entry in found] == [line.raw for line in lines]
    assert found == [protector.protect(line) for line in lines]
    assert not any(entry.sealed for entry in found)


def test_protecting_many_is_protecting_each() -> None:
    lines = [RawLine(b'{"id":"a","e-mail":"e%d@x.org","n":%d}' % (n % 3, n), "s", n, None) for n in range(50)]
    assert Protector(secretive(), KEYS).protect_many(lines) == [Protector(secretive(), KEYS).protect(line) for line in lines]


# --- laws ---

_KEYS = st.lists(st.sampled_from(["id", "at", "e-mail", "card", "ip", "n", "z", 'q"']), unique=True, max_size=7)
_SECRET = st.text('sS"\\/é😀,:{}[]\n\u2028', min_size=1, max_size=6).map(lambda text: f"<{text}>")
_OPEN = st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=5), st.lists(st.text(max_size=3), max_size=2))


@st.composite
def _written_object(draw: st.DrawFn) -> list[tuple[str, str, object]]:
    """Parts of a JSON text: what stands before a value, the value's token, the value; the last part has no value."""
    blank = st.sampled_from(["", "", " ", "\t"])
    parts: list[tuple[str, str, object]] = []
    before = draw(blank) + "{"
    for key in draw(_KEYS):
        if key in ("e-mail", "card", "ip"):
            value: object = draw(st.one_of(_SECRET, st.none(), st.integers(10**11, 10**12)))
        else:
            value = draw(_OPEN) if key in ('q"', "z") else draw(st.text(max_size=4))
        token = json.dumps(value, ensure_ascii=draw(st.booleans()))
        if isinstance(value, str) and draw(st.booleans()):
            token = '"' + "".join(f"\\u{ord(c):04x}" if ord(c) < 0x10000 else c for c in value) + '"'
        parts.append((before + draw(blank) + json.dumps(key) + draw(blank) + ":" + draw(blank), token, (key, value)))
        before = draw(blank) + ","
    parts.append(((before.rstrip(",") if parts else before) + "}" + draw(st.sampled_from(["", "\r", " ", "\r\r"])), "", None))
    return parts


@given(_written_object(), st.booleans(), st.booleans())
@settings(max_examples=250, deadline=None)
def test_everything_but_the_protected_tokens_is_byte_identical_and_no_protected_value_is_left(
    parts: list[tuple[str, str, object]], mark: bool, known: bool
) -> None:
    text = ("\ufeff" if mark else "") + "".join(before + token for before, token, _ in parts)
    protector = Protector(secretive(), KEYS)
    if known:
        for _ in range(5):
            protector.protect(RawLine(text.encode(), "s", 1, None))
    found = protector.protect(RawLine(text.encode(), "s", 1, None))
    assert not found.sealed, found
    rest = found.raw.decode().removeprefix("\ufeff")
    assert found.raw.startswith(b"\xef\xbb\xbf") == mark
    for before, token, member in parts:
        assert rest.startswith(before)
        rest = rest[len(before) :]
        key, value = member if isinstance(member, tuple) else ("", None)
        if key in ("e-mail", "card", "ip") and value is not None:
            new = "null" if key == "ip" else json.dumps(_hash_of(str(json.loads(token)), key))
            token = new
        assert rest.startswith(token)
        rest = rest[len(token) :]
    assert rest == ""


def _hash_of(value: str, key: str) -> str:
    """The hash of a value as a plainly written line gets it."""
    return str(json.loads(protect(json.dumps({key: value}).encode()).raw)[key])


_CELLS = st.lists(st.text('ab",;\n\r é', max_size=5), min_size=1, max_size=5)


@given(_CELLS, st.sampled_from([",", ";", "\t"]), st.data())
@settings(max_examples=300, deadline=None)
def test_the_spans_of_csv_cells_hold_what_the_csv_reader_reads(cells: list[str], delimiter: str, data: st.DataObject) -> None:
    quoted = data.draw(st.lists(st.booleans(), min_size=len(cells), max_size=len(cells)))
    special = re.compile('[",;\n\r]')
    written = [
        '"' + cell.replace('"', '""') + '"' if quote or special.search(cell) else cell
        for cell, quote in zip(cells, quoted, strict=True)
    ]
    record = delimiter.join(written)
    assert split_record(record, delimiter) == cells
    spans = cell_spans(record, delimiter)
    assert [value for _, _, value in spans] == cells
    assert [record[start:end] for start, end, _ in spans] == written


@given(st.text('ab",\n\r', max_size=10))
@settings(max_examples=300, deadline=None)
def test_whatever_record_the_csv_reader_accepts_the_spans_agree(record: str) -> None:
    cells = split_record(record, ",")
    if isinstance(cells, list):
        assert [value for _, _, value in cell_spans(record, ",")] == cells


@given(
    st.recursive(
        _OPEN, lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=4), inner, max_size=3))
    )
)
@settings(max_examples=300, deadline=None)
def test_spans_of_members_and_elements_hold_their_values(value: object) -> None:
    for text in (json.dumps(value), json.dumps(value, indent=2, ensure_ascii=False)):
        found = members(text)
        if isinstance(value, dict):
            assert found is not None
            assert {member.key: json.loads(text[member.start : member.end]) for member in found} == value
        else:
            assert found is None
        spans = elements(text)
        assert (spans and [json.loads(text[start:end]) for start, end in spans]) == (value if isinstance(value, list) else None)


@given(st.text('{}[]",:1\\ a', max_size=20))
@settings(max_examples=300, deadline=None)
def test_the_scanner_ends_on_any_text(text: str) -> None:
    members(text)
    elements(text)


# --- keys ---


def test_a_stream_s_own_key_goes_before_the_common_one() -> None:
    ring = KeyRing({"STRANDLINE_KEY": "00" * 32, "STRANDLINE_KEY_EVENTS": "11" * 32, "PATH": "/bin"})
    assert (ring.key("events"), ring.key("others")) == (b"\x11" * 32, b"\x00" * 32)


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("ab" * 32, b"\xab" * 32),
        ("AB" * 48, b"\xab" * 48),
        ("qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqo=", b"\xaa" * 32),
        ("qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqo\n", b"\xaa" * 32),
        ("__________________________________________8=", b"\xff" * 32),
    ],
)
def test_a_key_is_hex_or_base64_in_either_alphabet(text: str, key: bytes) -> None:
    assert KeyRing({"STRANDLINE_KEY": text}).key("events") == key


def test_without_a_key_a_protected_stream_refuses_and_says_what_to_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("STRANDLINE_KEY", raising=False)
    monkeypatch.delenv("STRANDLINE_KEY_EVENTS", raising=False)
    with pytest.raises(UsageError, match="set STRANDLINE_KEY_EVENTS or STRANDLINE_KEY in the environment"):
        Protector(secretive(), KeyRing.from_environment())
    monkeypatch.setenv("STRANDLINE_KEY_EVENTS", "ab" * 32)
    assert Protector(secretive(), KeyRing.from_environment()).protect(RawLine(b"{}", "s", 1, None)).raw == b"{}"


@pytest.mark.parametrize("text", ["hunter2", "aGVsbG8=", "ab" * 31, "é" * 40, "!" * 60])
def test_what_is_no_key_is_refused_without_being_shown(text: str) -> None:
    with pytest.raises(UsageError, match="STRANDLINE_KEY in the environment is no key") as refusal:
        KeyRing({"STRANDLINE_KEY": text}).key("events")
    assert text not in str(refusal.value)


def test_a_key_ring_shows_and_gives_away_no_key() -> None:
    ring = KeyRing({"STRANDLINE_KEY": "ab" * 32})
    assert "ab" * 4 not in repr(ring) + str(ring)
    with pytest.raises(TypeError, match="keys do not travel"):
        pickle.dumps(ring)


def test_protecting_takes_the_fast_way_for_plain_lines() -> None:
    raw = b'{"id":"a","e-mail":"eve@example.com"}'
    protector = Protector(secretive(), KEYS)
    protector.protect_many([RawLine(raw, "s", 1, None)] * 5)
    assert protector._shapes.find(raw.decode()) is not None
