"""The strict and the fast path say the same of every poison, whatever shapes the fast one has learned; and of random bytes."""

from __future__ import annotations

import random
import re

from hypothesis import given, settings
from hypothesis import strategies as st

from strandline.lines.parse import LineParser
from strandline.lines.strict import Refusal, Row, Wanted
from tests.lines.streams import POISONED_FIELDS
from tests.poison.corpus import POISON, USUAL
from tests.poison.deliveries import neighbour
from tests.poison.lines import GOOD, Poison, event

JSON = [poison for poison in USUAL if poison.header is None]


def told(parser: LineParser, raws: list[bytes], headers: list[str | None] | None = None) -> list[Row | Refusal]:
    """What the columns say of each line, in the strict path's words."""
    parsed = parser.parse(raws, headers)
    found: list[Row | Refusal] = []
    for index, reason in enumerate(parsed.reason):
        if reason is None:
            texts = tuple(column[index] for column in parsed.columns.values())
            found.append(Row(texts, parsed.unknown_fields[index]))
        else:
            found.append(Refusal(reason, parsed.reason_field[index], parsed.reason_detail[index] or ""))
    return found


def test_the_corpus_has_the_inputs_it_promises() -> None:
    refused = [poison for poison in POISON if poison.end]
    assert len({poison.name for poison in POISON}) == len(POISON)
    assert len({(poison.raw, poison.header) for poison in refused}) == len(refused) >= 1000
    assert sum(poison.header is None for poison in refused) >= 700
    reasons = {poison.reason for poison in refused if poison.reason}
    assert reasons == {
        "too_long", "not_utf8", "nul", "empty_line", "too_deep", "not_json", "not_object", "duplicate_key", "number_range",
        "lone_surrogate", "ragged_row", "type",
    }  # fmt: skip


def test_both_paths_agree_on_every_poison_whatever_was_seen_before() -> None:
    expected = {id(poison): LineParser(Wanted(POISONED_FIELDS)).strict(poison.raw, poison.header) for poison in USUAL}
    for seed in range(4):
        shuffled = random.Random(seed).sample(USUAL, len(USUAL))
        mixed = [each for poison in shuffled for each in (poison, Poison("", neighbour() if seed % 2 else GOOD, None))]
        parser = LineParser(Wanted(POISONED_FIELDS))
        found = told(parser, [p.raw for p in mixed], [p.header for p in mixed])
        for poison, said in zip(mixed, found, strict=True):
            wanted = expected.get(id(poison)) or parser.strict(poison.raw)
            assert said == wanted, poison.shown


def twin(raw: bytes) -> bytes:
    """A line that the parser accepts, with the keys of `raw` in their order."""
    keys = dict.fromkeys(re.findall(rb'"((?:[^"\\]|\\.)*)"[ \t]*:', raw))
    return b"{" + b",".join(b'"%s":1' % key for key in keys) + b"}"


def test_both_paths_agree_on_every_poison_in_a_shape_of_its_own() -> None:
    """Each poison after lines that have its very keys and are good: as near as a shape can come to it."""
    near = 0
    for poison in JSON:
        if len(poison.raw) > 20_000:
            continue
        parser = LineParser(Wanted(POISONED_FIELDS))
        strict = parser.strict(poison.raw)
        assert told(parser, [twin(poison.raw)] * 4 + [poison.raw] * 5)[4:] == [strict] * 5, poison.shown
        near += bool(parser.shapes.known)
    assert near > 500


_SEEDS = [poison.raw for poison in JSON if len(poison.raw) < 400]
_PIECES = st.sampled_from(
    [*(bytes([byte]) for byte in b'"\\{}[],:\0\xff\r \t-0'), b"\xed\xa0\x80", b"\xef\xbb\xbf", b"1e999", b"NaN", b"null",
     b"\\ud800", b'"id":', b"\xc2\xa0", b"\xe2\x80\xa8"]
)  # fmt: skip


_WHOLE = [GOOD, event(), neighbour()]


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    """A valid line with some of it flipped, deleted, inserted, or spliced with another line."""
    raw = bytearray(draw(st.sampled_from(_WHOLE) | st.sampled_from(_SEEDS)))
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(raw)))
        kind = draw(st.sampled_from(["flip", "delete", "insert", "splice"]))
        if kind == "flip" and at < len(raw):
            raw[at] ^= 1 << draw(st.integers(0, 7))
        elif kind == "delete":
            del raw[at : at + draw(st.integers(1, 8))]
        elif kind == "insert":
            raw[at:at] = draw(_PIECES | st.binary(max_size=4))
        else:
            other = draw(st.sampled_from([GOOD, *_SEEDS]))
            raw[at:] = other[draw(st.integers(0, len(other))) :]
    return bytes(raw)


LINES = st.one_of(mutated(), st.binary(max_size=60), st.sampled_from(_SEEDS))


@given(st.lists(LINES, min_size=1, max_size=20))
@settings(max_examples=150, deadline=None)
def test_both_paths_agree_on_mutated_lines_and_random_bytes(raws: list[bytes]) -> None:
    parser = LineParser(Wanted(POISONED_FIELDS))
    expected = [parser.strict(raw) for raw in raws]
    parser.parse([GOOD, event(), neighbour()] * 4)
    assert told(parser, raws) == expected
    assert told(parser, raws * 4) == expected * 4
