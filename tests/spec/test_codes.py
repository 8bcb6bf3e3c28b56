"""Every code that the program can raise is explained, and every example has the problem that it is an example of."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from strandline.errors import Problem
from strandline.layers import check_layers
from strandline.spec.codes import CODES, Code, help_of
from strandline.spec.codes.page import COMMAND, explanation, page
from strandline.spec.load import check_text

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "errors.md"
BASE = """\
stream: orders
version: 1.0.0
description: {purpose: Orders of the shop}
team: {name: shop, owner: shop@example.com}
source: {type: files, location: /data/orders}
schema:
  primary_key: [id]
  event_time: at
  fields:
    - {name: id, type: string}
    - {name: at, type: timestamp}
    - {name: amount, type: decimal, scale: 2}
    - {name: quantity, type: integer, minimum: 0}
    - {name: status, type: string, choices: [paid, open]}
gold:
  daily:
    grain: day
    metrics:
      orders: count
"""
SECTION = re.compile(r"^(?=[a-z]+:)", re.MULTILINE)


def with_parts(text: str) -> str:
    """The base stream with the sections of `text` in the place of its own."""
    parts = [part for part in SECTION.split(text) if part]
    own = {part.partition(":")[0] for part in parts}
    kept = [part for part in SECTION.split(BASE) if part and part.partition(":")[0] not in own]
    return "".join(kept + [part if part.endswith("\n") else f"{part}\n" for part in parts])


def problems_of(code: Code, folder: Path) -> list[Problem]:
    if code.of == "dag":
        (folder / "dags").mkdir()
        (folder / "dags" / "a.yaml").write_text(code.example, encoding="utf-8")
        return check_layers(folder)[1]
    return check_text(with_parts(code.example), Path("orders.yaml"))[1]


def test_the_base_is_good() -> None:
    assert check_text(BASE, Path("orders.yaml"))[1] == []
    assert yaml.safe_load(with_parts("tags: [a]\n"))["tags"] == ["a"]


@pytest.mark.parametrize("code", [code for code in CODES.values() if code.of != "folder"], ids=lambda code: code.code)
def test_an_example_has_its_problem(code: Code, tmp_path: Path) -> None:
    found = problems_of(code, tmp_path)
    assert code.code in {problem.code for problem in found}, found
    assert ("A note" in code.means.partition(":")[0]) <= all(p.level == "note" for p in found if p.code == code.code)


def test_every_code_in_the_program_is_in_the_table_and_the_other_way_round() -> None:
    used: set[str] = set()
    for folder in ("strandline", "operators", "dags"):
        for path in (ROOT / folder).rglob("*.py"):
            if "codes" not in path.parts:
                used |= set(re.findall(r"\"(SL\d{3})\"", path.read_text(encoding="utf-8")))
    assert used - CODES.keys() == set(), "raised but not explained: add it to strandline/spec/codes"
    assert CODES.keys() - used == set(), "explained but never raised"


def test_the_committed_page_is_what_the_table_gives() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), f"docs/errors.md is stale; write it again: {COMMAND}"


def test_every_code_has_a_section_where_its_help_points() -> None:
    headings = {line.removeprefix("### ").lower() for line in page().splitlines() if line.startswith("### ")}
    assert {help_of(code).partition("#")[2] for code in CODES} == headings


@pytest.mark.parametrize("code", CODES.values(), ids=lambda code: code.code)
def test_an_entry_says_what_why_and_what_to_do(code: Code) -> None:
    assert re.fullmatch(r"SL\d{3}", code.code)
    assert not code.title.endswith(".")
    assert code.means.endswith(".")
    assert code.mend.endswith(".")
    assert code.example.strip()
    assert code.title in explanation(code)
