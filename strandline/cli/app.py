"""The application: its commands, and what an error looks like."""

from __future__ import annotations

from typing import Annotated

import typer

from strandline.cli import audit, export, new, plan, preview, query, render, replay, run, size, status, test, validate
from strandline.cli.failures import CommandGroup

app = typer.Typer(
    name="strandline",
    cls=CommandGroup,
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command()(new.new)
app.command()(validate.validate)
app.command()(preview.preview)
app.command("test")(test.run_tests)
app.command()(render.render)
app.command()(export.export)
app.add_typer(run.app, name="run")
app.command()(query.query)
app.command()(status.status)
app.command()(audit.audit)
app.command()(plan.plan)
app.command()(replay.replay)
app.command()(size.size)


def _version(asked: bool) -> None:
    if asked:
        from importlib.metadata import version

        typer.echo(f"strandline {version('strandline')}")
        raise typer.Exit


@app.callback()
def main(
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")] = False,
) -> None:
    """A Lambda pipeline declared in YAML: speed, batch and serving over Delta tables on S3 or in a folder.

    [bold]Begin with[/bold]

      strandline validate                                check config/, file by file
      strandline run all --from -26h --lake ./lake       land a day of every stream, batch it, serve it
      strandline status --lake ./lake                    how it stands, and whether every line is accounted for
      strandline audit --lake ./lake                     prove that what is served equals a recompute from raw
      strandline query "FROM unified.api_logs LIMIT 5"   SQL over what was made

    The configuration is --config or STRANDLINE_CONFIG (else config/). The lake is --lake or STRANDLINE_LAKE: s3://bucket/prefix
    or a folder; S3 is reached by the standard AWS environment, AWS_ENDPOINT_URL included.

    Exit codes: 0 done, 1 the data or a run failed, 2 usage or configuration, 3 (plan) a rebuild is needed, 130 interrupted.
    """
