"""The pictures of `validate`, `preview` and `plan` in the documents, made by running the commands on a terminal.

`python -m tests.cli.screens docs/images` writes them. Each command runs in a new process on a pseudo-terminal in a temporary
folder; what it prints becomes an SVG with the same text and colours.
"""

from __future__ import annotations

import fcntl
import io
import os
import pty
import re
import shutil
import struct
import subprocess
import sys
import tempfile
import termios
from collections.abc import Callable, Mapping
from pathlib import Path

from rich.console import Console
from rich.terminal_theme import MONOKAI
from rich.text import Text

ROOT = Path(__file__).resolve().parents[2]
COLUMNS = 110
_PROGRAM = ("-c", "from strandline.cli import app; app(prog_name='strandline')")
_KEY = "5e" * 32
"""A protection key that is none of anybody's, so that hashes come out alike."""
_BLOCK = re.compile(r"^```(\w+)\n(.*?)\n```", re.DOTALL | re.MULTILINE)
_FONT = re.compile(r"\s*@font-face \{.*?\}\n", re.DOTALL)

TYPOS = (
    ("event_time: timestamp", "event_tme: timestamp"),
    ("expect: response_time_ms <= 30000 or", "expect: response_time <= 30000 or"),
    ("is_script: lower(user_agent)", "is_script: lower(status_code)"),
    ("line: api_5m.p95_ms", "line: api_5m.p59_ms"),
)
CHANGES = (
    ("version: 1.0.0", "version: 2.0.0"),
    ("expect: amount < 10000", "expect: amount < 500"),
    ("is_large: amount >= 500", "is_large: amount >= 40"),
    ("{count_distinct: email}", "{count_distinct: email}\n      largest:    {max: amount, unit: EUR}"),
)


def validate(folder: Path) -> str:
    """`validate` over the streams of this repository, with four mistakes in one of them."""
    shutil.copytree(ROOT / "config", folder / "config")
    edit(folder / "config/streams/api_logs.yaml", TYPOS)
    return on_terminal(folder, "validate")


def preview(folder: Path) -> str:
    """`preview` of the small shop of `docs/testing-streams.md`."""
    shop(folder)
    return on_terminal(folder, "preview", "orders", "--input", "inbox/orders.ndjson")


def plan(folder: Path) -> str:
    """`plan` of a change of the small shop, after its lines have been through the lake."""
    shop(folder)
    noon = ("--from", "2026-03-02T11:55", "--to", "2026-03-02T12:00")
    subprocess.run(
        [sys.executable, *_PROGRAM, "run", "all", "--stream", "orders", "--lake", "lake", *noon],
        cwd=folder, env=environment(), check=True, capture_output=True,
    )  # fmt: skip
    edit(folder / "config/streams/orders.yaml", CHANGES)
    return on_terminal(folder, "plan", "orders", "--lake", "lake")


SCREENS: Mapping[str, tuple[str, Callable[[Path], str]]] = {
    "validate": ("strandline validate", validate),
    "preview": ("strandline preview orders --input inbox/orders.ndjson", preview),
    "plan": ("strandline plan orders --lake lake", plan),
}
"""By name of the picture: the command in its title, and what makes its text."""


def shop(folder: Path) -> None:
    """Lays out the stream and the sample that `docs/testing-streams.md` shows."""
    blocks = _BLOCK.findall((ROOT / "docs/testing-streams.md").read_text(encoding="utf-8"))
    stream = next(text for language, text in blocks if language == "yaml")
    sample = next(text for language, text in blocks if language == "text")
    for name, text in (("config/streams/orders.yaml", stream), ("inbox/orders.ndjson", sample)):
        (folder / name).parent.mkdir(parents=True)
        (folder / name).write_text(text + "\n", encoding="utf-8")


def edit(path: Path, edits: tuple[tuple[str, str], ...]) -> None:
    """Makes each edit once; fails when its text is not there."""
    text = path.read_text(encoding="utf-8")
    for old, new in edits:
        assert old in text, old
        text = text.replace(old, new, 1)
    path.write_text(text, encoding="utf-8")


def environment() -> dict[str, str]:
    """A terminal with colours, and nothing of the caller's settings."""
    foreign = ("STRANDLINE_", "AWS_", "PYTEST_", "NO_COLOR", "FORCE_COLOR")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
    return kept | {
        "PYTHONPATH": str(ROOT), "STRANDLINE_KEY": _KEY,
        "TERM": "xterm-256color", "COLORTERM": "truecolor", "COLUMNS": str(COLUMNS),
    }  # fmt: skip


def on_terminal(folder: Path, *arguments: str) -> str:
    """What the command prints on a terminal, colours included; what it tells beside that (progress) is left out."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 60, COLUMNS, 0, 0))
    process = subprocess.Popen(
        [sys.executable, *_PROGRAM, *arguments],
        cwd=folder, env=environment(), stdin=subprocess.DEVNULL, stdout=theirs, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    os.close(theirs)
    printed = b""
    with os.fdopen(ours, "rb", buffering=0) as terminal:
        while data := _read(terminal):
            printed += data
    process.wait()
    return printed.decode().replace("\r\n", "\n")


def _read(terminal: io.FileIO) -> bytes:
    try:
        return terminal.read(65536) or b""
    except OSError:  # Linux says so at the end
        return b""


def picture(title: str, text: str) -> str:
    """An SVG of a terminal with the text; it names no font that would have to be fetched."""
    console = Console(record=True, width=COLUMNS, file=io.StringIO(), force_terminal=True, color_system="truecolor")
    console.print(Text.from_ansi(text.rstrip("\n")), soft_wrap=False)
    svg = console.export_svg(title=title, theme=MONOKAI, unique_id=title.split()[1])
    return _FONT.sub("", svg).replace("Fira Code", "ui-monospace").rstrip() + "\n"


def made(name: str) -> str:
    """The text of a screen, made anew in a temporary folder."""
    with tempfile.TemporaryDirectory(prefix="strandline-screen-") as folder:
        return SCREENS[name][1](Path(folder))


if __name__ == "__main__":
    for each in SCREENS:
        target = Path(sys.argv[1]) / f"{each}.svg"
        target.write_text(picture(SCREENS[each][0], made(each)), encoding="utf-8")
        print(target)
