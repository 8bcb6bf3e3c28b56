"""What the documents name exists: links, files, `make` targets, commands and options; every stream they show is valid."""

from __future__ import annotations

import re
import shlex
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml

from strandline.cli import app
from strandline.spec.load import load_stream
from strandline.spec.reference import anchor

ROOT = Path(__file__).parents[1]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
OURS = ("strandline/", "operators/", "dags/", "config/", "schemas/", "tests/", "plugins/", "docs/", ".ci/", ".github/")
LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
FENCE = re.compile(r"^( *)```(\w*)\n(.*?)^ *```", re.DOTALL | re.MULTILINE)
COMMAND = typer.main.get_command(app)


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@pytest.fixture(params=DOCUMENTS, ids=name_of)
def document(request: pytest.FixtureRequest) -> Path:
    return Path(request.param)


def test_every_relative_link_leads_somewhere(document: Path) -> None:
    broken = []
    for link in LINK.findall(prose(document)):
        target, _, place = link.partition("#")
        if "://" in link or link.startswith("mailto:"):
            continue
        path = (document.parent / target).resolve() if target else document
        if not path.exists() or (place and path.suffix == ".md" and place not in anchors(path)):
            broken.append(link)
    assert not broken


def test_every_file_that_is_named_exists(document: Path) -> None:
    missing = []
    told_to_make = {f"config/streams/{name}.yaml" for name in re.findall(r"^ *stream: (\w+)$", text_of(document), re.MULTILINE)}
    for span in re.findall(r"`([^`\n]+)`", prose(document)):
        path = span.split()[0]
        if not path.startswith(OURS) or path in told_to_make or any(mark in path for mark in "<>…{$"):
            continue
        found = list(ROOT.glob(path)) if "*" in path else [ROOT / path]
        if not found or not all(each.exists() for each in found):
            missing.append(span)
    assert not missing


def test_every_make_target_that_is_named_exists(document: Path) -> None:
    targets = set(re.findall(r"^([a-z-]+):.*## ", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    named = {words[words.index("make") + 1] for words in commands(document, "make")}
    assert not {name for name in named if "=" not in name} - targets


def test_every_command_and_option_that_is_named_exists(document: Path) -> None:
    wrong = [" ".join(words) for words in commands(document, "strandline") if not is_known(words[words.index("strandline") :])]
    assert not wrong


def test_every_python_module_that_is_run_exists(document: Path) -> None:
    modules = re.findall(r"python -m (strandline[\w.]*)", text_of(document))
    assert not [name for name in modules if not (ROOT / (name.replace(".", "/") + ".py")).is_file()]


def test_every_stream_that_is_shown_is_valid(document: Path, tmp_path: Path) -> None:
    for language, text in blocks(document):
        found = yaml.safe_load(text) if language == "yaml" else None
        if isinstance(found, dict) and {"source", "schema"} <= found.keys():
            whole = text if "stream" in found else HEAD + text
            path = tmp_path / f"{found.get('stream', 'shown')}.yaml"
            path.write_text(whole, encoding="utf-8")
            load_stream(path)


@pytest.mark.parametrize(
    "line",
    [
        "strandline validates",
        "strandline run everything",
        "strandline run ingest --since -26h",
        "strandline query --format csv --wrong",
    ],
)
def test_a_command_that_does_not_exist_is_noticed(line: str) -> None:
    assert not is_known(line.split())


HEAD = "stream: shown\nversion: 1.0.0\ndescription: {purpose: An example}\nteam: {name: docs, owner: docs@example.com}\n"


def text_of(path: Path) -> str:
    """The document as it is written."""
    return path.read_text(encoding="utf-8")


def prose(path: Path) -> str:
    """The text of a document without its blocks of code."""
    return FENCE.sub("", text_of(path))


def blocks(path: Path) -> Iterator[tuple[str, str]]:
    """(language, text) of every block of code."""
    for _, language, text in FENCE.findall(text_of(path)):
        yield language, textwrap.dedent(text)


def anchors(path: Path) -> set[str]:
    """The anchors of the headings of a document."""
    return {anchor(line.lstrip("#").strip()) for line in prose(path).splitlines() if line.startswith("#")}


def commands(path: Path, program: str) -> Iterator[list[str]]:
    """The words of every line of code, in a block or in the text, that calls the program."""
    lines = [line for language, text in blocks(path) if language == "console" for line in text.splitlines()]
    lines += re.findall(r"`([^`\n]+)`", prose(path))
    for line in lines:
        words = words_of(line)
        if program in words[:-1] and all("=" in word for word in words[: words.index(program)]):
            yield words


def words_of(line: str) -> list[str]:
    try:
        return shlex.split(line, comments=True)
    except ValueError:
        return line.split()


def is_known(words: list[str]) -> bool:
    """Whether the command line app has this command with these options; `a | b` stands for one of both, `…` for anything."""
    command: Any = COMMAND
    rest = [word for word in words[1:] if word != "…"]
    while hasattr(command, "commands") and rest and not rest[0].startswith("-"):
        choices = [rest.pop(0)]
        while len(rest) > 1 and rest[0] == "|":
            choices.append(rest[1])
            rest = rest[2:]
        if any(choice not in command.commands for choice in choices):
            return False
        command = command.commands[choices[0]]
    options = {option for parameter in command.params for option in parameter.opts} | {"--help", "-h"}
    return all(word.partition("=")[0] in options for word in rest if word.startswith("--"))
