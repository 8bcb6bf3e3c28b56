"""Errors as a reader sees them: one paragraph on stderr and an exit code, never a traceback for what was foreseen."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import typer
from typer.core import TyperGroup

from strandline.cli.console import errors
from strandline.cli.explanations import paragraph
from strandline.errors import ConfigError, StrandlineError, UsageError

INTERRUPTED = 130


class CommandGroup(TyperGroup):
    """The top group: the commands' errors end here."""

    def invoke(self, ctx: Any) -> Any:
        """What the command returned; raises `typer.Exit` with the code of an error that was told."""
        with told():
            return super().invoke(ctx)


@contextmanager
def told() -> Iterator[None]:
    """Tells an error of ours, or that the run was interrupted, and turns it into its exit code."""
    try:
        yield
    except KeyboardInterrupt as stop:
        errors().print("Interrupted.")
        raise typer.Exit(INTERRUPTED) from stop
    except ConfigError as error:
        from strandline.spec.report import format_problems

        typer.echo(format_problems(error.problems, color=errors().is_terminal, width=errors().width), err=True)
        raise typer.Exit(2) from error
    except StrandlineError as error:
        fail(str(error))
        raise typer.Exit(exit_code(error)) from error


def exit_code(error: StrandlineError) -> int:
    """2 for what the caller or the configuration got wrong, 1 for data, storage and sources."""
    return 2 if isinstance(error, (UsageError, ConfigError)) else 1


def fail(text: str) -> None:
    """The paragraph of an error."""
    errors().print(f"[bold red]error:[/bold red] {paragraph(text)}", highlight=False, soft_wrap=True)


def warn(text: str) -> None:
    """A paragraph that stops nothing."""
    errors().print(f"[yellow]warning:[/yellow] {paragraph(text)}", highlight=False, soft_wrap=True)
