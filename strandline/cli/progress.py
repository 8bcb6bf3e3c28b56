"""What a run shows while it works: bars with rate and remaining time on a terminal, plain lines elsewhere; all on stderr."""

from __future__ import annotations

import time
from collections.abc import Iterable
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    SpinnerColumn,
    Task,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from strandline.cli.console import count, errors, shown
from strandline.cli.explanations import paragraph
from strandline.run import Done, Outcome
from strandline.units import pace, per_second

_SECONDS_BETWEEN_LINES = 10.0


class Display:
    """A listener of runs: plain lines. A step is told when it is done, and every ten seconds while it works: how much of how
    much, at what pace, and how long it will take yet.
    """

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or errors()
        self._told: dict[str, float] = {}
        self._begun: dict[str, tuple[str, float]] = {}

    @classmethod
    def on(cls, names: Iterable[str]) -> Display:
        """The display that fits where stderr goes."""
        console = errors()
        return Bars(console, names) if console.is_terminal else cls(console)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        return None

    def progress(self, stream: str, what: str, done: int, total: int | None) -> None:
        """Tells it if the stream's last line is long enough ago."""
        now = time.monotonic()
        if self._begun.get(stream, ("", 0.0))[0] != what:
            self._begun[stream] = (what, now)
        if now - self._told.setdefault(stream, now) >= _SECONDS_BETWEEN_LINES:
            self._told[stream] = now
            told = pace(done, total, now - self._begun[stream][1])
            self._line(f"{stream}: {what} … {told}".rstrip())

    def notice(self, stream: str, text: str) -> None:
        """A line of its own, such as an alert."""
        self._line(f"alert: {text}")

    def finished(self, stream: str, done: Done) -> None:
        """The step with its counts."""
        self._told[stream] = time.monotonic()
        counts = ", ".join(f"{name.replace('_', ' ')} {count(value)}" for name, value in done.counts.items() if value != "")
        lines = done.counts.get("lines")
        rate = f", {per_second(lines, done.seconds)} lines a second" if isinstance(lines, int) and lines else ""
        self._line(f"{stream}: {done.step} done in {done.seconds:.1f} s{rate}: {counts or 'nothing to do'}")

    def ended(self, outcome: Outcome) -> None:
        """The stream is through, or failed."""
        if outcome.error:
            title = escape(f"{outcome.stream}: {outcome.failed} failed:" if outcome.failed else f"{outcome.stream}: failed:")
            self._console.print(f"[bold red]{title}[/bold red] {paragraph(outcome.error)}", soft_wrap=True)

    def _line(self, text: str) -> None:
        self._console.print(shown(text), soft_wrap=True)


class Bars(Display):
    """A bar a stream that has begun; lines go above the bars."""

    def __init__(self, console: Console, names: Iterable[str]) -> None:
        super().__init__(console)
        width = max((len(name) for name in names), default=0)
        self._bars = Progress(
            SpinnerColumn(finished_text="✓"),
            TextColumn(f"{{task.fields[stream]:<{width}}}"),
            TextColumn("{task.description}", style="dim"),
            BarColumn(bar_width=30),
            MofNCompleteColumn(),
            _Rate(),
            TimeRemainingColumn(elapsed_when_finished=True),
            console=console,
            transient=True,
        )
        self._tasks: dict[str, TaskID] = {}
        self._what: dict[str, str] = {}

    def __enter__(self) -> Self:
        self._bars.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._bars.stop()

    def progress(self, stream: str, what: str, done: int, total: int | None) -> None:
        """Moves the stream's bar; a new kind of work starts it anew."""
        if stream not in self._tasks:
            self._tasks[stream] = self._bars.add_task(what, total=total, stream=stream)
        elif self._what[stream] != what:
            self._bars.reset(self._tasks[stream], total=total, completed=0, description=what)
        self._what[stream] = what
        self._bars.update(self._tasks[stream], completed=done, total=total)

    def ended(self, outcome: Outcome) -> None:
        """Takes the bar away."""
        if outcome.stream in self._tasks:
            self._bars.remove_task(self._tasks.pop(outcome.stream))
        super().ended(outcome)


class _Rate(ProgressColumn):
    """Units a second."""

    def render(self, task: Task) -> Text:
        """`12.5/s`, or nothing while it is unknown."""
        speed = task.finished_speed or task.speed
        return Text(f"{speed:,.1f}/s" if speed else "", style="dim")
