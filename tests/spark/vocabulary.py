"""Both engines side by side: generated rows, and the answers of DuckDB and of Spark to the same question."""

from __future__ import annotations

import math
import random
import struct
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from strandline.engines.duckdb import DuckEngine
from strandline.engines.spark_dialect import SparkDialect
from strandline.plan.judge import Columns
from strandline.spec.model import FieldType
from tests.spark import counts
from tests.spark.vocabulary_spark import LocalSpark, local_spark

__all__ = ["engines", "local_spark"]

TYPES: dict[str, FieldType] = {
    "a": "integer", "b": "integer", "x": "number", "y": "number", "p": "decimal", "r": "decimal", "s": "string", "t": "string",
    "f": "boolean", "g": "boolean", "at": "timestamp", "bt": "timestamp", "d": "date", "e": "date", "doc": "json",
}  # fmt: skip
SCALES = {"p": 2, "r": 6}
ARROW: dict[FieldType, pa.DataType] = {
    "integer": pa.int64(), "number": pa.float64(), "string": pa.string(), "json": pa.string(), "boolean": pa.bool_(),
    "timestamp": pa.timestamp("us", "UTC"), "date": pa.date32(),
}  # fmt: skip
FIRST, LAST = datetime(1, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, 23, 59, 59, 999999, tzinfo=UTC)
INTEGERS = [0, 1, -1, 2, -2, 3, 7, 10, 60, 255, 2**31 - 1, -(2**31), 2**31, 2**53, 2**53 + 1, -(2**53) - 1, 3037000500,
            10**18, -(10**18), 2**63 - 1, 2**63 - 2, -(2**63), -(2**63) + 1]  # fmt: skip
NUMBERS = [0.0, -0.0, 0.5, -0.5, 1.5, 2.5, -2.5, 0.1, 0.2, 0.3, 1.005, 2.675, 0.285, 1e-12, 5e-13, -5e-13, 4.9e-324, 1e-300,
           2.2250738585072014e-308, 0.49999999999999994, 4503599627370495.5, 9007199254740993.0, 1e15, 123456789.987654321,
           9.99e17, 999999999999999872.0, -999999999999999872.0, 1.0, -1.0, 3.0, 100.0, 1e-5]  # fmt: skip
TEXTS = ["", " ", "a", "A", "abc", "ABC", "Straße", "STRASSE", "ẞ", "ß", "İstanbul", "ı", "ſ", "K", "Σίσυφος", "ΣΑΣ", "ﬁ", "ǆ",
    "ǅ",
         "é", "e\u0301", "漢字", "😀", "👩\u200d👩\u200d👧", "\U0010ffff", "\ue000", "\U00020000", "𐐀𐐨", "ⴀ", "Ა", "\u200b",
         "\u00a0a\u00a0", "\u2003 a\tb \u3000", "\ta\n", "a\n", "\na", "a\r\n", "a\u0085", "a\u2028", "\x0b", "\x0c", "\x01",
         "\x7f",
         "a/b/c", "/", "//", "a//b", "%", "_", "a%b_c", "\\", "\\d", "a\\nb", "'", "''", '"', "`", "${x}", "$1", "a.b", "^a$",
         "[a]",
         "true", "FALSE", "12", "-7.50", "1e3", "2026-01-31", "2026-01-31T12:30:00Z", "z", "Z", "~", "\uffff", "ÿ",
         "aaaaaaaaaa",
         "ab", "aba", "abab", "key=value", "GET /api/v1/users?id=1"]  # fmt: skip
DECIMALS = ["0", "0.01", "-0.01", "0.05", "0.005", "1.005", "2.5", "-2.5", "12.34", "99999.99", "9999999999999999.99",
            "-9999999999999999.99", "9007199254740993.31", "9007199254740992.99"]  # fmt: skip
MOMENTS = [FIRST, LAST, FIRST + timedelta(microseconds=1), LAST - timedelta(days=6), datetime(1969, 12, 31, 23, 59, 59, 999999,
    tzinfo=UTC),
           datetime(1970, 1, 1, tzinfo=UTC), datetime(1582, 10, 10, tzinfo=UTC), datetime(1900, 1, 1, tzinfo=UTC),
           datetime(2000, 2, 29, 12, tzinfo=UTC), datetime(2024, 2, 29, 23, 59, 59, 999999, tzinfo=UTC), datetime(2026, 3, 29,
           1, tzinfo=UTC),
           datetime(2026, 10, 25, 1, 30, tzinfo=UTC), datetime(2024, 12, 30, tzinfo=UTC), datetime(2027, 1, 3, 23, 59, 59,
           tzinfo=UTC),
           datetime(1, 2, 1, tzinfo=UTC), datetime(4, 12, 31, tzinfo=UTC), datetime(9999, 1, 1, tzinfo=UTC)]  # fmt: skip


class Values:
    """A seeded source of values of each type: NULL now and then, edges often, else anything the type can hold."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)

    def of(self, name: str, type_: FieldType) -> Any:
        """The next value of a column."""
        if self.random.random() < 0.12:
            return None
        return getattr(self, type_)(SCALES.get(name, 0)) if type_ == "decimal" else getattr(self, type_)()

    def integer(self) -> int:
        """64 bits, small ones more often."""
        kind = self.random.random()
        if kind < 0.4:
            return self.random.choice(INTEGERS)
        return self.random.randint(-100, 100) if kind < 0.7 else self.random.getrandbits(64) - 2**63

    def number(self) -> float:
        """What a field can hold: finite, below 1e18."""
        kind = self.random.random()
        if kind < 0.35:
            return self.random.choice(NUMBERS)
        if kind < 0.6:
            return round(self.random.uniform(-1000, 1000), self.random.randint(0, 4))
        if kind < 0.8:
            return (self.random.randint(-(10**6), 10**6) + 0.5) / float(10 ** self.random.randint(0, 12))
        return self.random.uniform(-1, 1) * float(10.0 ** self.random.randint(-20, 17))

    def decimal(self, scale: int) -> Decimal:
        """18 digits."""
        if self.random.random() < 0.3:
            found = Decimal(self.random.choice(DECIMALS)).quantize(Decimal(1).scaleb(-scale))
            return found if abs(found) < Decimal(10) ** (18 - scale) else Decimal(1)
        return Decimal(self.random.randint(-(10 ** self.random.randint(1, 18)) + 1, 10**18 - 1)).scaleb(-scale)

    def string(self) -> str:
        """Texts of every plane of Unicode."""
        kind = self.random.random()
        if kind < 0.6:
            return self.random.choice(TEXTS)
        if kind < 0.8:
            return "".join(self.random.choice(TEXTS) for _ in range(self.random.randint(1, 3)))
        return "".join(self._letter() for _ in range(self.random.randint(1, 6)))

    def _letter(self) -> str:
        code = self.random.choice(
            [self.random.randint(1, 0x250), self.random.randint(1, 0xFFFF), self.random.randint(1, 0x10FFFF)]
        )
        return "?" if 0xD800 <= code < 0xE000 else chr(code)

    def json(self) -> str:
        """Some JSON."""
        return self.random.choice(["{}", "[]", '{"a": 1}', '"ü"', "null"])

    def boolean(self) -> bool:
        """One of two."""
        return self.random.random() < 0.5

    def timestamp(self) -> datetime:
        """Years 1 to 9999, by the microsecond, near the borders of windows often."""
        kind = self.random.random()
        if kind < 0.35:
            return self.random.choice(MOMENTS)
        if kind < 0.7:
            start = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=5) * self.random.randint(0, 9000)
            return start + timedelta(microseconds=self.random.choice([-1, 0, 1, 299_999_999]))
        return FIRST + timedelta(microseconds=self.random.randint(0, (LAST - FIRST) // timedelta(microseconds=1)))

    def date(self) -> date:
        """Years 1 to 9999."""
        return self.timestamp().date()


def rows_of(columns: Mapping[str, FieldType], count: int, seed: int) -> pa.Table:
    """Generated rows of the columns, numbered by `n`; the first are NULL throughout."""
    values = Values(seed)
    found: dict[str, pa.Array] = {"n": pa.array(range(count), pa.int64())}
    for name, type_ in columns.items():
        arrow = pa.decimal128(18, SCALES[name]) if type_ == "decimal" else ARROW[type_]
        found[name] = pa.array([None if n < 2 else values.of(name, type_) for n in range(count)], arrow)
    landed = [datetime(2026, 1, 2, tzinfo=UTC) + timedelta(minutes=5 * (n % 40)) for n in range(count)]
    found["_landing_end"] = pa.array(landed, ARROW["timestamp"])
    return pa.table(found)


class Engines:
    """DuckDB and Spark with the same relations, asked the same questions."""

    def __init__(self, spark: LocalSpark, folder: Path) -> None:
        self.spark, self.folder = spark, folder
        self.duck = DuckEngine("1GB", 2)
        self.relations: dict[str, pa.Table] = {}
        self.written: list[Path] = []

    def register(self, name: str, table: pa.Table) -> None:
        """Make the rows readable as `name` in both."""
        path = self.folder / f"{name}_{len(self.written)}.parquet"
        self.written.append(path)
        pq.write_table(table, path)
        self.relations[name] = table
        self.spark.show(name, path)

    def on_duckdb(self, sql: str) -> pa.Table:
        """DuckDB's answer."""
        with self.duck.session() as session:
            for name, table in self.relations.items():
                session.register(name, table)
            return session.table(sql)

    def on_spark(self, sql: str) -> pa.Table:
        """Spark's answer."""
        return self.spark.table(sql)

    def differences(
        self, family: str, questions: Mapping[str, tuple[str, str]], relation: str, ulps: int = 0
    ) -> tuple[int, list[str]]:
        """How many values were compared, and where the answers to expressions (DuckDB's SQL and Spark's, by what was meant)
        differ, in words; two each at most. All are counted under the family.
        """
        found, compared = [], 0
        for some in _chunks(list(questions.items()), 30):
            sides = []
            for side, ask in enumerate((self.on_duckdb, self.on_spark)):
                shown = ", ".join(f"{sql[side]} AS c{i}" for i, (_, sql) in enumerate(some))
                sides.append(ask(f"SELECT n, {shown} FROM {relation}").sort_by("n"))
            for i, (text, _) in enumerate(some):
                left, right = (answers(side[f"c{i}"]) for side in sides)
                assert len(left) == len(right)
                wrong = [n for n in range(len(left)) if left[n] != right[n] and not near(left[n], right[n], ulps)]
                counts.values(family).add(len(left), len(wrong))
                compared += len(left)
                found += [f"{text}: {self._row(relation, n)}: duckdb {left[n]!r}, spark {right[n]!r}" for n in wrong[:2]]
        return compared, found

    def _row(self, relation: str, n: int) -> str:
        return ", ".join(f"{k}={v!r}" for k, v in self.relations[relation].slice(n, 1).to_pylist()[0].items() if k[0] != "_")


@pytest.fixture(scope="session")
def engines(local_spark: LocalSpark, tmp_path_factory: pytest.TempPathFactory) -> Engines:
    """DuckDB and Spark; skipped where there is no Spark."""
    return Engines(local_spark, tmp_path_factory.mktemp("relations"))


def questions(texts: Iterable[str], types: Mapping[str, FieldType] = TYPES) -> dict[str, tuple[str, str]]:
    """The SQL of expressions for both engines, as a stream's plan makes it."""
    duck, spark = (Columns(types, SCALES, dialect) for dialect in (DuckEngine.dialect, SparkDialect()))
    return {text: (_shown(duck, text), _shown(spark, text)) for text in texts}


def _shown(columns: Columns, text: str) -> str:
    """An interval is shown by what it is compared with, as no column can hold one."""
    sql = columns.sql(text)
    return f"({sql}) IS NULL" if columns.typed(text).type == "interval" else sql


def answers(column: pa.ChunkedArray) -> list[Any]:
    """The values of a column, so that equal is what the vocabulary calls equal: one NaN, one zero, moments in UTC."""
    kind = column.type
    if pa.types.is_timestamp(kind):
        return column.cast(pa.timestamp("us")).cast(pa.int64()).to_pylist()  # type: ignore[no-any-return]
    if pa.types.is_date(kind):
        return column.cast(pa.int32()).to_pylist()  # type: ignore[no-any-return]
    values: list[Any] = column.to_pylist()
    if pa.types.is_floating(kind):
        return [v if v is None else "NaN" if math.isnan(v) else v + 0.0 for v in values]
    return values


def near(left: Any, right: Any, ulps: int) -> bool:
    """Whether two doubles have at most so many others between them."""
    if not ulps or not isinstance(left, float) or not isinstance(right, float):
        return False
    bits = [struct.unpack("<q", struct.pack("<d", value))[0] for value in (left, right)]
    return bool(abs(bits[0] - bits[1]) <= ulps)


def rows_apart(family: str, sides: Sequence[pa.Table]) -> list[str]:
    """Where two answers of whole rows differ, in words, a line a value; their order is of no account. All values are counted
    under the family.
    """
    found = _apart(sides)
    counts.values(family).add(sides[0].num_rows * sides[0].num_columns, len(found))
    return found


def _apart(sides: Sequence[pa.Table]) -> list[str]:
    names = sides[0].column_names
    assert sorted(names) == sorted(sides[1].column_names)
    left, right = (
        sorted((tuple(row) for row in zip(*(answers(side[name]) for name in names), strict=True)), key=repr) for side in sides
    )
    if left == right:
        return []
    found = [f"{len(left)} rows on DuckDB, {len(right)} on Spark"]
    for one, other in zip(left, right, strict=False):
        found += [f"{name}: duckdb {a!r}, spark {b!r}" for name, a, b in zip(names, one, other, strict=True) if a != b]
    return found


def _chunks(items: Sequence[Any], size: int) -> Iterator[Sequence[Any]]:
    for first in range(0, len(items), size):
        yield items[first : first + size]
