"""The schemas as an editor uses them: every key can be hovered over, every word explained, every file finds its schema."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft7Validator

from strandline.spec.shape import schema_named

ROOT = Path(__file__).parents[2]
NAMES = ("stream", "dag", "defaults")
SCHEMA_LINE = re.compile(r"# yaml-language-server: \$schema=(\S+)")
Node = dict[str, Any]


def nodes(node: Any, path: str = "#") -> Iterator[tuple[str, Node]]:
    """Every schema below `node`, with its path."""
    if not isinstance(node, dict):
        return
    yield path, node
    for key in ("properties", "$defs", "definitions", "patternProperties"):
        for name, child in node.get(key, {}).items():
            yield from nodes(child, f"{path}/{key}/{name}")
    for key in ("items", "additionalProperties", "propertyNames"):
        yield from nodes(node.get(key), f"{path}/{key}")
    for key in ("anyOf", "oneOf", "allOf"):
        for index, child in enumerate(node.get(key, [])):
            yield from nodes(child, f"{path}/{key}/{index}")


def described(node: Node, schema: Node) -> bool:
    """Whether the node, or what it refers to, says what it is."""
    if node.get("description"):
        return True
    references = [part["$ref"] for part in (node, *node.get("allOf", [])) if "$ref" in part]
    return any(described(named(reference, schema), schema) for reference in references)


def named(reference: str, schema: Node) -> Node:
    """What a reference inside the schema leads to."""
    found: Any = schema
    for step in reference.removeprefix("#/").split("/"):
        found = found[step]
    return dict(found)


@pytest.fixture(params=NAMES)
def schema(request: pytest.FixtureRequest) -> Node:
    return dict(schema_named(str(request.param)))


def test_the_schema_is_a_schema(schema: Node) -> None:
    Draft7Validator.check_schema(schema)


def test_every_key_can_be_hovered_over(schema: Node) -> None:
    bare = [
        f"{path}/properties/{name}"
        for path, node in nodes(schema)
        for name, child in node.get("properties", {}).items()
        if child is not False and not described(child, schema)
    ]
    assert not bare


def test_every_word_of_a_choice_is_explained(schema: Node) -> None:
    """In the description, unless the words are numbers with a unit or name types that need no words."""
    plain = re.compile(r"\d+ ?[a-z]+|\d+|null|array|boolean|integer|number|object|string")
    missing = []
    for path, node in nodes(schema):
        words = [word for word in node.get("enum", []) if isinstance(word, str) and not plain.fullmatch(word)]
        if words and not node.get("description"):
            missing.append(path)
    assert not missing


def test_no_mapping_takes_keys_that_are_not_listed(schema: Node) -> None:
    """Those that are chosen by their `type` or name close themselves further down."""
    conditional = {"#/$defs/source"}
    wide = [
        path
        for path, node in nodes(schema)
        if node.get("properties") and "additionalProperties" not in node and path not in conditional and "/oneOf/" not in path
    ]
    assert not wide


def test_every_example_and_default_fits_where_it_stands(schema: Node) -> None:
    wrong = []
    for path, node in nodes(schema):
        named_parts: Node = {key: schema[key] for key in ("$defs", "definitions") if key in schema}
        whole = node | named_parts
        values = [*node.get("examples", []), *([node["default"]] if "default" in node else [])]
        wrong += [f"{path}: {value}" for value in values if not Draft7Validator(whole).is_valid(value)]
    assert not wrong


def test_every_file_of_the_configuration_names_its_schema() -> None:
    files = [*(ROOT / "config").rglob("*.yaml"), *(ROOT / "tests").glob("*/config/**/*.yaml")]
    assert len(files) >= 10
    for path in files:
        match = SCHEMA_LINE.match(path.read_text(encoding="utf-8"))
        assert match, f"{path} has no yaml-language-server line"
        wanted = {"streams": "stream", "dags": "dag"}.get(path.parent.name, "defaults")
        assert (path.parent / match[1]).resolve() == ROOT / "schemas" / f"{wanted}.schema.json", path


def test_the_editor_is_told_the_same_and_git_keeps_it() -> None:
    told = json.loads((ROOT / ".vscode" / "settings.json").read_text(encoding="utf-8"))["yaml.schemas"]
    assert {(ROOT / name).name for name in told} == {f"{name}.schema.json" for name in NAMES}
    for name, patterns in told.items():
        assert (ROOT / name).is_file()
        assert any(list(ROOT.glob(pattern)) for pattern in patterns), name
    recommended = json.loads((ROOT / ".vscode" / "extensions.json").read_text(encoding="utf-8"))["recommendations"]
    assert "redhat.vscode-yaml" in recommended
    ignored = subprocess.run(["git", "check-ignore", ".vscode/settings.json"], cwd=ROOT, capture_output=True, check=False)
    assert ignored.returncode != 0, "git would not keep .vscode/settings.json"


def test_what_defaults_may_say_is_what_a_stream_may_say() -> None:
    """Each key of the defaults takes the same values as the stream's key: it is merged into the stream unseen."""
    stream, defaults = dict(schema_named("stream")), dict(schema_named("defaults"))

    def followed(node: Node, schema: Node) -> Node:
        for part in (node, *node.get("allOf", [])):
            if "$ref" in part:
                return followed(named(part["$ref"], schema), schema)
        return node

    def compare(ours: Node, theirs: Node, path: str) -> None:
        ours, theirs = followed(ours, defaults), followed(theirs, stream)
        for key in ("type", "enum", "pattern", "minLength", "maxLength", "uniqueItems", "maxItems"):
            assert ours.get(key) == theirs.get(key), f"{path}: {key}"
        for name, child in ours.get("properties", {}).items():
            assert name in theirs["properties"], f"{path}.{name}"
            compare(child, theirs["properties"][name], f"{path}.{name}")
        for key in ("items", "additionalProperties"):
            if isinstance(ours.get(key), dict):
                compare(ours[key], theirs[key], f"{path}.{key}")
        for index, branch in enumerate(ours.get("anyOf", [])):
            compare(branch, theirs["anyOf"][index], f"{path}/{index}")

    for name, child in defaults["properties"].items():
        compare(child, stream["properties"][name], name)
