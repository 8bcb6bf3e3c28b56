"""How two contracts differ, how grave that is, and which version it asks for."""

from __future__ import annotations

from pathlib import Path

import pytest

from strandline.changes.difference import bump, changes
from strandline.contracts import canonical, digest
from strandline.spec.load import check_text
from strandline.spec.model import Stream
from tests.stages.streams import readings

CASES = [
    (("maximum: 50}", "maximum: 51}"), "compatible", "field value.maximum changed: 50 → 51"),
    (("maximum: 50}", "maximum: 49}"), "breaking", "field value.maximum changed: 50 → 49"),
    ((", maximum: 50}", "}"), "compatible", "field value.maximum changed: 50 → –"),
    (("day, type: date}", "day, type: date, required: true}"), "breaking", "field day.required changed: False → True"),
    (("{name: day, type: date}", "{name: day, type: string}"), "breaking", "field day.type changed: date → string"),
    (("{name: day, type: date}", "{name: date_of, type: date, from: day}"), "breaking", "field day renamed: day → date_of"),
    (("    - {name: day, type: date}\n", ""), "breaking", "field day removed"),
    (("day, type: date}", "day, type: date}\n    - {name: more, type: json}"), "compatible", "field more added: – → json"),
    ((", south]", ", south, west]"), "compatible", "field site.choices changed: [north, south] → [north, south, west]"),
    (("choices: [north, south]", "choices: [north]"), "breaking", "field site.choices changed: [north, south] → [north]"),
    (("expect: value > -40", "expect: value > -30"), "breaking", "rule not_freezing.expect changed: value > -40 → value > -30"),
    (("value < 30, action", "value < 29, action"), "compatible", "rule usual.expect changed: value < 30 → value < 29"),
    (("value < 30, action: warn", "value < 30"), "breaking", "rule usual.action changed: warn → quarantine"),
    (("  - {name: not_freezing, expect: value > -40}\n", ""), "compatible", "rule not_freezing removed"),
    (("allowed_lateness: 2d", "allowed_lateness: 1d"), "breaking", "setting allowed_lateness changed: 48 h → 24 h"),
    (("allowed_lateness: 2d", "allowed_lateness: 3d"), "compatible", "setting allowed_lateness changed: 48 h → 72 h"),
    (("y: [reading_id]", "y: [at, site]"), "breaking", "setting primary_key changed: [reading_id] → [at, site]"),
    (("total: {sum: value}", "total: {max: value}"), "breaking", "metric hourly.total.kind changed: sum → max"),
    (("total: {sum: value}", "total: {sum: value}, most: {max: value}"), "compatible", "metric hourly.most added: – → value"),
    (("grain: hour", "grain: day"), "breaking", "gold table hourly.grain changed: hour → day"),
    (("Readings for", "All readings for"), "cosmetic", "text purpose changed"),
]  # fmt: skip


def edited(stream: Stream, *edits: tuple[str, str]) -> Stream:
    text = stream.path.read_text()
    for old, new in edits:
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    found, problems = check_text(text, stream.path)
    assert found is not None, problems
    return found


@pytest.mark.parametrize(("edit", "severity", "told"), CASES, ids=[case[2] for case in CASES])
def test_a_change_is_named_and_graded(tmp_path: Path, edit: tuple[str, str], severity: str, told: str) -> None:
    before = readings(tmp_path)
    found = changes(canonical(before), canonical(edited(before, edit)))
    assert told in [str(change).replace(":  →", ": – →") for change in found]
    assert found[0].severity == severity


@pytest.mark.parametrize(
    ("edit", "version", "needed", "fits"),
    [
        (("maximum: 50}", "maximum: 40}"), "3.0.0", "major", True),
        (("maximum: 50}", "maximum: 40}"), "2.4.0", "major", False),
        (("maximum: 50}", "maximum: 60}"), "2.4.0", "minor", True),
        (("maximum: 50}", "maximum: 60}"), "2.3.1", "minor", False),
        (("maximum: 50}", "maximum: 60}"), "2.3.0", "minor", False),
        (("maximum: 50}", "maximum: 60}"), "1.4.0", "minor", False),
        (("Readings for", "All readings for"), "2.3.1", "patch", True),
    ],
)
def test_the_version_must_move_as_far_as_the_gravest_change(
    tmp_path: Path, edit: tuple[str, str], version: str, needed: str, fits: bool
) -> None:
    before = readings(tmp_path)
    now = edited(before, edit, ("version: 2.3.0", f"version: {version}"))
    found = bump(canonical(before), canonical(now), changes(canonical(before), canonical(now)))
    assert (found.needed, found.fits) == (needed, fits)


def test_layout_comments_and_tests_are_no_change(tmp_path: Path) -> None:
    before = readings(tmp_path)
    same = edited(before, ("stream: readings", "# a comment\nstream: readings"))
    assert digest(before) == digest(same)
    assert changes(canonical(before), canonical(same)) == ()
