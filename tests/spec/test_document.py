"""YAML with places: what is read, what is refused, and that every place points at what it names."""

from __future__ import annotations

import re
import string
import time
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from strandline.spec.document import MAX_BYTES, Document, dotted, parse_document, read_document, walk
from strandline.spec.plain import MAX_DEPTH
from strandline.spec.positions import Place

HERE = Path("somewhere.yaml")


def read(text: str) -> Document:
    return parse_document(text, HERE)


def codes(text: str) -> list[tuple[int, int, str]]:
    return [(problem.line, problem.column, problem.code) for problem in read(text).problems]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("yes", "yes"),
        ("on", "on"),
        ("No", "No"),
        ("y", "y"),
        ("true", True),
        ("False", False),
        ("null", None),
        ("~", None),
        ("", None),
        ("12", 12),
        ("-12", -12),
        ("+12", 12),
        ("012", 12),
        ("0o17", 15),
        ("0xFF", 255),
        ("1_000", "1_000"),
        ("0b1", "0b1"),
        ("1.5", 1.5),
        (".5", 0.5),
        ("5.", 5.0),
        ("1e3", 1000.0),
        ("1.2.3", "1.2.3"),
        ("12:30", "12:30"),
        ("12:30:45", "12:30:45"),
        ("2024-01-31", "2024-01-31"),
        ("2024-01-31T10:00:00Z", "2024-01-31T10:00:00Z"),
        ("=", "="),
        ("-", [None]),
        ("'12'", "12"),
        ('"true"', "true"),
        ("nan", "nan"),
        ("inf", "inf"),
        ("- a", ["a"]),
        ("[a, 1]", ["a", 1]),
    ],
)
def test_a_plain_value_means_what_the_core_schema_of_yaml_1_2_says(text: str, value: object) -> None:
    found = (
        read(f"key:\n  {text}\n")
        if text.startswith("-") and " " in text
        else read(f"key: {text}\n" if text != "-" else "key:\n-\n")
    )
    assert found.problems == ()
    assert found.value == {"key": value}
    assert type(found.value["key"]) is type(value)


def test_keys_that_yaml_1_1_takes_for_booleans_stay_texts() -> None:
    assert read("on: 1\nyes: 2\nno: 3\noff: 4\n").value == {"on": 1, "yes": 2, "no": 3, "off": 4}


def test_every_key_value_and_item_has_a_place() -> None:
    positions = read("a:\n  - b: 1\n    c: [x, {d: y}]\n").positions
    assert positions.key(("a",)) == Place(1, 1)
    assert positions.value(("a", 0)) == Place(2, 5)
    assert positions.key(("a", 0, "c")) == Place(3, 5)
    assert positions.value(("a", 0, "c", 0)) == Place(3, 9)
    assert positions.value(("a", 0, "c", 1, "d")) == Place(3, 16)


def test_what_is_not_there_takes_the_place_of_what_is_around_it() -> None:
    positions = read("a:\n  b: 1\n").positions
    assert positions.key(("a", "z")) == Place(1, 1)
    assert positions.value(("a", "b", "z", 3)) == Place(2, 3)
    assert positions.value(("z",)) == Place(1, 1)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("a: &x 1\n", (1, 4, "SL106")),
        ("a: *x\n", (1, 4, "SL106")),
        ("<<: {a: 1}\n", (1, 1, "SL106")),
        ("a: !!python/name:os.system x\n", (1, 4, "SL107")),
        ("a: !custom {b: 1}\n", (1, 4, "SL107")),
        ("a: !!binary YQ==\n", (1, 4, "SL107")),
        ("a: !!timestamp 2024-01-01\n", (1, 4, "SL107")),
        ("a: 1\nb: 2\na: 3\n", (3, 1, "SL105")),
        ("a: {'b': 1, \"b\": 2}\n", (1, 13, "SL105")),
        ("1: a\n", (1, 1, "SL110")),
        ("null: a\n", (1, 1, "SL110")),
        ("true: a\n", (1, 1, "SL110")),
        ("[a]: 1\n", (1, 1, "SL110")),
        ("{a: 1}: 1\n", (1, 1, "SL110")),
        ("a: 1\n---\nb: 2\n", (2, 1, "SL111")),
        ("a: .nan\n", (1, 4, "SL113")),
        ("a: -.inf\n", (1, 4, "SL113")),
        ("a: 1e400\n", (1, 4, "SL113")),
        (f"a: {'9' * 5000}\n", (1, 4, "SL113")),
        ("", (1, 1, "SL112")),
        ("---\n", None),
        ("# only\n", (1, 1, "SL112")),
        ("a: 'b\n", (1, 4, "SL102")),
        ("a: [b\n", (1, 4, "SL102")),
        ("a:\n\tb: 1\n", (2, 1, "SL103")),
        ("a:\n  b: 1\n   c: 2\n", (3, 4, "SL104")),
        ("a:\n  b: 1\n c: 2\n", (3, 2, "SL104")),
        ("a: b: c\n", (1, 5, "SL102")),
        ("a: \x00\n", (1, 4, "SL102")),
    ],
)
def test_what_yaml_can_do_and_a_declaration_must_not_is_a_problem_with_its_place(
    text: str, found: tuple[int, int, str] | None
) -> None:
    assert codes(text) == ([found] if found else [])


def test_the_first_of_two_equal_keys_is_kept_and_the_rest_still_read() -> None:
    found = read("a: 1\na: {deep: [2]}\nb: 3\n")
    assert found.value == {"a": 1, "b": 3}
    assert found.problems[0].message == "the key 'a' is there twice (first at line 1)"


def test_all_problems_of_a_text_are_told_not_the_first() -> None:
    assert [code for _, _, code in codes("a: &x 1\nb: *x\na: 2\n1: 3\nc: .inf\n")] == [
        "SL106",
        "SL106",
        "SL105",
        "SL110",
        "SL113",
    ]


@pytest.mark.parametrize("opening", ["[", "{a: ", "- ", "a:\n ", "? "])
def test_a_bomb_of_depth_is_refused_at_once(opening: str) -> None:
    started = time.monotonic()
    text = opening * 20_000 if opening != "a:\n " else "".join(" " * level + "a:\n" for level in range(900))
    assert {code for _, _, code in codes(text)} <= {"SL108", "SL102", "SL110"}
    assert time.monotonic() - started < 2


def test_depth_is_bounded() -> None:
    assert codes("a: " + "[" * (MAX_DEPTH - 1) + "]" * (MAX_DEPTH - 1)) == []
    assert codes("a: " + "[" * MAX_DEPTH + "]" * MAX_DEPTH) == [(1, MAX_DEPTH + 3, "SL108")]


def test_an_alias_bomb_is_refused_at_once(tmp_path: Path) -> None:
    layers = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    layers += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 10)]
    path = tmp_path / "bomb.yaml"
    path.write_text("\n".join(layers))
    started = time.monotonic()
    found = read_document(path)
    assert time.monotonic() - started < 1
    assert {problem.code for problem in found.problems} == {"SL106"}


def test_a_file_is_bounded_in_size(tmp_path: Path) -> None:
    path = tmp_path / "large.yaml"
    path.write_text("# " + "x" * MAX_BYTES)
    assert [problem.code for problem in read_document(path).problems] == ["SL109"]


def test_a_file_that_cannot_be_read_is_a_problem(tmp_path: Path) -> None:
    assert [problem.code for problem in read_document(tmp_path / "gone.yaml").problems] == ["SL100"]
    assert [problem.code for problem in read_document(tmp_path).problems] == ["SL100"]


def test_bytes_that_are_not_utf8_are_pointed_at(tmp_path: Path) -> None:
    path = tmp_path / "latin.yaml"
    path.write_bytes("a: 1\nb: ü".encode() + "ü".encode("latin-1") + b"\n")
    problem = read_document(path).problems[0]
    assert (problem.line, problem.column, problem.code) == (2, 5, "SL101")
    assert "0xFC" in problem.message


def test_a_path_is_written_with_dots_and_indexes() -> None:
    assert dotted(("schema", "fields", 3, "type")) == "schema.fields[3].type"
    assert dotted(()) == ""


KEYS = st.text(string.ascii_letters + "_ü", min_size=1, max_size=8)
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.text(st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp"]), max_size=20),
    st.sampled_from(["yes", "on", "1", "1.5", "~", "null"]),
)
VALUES = st.recursive(
    SCALARS, lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(KEYS, inner, max_size=4)), max_leaves=15
)


NUMBER_OF_YAML_1_2 = re.compile(r"([-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|0o[0-7]+)\Z")
"""`0E0` and the like, which the writer, of YAML 1.1, would leave without quotes."""


@settings(max_examples=100, deadline=None)
@given(st.dictionaries(KEYS, VALUES, min_size=1, max_size=4), st.booleans())
def test_what_a_yaml_writer_wrote_is_read_back_and_every_key_stands_where_it_is_said_to(
    value: dict[str, Any], flow: bool
) -> None:
    class Plain(yaml.SafeDumper):
        def ignore_aliases(self, data: Any) -> bool:
            return True

    Plain.add_implicit_resolver("tag:yaml.org,2002:float", NUMBER_OF_YAML_1_2, list("-+.0123456789"))
    text = yaml.dump(value, Dumper=Plain, allow_unicode=True, default_flow_style=flow, width=60)
    found = read(text)
    assert found.problems == ()
    assert found.value == value
    for path, _ in walk(value):
        if path and isinstance(path[-1], str):
            place = found.positions.key(path)
            source = text.splitlines()[place.line - 1][place.column - 1 :]
            assert source.lstrip("?").lstrip().lstrip("'\"").startswith(path[-1])


@settings(max_examples=150, deadline=None)
@given(st.text(st.sampled_from("ab:- \n[]{},#&*!|>'\"%@`?\t~0.é\x85\u2028"), max_size=40))
def test_any_text_is_read_or_refused_with_a_place_but_never_raises(text: str) -> None:
    found = read(text)
    for problem in found.problems:
        assert problem.line >= 1
        assert problem.column >= 1


@settings(max_examples=100, deadline=None)
@given(st.text(string.ascii_lowercase + "' \\\"ü:", min_size=0, max_size=20), st.sampled_from(["single", "double"]))
def test_a_character_inside_a_quoted_text_is_found_again(before: str, style: str) -> None:
    value = before + "HERE"
    quoted = (
        "'" + value.replace("'", "''") + "'"
        if style == "single"
        else '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    )
    text = f"key: {quoted}\n"
    found = read(text)
    assert found.value == {"key": value}
    place = found.positions.value(("key",), len(before))
    assert text.splitlines()[place.line - 1][place.column - 1 :].startswith("HERE")


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("k: |\n  one\n  two HERE\n", 3),
        ("k: >\n  one\n  two HERE\n", 3),
        ("k: >-\n  one\n\n  two HERE\n", 4),
        ("k: one\n  two\n  HERE\n", 3),
        ("k: 'one\n  two\n  HERE'\n", 3),
        ('k: "one\n  two\n\n  HERE"\n', 4),
        ('k: "\\u0041\\t\\x41 HERE"\n', 1),
        ("k: >\n  HERE\n", 2),
    ],
)
def test_a_word_in_a_text_over_several_lines_is_found_on_its_line(text: str, line: int) -> None:
    found = read(text)
    offset = found.value["k"].index("HERE")
    place = found.positions.value(("k",), offset)
    assert place.line == line
    assert "HERE" in text.splitlines()[line - 1]
