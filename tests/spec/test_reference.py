"""The reference page is made from the schema, and the committed one is the newest."""

from __future__ import annotations

import copy
import re
from pathlib import Path
from typing import Any

from strandline.spec.reference import COMMAND, anchor, reference
from strandline.spec.shape import schema_named

PAGE = Path(__file__).parents[2] / "docs" / "stream-yaml.md"


def test_the_committed_page_is_what_the_schema_gives() -> None:
    made = reference(schema_named("stream"))
    assert PAGE.read_text(encoding="utf-8") == made, f"docs/stream-yaml.md is stale; write it again: {COMMAND}"


def test_every_key_of_the_schema_stands_on_the_page() -> None:
    schema = schema_named("stream")
    page = reference(schema)
    missing = [key for key in _keys(schema) if f"`{key}`" not in page]
    assert not missing


def test_a_new_key_and_its_description_appear() -> None:
    changed: Any = copy.deepcopy(dict(schema_named("stream")))
    changed["$defs"]["alert"]["properties"]["runbook"] = {"type": "string", "description": "Where to read on."}
    assert "| `runbook` | string | Where to read on. |" in reference(changed)


def test_every_link_on_the_page_leads_to_a_heading() -> None:
    page = reference(schema_named("stream"))
    headings = {anchor(line.lstrip("# ")) for line in page.splitlines() if line.startswith("#")}
    links = set(re.findall(r"\]\(#([^)]*)\)", page))
    assert links
    assert not links - headings


def test_no_heading_stands_twice() -> None:
    headings = [line for line in reference(schema_named("stream")).splitlines() if line.startswith("#")]
    assert len(headings) == len(set(headings))


def _keys(node: Any) -> set[str]:
    """Every key that some mapping of the schema allows by name."""
    found: set[str] = set()
    if isinstance(node, dict):
        if isinstance(node.get("properties"), dict):
            found |= set(node["properties"])
        for value in node.values():
            found |= _keys(value)
    elif isinstance(node, list):
        for value in node:
            found |= _keys(value)
    return found
