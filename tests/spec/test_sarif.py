"""Problems as SARIF 2.1.0: what the standard asks for, and what code scanning needs."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from strandline.errors import Problem
from strandline.spec.codes import CODES
from strandline.spec.sarif import SCHEMA, sarif


def problem(path: Path, line: int, code: str, level: str = "error", message: str = "is wrong") -> Problem:
    return Problem(path, line, 3, code, "schema.event_time", message, "did you mean at?", level)


def log_of(folder: Path) -> dict[str, Any]:
    problems = [
        problem(folder / "b ü.yaml", 7, "SL304"),
        problem(folder / "a.yaml", 2, "SL412", "note"),
        problem(folder / "b ü.yaml", 4, "SL304"),
        problem(Path("/elsewhere/c.yaml"), 1, "SL999"),
    ]
    return sarif(problems, "0.1.0", folder)


def test_a_log_has_what_the_standard_requires(tmp_path: Path) -> None:
    log = log_of(tmp_path)
    assert (log["version"], log["$schema"]) == ("2.1.0", SCHEMA)
    assert set(log) == {"$schema", "version", "runs"}
    (run,) = log["runs"]
    assert set(run) == {"tool", "columnKind", "results"}
    assert run["columnKind"] in ("utf16CodeUnits", "unicodeCodePoints")
    driver = run["tool"]["driver"]
    assert driver["name"]
    assert re.fullmatch(r"\d+\.\d+\.\d+", driver["semanticVersion"])
    for rule in driver["rules"]:
        assert set(rule) <= {"id", "name", "shortDescription", "fullDescription", "help"}
        assert all(rule[key]["text"] for key in ("shortDescription", "fullDescription", "help") if key in rule)
        assert re.fullmatch(r"[A-Za-z0-9-]+", rule.get("name", "x")), rule["name"]
    assert len({rule["id"] for rule in driver["rules"]}) == len(driver["rules"])


def test_a_result_names_its_rule_its_level_and_its_place(tmp_path: Path) -> None:
    run = log_of(tmp_path)["runs"][0]
    for result in run["results"]:
        assert run["tool"]["driver"]["rules"][result["ruleIndex"]]["id"] == result["ruleId"]
        assert result["level"] in ("none", "note", "warning", "error")
        assert result["message"]["text"] == "schema.event_time: is wrong\nHint: did you mean at?"
        (location,) = result["locations"]
        region = location["physicalLocation"]["region"]
        assert region["startLine"] >= 1
        assert region["startColumn"] >= 1
    assert [(result["ruleId"], result["level"]) for result in run["results"]] == [
        ("SL999", "error"), ("SL412", "note"), ("SL304", "error"), ("SL304", "error"),
    ]  # fmt: skip


def test_places_are_relative_to_the_root_and_valid_uris(tmp_path: Path) -> None:
    found = [r["locations"][0]["physicalLocation"]["artifactLocation"] for r in log_of(tmp_path)["runs"][0]["results"]]
    assert found[0] == {"uri": "file:///elsewhere/c.yaml"}
    assert found[1] == {"uri": "a.yaml", "uriBaseId": "%SRCROOT%"}
    assert found[2] == {"uri": "b%20%C3%BC.yaml", "uriBaseId": "%SRCROOT%"}


def test_a_problem_that_moves_keeps_its_fingerprint(tmp_path: Path) -> None:
    def prints(*problems: Problem) -> list[str]:
        results = sarif(problems, "0.1.0", tmp_path)["runs"][0]["results"]
        return [result["partialFingerprints"]["problem/v1"] for result in results]

    path = tmp_path / "a.yaml"
    assert prints(problem(path, 2, "SL304")) == prints(problem(path, 20, "SL304"))
    assert prints(problem(path, 2, "SL304")) != prints(problem(path, 2, "SL304", message="is odd"))


def test_no_problems_are_a_run_without_results(tmp_path: Path) -> None:
    run = sarif([], "0.1.0", tmp_path)["runs"][0]
    assert run["results"] == []
    assert run["tool"]["driver"]["rules"] == []


def test_every_code_makes_a_rule(tmp_path: Path) -> None:
    rules = sarif([problem(tmp_path / "a.yaml", 1, code) for code in CODES], "0.1.0")["runs"][0]["tool"]["driver"]["rules"]
    assert [rule["id"] for rule in rules] == sorted(CODES)
    assert all(rule["help"]["markdown"] for rule in rules)
