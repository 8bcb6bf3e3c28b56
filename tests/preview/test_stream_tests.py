"""The `tests:` of a stream pass when what comes of the lines is what they expect, and say what differs when it is not."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from strandline.errors import ConfigError
from strandline.spec.load import load_stream
from strandline.stream_tests import CaseResult, explained, run_case
from tests.preview.shop import SHOP, opened, order


def ran(folder: Path, given: list[Any], expect: dict[str, Any], text: str = SHOP, **more: Any) -> CaseResult:
    """The one case of the shop."""
    case = {"name": "it", "given": given, "expect": expect, **more}
    path = folder / "shop.yaml"
    path.write_text(text + yaml.safe_dump({"tests": [case]}, sort_keys=False, width=10_000), encoding="utf-8")
    stream = load_stream(path)
    with opened() as (engine, session):
        return run_case(engine, session, stream, stream.tests[0])


GIVEN = [order(1), order(1), order(2, 6, amount=600, buyerName="bob"), order(3, 7, amount=-1), "no json", order(4, 8, amount=0)]


@pytest.mark.parametrize(
    "expect",
    [
        {"good": 3, "refused": 2, "duplicates": 1},
        {"good": [{"id": "o2", "is_large": True}, {"id": "o1", "amount": 10.5, "at": "2026-03-02T09:00:00Z"}, {"id": "o4"}]},
        {"good": [{}, {}, {"_warnings": "round_sum"}]},
        {"refused": [{"reason": "not_json", "field": None}, {"field": "amount"}]},
        {"hourly": [{"buyer": "bob", "turnover": 600}, {"buyer": "ada", "orders": 2, "large_rate": 0.0}]},
        {"minutes": [{"window_start": "2026-03-02T09:00:00Z", "orders": 1}, {"orders": 2}]},
        {"alerts": {"rush": 0, "big_order": 1}},
    ],
    ids=lambda expect: "-".join(expect),
)
def test_what_comes_as_expected_passes(tmp_path: Path, expect: dict[str, Any]) -> None:
    result = ran(tmp_path, GIVEN, expect)
    assert result.passed, explained(result)


@pytest.mark.parametrize(
    ("expect", "told"),
    [
        ({"good": 4}, "expect.good: 4 expected, 3 found"),
        ({"refused": 0}, "line 5 refused: not_json"),
        ({"duplicates": 0}, "expect.duplicates: 0 expected, 1 found"),
        ({"refused": [{"reason": "not_json"}]}, "a row that was not expected:"),
        ({"refused": [{"reason": "not_json"}, {"rule": "affordable"}]}, '✗ rule  "affordable"  NULL'),
        ({"good": [{"id": "o1"}, {"id": "o2"}]}, "expect.good: 2 rows expected, 3 found"),
        ({"minutes": [{"orders": 1}, {"orders": 3}]}, "✗ orders  3         2"),
        ({"minutes": [{"orders": 1}, {"orders": 2}, {"orders": 9}]}, "row 3 is missing:"),
        ({"hourly": [{"buyer": "bob"}, {"buyer": "eve"}]}, '✗ buyer  "eve"'),
        ({"hourly": []}, "expect.hourly: 0 rows expected, 2 found"),
        ({"alerts": {"big_order": 0}}, "big_order: 0 episodes expected, 1 found; it fires on 1 of 3 good rows"),
        (
            {"alerts": {"rush": 1}},
            "rush: 1 episode expected, 0 found; it fires on 1 of 2 windows and needs 2 one after another",
        ),
    ],
)
def test_what_differs_is_told_with_its_place(tmp_path: Path, expect: dict[str, Any], told: str) -> None:
    result = ran(tmp_path, GIVEN, expect)
    text = "\n".join(explained(result))
    assert not result.passed
    assert told in text
    line = (tmp_path / "shop.yaml").read_text(encoding="utf-8").splitlines().index("- name: it") + 1
    assert text.startswith(f"{tmp_path / 'shop.yaml'}:{line}\n")
    assert "6 lines = 3 good + 1 duplicate + 2 refused" in text


def test_the_lines_land_with_the_latest_event_unless_told(tmp_path: Path) -> None:
    given = [order(1, at="2026-02-28T09:00:00Z"), order(2)]
    assert ran(tmp_path, given, {"refused": [{"reason": "late"}]}).passed
    assert ran(tmp_path, given[:1], {"refused": 0}).passed
    told = ran(tmp_path, given[:1], {"refused": [{"reason": "late", "field": "at"}]}, at="2026-03-02T09:03:00Z")
    assert told.passed
    assert told.landed.end == datetime(2026, 3, 2, 9, 5, tzinfo=UTC)
    assert ran(tmp_path, given, {"good": 2}, at="2026-03-02T09:00:00Z").landed.end == datetime(2026, 3, 2, 9, tzinfo=UTC)


def test_a_text_of_several_lines_is_several_lines_and_an_empty_one_is_refused(tmp_path: Path) -> None:
    assert ran(
        tmp_path, ["{}\n\n[]\n"], {"refused": [{"reason": "missing"}, {"reason": "empty_line"}, {"reason": "not_object"}]}
    ).passed


def test_a_text_is_a_record_under_the_declared_fields_in_a_stream_of_csv(tmp_path: Path) -> None:
    text = SHOP.replace('pattern: "*"', 'pattern: "*", format: csv')
    given = ["o1,2026-03-02T09:00:00Z,1.5,true,ada", 'o2,2026-03-02T09:00:00Z,,true,"x, y"', "o3", order(4)]
    expect = {
        "good": [{"id": "o1", "buyer": "ada"}, {"amount": None, "buyer": "x, y"}, {"id": "o4"}],
        "refused": [{"reason": "ragged_row"}],
    }
    assert ran(tmp_path, given, expect, text).passed


def test_broken_fail_rules_refuse_and_budgets_are_not_judged(tmp_path: Path) -> None:
    rules = "quality:\n  - {name: none_free, expect: amount > 0, action: fail}\n"
    rules += "  - {name: few, expect: rejected = 0, per: run, action: fail}\n"
    assert ran(tmp_path, [order(1, amount=0)], {"refused": [{"rule": "none_free"}]}, SHOP.replace("quality:\n", rules)).passed


@pytest.mark.parametrize(
    ("expect", "told"),
    [
        ({"quarantine": [{"_reason": "type"}]}, "is neither a gold table nor good, refused, duplicates, alerts"),
        ({"good": [{"idd": "o1"}]}, "is not a column of the good rows"),
        ({"alerts": {"rushh": 1}}, "is not an alert"),
        ({"refused": [{"rule": "afordable"}]}, "is not a rule"),
        ({"refused": [{"field": "amnt"}]}, "is not a declared field"),
        ({"refused": [{"reason": "bad"}]}, "'bad'"),
        ({"duplicates": -1}, "-1"),
    ],
)
def test_what_an_example_names_must_be_there(tmp_path: Path, expect: dict[str, Any], told: str) -> None:
    with pytest.raises(ConfigError) as error:
        ran(tmp_path, [order(1)], expect)
    assert told in str(error.value)


def test_a_moment_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"tests\[0\]\.at: is no moment \(saw '2026-13-02T09:03:00Z'\)"):
        ran(tmp_path, [order(1)], {"good": 1}, at="2026-13-02T09:03:00Z")
