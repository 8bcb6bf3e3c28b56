"""The embedded engine: DuckDB in process, memory-limited, spilling to disk, locked down.

Nothing outside this file knows DuckDB. Timestamps are UTC: columns come in and go out as `TIMESTAMP` without a zone, which the
tables' schemas turn into `timestamp[us, UTC]`.
"""

from __future__ import annotations

import contextlib
import json
import weakref
from collections.abc import Iterator, Sequence
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any

import duckdb
import pyarrow as pa
import pyarrow.dataset as pads
from sqlglot import exp

from strandline.engines.datasets import ZonelessFiles, a_few_at_a_time, without_zones
from strandline.engines.port import BATCH_ROWS, Relation, Scan
from strandline.engines.spill import SpillFolder
from strandline.errors import DataError, StorageError, StrandlineError, TransientError, UsageError, tells_of_the_network
from strandline.memory import give_arrows_memory_back, give_back_what_is_freed
from strandline.plan.dialect import Dialect
from strandline.spec.model import FieldType, Grain
from strandline.units import ENGINE_MEMORY

if TYPE_CHECKING:
    from strandline.lake.parquet import PartitionedWriter

_FEW_ROWS = 8_192  # of whole lines, on their way through Python
_INTEGER = r"[+-]?[0-9]{1,19}(\.0+)?"
_NUMBER = r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?"
_MOMENT = r"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ]([01][0-9]|2[0-3]):[0-9]{2}(:[0-9]{2}([.,][0-9]{1,9})?)?"
_UTC_TIMESTAMP = rf"({_MOMENT} ?[Zz]?|[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}})"
_OFFSET_TIMESTAMP = rf"{_MOMENT} ?[+-]((0[0-9]|1[0-7])(:?[0-5][0-9])?|18(:?00)?)"
_YEAR_1 = "'0001'"  # texts of one form are ordered like the times they mean; there is no year 0
_TYPES: dict[str, str] = {
    "string": "VARCHAR", "json": "VARCHAR", "integer": "BIGINT", "number": "DOUBLE", "boolean": "BOOLEAN",
    "timestamp": "TIMESTAMP", "date": "DATE",
}  # fmt: skip
LARGEST_NUMBER = "1e18"


@lru_cache(maxsize=4_096)
def _quoted(name: str) -> str:
    """Every query names dozens of columns, always the same ones."""
    return str(exp.to_identifier(name, quoted=True).sql("duckdb"))


class DuckDialect(Dialect):
    """The vocabulary of the plan in DuckDB's SQL."""

    name = "duckdb"

    def quote(self, name: str) -> str:
        """The identifier, quoted."""
        return _quoted(name)

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
            return _timestamp(self, text)
        day = self.full_match(text, "[0-9]{4}-[0-9]{2}-[0-9]{2}")
        return f"CASE WHEN {day} AND {text} >= {_YEAR_1} THEN TRY_CAST({text} AS DATE) END"

    def sum(self, value: str, type_: FieldType, scale: int) -> str:
        """The exact sum as a value of the type, whatever the order of the rows; NULL of no values, or where it does not fit."""
        total = f"SUM(CAST({value} AS DECIMAL(38, {scale})))"
        return f"{'TRY_CAST' if type_ == 'integer' else 'CAST'}({total} AS {self.type_name(type_, scale, 38)})"

    def average(self, value: str, type_: FieldType, scale: int) -> str:
        """The double nearest to the exact sum, divided by the count."""
        return f"(CAST(SUM(CAST({value} AS DECIMAL(38, {scale}))) AS DOUBLE) / COUNT({value}))"

    def quantile(self, value: str, q: float) -> str:
        """The quantile with linear interpolation between neighbours, exact over the window.

        Written out, since `quantile_cont` multiplies and adds in one rounding where the processor can: the last digit would be
        the machine's.
        """
        ordered = f"list_sort(list(CAST({value} AS DOUBLE)) FILTER (WHERE {value} IS NOT NULL))"
        low, high = (f"s[CAST({end}(p) AS BIGINT) + 1]" for end in ("floor", "ceil"))
        between = f"CASE WHEN {low} = {high} THEN {low} ELSE (ceil(p) - p) * {low} + (p - floor(p)) * {high} END"
        place = f"list_transform([(len(s) - 1) * CAST('{q!r}' AS DOUBLE)], lambda p: {between})[1]"
        return f"list_transform([{ordered}], lambda s: {place})[1]"

    def first(self, value: str, order: Sequence[str]) -> str:
        """The value of the first row of the order that has one."""
        return f"first({value} ORDER BY {', '.join(order)}) FILTER (WHERE {value} IS NOT NULL)"

    def last(self, value: str, order: Sequence[str]) -> str:
        """The value of the last row of the order that has one."""
        return f"last({value} ORDER BY {', '.join(order)}) FILTER (WHERE {value} IS NOT NULL)"

    def hash(self, columns: Sequence[str]) -> str:
        """A number of a row that is the same for equal values, within one run."""
        return f"hash({', '.join(columns)})"

    def digest(self, columns: Sequence[str]) -> str:
        """A digest of a group's rows that does not depend on their order; equal rows give equal digests within one run."""
        return f"SUM(CAST({self.hash(columns)} AS HUGEINT))"

    def window_start(self, moment: str, grain: Grain) -> str:
        """The start of the window of that grain (UTC; a week starts on Monday)."""
        if grain in ("5 minutes", "15 minutes"):
            return f"time_bucket(INTERVAL '{grain}', {moment})"
        return f"CAST(date_trunc('{grain}', {moment}) AS TIMESTAMP)"


@lru_cache(maxsize=1)
def letter_cases() -> dict[str, tuple[str, str]]:
    """What `lower` and `upper` replace, letter by letter: the letters, and what each becomes.

    Unicode grows, and engines know different versions of it: every engine uses this table.
    """
    code = "CASE WHEN i BETWEEN 55296 AND 57343 THEN 32 ELSE i::INTEGER END"  # surrogates are no letters
    codes = f"SELECT chr({code}) AS c FROM range(1, 1114112) r(i)"
    with duckdb.connect() as connection:
        found = {}
        for name in ("lower", "upper"):
            sql = (
                f"SELECT string_agg(c, '' ORDER BY c), string_agg({name}(c), '' ORDER BY c) FROM ({codes}) WHERE {name}(c) <> c"
            )
            found[name] = connection.sql(sql).fetchall()[0]
    return found


def _timestamp(dialect: DuckDialect, text: str) -> str:
    """RFC 3339 and what is near it, years 1 to 9999 in UTC: what lies beyond, by its offset, no reader of ours can hold.

    An offset is up to 18 hours, as Java reads it; no zone has more.
    """
    clean = f"replace(replace({text}, ',', '.'), 'z', 'Z')"
    moment = f"replace(replace({clean}, ' +', '+'), ' -', '-')"
    zoned = f"CAST(TRY_CAST({moment} AS TIMESTAMPTZ) AS TIMESTAMP)"
    held = f"{text} >= {_YEAR_1} AND {zoned} BETWEEN TIMESTAMP '0001-01-01 00:00:00' AND TIMESTAMP '9999-12-31 23:59:59.999999'"
    near = f"{text} >= '0001-01-02' AND {text} < '9999-12-31'"
    return (
        f"CASE WHEN {dialect.full_match(text, _UTC_TIMESTAMP)} AND {text} >= {_YEAR_1} THEN TRY_CAST({clean} AS TIMESTAMP) "
        f"WHEN {dialect.full_match(text, _OFFSET_TIMESTAMP)} AND ({near} OR {held}) THEN {zoned} END"
    )


class DuckSession:
    """One locked-down connection; relations are Arrow data registered by name."""

    dialect = DuckDialect()
    rows_at_once = 250_000

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self._connection = connection

    def register(self, name: str, data: Relation | pa.RecordBatchReader) -> None:
        """Make rows readable as `name`; columns of a dataset are read only as far as a query needs them. Scans and readers can
        be read once.
        """
        if isinstance(data, Scan | Sequence):
            data = _read([data] if isinstance(data, Scan) else data)
        if isinstance(data, pads.FileSystemDataset):
            data = ZonelessFiles(data)
        elif (schema := without_zones(data.schema)) != data.schema:
            data = data.cast(schema)
        self._connection.register(name, data)

    def materialise(self, name: str, sql: str) -> None:
        """Keep the rows of a query as the temporary table `name`, spilling to disk where memory ends."""
        with _errors():
            self._connection.execute(f'CREATE OR REPLACE TEMP TABLE "{name}" AS {sql}')
        give_arrows_memory_back()  # what rows went through would stay beside the engine's own memory

    def rows(self, sql: str) -> list[dict[str, Any]]:
        """A small result as dictionaries."""
        with _errors():
            found = self._connection.execute(sql)  # planned once, where a relation is planned to tell its columns too
            names = [column[0] for column in found.description]
            return [dict(zip(names, row, strict=True)) for row in found.fetchall()]

    def table(self, sql: str) -> pa.Table:
        """A result in memory."""
        with _errors():
            return self._connection.sql(sql).to_arrow_table()

    def write(self, sql: str, writer: PartitionedWriter, rows: int | None = None) -> None:
        """Write all rows of a query, in its order, `rows` at once."""
        writer.write_all(self.batches(sql, rows or BATCH_ROWS))
        give_arrows_memory_back()  # what rows went through would stay beside the engine's own memory

    def batches(self, sql: str, rows: int = BATCH_ROWS) -> Iterator[pa.RecordBatch]:
        """A result as it comes, `rows` at once."""
        return self.result(sql, rows)[1]

    def result(self, sql: str, rows: int = BATCH_ROWS) -> tuple[pa.Schema, Iterator[pa.RecordBatch]]:
        """What a result looks like, and its rows as they come, `rows` at once."""
        with _errors():
            reader = self._connection.sql(sql).to_arrow_reader(rows)

        def batches() -> Iterator[pa.RecordBatch]:
            with _errors():
                yield from reader

        return reader.schema, batches()

    def relations_of(self, sql: str) -> set[str]:
        """The tables that one query names (`schema.table`), but for those that its own `WITH` makes; none of them need exist.

        Raises `UsageError` for anything but a single query.
        """
        try:
            statements = self._connection.extract_statements(sql)
            if len(statements) != 1 or statements[0].type != duckdb.StatementType.SELECT:
                raise UsageError("give one query (SELECT …); the lake is read-only here")
            [(text,)] = self._connection.execute("SELECT json_serialize_sql(?)", [sql]).fetchall()
        except duckdb.Error as error:
            raise UsageError(f"the query cannot be read: {error}") from error
        nodes = list(_nodes(json.loads(text)))
        made = {entry["key"] for node in nodes for entry in node.get("cte_map", {}).get("map", ())}
        named = [(node["schema_name"], node["table_name"]) for node in nodes if node.get("type") == "BASE_TABLE"]
        return {f"{schema}.{table}" if schema else table for schema, table in named if schema or table not in made}

    def view(self, name: str, relation: str) -> None:
        """Show a registered relation under the qualified name `schema.table`."""
        schema, _, table = name.rpartition(".")
        with _errors():
            if schema:
                self._connection.execute(f'CREATE SCHEMA IF NOT EXISTS "{schema}"')
            place = f'"{schema}"."{table}"' if schema else f'"{table}"'
            self._connection.execute(f'CREATE OR REPLACE VIEW {place} AS FROM "{relation}"')


def _nodes(tree: Any) -> Iterator[dict[str, Any]]:
    """Every object of a query's tree as DuckDB writes it in JSON."""
    if isinstance(tree, dict):
        yield tree
    for inner in tree.values() if isinstance(tree, dict) else tree if isinstance(tree, list) else ():
        yield from _nodes(inner)


class DuckEngine:
    """DuckDB with a memory limit (text as DuckDB takes it, `500MB`) and a number of threads, for all sessions together."""

    dialect = DuckDialect()
    keeps_bytes_apart = True

    def __init__(self, memory_limit: str = ENGINE_MEMORY, threads: int = 2) -> None:
        self._memory_limit, self._threads = memory_limit, threads

    @cached_property
    def _database(self) -> duckdb.DuckDBPyConnection:
        """An empty database that outlives its sessions: to start one takes longer than most of what they are asked."""
        spill = SpillFolder()
        weakref.finalize(self, spill.remove)
        settings = [
            ("memory_limit", self._memory_limit),
            ("threads", str(self._threads)),
            ("temp_directory", str(spill.path)),
            ("TimeZone", "UTC"),
            ("preserve_insertion_order", "false"),
            ("python_enable_replacements", "false"),
            ("autoinstall_known_extensions", "false"),
            ("autoload_known_extensions", "false"),
            ("enable_external_access", "false"),
            ("lock_configuration", "true"),
        ]
        give_back_what_is_freed()
        connection = duckdb.connect()
        for name, value in settings:
            connection.execute(f"SET GLOBAL {name} = '{value}'")
        return connection

    @contextlib.contextmanager
    def session(self) -> Iterator[DuckSession]:
        """A session of its own: what it makes is temporary, and gone at its end."""
        with _errors():
            connection = self._database.cursor()
        try:
            yield DuckSession(connection)
        finally:
            connection.close()


def _read(scans: Sequence[Scan]) -> pa.RecordBatchReader:
    """The rows of scans, one after the other."""

    def batches() -> Iterator[pa.RecordBatch]:
        for scan in scans:
            yield from _scanned(scan)

    return pa.RecordBatchReader.from_batches(_schema_of(scans[0]), batches())


def _schema_of(scan: Scan) -> pa.Schema:
    if scan.schema is not None:
        return scan.schema
    held = scan.data.schema
    read = held if scan.columns is None else pa.schema([held.field(name) for name in scan.columns])
    return read if scan.with_file is None else read.append(pa.field("_file", pa.string()))


def _scanned(scan: Scan) -> Iterator[pa.RecordBatch]:
    if scan.through is not None:
        read = a_few_at_a_time(scan.data, 1, columns=scan.columns, filter=scan.where, batch_size=_FEW_ROWS)
        yield from scan.through(batch for batch in read if batch.num_rows)
        return
    schema = _schema_of(scan)
    names = scan.columns if scan.columns is not None else scan.data.schema.names
    paths = [] if scan.with_file is None else ["__filename"]
    for batch in a_few_at_a_time(scan.data, columns=[*names, *paths], filter=scan.where):
        if batch.num_rows:
            columns = [batch[name].cast(schema.field(name).type) for name in names]
            if scan.with_file is not None:  # a batch is of one file
                columns.append(pa.repeat(batch["__filename"][0].as_py()[len(scan.with_file) + 1 :], batch.num_rows))
            yield pa.RecordBatch.from_arrays(columns, schema=schema)


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
    if tells_of_the_network(text):
        return TransientError(f"reading the lake: {text}")
    if "No space left" in text or "Out of Memory" in text:
        return StorageError(f"the engine ran out of room: {text}")
    return DataError(f"the query failed: {text}")
