"""Every file under `tests/fixtures/` is a test: `valid/` loads, `invalid/` gives exactly what its `.expected` says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from strandline.spec.document import read_document
from strandline.spec.load import check_stream

FIXTURES = Path(__file__).parents[1] / "fixtures"
VALID = sorted((FIXTURES / "valid").glob("*.yaml"))
INVALID = sorted((FIXTURES / "invalid").glob("*.yaml"))
EXPECTED = re.compile(r"(?P<line>\d+):(?P<column>\d+): (?P<code>SL\d{3}) (?P<fragment>.+)")


@pytest.mark.parametrize("path", VALID, ids=lambda path: path.stem)
def test_a_valid_file_loads_without_a_word(path: Path) -> None:
    stream, problems = check_stream(read_document(path))
    assert problems == []
    assert stream is not None
    assert stream.name == path.stem


@pytest.mark.parametrize("path", INVALID, ids=lambda path: path.stem)
def test_a_broken_file_gives_exactly_the_problems_expected(path: Path) -> None:
    """One line of the `.expected` file a problem: `line:column: code part of the message`, in the order of the lines."""
    stream, problems = check_stream(read_document(path))
    assert stream is None
    expected = path.with_suffix(".expected").read_text(encoding="utf-8").splitlines()
    found = [f"{problem.line}:{problem.column}: {problem.code} {problem.message}" for problem in problems]
    assert len(found) == len(expected), "\n".join(found)
    for problem, line in zip(problems, expected, strict=True):
        match = EXPECTED.fullmatch(line)
        assert match, f"not of the form line:column: code fragment: {line}"
        assert (problem.line, problem.column, problem.code) == (int(match["line"]), int(match["column"]), match["code"])
        assert match["fragment"] in problem.message


@pytest.mark.parametrize("path", INVALID, ids=lambda path: path.stem)
def test_every_problem_points_into_its_file_and_speaks_one_sentence(path: Path) -> None:
    _, problems = check_stream(read_document(path))
    lines = path.read_bytes().decode("utf-8", "replace").splitlines()
    for problem in problems:
        assert problem.path == path
        assert 1 <= problem.line <= max(1, len(lines))
        assert 1 <= problem.column <= max([0, *(len(line) for line in lines)]) + 1
        assert problem.message
        assert not problem.message.endswith(".")
        assert "\n" not in problem.message
        assert len(problem.message) < 400


def test_there_are_many_fixtures_and_none_is_left_over() -> None:
    assert len(INVALID) >= 150
    assert len(VALID) >= 60
    orphans = [path.name for path in (FIXTURES / "invalid").glob("*.expected") if not path.with_suffix(".yaml").exists()]
    assert orphans == []
