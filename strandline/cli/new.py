"""`strandline new`: a stream's YAML from a sample of its events, or from a few answers."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer

from strandline.cli.console import errors, shown
from strandline.cli.options import DEFAULT_CONFIG, Config
from strandline.errors import StorageError, UsageError

if TYPE_CHECKING:
    from strandline.scaffold.template import Answers, SourceKind

_SOURCES = ("generator", "files", "http")


def new(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The stream's name; the file is called NAME.yaml.")],
    sample: Annotated[
        Path | None,
        typer.Option("--from", metavar="SAMPLE", help="Events to guess from: ndjson, csv or parquet (.gz, .zst), or a folder."),
    ] = None,
    config: Config = DEFAULT_CONFIG,
    generator: Annotated[bool, typer.Option("--generator", help="Simulate such events instead of reading the files.")] = False,
    rows: Annotated[
        int, typer.Option("--rows", min=1, max=1_000_000, help="Read at most so many rows of the sample.")
    ] = 50_000,
    force: Annotated[bool, typer.Option("--force", "-f", help="Replace a file that is there.")] = False,
    stdout: Annotated[bool, typer.Option("--stdout", help="Print the YAML; write nothing.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Without --from: ask nothing, take the defaults.")] = False,
) -> None:
    """Write a complete stream YAML: guessed from a sample, every guess with its reason, or from a few answers. Valid at once.

    [bold]Examples[/bold]

      strandline new parcel_scans --from scans.ndjson
      strandline new access_log --from /data/access_log --generator
      strandline new meters --from meters.csv.gz --stdout | less
      strandline new orders --yes
    """
    path = config / "streams" / f"{name}.yaml"
    if path.exists() and not force and not stdout:
        raise UsageError(f"{path} is there already: --force replaces it, --stdout only prints")
    if sample is not None:
        from strandline.scaffold.scaffold import scaffold

        made = scaffold(name, sample, generator=generator, most=rows, to=path)
        text, told, protected = made.text, made.read, made.protected
    else:
        from strandline.scaffold.template import template

        text, told, protected = template(_answers(name, yes=yes), path), "", ()
    if stdout:
        typer.echo(text, nl=False)
        return
    _write(path, text)
    _tell(name, path, told, protected, config)


def _write(path: Path, text: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise StorageError(f"cannot write {path}: {error.strerror}") from error


def _tell(name: str, path: Path, read: str, protected: tuple[str, ...], config: Path) -> None:
    """What was done, and what to do next, on stderr."""
    console = errors()
    option = "" if config == DEFAULT_CONFIG else f" --config {config}"
    if read:
        console.print(shown(f"{read}"), soft_wrap=True)
    console.print(f"[green]written[/green] {shown(str(path))}", soft_wrap=True)
    if protected:
        fields = shown(", ".join(protected))
        console.print(
            f"{fields}: protected, so the stream needs a key: export STRANDLINE_KEY=$(openssl rand -base64 32)", soft_wrap=True
        )
    console.print(shown(f"next: strandline validate {name}{option}"), soft_wrap=True)


def _answers(name: str, *, yes: bool) -> Answers:
    """What the user says, or the defaults."""
    from strandline.scaffold.template import Answers

    default = Answers(name)
    if yes:
        return default
    purpose = _ask("What is an event, in one sentence?", default.purpose)
    team, owner = _ask("Which team answers for the stream?", default.team), _ask("Who is on call (an address)?", default.owner)
    source = _ask(f"Where do events come from ({', '.join(_SOURCES)})?", default.source)
    if source not in _SOURCES:
        raise UsageError(f"a source is {', '.join(_SOURCES)} (saw {source})")
    place = ""
    if source == "files":
        place = _ask("Which folder or S3 prefix?", f"/data/{name}")
    elif source == "http":
        place = _ask("Which URL?", "https://api.example.com/v1/events")
    return Answers(
        name,
        purpose,
        team,
        owner,
        cast("SourceKind", source),
        place,
        key=_ask("Which field tells events apart?", default.key),
        time=_ask("Which field says when it happened?", default.time),
        dimension=_ask("Which field splits the numbers?", default.dimension),
        number=_ask("Which number matters?", default.number),
    )


def _ask(question: str, default: str) -> str:
    return str(typer.prompt(question, default=default, err=True)).strip()
