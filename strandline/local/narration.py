"""What a long run tells while it works: one line a step, with a spinner on a terminal and a sign of life elsewhere."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.markup import escape
from rich.status import Status

_SIGN_OF_LIFE = 15.0
"""Seconds between two lines of one step where the output is no terminal (a log, CI)."""


_WIDTH_OF_A_LOG = 140
"""Columns, where the output is no terminal and so has no width of its own."""


class Step:
    """One step under way: `update` says how it stands, `result` is what its closing line says."""

    def __init__(self, console: Console, title: str, status: Status | None) -> None:
        self._console = console
        self._title = title
        self._status = status
        self._told = time.monotonic()
        self.result = ""

    def update(self, text: str) -> None:
        """Show how the step stands; cheap enough to be called often."""
        if self._status is not None:
            self._status.update(f"{escape(self._title)} [dim]{escape(text)}[/dim]")
        elif time.monotonic() - self._told >= _SIGN_OF_LIFE:
            self._told = time.monotonic()
            self._console.print(f"  [dim]… {escape(self._title)}: {escape(text)}[/dim]", highlight=False)

    def bar(self, done: int, total: int, unit: str) -> None:
        """Show `done` of `total` units as a bar."""
        filled = round(20 * done / total) if total else 20
        self.update(f"{'█' * filled}{'░' * (20 - filled)} {done:,} of {total:,} {unit}")


class Narrator:
    """Tells the steps of a run on a console."""

    def __init__(self, console: Console | None = None) -> None:
        self.console = console or Console()
        if console is None and not self.console.is_terminal and "COLUMNS" not in os.environ:
            self.console.width = _WIDTH_OF_A_LOG

    @contextmanager
    def step(self, title: str) -> Iterator[Step]:
        """A step: a spinner while it runs, then one line with its result and how long it took. An error marks it."""
        started = time.monotonic()
        status = self.console.status(escape(title)) if self.console.is_terminal else None
        step = Step(self.console, title, status)
        mark = "[red]✗[/red]"
        try:
            if status:
                status.start()
            yield step
            mark = "[green]✓[/green]"
        finally:
            if status:
                status.stop()
            seconds = time.monotonic() - started
            result = f": {escape(step.result)}" if step.result else ""
            self.console.print(f"{mark} {escape(title)}{result} [dim]({seconds:.1f} s)[/dim]", highlight=False, soft_wrap=True)

    def say(self, text: str) -> None:
        """A paragraph that belongs to no step."""
        self.console.print(f"\n{escape(text)}", highlight=False, soft_wrap=True)

    def warn(self, text: str) -> None:
        """A paragraph that does not stop the run."""
        self.console.print(f"[yellow]![/yellow] {escape(text)}", highlight=False, soft_wrap=True)

    def fail(self, text: str) -> None:
        """The paragraph a run ends with."""
        self.console.print(f"\n[bold red]Stopped:[/bold red] {escape(text)}\n", highlight=False, soft_wrap=True)
