"""`strandline query`: SQL over the lake, to a table, CSV, JSON or Parquet."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterable
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import IO, TYPE_CHECKING, Annotated, Any

import typer

from strandline.cli.console import grid, output
from strandline.cli.options import DEFAULT_CONFIG, Config, Lake, Memory, Threads, good_streams, place
from strandline.errors import DataError, StorageError, UsageError
from strandline.units import ENGINE_MEMORY, readable

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pyarrow as pa

    from strandline.query import Answer

_SHOWN = 100
_COUNTED = 100_000
"""Rows up to which it is told how many there are beyond those shown."""
_LISTING = re.compile(r"\s*show\s+(all\s+)?tables\s*;?\s*", re.IGNORECASE)


class Format(StrEnum):
    """How rows are written."""

    table = "table"
    csv = "csv"
    json = "json"
    parquet = "parquet"


def query(
    sql: Annotated[str | None, typer.Argument(metavar="SQL", help="One query, read-only; - reads it from stdin.")] = None,
    tables: Annotated[
        bool, typer.Option("--tables", help="List the tables there are, with rows and bytes (as SHOW TABLES does).")
    ] = False,
    format: Annotated[  # noqa: A002
        Format | None, typer.Option("--format", "-f", help="Default: by the ending of --output, else table.")
    ] = None,
    file: Annotated[Path | None, typer.Option("--output", "-o", metavar="FILE", help="Write to FILE.")] = None,
    limit: Annotated[
        int | None,
        typer.Option("--limit", "-n", min=0, help=f"Rows at most, 0 for all. Default: {_SHOWN} as a table, or all."),
    ] = None,
    lake: Lake = None,
    config: Config = DEFAULT_CONFIG,
    memory: Memory = ENGINE_MEMORY,
    threads: Threads = 2,
) -> None:
    """Ask the lake in SQL (DuckDB's): unified.<stream>, analytics.<stream>__<table>, gold.<stream>__<table>, silver.<stream>, …

    Served tables are read at the versions that were published together. Timestamps are UTC.

    [bold]Examples[/bold]

      strandline query --tables
      strandline query "SELECT _status, count(*) FROM unified.api_logs GROUP BY 1"
      strandline query "FROM analytics.api_logs__api_hourly ORDER BY window_start DESC" --limit 20
      strandline query "SELECT _reason, count(*) AS n FROM quarantine.api_logs GROUP BY 1 ORDER BY n DESC" --format csv
      strandline query "FROM unified.iot_sensors" --output iot.parquet
      strandline query - < report.sql
    """
    if tables == (sql is not None):
        raise UsageError('give one query, as strandline query "SELECT …" (or - for stdin), or --tables')
    from strandline.query import Answer
    from strandline.query import query as ask
    from strandline.runtime import silent

    text = sys.stdin.read() if sql == "-" else sql or ""
    tables = tables or _LISTING.fullmatch(text) is not None
    chosen = _format(format, file)
    streams = good_streams(config)
    runtime = place(config, lake, memory, threads, must_exist=True).open(silent)
    if tables:
        found = _tables(runtime, streams)
        if chosen is Format.table and file is None:
            _print_tables(found)
        else:
            _write(Answer(found.schema, iter(found.to_batches())), limit, chosen, file)
        return
    try:
        with ask(runtime, streams, text.strip()) as answer:
            _write(answer, limit, chosen, file)
    except DataError as error:  # damage and outages are other errors; what is left is the query's own
        raise UsageError(str(error)) from error


def _format(given: Format | None, file: Path | None) -> Format:
    if given is None and file is not None:
        given = {".csv": Format.csv, ".json": Format.json, ".parquet": Format.parquet}.get(file.suffix.lower())
    if given is Format.parquet and file is None and sys.stdout.isatty():
        raise UsageError("Parquet is no text: give --output FILE, or redirect stdout")
    return given or Format.table


def _write(answer: Answer, limit: int | None, format_: Format, file: Path | None) -> None:
    """The rows to the file, whole or not at all, or to stdout; only those of a table are held."""
    from strandline.cli import rows as writers

    if format_ is Format.table:
        _write_table(answer, _SHOWN if limit is None else limit, file)
        return
    batches = _first(answer.batches, limit or 0)
    with _target(file) as target:
        if format_ is Format.parquet:
            writers.write_parquet(answer.schema, batches, target)
        else:
            texts = writers.csv_lines if format_ is Format.csv else writers.json_lines
            _write_lines(texts(answer.schema, batches), target)


def _write_table(answer: Answer, limit: int, file: Path | None) -> None:
    import pyarrow as pa

    from strandline.cli import rows as writers

    kept, total = [], 0
    for batch in answer.batches:
        if not limit or total < limit:
            kept.append(batch.slice(0, limit - total) if limit else batch)
        total += batch.num_rows
        if limit and total > max(limit, _COUNTED):
            break
    rows = pa.Table.from_batches(kept, schema=answer.schema)
    if file is not None:
        with _target(file) as target:
            _write_lines(writers.plain_lines(rows), target)
        return
    console = output()
    console.print(writers.as_grid(rows) if writers.fits(rows, console.width) else writers.as_records(rows))
    most = f"more than {_COUNTED:,}" if total > _COUNTED else f"{total:,}"
    left = f" of {most} (--limit 0 for all)" if rows.num_rows < total else ""
    console.print(f"{rows.num_rows:,} row{'' if rows.num_rows == 1 else 's'}{left}", style="dim")


def _first(batches: Iterable[pa.RecordBatch], most: int) -> Iterator[pa.RecordBatch]:
    """The first `most` rows, or all (0)."""
    taken = 0
    for batch in batches:
        yield batch.slice(0, most - taken) if most else batch
        taken += batch.num_rows
        if most and taken >= most:
            return


def _write_lines(lines: Iterable[str], target: IO[bytes]) -> None:
    for line in lines:
        target.write(line.encode("utf-8") + b"\n")


@contextmanager
def _target(file: Path | None) -> Iterator[IO[bytes]]:
    if file is None:
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    beside = file.with_name(f".{file.name}.{os.getpid()}.tmp")
    try:
        with beside.open("wb") as target:
            yield target
        beside.replace(file)
    except OSError as error:
        raise StorageError(f"cannot write {file}: {error.strerror or error}") from error
    finally:
        beside.unlink(missing_ok=True)


def _tables(runtime: Any, streams: Any) -> pa.Table:
    """Name, rows and bytes of every table that exists, by name."""
    from concurrent.futures import ThreadPoolExecutor

    import pyarrow as pa

    from strandline.query import relations
    from strandline.status import size_of

    known = relations(streams)
    with ThreadPoolExecutor(4) as pool:
        sizes = dict(zip(known, pool.map(lambda path: size_of(runtime, path), known.values()), strict=True))
    found = [{"table": name, "rows": size.rows, "bytes": size.bytes} for name, size in sorted(sizes.items()) if size]
    return pa.Table.from_pylist(found, schema=pa.schema([("table", pa.string()), ("rows", pa.int64()), ("bytes", pa.int64())]))


def _print_tables(found: pa.Table) -> None:
    if not found.num_rows:
        typer.echo("There is no table yet: land something with `strandline run ingest`.", err=True)
        return
    table = grid(left=("table",), right=("rows", "bytes"))
    for row in found.to_pylist():
        table.add_row(row["table"], f"{row['rows']:,}", readable(row["bytes"]))
    output().print(table)
