"""The JSON Schema of a stream, and that what breaks it is said in one clear sentence."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft7Validator

from strandline.spec.shape import check_document, misfits, schema_named

SCHEMA = schema_named("stream")


def objects(schema: Any, path: str = "#") -> Iterator[tuple[str, dict[str, Any]]]:
    """Every subschema, with where it stands."""
    if isinstance(schema, dict):
        yield path, schema
        for key in ("properties", "$defs", "patternProperties"):
            for name, child in schema.get(key, {}).items():
                yield from objects(child, f"{path}/{key}/{name}")
        for key in ("items", "additionalProperties", "then"):
            if isinstance(schema.get(key), dict):
                yield from objects(schema[key], f"{path}/{key}")
        for key in ("allOf", "anyOf", "oneOf"):
            for index, child in enumerate(schema.get(key, [])):
                yield from objects(child, f"{path}/{key}/{index}")


def test_the_schema_is_a_valid_schema_of_the_draft_editors_know_best() -> None:
    Draft7Validator.check_schema(dict(SCHEMA))
    assert SCHEMA["$schema"] == "http://json-schema.org/draft-07/schema#"


def test_every_mapping_of_the_schema_is_closed() -> None:
    for path, schema in objects(SCHEMA):
        if schema.get("type") == "object" and "properties" in schema and "then" not in str(schema.get("allOf")):
            assert "additionalProperties" in schema, path


def test_every_key_of_the_schema_explains_itself() -> None:
    for path, schema in objects(SCHEMA):
        for name, child in schema.get("properties", {}).items():
            target = child
            if "description" not in child and "$ref" in child:
                target = SCHEMA["$defs"][child["$ref"].rsplit("/", 1)[1]]
            if "const" not in child and "if" not in schema:
                assert target.get("description"), f"{path}/properties/{name}"


def test_every_reference_of_the_schema_leads_somewhere() -> None:
    for path, schema in objects(SCHEMA):
        if "$ref" in schema:
            assert schema["$ref"].removeprefix("#/$defs/") in SCHEMA["$defs"], path


def test_every_default_and_example_of_the_schema_fits_it() -> None:
    for path, schema in objects(SCHEMA):
        closed = {**schema, "$defs": SCHEMA["$defs"]}
        for value in [*schema.get("examples", []), *([schema["default"]] if "default" in schema else [])]:
            if path != "#":
                assert list(Draft7Validator(closed).iter_errors(value)) == [], f"{path}: {value!r}"


SMALL: dict[str, Any] = {
    "type": "object",
    "additionalProperties": False,
    "required": ["kind"],
    "properties": {
        "kind": {"enum": ["red", "green"]},
        "size": {"type": "integer", "minimum": 1, "maximum": 5},
        "name": {"type": "string", "pattern": "^[a-z]+$", "patternErrorMessage": "small letters"},
        "parts": {"type": "array", "items": {"type": "string"}, "minItems": 2, "uniqueItems": True},
        "either": {
            "anyOf": [
                {"const": "all"},
                {
                    "type": "object",
                    "additionalProperties": False,
                    "required": ["top"],
                    "properties": {"top": {"type": "integer"}},
                },
                {
                    "type": "object",
                    "additionalProperties": False,
                    "required": ["share"],
                    "properties": {"share": {"type": "number"}},
                },
            ]
        },
        "names": {"type": "object", "propertyNames": {"pattern": "^[a-z]+$", "patternErrorMessage": "small letters"}},
        "one": {"type": "object", "oneOf": [{"required": ["a"]}, {"required": ["b"]}]},
        "pair": {"type": "object", "dependencies": {"q": ["p"]}},
        "free": {"not": {}},
    },
}


@pytest.mark.parametrize(
    ("value", "where", "code", "message", "hint"),
    [
        ({}, ("kind",), "SL202", "is missing", "one of red, green"),
        ({"kind": "gren"}, ("kind",), "SL204", "(saw 'gren', allowed red, green)", "did you mean green?"),
        ({"knid": "red"}, ("knid",), "SL201", "unknown key", "did you mean kind?"),
        ({"kind": "red", "Size": 3}, ("Size",), "SL201", "unknown key", "did you mean size?"),
        ({"kind": "red", "size": "3"}, ("size",), "SL203", "must be a whole number (saw '3')", "without quotes"),
        ({"kind": "red", "size": 9}, ("size",), "SL206", "is out of range (saw 9, allowed at least 1 and at most 5)", ""),
        ({"kind": "red", "size": True}, ("size",), "SL203", "must be a whole number (saw true)", ""),
        ({"kind": "red", "name": "Big One"}, ("name",), "SL205", "(saw 'Big One', allowed small letters)", ""),
        ({"kind": "red", "parts": ["a"]}, ("parts",), "SL207", "saw 1 entries, allowed at least 2", ""),
        ({"kind": "red", "parts": ["a", "b", "a"]}, ("parts", 2), "SL208", "is there twice (saw 'a')", "keep one"),
        ({"kind": "red", "parts": ["a", 1]}, ("parts", 1), "SL203", "must be a text (saw 1)", '"1"'),
        ({"kind": "red", "either": "al"}, ("either",), "SL209", "allowed all or a mapping", "did you mean all?"),
        ({"kind": "red", "either": {"top": "x"}}, ("either", "top"), "SL203", "must be a whole number (saw 'x')", ""),
        ({"kind": "red", "either": {"share": "x"}}, ("either", "share"), "SL203", "must be a number (saw 'x')", ""),
        (
            {"kind": "red", "names": {"Foo": 1}},
            ("names", "Foo"),
            "SL205",
            "is not a usable name (saw 'Foo', allowed small letters)",
            "foo",
        ),
        ({"kind": "red", "one": {}}, ("one",), "SL209", "needs exactly one of a, b (saw none)", ""),
        ({"kind": "red", "one": {"a": 1, "b": 2}}, ("one",), "SL209", "needs exactly one of a, b (saw a, b)", ""),
        ({"kind": "red", "pair": {"q": 1}}, ("pair", "q"), "SL210", "needs p beside it", ""),
        ({"kind": "red", "free": 1}, ("free",), "SL211", "is not allowed here (saw 1)", ""),
        ([], (), "SL203", "must be a mapping (saw a list)", ""),
        (None, (), "SL203", "must be a mapping (saw nothing)", ""),
    ],
)
def test_a_misfit_is_one_sentence_with_its_place_and_a_hint(
    value: object, where: tuple[str | int, ...], code: str, message: str, hint: str
) -> None:
    found = misfits(value, SMALL)
    assert len(found) == 1, found
    assert (found[0].path, found[0].code) == (where, code)
    assert message in found[0].message
    assert hint in found[0].hint


def test_all_misfits_are_told() -> None:
    found = misfits({"kind": 1, "size": 0, "name": "X", "colour": 2}, SMALL)
    assert sorted(misfit.code for misfit in found) == ["SL201", "SL204", "SL205", "SL206"]


def test_a_document_is_checked_against_any_schema_with_places(tmp_path: Path) -> None:
    path = tmp_path / "small.yaml"
    path.write_text("kind: red\nsize: 7\nsize: 8\n")
    value, positions, problems = check_document(path, SMALL)
    assert value == {"kind": "red", "size": 7}
    assert positions.value(("size",)).line == 2
    assert [(problem.line, problem.column, problem.code) for problem in problems] == [(3, 1, "SL105"), (2, 7, "SL206")]
