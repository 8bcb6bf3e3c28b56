"""The embedded engine: DuckDB in process, memory-limited, spilling to disk, locked down.

Nothing outside this file knows DuckDB. Timestamps are UTC: columns come in and go out as `TIMESTAMP` without a zone, which the
tables' schemas turn into `timestamp[us, UTC]`.
"""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator, Sequence
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.dataset as pads
from sqlglot import exp

from strandline.errors import DataError, StorageError, StrandlineError, TransientError, UsageError
from strandline.plan.dialect import Dialect
from strandline.spec.model import FieldType, Grain

BATCH_ROWS = 32_768
_INTEGER = r"[+-]?[0-9]{1,19}(\.0+)?"
_NUMBER = r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?"
_MOMENT = r"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}(:[0-9]{2}([.,][0-9]{1,9})?)?"
_UTC_TIMESTAMP = rf"({_MOMENT} ?[Zz]?|[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}})"
_OFFSET_TIMESTAMP = rf"{_MOMENT} ?[+-][0-9]{{2}}(:?[0-9]{{2}})?"
_TYPES: dict[str, str] = {
    "string": "VARCHAR", "json": "VARCHAR", "integer": "BIGINT", "number": "DOUBLE", "boolean": "BOOLEAN",
    "timestamp": "TIMESTAMP", "date": "DATE",
}  # fmt: skip
LARGEST_NUMBER = "1e18"


class DuckDialect(Dialect):
    """The vocabulary of the plan in DuckDB's SQL."""

    name = "duckdb"

    def quote(self, name: str) -> str:
        """The identifier, quoted."""
        return str(exp.to_identifier(name, quoted=True).sql("duckdb"))

    def literal(self, text: str) -> str:
        """The string as a literal."""
        return str(exp.Literal.string(text).sql("duckdb"))

    def expression(self, tree: exp.Expression) -> str:
        """A user's expression; an error in evaluating it for one row is NULL for that row."""
        return f"TRY({tree.sql('duckdb')})"

    def type_name(self, type_: FieldType, scale: int | None = None, precision: int = 18) -> str:
        """The name of the column type."""
        return f"DECIMAL({precision}, {scale or 0})" if type_ == "decimal" else _TYPES[type_]

    def full_match(self, text: str, pattern: str) -> str:
        """Whether the whole text matches the RE2 pattern."""
        return f"regexp_full_match({text}, {self.literal(pattern)})"

    def convert(self, text: str, type_: FieldType, scale: int | None = None) -> str:
        """The text as a value of the type; NULL where that would lose anything."""
        if type_ in ("string", "json"):
            return text
        if type_ == "integer":
            whole = f"regexp_replace({text}, '\\.0+$', '')"
            return f"CASE WHEN {self.full_match(text, _INTEGER)} THEN TRY_CAST({whole} AS BIGINT) END"
        if type_ == "number":
            value = f"TRY_CAST({text} AS DOUBLE)"
            return f"CASE WHEN {self.full_match(text, _NUMBER)} AND abs({value}) < {LARGEST_NUMBER} THEN {value} END"
        if type_ == "decimal":
            places = f"[+-]?[0-9]+(\\.[0-9]{{1,{scale}}}0*)?" if scale else r"[+-]?[0-9]+(\.0*)?"
            return f"CASE WHEN {self.full_match(text, places)} THEN TRY_CAST({text} AS DECIMAL(18, {scale or 0})) END"
        if type_ == "boolean":
            return f"CASE lower({text}) WHEN 'true' THEN TRUE WHEN 'false' THEN FALSE END"
        if type_ == "timestamp":
            clean = f"replace({text}, ',', '.')"
            return (
                f"CASE WHEN {self.full_match(text, _UTC_TIMESTAMP)} THEN TRY_CAST({clean} AS TIMESTAMP) "
                f"WHEN {self.full_match(text, _OFFSET_TIMESTAMP)} THEN CAST(TRY_CAST({clean} AS TIMESTAMPTZ) AS TIMESTAMP) END"
            )
        return f"CASE WHEN {self.full_match(text, '[0-9]{4}-[0-9]{2}-[0-9]{2}')} THEN TRY_CAST({text} AS DATE) END"

    def sum(self, value: str, type_: FieldType, scale: int) -> str:
        """The exact sum as a value of the type, whatever the order of the rows; NULL of no values."""
        total = f"SUM(CAST({value} AS DECIMAL(38, {scale})))"
        return f"CAST({total} AS {self.type_name(type_, scale, 38)})"

    def average(self, value: str, scale: int) -> str:
        """The exact sum divided by the count."""
        return f"(CAST(SUM(CAST({value} AS DECIMAL(38, {scale}))) AS DOUBLE) / COUNT({value}))"

    def quantile(self, value: str, q: float) -> str:
        """The quantile with linear interpolation between neighbours, exact over the window."""
        return f"quantile_cont(CAST({value} AS DOUBLE), {q!r})"

    def first(self, value: str, order: Sequence[str]) -> str:
        """The value of the first row of the order that has one."""
        return f"first({value} ORDER BY {', '.join(order)}) FILTER (WHERE {value} IS NOT NULL)"

    def last(self, value: str, order: Sequence[str]) -> str:
        """The value of the last row of the order that has one."""
        return f"last({value} ORDER BY {', '.join(order)}) FILTER (WHERE {value} IS NOT NULL)"

    def digest(self, columns: Sequence[str]) -> str:
        """A digest of a group's rows that does not depend on their order; equal rows give equal digests within one run."""
        return f"SUM(CAST(hash({', '.join(columns)}) AS HUGEINT))"

    def window_start(self, moment: str, grain: Grain) -> str:
        """The start of the window of that grain (UTC; a week starts on Monday)."""
        if grain in ("5 minutes", "15 minutes"):
            return f"time_bucket(INTERVAL '{grain}', {moment})"
        return f"CAST(date_trunc('{grain}', {moment}) AS TIMESTAMP)"


class DuckSession:
    """One locked-down connection; relations are Arrow data registered by name."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self._connection = connection

    def register(self, name: str, data: pa.Table | pads.FileSystemDataset | pa.RecordBatchReader) -> None:
        """Make Arrow data readable as `name`; columns are read only as far as a query needs them."""
        if isinstance(data, pads.FileSystemDataset):
            data = pads.FileSystemDataset(list(data.get_fragments()), _without_zones(data.schema), data.format, data.filesystem)
        elif isinstance(data, pa.Table):
            data = data.cast(_without_zones(data.schema))
        self._connection.register(name, data)

    def materialise(self, name: str, sql: str) -> None:
        """Keep the rows of a query as the temporary table `name`, spilling to disk where memory ends."""
        with _errors():
            self._connection.execute(f'CREATE OR REPLACE TEMP TABLE "{name}" AS {sql}')

    def rows(self, sql: str) -> list[dict[str, Any]]:
        """A small result as dictionaries."""
        with _errors():
            found: list[dict[str, Any]] = self._connection.sql(sql).to_arrow_table().to_pylist()
            return found

    def table(self, sql: str) -> pa.Table:
        """A result in memory."""
        with _errors():
            return self._connection.sql(sql).to_arrow_table()

    def batches(self, sql: str) -> Iterator[pa.RecordBatch]:
        """A result as it comes, in bounded memory."""
        with _errors():
            yield from self._connection.sql(sql).to_arrow_reader(BATCH_ROWS)

    def relations_of(self, sql: str) -> set[str]:
        """The tables that one query names (`schema.table`). Raises `UsageError` for anything but a single query."""
        try:
            statements = self._connection.extract_statements(sql)
            if len(statements) != 1 or statements[0].type != duckdb.StatementType.SELECT:
                raise UsageError("give one query (SELECT …); the lake is read-only here")
            return {name.replace('"', "") for name in self._connection.get_table_names(sql, qualified=True)}
        except duckdb.Error as error:
            raise UsageError(f"the query cannot be read: {error}") from error

    def view(self, name: str, relation: str) -> None:
        """Show a registered relation under the qualified name `schema.table`."""
        schema, _, table = name.rpartition(".")
        with _errors():
            if schema:
                self._connection.execute(f'CREATE SCHEMA IF NOT EXISTS "{schema}"')
            place = f'"{schema}"."{table}"' if schema else f'"{table}"'
            self._connection.execute(f'CREATE OR REPLACE VIEW {place} AS FROM "{relation}"')


class DuckEngine:
    """DuckDB with a memory limit (text as DuckDB takes it, `1GB`) and a number of threads."""

    dialect = DuckDialect()

    def __init__(self, memory_limit: str = "1GB", threads: int = 2) -> None:
        self._memory_limit, self._threads = memory_limit, threads

    @contextlib.contextmanager
    def session(self) -> Iterator[DuckSession]:
        """A session of its own, gone with its spilled files at the end."""
        with tempfile.TemporaryDirectory(prefix="strandline-spill-") as spill:
            settings = [
                ("memory_limit", self._memory_limit),
                ("threads", str(self._threads)),
                ("temp_directory", spill),
                ("TimeZone", "UTC"),
                ("preserve_insertion_order", "false"),
                ("python_enable_replacements", "false"),
                ("autoinstall_known_extensions", "false"),
                ("autoload_known_extensions", "false"),
                ("enable_external_access", "false"),
                ("lock_configuration", "true"),
            ]
            with _errors():
                connection = duckdb.connect()
                for name, value in settings:
                    connection.execute(f"SET {name} = '{value}'")
            try:
                yield DuckSession(connection)
            finally:
                connection.close()


def _without_zones(schema: pa.Schema) -> pa.Schema:
    """The schema with UTC timestamps as plain ones, which DuckDB reads without its zone machinery."""
    fields = [f.with_type(pa.timestamp("us")) if pa.types.is_timestamp(f.type) else f for f in schema]
    return pa.schema(fields)


@contextlib.contextmanager
def _errors() -> Iterator[None]:
    """DuckDB's errors as ours: what the storage below it says is told apart from what the data says."""
    try:
        yield
    except duckdb.Error as error:
        raise _classified(str(error)) from error
    except OSError as error:
        raise _classified(str(error)) from error


def _classified(text: str) -> StrandlineError:
    if any(sign in text for sign in ("CRC", "page integrity", "Corrupt", "corrupt", "deserialize thrift", "magic bytes")):
        return StorageError(f"a stored file is damaged: {text}")
    if any(sign in text for sign in ("AWS Error", "curlCode", "Connection", "timed out", "Timeout")):
        return TransientError(f"reading the lake: {text}")
    if "No space left" in text or "Out of Memory" in text:
        return StorageError(f"the engine ran out of room: {text}")
    return DataError(f"the query failed: {text}")
