"""`strandline validate`: is the configuration right, and if not, where."""

from __future__ import annotations

import gc
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from strandline.cli.console import output
from strandline.cli.failures import fail
from strandline.cli.options import DEFAULT_CONFIG, Config, unknown_stream
from strandline.errors import Problem, StrandlineError

if TYPE_CHECKING:
    from strandline.layers import Layer
    from strandline.spec.model import Stream


class Format(StrEnum):
    """How problems are printed."""

    text = "text"
    github = "github"
    json = "json"
    sarif = "sarif"


@dataclass(frozen=True, slots=True)
class File:
    """One file that was looked at: what it declares, or how many problems it has."""

    path: Path
    says: str
    problems: tuple[Problem, ...] = ()

    @property
    def is_good(self) -> bool:
        """Nothing but notes."""
        return all(problem.level != "error" for problem in self.problems)


def _explain(code: str | None) -> None:
    if code is None:
        return
    from strandline.spec.codes import CODES
    from strandline.spec.codes.page import explanation

    known = CODES.get(code.upper())
    if known is None:
        raise typer.BadParameter(f"there is no code {code}; they are {', '.join(CODES)}")
    typer.echo(explanation(known))
    raise typer.Exit


def validate(
    streams: Annotated[list[str] | None, typer.Argument(metavar="STREAM", help="Only these streams.")] = None,
    config: Config = DEFAULT_CONFIG,
    format: Annotated[Format, typer.Option("--format", help="github: annotations; sarif: code scanning.")] = Format.text,  # noqa: A002
    bind: Annotated[bool, typer.Option("--bind", help="Also bind the compiled plan in the engine, on empty tables.")] = False,
    unread: Annotated[bool, typer.Option("--unread", help="Also note the fields that nothing reads.")] = False,
    explain: Annotated[
        str | None,
        typer.Option("--explain", metavar="CODE", callback=_explain, is_eager=True, help="Print what a code means, and exit."),
    ] = None,
) -> None:
    """Check every stream and DAG file: one line a file, every problem with its place, source line and a hint.

    [bold]Examples[/bold]

      strandline validate
      strandline validate api_logs social_media
      strandline validate --bind --format github      in CI
      strandline validate --format sarif > found.sarif
      strandline validate --explain SL304             what a code means, with an example
      strandline validate --config ../other/config
    """
    good, files = _files(config, streams or [], unread=unread)
    problems = tuple(problem for file in files for problem in file.problems)
    if format is Format.json:
        _print_json(files, problems)
    elif format is Format.sarif:
        from strandline.spec.report import format_problems

        typer.echo(format_problems(problems, format="sarif"))
    else:
        _print(files, problems, format)
    unbound = _bind(good.values()) if bind else 0
    if unbound or not all(file.is_good for file in files):
        raise typer.Exit(2)


def _files(config: Path, names: Sequence[str], *, unread: bool) -> tuple[dict[str, Stream], list[File]]:
    """The good streams, and every file looked at in name order, streams first."""
    from strandline.layers import check_layers
    from strandline.spec.load import check_streams

    gc.disable()  # what is loaded stays until the end: walking it again and again finds nothing
    good, problems = check_streams(config)
    gc.freeze()
    gc.enable()
    paths = {stream.path: stream for stream in good.values()}
    shared = config / "defaults.yaml"
    found = dict.fromkeys([*_listed(config / "streams"), *(problem.path for problem in problems if problem.path != shared)])
    if names:
        for name in names:
            if name not in good and name not in {path.stem for path in found}:
                raise unknown_stream(config, name, [path.stem for path in found])
        found = {path: None for path in found if path.stem in names}
        good = {name: stream for name, stream in good.items() if name in names}
    if unread:
        from strandline.spec.unread import unread_fields

        problems = (*problems, *(problem for stream in good.values() for problem in unread_fields(stream)))
    own = _by_path(problems)
    waits = f"waits for {shared}" if shared in own else ""
    files = [_file(path, own.get(path, ()), _stream_says(paths[path]) if path in paths else waits) for path in found]
    if shared.is_file():
        files.insert(0, _file(shared, own.get(shared, ()), "defaults of every stream"))
    if not names and (config / "dags").is_dir():
        layers, of_layers = check_layers(config)
        says = {layer.path: _layer_says(layer, len(good)) for layer in layers}
        layer_paths = dict.fromkeys([*_listed(config / "dags"), *(problem.path for problem in of_layers)])
        own = _by_path(of_layers)
        files += [_file(path, own.get(path, ()), says.get(path, "")) for path in layer_paths]
    return good, files


def _listed(folder: Path) -> list[Path]:
    from strandline.spec.load import stream_files

    return stream_files(folder) if folder.is_dir() else []


def _by_path(problems: Iterable[Problem]) -> dict[Path, tuple[Problem, ...]]:
    found: dict[Path, list[Problem]] = {}
    for problem in problems:
        found.setdefault(problem.path, []).append(problem)
    return {path: tuple(own) for path, own in found.items()}


def _file(path: Path, own: tuple[Problem, ...], says: str) -> File:
    errors = sum(problem.level == "error" for problem in own)
    return File(path, _many(errors, "problem") if errors else says, own)


def _stream_says(stream: Stream) -> str:
    rules = len(stream.rules) + len(stream.budgets)
    parts = [_many(len(stream.fields), "field"), _many(rules, "rule"), _many(len(stream.gold), "gold table")]
    return f"{stream.name} {stream.version}: {', '.join(parts)}, {_many(len(stream.alerts), 'alert')}"


def _layer_says(layer: Layer, streams: int) -> str:
    dags = sum(streams if "for_each" in body else 1 for body in layer.dags.values())
    return f"{_many(dags, 'DAG')}: {', '.join(layer.dags)}"


def _many(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _print(files: Sequence[File], problems: Sequence[Problem], format_: Format) -> None:
    from strandline.spec.report import format_problems

    console = output()
    width = max((len(str(file.path)) for file in files), default=0)
    if not console.is_terminal:
        typer.echo("\n".join(f"{'ok ' if file.is_good else 'bad'} {file.path!s:<{width}}  {file.says}" for file in files))
    for file in files if console.is_terminal else ():
        mark = "[green]ok [/green]" if file.is_good else "[bold red]bad[/bold red]"
        console.print(f"{mark} {escape(str(file.path)):<{width}}  {escape(file.says)}", soft_wrap=True)
    if problems:
        if format_ is Format.text:
            typer.echo()
        typer.echo(format_problems(problems, color=console.is_terminal, format=format_.value, width=console.width))
        if format_ is Format.text:
            typer.echo(f"\nMore about a code: strandline validate --explain {problems[0].code}")


def _print_json(files: Sequence[File], problems: Sequence[Problem]) -> None:
    from strandline.spec.report import format_problems

    told: Mapping[str, object] = {
        "ok": all(file.is_good for file in files),
        "files": [{"path": str(file.path), "ok": file.is_good, "says": file.says} for file in files],
        "problems": json.loads(format_problems(problems, format="json")),
    }
    typer.echo(json.dumps(told, indent=2, ensure_ascii=False))


def _bind(streams: Iterable[Stream]) -> int:
    """How many streams the engine does not take, each told."""
    from strandline.bind import bind

    refused = 0
    for stream in streams:
        try:
            bind(stream)
        except StrandlineError as error:
            refused += 1
            fail(str(error))
    return refused
