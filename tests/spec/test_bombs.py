"""Files made to hurt: each is refused soon and with few problems, and nothing in a file runs, reads or expands anything.

Counted in CPU seconds of this process, with room for a slow machine: on an idle one each takes less than 0.05 s.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from strandline.spec.document import MAX_BYTES, MAX_PROBLEMS, parse_document, read_document
from strandline.spec.load import check_stream, check_text
from strandline.spec.scalars import resolve

SIZE = MAX_BYTES - 2000
MOST_SECONDS = 0.4
_TRIES = 3


def least_cpu(work: Callable[[], object]) -> float:
    """CPU seconds of the work: the least of a few tries, since what else the machine does only adds to them."""
    least = float("inf")
    for _ in range(_TRIES):
        resolve.cache_clear()
        start = time.process_time()
        work()
        least = min(least, time.process_time() - start)
        if least < MOST_SECONDS:
            break
    return least


def filled(unit: str, start: str = "", end: str = "") -> str:
    return start + unit * (SIZE // len(unit.encode())) + end


def laughs(depth: int) -> str:
    lines = ["a0: &a0 [ha, ha, ha, ha, ha, ha, ha, ha, ha]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, depth)]
    return "\n".join(lines)


def merges(depth: int) -> str:
    lines = ["a0: &a0 {x: 1}"]
    lines += [f"a{n}: &a{n} {{<<: [{', '.join([f'*a{n - 1}'] * 9)}]}}" for n in range(1, depth)]
    return "\n".join(lines)


BOMBS: dict[str, Callable[[], str]] = {
    "a billion laughs": lambda: laughs(30),
    "merge keys on merge keys": lambda: merges(30),
    "one long text, many aliases": lambda: filled("- *a\n", f"- &a {'x' * 1000}\n"),
    "nothing but anchors": lambda: "".join(f"- &a{n} x\n" for n in range(60_000)),
    "nothing but tags": lambda: filled("- !!str x\n") + filled("- !x y\n")[:1000],
    "nothing but foreign tags": lambda: filled("- !x y\n"),
    "brackets": lambda: "[" * SIZE,
    "braces": lambda: "{" * SIZE,
    "braces in brackets": lambda: filled("[{"),
    "dashes": lambda: filled("- "),
    "question marks": lambda: filled("? "),
    "block levels": lambda: "\n".join(f"{' ' * n}a:" for n in range(1200)),
    "many numbers": lambda: filled("- 1\n"),
    "many numbers in a row": lambda: filled("1,", "a: [", "1]"),
    "many keys": lambda: "".join(f"k{n}: 1\n" for n in range(90_000)),
    "the same key": lambda: filled("a: 1\n"),
    "many documents": lambda: filled("---\na: 1\n"),
    "many empty documents": lambda: filled("---\n"),
    "one long text": lambda: "a: " + "x" * SIZE,
    "one long quoted text": lambda: 'a: "' + "\\n" * (SIZE // 2) + '"',
    "one long key": lambda: "x" * SIZE + ": 1",
    "one long number": lambda: "a: " + "9" * SIZE,
    "colons": lambda: filled("a:"),
    "line breaks": lambda: "\n" * SIZE,
    "comments": lambda: filled("#\n"),
    "blanks": lambda: "a:" + " " * SIZE,
    "tabs": lambda: "a:\n" + "\t" * SIZE,
    "percent signs": lambda: filled("%YAML 1.2\n"),
    "quotes": lambda: filled("'"),
}


@pytest.mark.parametrize("kind", BOMBS)
def test_a_bomb_is_refused_soon_and_in_few_words(kind: str) -> None:
    text = BOMBS[kind]()
    assert len(text.encode()) <= MAX_BYTES
    spent = least_cpu(lambda: check_stream(parse_document(text, Path("bomb.yaml"))))
    stream, problems = check_stream(parse_document(text, Path("bomb.yaml")))
    assert stream is None
    assert 1 <= len(problems) <= MAX_PROBLEMS + 20
    assert spent < MOST_SECONDS, f"{spent:.3f} s"


def test_a_file_over_the_limit_is_not_read_to_its_end(tmp_path: Path) -> None:
    path = tmp_path / "bomb.yaml"
    with path.open("wb") as file:
        file.truncate(50_000_000_000)  # a sparse file: 50 GB long, nothing on the disk
    assert [problem.code for problem in read_document(path).problems] == ["SL109"]
    assert least_cpu(lambda: read_document(path)) < MOST_SECONDS


HEAD = """\
stream: orders
version: 1.0.0
description: {purpose: Orders}
team: {name: shop, owner: shop@example.com}
source: {type: files, location: /data}
schema:
  primary_key: [id]
  event_time: at
  fields: [{name: id, type: string}, {name: at, type: timestamp}, {name: n, type: integer}]
quality:
"""
EXPRESSIONS = {
    "parentheses": "(" * 1990,
    "signs": "-" * 1990 + "1",
    "nots": "not " * 499 + "true",
    "a long chain": " and ".join(["n > 1"] * 200),
    "a long sum": "n" + "+n" * 990 + " > 0",
    "many choices": "n in (" + ",".join(["1"] * 900) + ")",
    "growing texts": "concat(" + ",".join(["id"] * 600) + ") = ''",
    "cases in cases": "case when " * 190 + "true" + " end" * 10,
    "quotes": "'" * 1999,
    "a long chain of either": " or ".join(["n = 1 and n = 2"] * 90),
}


@pytest.mark.parametrize("kind", EXPRESSIONS)
def test_no_expression_takes_long_to_judge(kind: str) -> None:
    text = f'{HEAD}  - {{name: a, expect: "{EXPRESSIONS[kind]}"}}\n'
    assert least_cpu(lambda: check_text(text, Path("orders.yaml"))) < MOST_SECONDS


@pytest.mark.parametrize(
    "value",
    [
        "!!python/object/apply:os.system ['touch RUN']",
        "!!python/name:os.system",
        "!!python/object/new:subprocess.Popen [['touch', 'RUN']]",
        "!include SECRET",
        "!ENV ${HOME}",
        "${HOME}",
        "$HOME",
        "$(touch RUN)",
        "`touch RUN`",
        "{{ env.HOME }}",
        "{{ cycler.__init__.__globals__.os.system('touch RUN') }}",
        "~/SECRET",
        "file://SECRET",
        "@SECRET",
    ],
)
def test_nothing_that_is_written_runs_code_or_reads_the_environment_or_a_file(
    value: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "SECRET").write_text("hunter2", encoding="utf-8")
    for text in (f"description: {{purpose: {value}}}", f"description: {{purpose: '{value.replace(chr(39), chr(34))}'}}"):
        whole = HEAD.replace("description: {purpose: Orders}", text).removesuffix("quality:\n")
        stream, problems = check_text(whole, Path("orders.yaml"))
        said = f"{stream} {problems}"
        assert "hunter2" not in said
        assert os.environ.get("HOME", "/nowhere") not in (stream.purpose if stream else "")
        assert (stream is None) or stream.purpose.replace('"', "'") == value.replace('"', "'")
        assert sorted(path.name for path in tmp_path.iterdir()) == ["SECRET"]
