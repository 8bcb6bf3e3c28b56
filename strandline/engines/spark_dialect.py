"""The vocabulary of the plan in Spark's SQL: the same answers as DuckDB's (`docs/expressions.md`), on any cluster."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from strandline.engines.spark_expressions import spark_expression, spark_literal, spark_name
from strandline.engines.spark_patterns import java_pattern
from strandline.plan.dialect import Dialect
from strandline.spec.model import FieldType, Grain

if TYPE_CHECKING:
    from sqlglot import exp

LARGEST_NUMBER = "1e18D"
_INTEGER = r"[+-]?[0-9]{1,19}(\.0+)?"
_NUMBER = r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?"
_DAY = "[0-9]{4}-[0-9]{2}-[0-9]{2}"
_MOMENT = rf"{_DAY}[T ]([01][0-9]|2[0-3]):[0-9]{{2}}(:[0-9]{{2}}([.,][0-9]{{1,9}})?)?"
_UTC = rf"({_MOMENT} ?[Zz]?|{_DAY})"
_OFFSET = rf"{_MOMENT} ?[+-]((0[0-9]|1[0-7])(:?[0-5][0-9])?|18(:?00)?)"
_TYPES: dict[str, str] = {
    "string": "STRING", "json": "STRING", "integer": "BIGINT", "number": "DOUBLE", "boolean": "BOOLEAN",
    "timestamp": "TIMESTAMP", "date": "DATE",
}  # fmt: skip
_TWO_62 = "4611686018427387904"
_TIME = "TIMESTAMP '0001-01-01 00:00:00' AND TIMESTAMP '9999-12-31 23:59:59.999999'"


class SparkDialect(Dialect):
    """The vocabulary of the plan in Spark's SQL. It means what it should only in a session with `SETTINGS`."""

    name = "spark"
    SETTINGS: ClassVar[dict[str, str]] = {
        "spark.sql.session.timeZone": "UTC",
        "spark.sql.timestampType": "TIMESTAMP_LTZ",  # an instant, as Delta's timestamps in UTC are
        "spark.sql.ansi.enabled": "true",  # what went wrong is never wrapped around; casts write decimals without exponents
        "spark.sql.ansi.doubleQuotedIdentifiers": "true",  # "x" is a name, as for DuckDB, never a text
        "spark.sql.parser.escapedStringLiterals": "false",  # a backslash in a text is doubled by `literal`
        "spark.sql.variable.substitute": "false",  # `${…}` in a text stays what it is
        "spark.sql.groupByOrdinal": "true",
        "spark.sql.orderByOrdinal": "true",
        "spark.sql.caseSensitive": "false",
        "spark.sql.decimalOperations.allowPrecisionLoss": "true",
        "spark.sql.legacy.decimal.retainFractionDigitsOnTruncate": "false",
        "spark.sql.parquet.outputTimestampType": "TIMESTAMP_MICROS",
        "spark.sql.parquet.datetimeRebaseModeInRead": "CORRECTED",  # days before 1582 as they are written
        "spark.sql.parquet.datetimeRebaseModeInWrite": "CORRECTED",
        "spark.sql.parquet.int96RebaseModeInRead": "CORRECTED",
        "spark.sql.parquet.int96RebaseModeInWrite": "CORRECTED",
    }

    def quote(self, name: str) -> str:
        """The identifier, quoted."""
        return spark_name(name)

    def literal(self, text: str) -> str:
        """The string as a literal."""
        return spark_literal(text)

    def expression(self, tree: exp.Expression) -> str:
        """A user's expression; an error in evaluating it for one row is NULL for that row."""
        return spark_expression(tree)

    def type_name(self, type_: FieldType, scale: int | None = None, precision: int = 18) -> str:
        """The name of the column type."""
        return f"DECIMAL({precision}, {scale or 0})" if type_ == "decimal" else _TYPES[type_]

    def full_match(self, text: str, pattern: str) -> str:
        """Whether the whole text matches the RE2 pattern."""
        whole = rf"\A(?:{java_pattern(pattern)})\z"
        return f"rlike({text}, {self.literal(whole)})"

    def convert(self, text: str, type_: FieldType, scale: int | None = None) -> str:
        """The text as a value of the type; NULL where that would lose anything."""
        if type_ in ("string", "json"):
            return text
        if type_ == "integer":
            whole = f"regexp_replace({text}, {self.literal('[.]0+$')}, '')"
            return f"CASE WHEN {self.full_match(text, _INTEGER)} THEN try_cast({whole} AS BIGINT) END"
        if type_ == "number":
            value = f"try_cast({text} AS DOUBLE)"
            return f"CASE WHEN {self.full_match(text, _NUMBER)} AND abs({value}) < {LARGEST_NUMBER} THEN {value} END"
        if type_ == "decimal":
            places = f"[+-]?[0-9]+(\\.[0-9]{{1,{scale}}}0*)?" if scale else r"[+-]?[0-9]+(\.0*)?"
            return f"CASE WHEN {self.full_match(text, places)} THEN try_cast({text} AS DECIMAL(18, {scale or 0})) END"
        if type_ == "boolean":
            return f"CASE lower({text}) WHEN 'true' THEN TRUE WHEN 'false' THEN FALSE END"
        if type_ == "timestamp":
            return self._timestamp(text)
        return f"CASE WHEN {self.full_match(text, _DAY)} AND {text} >= '0001' THEN try_cast({text} AS DATE) END"

    def _timestamp(self, text: str) -> str:
        """As DuckDB's: RFC 3339 and what is near it, years 1 to 9999 in UTC. Spark knows no offset after a time without
        seconds.
        """
        clean = f"replace({text}, ',', '.')"
        utc = f"try_cast(regexp_replace({clean}, ' ?[Zz]?$', '') AS TIMESTAMP)"
        seconds = f"regexp_replace({clean}, '^(.{{16}}) ?([+-])', '$1:00$2')"
        zoned = f"try_cast(regexp_replace({seconds}, ' ([+-])', '$1') AS TIMESTAMP)"
        held = f"CASE WHEN {zoned} BETWEEN {_TIME} THEN {zoned} END"
        return (
            f"CASE WHEN {text} < '0001' THEN CAST(NULL AS TIMESTAMP) WHEN {self.full_match(text, _UTC)} THEN {utc} "
            f"WHEN {self.full_match(text, _OFFSET)} THEN {held} END"
        )

    def sum(self, value: str, type_: FieldType, scale: int) -> str:
        """The exact sum as a value of the type, whatever the order of the rows; NULL of no values, or where it does not fit."""
        if type_ == "number":
            return self._nearest(value, scale)
        total = f"SUM(CAST({value} AS DECIMAL(38, {scale})))"
        return f"{'try_cast' if type_ == 'integer' else 'CAST'}({total} AS {self.type_name(type_, scale, 38)})"

    def average(self, value: str, type_: FieldType, scale: int) -> str:
        """The double nearest to the exact sum, divided by the count."""
        exact = f"CAST(SUM(CAST({value} AS DECIMAL(38, {scale}))) AS DOUBLE)"
        total = self._nearest(value, scale) if type_ == "number" else exact
        return f"({total} / nullif(COUNT({value}), 0))"

    def _nearest(self, value: str, scale: int) -> str:
        """The double nearest to the exact sum of doubles, each as a decimal of that scale.

        A double times the power of ten, rounded, is a whole number of up to 100 bits: it is added as the two halves of it,
        which Spark makes decimals of without error; of a whole double it would take the text.
        """
        shifted = f"round({value} * 1e{scale}D)"
        high = f"CAST({shifted} / {_TWO_62}D AS BIGINT)"
        low = f"CAST({shifted} - CAST({high} AS DOUBLE) * {_TWO_62}D AS BIGINT)"
        exact = f"CAST({high} AS DECIMAL(18, 0)) * CAST('{_TWO_62}' AS DECIMAL(19, 0)) + CAST({low} AS DECIMAL(19, 0))"
        return f"CAST(concat(CAST(SUM({exact}) AS STRING), 'e-{scale}') AS DOUBLE)"

    def quantile(self, value: str, q: float) -> str:
        """The quantile with linear interpolation between neighbours, exact over the window."""
        return f"percentile(CAST({value} AS DOUBLE), {q!r}D)"

    def first(self, value: str, order: Sequence[str]) -> str:
        """The value of the first row of the order that has one."""
        return f"min_by({value}, struct({', '.join(order)})) FILTER (WHERE {value} IS NOT NULL)"

    def last(self, value: str, order: Sequence[str]) -> str:
        """The value of the last row of the order that has one."""
        return f"max_by({value}, struct({', '.join(order)})) FILTER (WHERE {value} IS NOT NULL)"

    def hash(self, columns: Sequence[str]) -> str:
        """A number of a row that is the same for equal values, within one run; Spark's own passes over NULLs."""
        return f"xxhash64({', '.join(f'{column}, {column} IS NULL' for column in columns)})"

    def digest(self, columns: Sequence[str]) -> str:
        """A digest of a group's rows that does not depend on their order; equal rows give equal digests within one run."""
        return f"SUM(CAST({self.hash(columns)} AS DECIMAL(20, 0)))"

    def window_start(self, moment: str, grain: Grain) -> str:
        """The start of the window of that grain (UTC; a week starts on Monday)."""
        if grain in ("5 minutes", "15 minutes"):
            seconds = f"unix_seconds({moment})"
            return f"timestamp_seconds({seconds} - pmod({seconds}, {int(grain.split()[0]) * 60}))"
        return f"date_trunc('{grain.upper()}', {moment})"
