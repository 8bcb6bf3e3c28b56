"""`strandline test`: the examples in the YAML, run by the real steps in memory."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any

import typer

from strandline.cli.console import output, shown
from strandline.cli.options import DEFAULT_CONFIG, Config, Json, chosen_streams

if TYPE_CHECKING:
    from strandline.spec.model import Stream
    from strandline.stream_tests import CaseResult


def run_tests(
    streams: Annotated[list[str] | None, typer.Argument(metavar="STREAM", help="Only these streams.")] = None,
    config: Config = DEFAULT_CONFIG,
    as_json: Json = False,
) -> None:
    """Run the `tests:` of the streams: lines given, what must come of them. No lake, nothing written.

    A failure shows expected and found, column by column, and the place of the case. Exit code 1 when one fails.

    [bold]Examples[/bold]

      strandline test
      strandline test api_logs iot_sensors
      strandline test --json                 in CI, for machines
    """
    chosen = chosen_streams(config, streams or [], named_by="its name")
    started = time.monotonic()
    results: list[tuple[CaseResult, float]] = []
    for result, seconds in _run(list(chosen.values())):
        results.append((result, seconds))
        if not as_json:
            _print(result, seconds)
    failed = sum(not result.passed for result, _ in results)
    if as_json:
        typer.echo(json.dumps({"ok": not failed, "cases": [_told(*each) for each in results]}, indent=2, ensure_ascii=False))
    else:
        _print_sum(len(results), failed, len(chosen), time.monotonic() - started)
    if failed:
        raise typer.Exit(1)


def _run(streams: list[Stream]) -> Iterator[tuple[CaseResult, float]]:
    """Each case with its seconds, as it is done."""
    if not any(stream.tests for stream in streams):
        return
    from strandline.engines.duckdb import DuckEngine
    from strandline.stream_tests import run_case

    engine = DuckEngine("512MB", 1)
    with engine.session() as session:
        for stream in streams:
            for case in stream.tests:
                started = time.monotonic()
                yield run_case(engine, session, stream, case), time.monotonic() - started


def _print(result: CaseResult, seconds: float) -> None:
    from strandline.stream_tests import explained

    mark = "[green]ok  [/green]" if result.passed else "[bold red]FAIL[/bold red]"
    title = f"{mark} {shown(result.stream.name)}: {shown(result.test.name)} [dim]{seconds * 1000:.0f} ms[/dim]"
    output().print(title, soft_wrap=True)
    for line in () if result.passed else explained(result):
        style = "bold red" if line.lstrip().startswith("✗") else "bold" if line.startswith("expect.") else None
        output().print(f"     {shown(line)}".rstrip(), style=style, soft_wrap=True)


def _print_sum(cases: int, failed: int, streams: int, seconds: float) -> None:
    if not cases:
        output().print(f"no test in {streams} stream{'' if streams == 1 else 's'}: a stream has them under `tests:`")
        return
    told = f"[bold red]{failed} failed[/bold red], {cases - failed} passed" if failed else f"[green]{cases} passed[/green]"
    output().print(f"\n{told} in {seconds:.1f} s", soft_wrap=True)


def _told(result: CaseResult, seconds: float) -> dict[str, Any]:
    from strandline.row_matching import ABSENT
    from strandline.row_matching import shown as value

    def cell(given: Any) -> str | None:
        return None if given is ABSENT else value(given)

    differences = [
        {
            "part": difference.part,
            "message": difference.message,
            "rows": [
                {
                    "kind": row.kind,
                    "number": row.number,
                    "cells": [
                        {"column": c.column, "expected": cell(c.expected), "found": cell(c.found), "same": c.same}
                        for c in row.cells
                    ],
                }
                for row in difference.rows
            ],
        }
        for difference in result.differences
    ]
    return {
        "stream": result.stream.name,
        "name": result.test.name,
        "place": result.place,
        "passed": result.passed,
        "seconds": round(seconds, 3),
        "landed": [result.landed.start.isoformat(), result.landed.end.isoformat()],
        "differences": differences,
    }
