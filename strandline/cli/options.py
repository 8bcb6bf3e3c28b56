"""What the commands have in common: where the configuration and the lake are, and which streams are meant."""

from __future__ import annotations

import re
from collections.abc import Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from strandline.cli.failures import warn
from strandline.errors import ConfigError, Problem, UsageError
from strandline.units import ENGINE_MEMORY

if TYPE_CHECKING:
    from strandline.run import Place
    from strandline.spec.model import Stream

_SIZE = re.compile(r"\d+(\.\d+)?\s*([KMGT]i?B)", re.IGNORECASE)


def _size(text: str) -> str:
    if not _SIZE.fullmatch(text.strip()):
        raise typer.BadParameter(f"a size is a number and a unit, as 500MB or 2GB (saw {text!r})")
    return text


Config = Annotated[
    Path,
    typer.Option("--config", "-c", envvar="STRANDLINE_CONFIG", metavar="DIR", help="Where streams/ and dags/ are declared."),
]
Lake = Annotated[
    str | None,
    typer.Option("--lake", "-l", envvar="STRANDLINE_LAKE", metavar="URL", help="s3://bucket/prefix or a local folder."),
]
Memory = Annotated[
    str,
    typer.Option(
        "--memory", envvar="STRANDLINE_MEMORY", metavar="SIZE", help="Memory of an engine, as 500MB or 2GB.", callback=_size
    ),
]
Threads = Annotated[int, typer.Option("--threads", envvar="STRANDLINE_THREADS", min=1, help="Threads of an engine.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON on stdout, for machines.")]

DEFAULT_CONFIG = Path("config")


def place(config: Path, lake: str | None, memory: str = ENGINE_MEMORY, threads: int = 2, *, must_exist: bool = False) -> Place:
    """Where to run. Raises `UsageError` when no lake is named or, with `must_exist`, when a local one is not there."""
    from strandline.run import Place

    if not lake:
        raise UsageError(
            "no lake: give --lake s3://bucket[/prefix] or --lake FOLDER, or set STRANDLINE_LAKE "
            "(a running demo's is set by `. .local/env`)"
        )
    if must_exist and "://" not in lake and not Path(lake).is_dir():
        raise UsageError(
            f"there is no lake in {lake}: the folder does not exist (`strandline run ingest --lake {lake}` makes it)"
        )
    if must_exist and not lake.startswith(("s3://", "s3a://", "file://")) and "://" in lake:
        raise UsageError(f"a lake is s3://bucket[/prefix] or a local folder (saw {lake})")
    return Place(config, lake, memory, threads)


def chosen_streams(config: Path, names: Sequence[str], *, named_by: str = "--stream") -> dict[str, Stream]:
    """The streams of these names, or all. Only what is asked for must be valid; the others' problems are a warning.

    `named_by` is how the command takes names, for the advice to leave out a broken stream.

    Raises `ConfigError` with the problems of what was asked for, `UsageError` for a name that no file declares.
    """
    good, problems = _checked(config)
    if not names:
        broken = [problem for problem in problems if problem.level == "error"]
        if broken:
            if good:
                warn(f"nothing is run, because not every stream is valid; {named_by} runs one that is ({', '.join(good)})")
            raise ConfigError(broken)
        return good
    wanted = {}
    for name in dict.fromkeys(names):
        own = [problem for problem in problems if problem.path.stem == name and problem.level == "error"]
        if own:
            raise ConfigError(own)
        if name not in good:
            raise unknown_stream(config, name, [*good, *_broken(problems)])
        wanted[name] = good[name]
    _warn(problems)
    return wanted


def good_streams(config: Path, names: Sequence[str] = ()) -> dict[str, Stream]:
    """For readers: every stream that is valid (or those named); the others' problems are a warning."""
    if names:
        return chosen_streams(config, names)
    good, problems = _checked(config)
    if not good:
        raise ConfigError(problems)
    _warn(problems)
    return good


def _checked(config: Path) -> tuple[dict[str, Stream], tuple[Problem, ...]]:
    from strandline.spec.load import check_streams

    if not (config / "streams").is_dir():
        raise UsageError(f"no streams in {config}: there is no folder {config / 'streams'}; name another with --config")
    good, problems = check_streams(config)
    if not good and not problems:
        raise UsageError(f"{config / 'streams'} holds no *.yaml file, so there is no stream")
    return good, problems


def _broken(problems: Sequence[Problem]) -> list[str]:
    return list(dict.fromkeys(problem.path.stem for problem in problems if problem.level == "error"))


def unknown_stream(config: Path, name: str, known: Sequence[str]) -> UsageError:
    """The error for a name that no file declares, with the closest one that is."""
    close = get_close_matches(name, known, 1, 0.5)
    hint = f"; did you mean {close[0]}?" if close else f" (there are: {', '.join(sorted(known))})"
    return UsageError(f"no stream {name} in {config / 'streams'}{hint}")


def _warn(problems: Sequence[Problem]) -> None:
    """One line for each broken file."""
    for name in _broken(problems):
        own = [problem for problem in problems if problem.path.stem == name and problem.level == "error"]
        more = f" (and {len(own) - 1} more)" if len(own) > 1 else ""
        first = own[0]
        where = f"{first.path}:{first.line}:{first.column}"
        field = f"{first.field}: " if first.field else ""
        warn(f"{name} is left out: {where}: {field}{first.message} [{first.code}]{more}; see `strandline validate`")
