"""Problems as they are printed: for people, for GitHub and for machines."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from strandline.errors import Problem
from strandline.spec.document import read_document
from strandline.spec.load import check_stream
from strandline.spec.report import format_problems

TEXT = "stream: orders\nschema:\n  event_time: att  # ü\n"


def problem_in(folder: Path, **changes: object) -> Problem:
    path = folder / "orders.yaml"
    path.write_text(TEXT, encoding="utf-8")
    fields: dict[str, object] = {
        "path": path, "line": 3, "column": 15, "code": "SL304", "field": "schema.event_time",
        "message": "is not a declared field (saw 'att', allowed at)", "hint": "did you mean at?",
    }  # fmt: skip
    return Problem(**{**fields, **changes})  # type: ignore[arg-type]


def test_a_problem_shows_its_line_with_a_caret_under_the_column(tmp_path: Path) -> None:
    problem = problem_in(tmp_path)
    assert format_problems([problem]).splitlines() == [
        f"{problem.path}:3:15: schema.event_time: is not a declared field (saw 'att', allowed at) [SL304]",
        "  3 |   event_time: att  # ü",
        "    |               ^",
        "  hint: did you mean at?",
    ]


def test_color_changes_nothing_but_color(tmp_path: Path) -> None:
    import re

    problem = problem_in(tmp_path)
    colored = format_problems([problem], color=True)
    assert "\033[31m" in colored
    assert re.sub(r"\033\[\d+m", "", colored) == format_problems([problem])


def test_a_note_is_not_shown_as_an_error(tmp_path: Path) -> None:
    note = problem_in(tmp_path, level="note")
    assert ": note: is not a declared field" in format_problems([note])
    assert format_problems([note], format="github").startswith("::notice ")


def test_a_file_that_is_gone_or_a_line_past_its_end_is_shown_without_source(tmp_path: Path) -> None:
    assert format_problems([problem_in(tmp_path, line=99, hint="")]).count("\n") == 0
    assert format_problems([problem_in(tmp_path, path=tmp_path / "gone.yaml", hint="")]).count("\n") == 0


def test_what_would_move_the_cursor_is_not_printed(tmp_path: Path) -> None:
    path = tmp_path / "evil.yaml"
    path.write_text("a: \033[2J\rb\n")
    text = format_problems([Problem(path, 1, 4, "SL102", "", "holds a character that YAML does not allow")])
    assert "\033" not in text
    assert "\r" not in text


def test_a_line_with_a_secret_is_never_shown(tmp_path: Path) -> None:
    path = tmp_path / "orders.yaml"
    path.write_text(
        "stream: orders\nversion: 1.0.0\ndescription: {purpose: Orders}\nteam: {name: a, owner: b}\n"
        "source: {type: http, url: 'https://me:hunter2@example.com', headers: {X-Api-Key: hunter2}, params: {token: hunter2}}\n"
        "schema: {primary_key: [id], event_time: at, fields: [{name: id, type: string}, {name: at, type: timestamp}]}\n"
    )
    _, problems = check_stream(read_document(path))
    assert [problem.code for problem in problems] == ["SL320"] * 3
    for shown in (
        format_problems(problems),
        format_problems(problems, format="github"),
        format_problems(problems, format="json"),
    ):
        assert "hunter2" not in shown


def test_a_long_line_is_cut_around_the_column(tmp_path: Path) -> None:
    path = tmp_path / "long.yaml"
    path.write_text("a: " + "x" * 500 + "HERE" + "y" * 500)
    shown, caret = format_problems([Problem(path, 1, 504, "SL102", "", "odd")]).splitlines()[1:]
    assert len(shown) < 200
    assert shown[caret.index("^") :].startswith("HERE")


@pytest.mark.parametrize("column", [1, 4, 40, 60, 100, 150, 199, 200, 201])
@pytest.mark.parametrize("width", [1, 40, 80, 119])
def test_a_source_line_fits_a_terminal_and_the_caret_stands_below_its_character(
    tmp_path: Path, column: int, width: int
) -> None:
    path = tmp_path / "long.yaml"
    line = "".join(chr(0x4E00 + number) for number in range(200))
    path.write_text(line, encoding="utf-8")
    shown, caret = format_problems([Problem(path, 1, column, "SL102", "", "odd")], width=width).splitlines()[1:]
    assert max(len(shown), len(caret)) <= max(width, 26)
    assert shown[caret.index("^") :][:1] == line[column - 1 : column]


def test_problems_stand_in_file_and_line_order(tmp_path: Path) -> None:
    problems = [problem_in(tmp_path, line=3), problem_in(tmp_path, line=1, column=1)]
    text = format_problems(problems)
    assert text.index(":1:1:") < text.index(":3:15:")


def test_github_reads_file_line_and_column_and_no_character_breaks_the_command(tmp_path: Path) -> None:
    problem = problem_in(tmp_path, message="saw 100%\nof, it: all")
    assert format_problems([problem], format="github") == (
        f"::error file={problem.path},line=3,col=15,title=SL304"
        "::schema.event_time: saw 100%25%0Aof, it: all%0Ahint: did you mean at?"
    )


def test_json_holds_every_part(tmp_path: Path) -> None:
    problem = problem_in(tmp_path)
    assert json.loads(format_problems([problem], format="json")) == [
        {
            "path": str(problem.path),
            "line": 3,
            "column": 15,
            "code": "SL304",
            "level": "error",
            "field": "schema.event_time",
            "message": "is not a declared field (saw 'att', allowed at)",
            "hint": "did you mean at?",
            "help": "docs/errors.md#sl304",
        }
    ]
    assert json.loads(format_problems([], format="json")) == []


def test_no_problems_print_nothing() -> None:
    assert format_problems([]) == ""
    assert format_problems([], format="github") == ""
