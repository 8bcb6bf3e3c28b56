"""Problems as people and machines read them: for a terminal with line and caret, for GitHub, as JSON or SARIF."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from itertools import groupby
from pathlib import Path
from typing import Literal

from strandline.errors import Problem
from strandline.spec.codes import help_of

Format = Literal["text", "github", "json", "sarif"]

_BOLD, _DIM, _RED, _YELLOW, _CYAN, _RESET = "\033[1m", "\033[2m", "\033[31m", "\033[33m", "\033[36m", "\033[0m"
WIDEST = 160
"""How many characters a line of text has at most where nobody said how wide it may be."""
_HIDDEN = {"SL320"}
"""Problems of lines that hold a secret: the line is not shown."""


def format_problems(
    problems: Iterable[Problem],
    *,
    color: bool = False,
    format: Format = "text",  # noqa: A002
    width: int = WIDEST,
) -> str:
    """The problems in file and line order, ready to print; an empty text (json: `[]`) when there are none.

    `text` shows each with a caret below its source line, which is cut to fit into `width` characters; `github` is a workflow
    command a line, `json` a list of objects, `sarif` a SARIF log.
    """
    ordered = sorted(problems)
    if format == "json":
        return json.dumps([_as_json(problem) for problem in ordered], indent=2, ensure_ascii=False)
    if format == "sarif":
        from importlib.metadata import version

        from strandline.spec.sarif import sarif

        return json.dumps(sarif(ordered, version("strandline")), indent=2, ensure_ascii=False)
    if format == "github":
        return "\n".join(_as_annotation(problem) for problem in ordered)
    blocks: list[str] = []
    for path, group in groupby(ordered, key=lambda problem: problem.path):
        lines = source_lines(path)
        blocks += [_as_text(problem, lines, color, width) for problem in group]
    return "\n\n".join(blocks)


def source_lines(path: Path) -> Sequence[str]:
    """The lines of a file as far as they can be read; none when they cannot."""
    try:
        return path.read_bytes()[:2_000_000].decode("utf-8-sig", "replace").splitlines()
    except OSError:
        return ()


def _as_text(problem: Problem, lines: Sequence[str], color: bool, width: int) -> str:
    def paint(text: str, *codes: str) -> str:
        return f"{''.join(codes)}{text}{_RESET}" if color else text

    tint = _RED if problem.level == "error" else _YELLOW
    where = paint(f"{problem.path}:{problem.line}:{problem.column}", _BOLD)
    field = f"{paint(problem.field, _CYAN)}: " if problem.field else ""
    level = "" if problem.level == "error" else f"{problem.level}: "
    text = [f"{where}: {field}{paint(level + problem.message, tint)} {paint(f'[{problem.code}]', _DIM)}"]
    if problem.code not in _HIDDEN and 0 < problem.line <= len(lines) and lines[problem.line - 1].strip():
        number = str(problem.line)
        shown, caret = _window(lines[problem.line - 1], problem.column, max(20, min(width, WIDEST) - len(number) - 5))
        text.append(f"  {paint(number + ' |', _DIM)} {shown}")
        text.append(f"  {' ' * len(number)} {paint('|', _DIM)} {' ' * caret}{paint('^', tint)}")
    if problem.hint:
        text.append(f"  {paint('hint:', _BOLD)} {problem.hint}")
    return "\n".join(text)


def _window(line: str, column: int, room: int) -> tuple[str, int]:
    """The part of a line around a column, without characters that would move the cursor, and where the caret stands in it."""
    clean = "".join(character if character.isprintable() else " " for character in line)
    if len(clean) <= room:
        return clean, column - 1
    start = max(0, min(column - 1 - room // 2, len(clean) - room + 2))
    part = clean[start : start + room - 2]
    before, after = "…" if start else "", "…" if start + len(part) < len(clean) else ""
    return before + part + after, column - 1 - start + len(before)


def _as_annotation(problem: Problem) -> str:
    level = "error" if problem.level == "error" else "notice"
    place = f"file={_escaped(str(problem.path), of_property=True)},line={problem.line},col={problem.column}"
    message = f"{problem.field}: {problem.message}" if problem.field else problem.message
    hint = f"\nhint: {problem.hint}" if problem.hint else ""
    return f"::{level} {place},title={problem.code}::{_escaped(message + hint)}"


def _escaped(text: str, *, of_property: bool = False) -> str:
    """A text as a workflow command takes it. Source: github.com/actions/toolkit, packages/core/src/command.ts."""
    text = text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")
    return text.replace(":", "%3A").replace(",", "%2C") if of_property else text


def _as_json(problem: Problem) -> dict[str, str | int]:
    return {
        "path": str(problem.path),
        "line": problem.line,
        "column": problem.column,
        "code": problem.code,
        "level": problem.level,
        "field": problem.field,
        "message": problem.message,
        "hint": problem.hint,
        "help": help_of(problem.code),
    }
