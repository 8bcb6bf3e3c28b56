"""Rows of a result as text: timestamps in UTC as ISO 8601, decimals in full, bytes as the text they most likely are."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import IO, Any

import pyarrow as pa
import pyarrow.parquet as pq
from rich.table import Table

from strandline.cli.console import grid, shown
from strandline.errors import UsageError

_LONGEST_CELL = 200
_NARROWEST = 8
_ROWS = 8_192  # as Python objects at a time


def as_grid(rows: pa.Table) -> Table:
    """The rows as a table for people: numbers to the right, NULL dim, very long texts cut."""
    table = grid()
    for field in rows.schema:
        is_number = _is_number(field.type)
        table.add_column(shown(field.name), justify="right" if is_number else "left", overflow="fold", no_wrap=is_number)
    for values in _values(rows.to_batches()):
        table.add_row(*("[dim]NULL[/dim]" if value is None else shown(_cut(text(value))) for value in values))
    return table


def fits(rows: pa.Table, width: int) -> bool:
    """Whether a table of so many columns can be read on a terminal of that width."""
    return sum(max(len(name), _NARROWEST) + 3 for name in rows.schema.names) <= width


def as_records(rows: pa.Table) -> Table:
    """The rows one below the other, a line a column: for tables too wide for the terminal."""
    table = grid(left=("column", "value"))
    for number, values in enumerate(_values(rows.to_batches()), 1):
        if number > 1:
            table.add_section()
        for name, value in zip(rows.schema.names, values, strict=True):
            table.add_row(f"[dim]{shown(name)}[/dim]", "[dim]NULL[/dim]" if value is None else shown(_cut(text(value))))
    return table


def plain_lines(rows: pa.Table) -> Iterator[str]:
    """The table for people as plain lines, for a file."""
    from rich.console import Console

    console = Console(width=10_000, no_color=True)
    with console.capture() as captured:
        console.print(as_grid(rows))
    yield from (line.rstrip() for line in captured.get().splitlines())


def csv_lines(schema: pa.Schema, batches: Iterable[pa.RecordBatch]) -> Iterator[str]:
    """RFC 4180 lines with a header; NULL is an empty cell, an empty text is `""`."""
    yield ",".join(_csv_cell(name) for name in schema.names)
    for values in _values(batches):
        yield ",".join("" if value is None else _csv_cell(text(value)) for value in values)


def json_lines(schema: pa.Schema, batches: Iterable[pa.RecordBatch]) -> Iterator[str]:
    """A JSON array, an object a line; decimals are numbers with all their digits, what is no number in JSON is null."""
    names = [json.dumps(name, ensure_ascii=False) for name in schema.names]
    yield "["
    before = ""
    for values in _values(batches):
        if before:
            yield f"{before},"
        before = "{" + ", ".join(f"{name}: {_json(value)}" for name, value in zip(names, values, strict=True)) + "}"
    if before:
        yield before
    yield "]"


def write_parquet(schema: pa.Schema, batches: Iterable[pa.RecordBatch], target: IO[bytes]) -> None:
    """The rows as one Parquet file; timestamps are marked as UTC. Raises `UsageError` for a type that Parquet does not have."""
    zoned = pa.schema([f.with_type(pa.timestamp("us", "UTC")) if pa.types.is_timestamp(f.type) else f for f in schema])
    try:
        with pq.ParquetWriter(target, zoned, compression="zstd", write_page_checksum=True) as writer:
            for batch in batches:
                writer.write_batch(batch.cast(zoned))
    except pa.ArrowNotImplementedError as error:
        kind = str(error).rpartition(": ")[2]
        raise UsageError(f"Parquet has no type for {kind}: cast the column, as in CAST(… AS VARCHAR)") from error


def text(value: Any) -> str:
    """One value as a cell."""
    if isinstance(value, datetime):
        moment = value.astimezone(UTC).replace(tzinfo=None) if value.tzinfo else value
        return f"{moment.isoformat(timespec='auto')}Z"
    if isinstance(value, bytes):
        return _bytes(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Decimal):
        return f"{value:f}"
    if isinstance(value, pa.MonthDayNano):
        return _interval(value)
    if isinstance(value, (list, tuple, dict)):
        return _json(value)
    return value if isinstance(value, str) else value.isoformat() if isinstance(value, date) else str(value)


def _interval(value: pa.MonthDayNano) -> str:
    """An interval as DuckDB's SQL reads it back: `1 year 2 months 3 days 04:05:06.5`."""
    years, months = divmod(abs(value.months), 12)
    sign = "-" if value.months < 0 else ""
    counts = ((f"{sign}{years}", years, "year"), (f"{sign}{months}", months, "month"), (value.days, value.days, "day"))
    parts = [f"{shown} {unit}{'' if abs(count) == 1 else 's'}" for shown, count, unit in counts if count]
    micros = value.nanoseconds // 1_000
    if micros or not parts:
        seconds, rest = divmod(abs(micros), 1_000_000)
        clock = f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}"
        parts.append(f"{'-' if micros < 0 else ''}{clock}" + (f".{rest:06}".rstrip("0") if rest else ""))
    return " ".join(parts)


def _bytes(value: bytes) -> str:
    """Bytes that are UTF-8 as that text, others as ASCII with `\\xNN`."""
    try:
        return value.decode()
    except UnicodeDecodeError:
        return "".join(chr(byte) if 32 <= byte < 127 else f"\\x{byte:02x}" for byte in value)


def _values(batches: Iterable[pa.RecordBatch]) -> Iterator[tuple[Any, ...]]:
    for batch in batches:
        for start in range(0, batch.num_rows, _ROWS):
            yield from zip(*(column.to_pylist() for column in batch.slice(start, _ROWS).columns), strict=True)


def _json(value: Any) -> str:
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return "null"
    if isinstance(value, (bool, int, float, str)):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, Decimal):
        return f"{value:f}"
    if isinstance(value, Mapping):
        return (
            "{" + ", ".join(f"{json.dumps(str(key), ensure_ascii=False)}: {_json(item)}" for key, item in value.items()) + "}"
        )
    if isinstance(value, (list, tuple)) and not isinstance(value, pa.MonthDayNano):
        return "[" + ", ".join(_json(item) for item in value) + "]"
    return json.dumps(text(value), ensure_ascii=False)


def _csv_cell(cell: str) -> str:
    if not cell or any(sign in cell for sign in ',"\r\n'):
        return '"' + cell.replace('"', '""') + '"'
    return cell


def _cut(cell: str) -> str:
    return cell if len(cell) <= _LONGEST_CELL else f"{cell[: _LONGEST_CELL - 1]}…"


_NUMBERS: tuple[Callable[[pa.DataType], bool], ...] = (pa.types.is_integer, pa.types.is_floating, pa.types.is_decimal)


def _is_number(type_: pa.DataType) -> bool:
    return any(check(type_) for check in _NUMBERS)
