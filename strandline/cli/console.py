"""Where the command line writes: results to stdout, everything else to stderr."""

from __future__ import annotations

from typing import Any

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

_WIDE = 10_000
"""Columns where there is no terminal: a line is a line, whoever reads it."""


def output() -> Console:
    """The console of results; where stdout is no terminal nothing is wrapped or cut."""
    console = Console(highlight=False)
    return console if console.is_terminal else Console(highlight=False, width=_WIDE)


def errors() -> Console:
    """The console of errors, warnings and progress."""
    return Console(stderr=True, highlight=False)


def grid(title: str | None = None, *, left: tuple[str, ...] = (), right: tuple[str, ...] = ()) -> Table:
    """An empty table in the house style: the columns `left`, then the columns `right`, aligned so."""
    table = Table(title=title, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD, pad_edge=False)
    for name in left:
        table.add_column(name, overflow="fold")
    for name in right:
        table.add_column(name, justify="right", no_wrap=True)
    return table


def shown(text: str) -> str:
    """The text as it may go to a terminal: no markup, and what could move the cursor, or worse, spelled out."""
    return escape("".join(c if c.isprintable() or c == "\n" else c.encode("unicode_escape").decode() for c in text))


def count(value: Any) -> str:
    """A number with separators; anything else as it is, nothing as a dash."""
    return (
        f"{value:,}"
        if isinstance(value, int) and not isinstance(value, bool)
        else str(value)
        if value not in (None, "")
        else "–"
    )
