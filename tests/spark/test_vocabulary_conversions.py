"""A text becomes the same value, or is refused, on DuckDB and on Spark: as a field of each type, and in a cast."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta

import pyarrow as pa

from strandline.engines.duckdb import DuckDialect, letter_cases
from strandline.engines.spark_dialect import SparkDialect
from strandline.spec.model import FieldType
from strandline.spec.patterns import refused_pattern
from tests.poison import times, values
from tests.spark.expression_cases import PATTERNS, quoted
from tests.spark.vocabulary import ARROW, TEXTS, Engines, Values, questions

FIELDS: list[tuple[FieldType, int | None]] = [
    ("integer", None), ("number", None), ("boolean", None), ("timestamp", None), ("date", None), ("decimal", 0), ("decimal", 2),
    ("decimal", 9), ("decimal", 18), ("string", None), ("json", None),
]  # fmt: skip
CASTS = (
    "integer",
    "double",
    "boolean",
    "date",
    "timestamp",
    "decimal(18, 0)",
    "decimal(18, 2)",
    "decimal(18, 9)",
    "decimal(18, 18)",
)
GOOD = [
    "0", "00", "007", "+1", "-0", "-0.0", "12.0", "12.000", "9223372036854775807", "-9223372036854775808",
    "+9223372036854775807.0",
    "9223372036854775808", "0000000000000000001", "00000000000000000001", "1.", ".5", "-.5", "1e5", "1E+5", "1e-5", "1e-400",
    "2e-324",
    "4.9e-324", "1e17", "9.99e17", "999999999999999872", "999999999999999999", "1e18", "0.1", "0.30000000000000004",
    "123456789.123456789",
    "9999999999999999.99", "-9999999999999999.99", "99999999999999999.9", "1.500000000000", "1.005", "0.005", "-0.005",
    "0.000000001",
    "0.0000000005", "999999999999999999.000", "0." + "9" * 18, "0." + "9" * 19, "0." + "3" * 40, "1" + "0" * 17, "true",
    "TRUE", "tRuE",
    "False", "falſe", "2026-01-31", "2024-02-29", "0001-01-01", "9999-12-31", "2026-01-31 12:00", "2026-01-31T12:00",
    "2026-01-31T12:00Z",
    "2026-01-31T12:00:00", "2026-01-31T12:00:00z", "2026-01-31T12:00:00 Z", "2026-01-31T12:00:00.1Z",
    "2026-01-31T12:00:00,123456",
    "2026-01-31T12:00:00.123456789Z", "2026-01-31T12:00:00.999999999Z", "2026-01-31T23:59:59.9999999",
    "2026-01-31T12:00:00.1234567+01:00",
    "2026-01-31T12:00:00+02:00", "2026-01-31T12:00:00-0530", "2026-01-31T12:00:00+05", "2026-01-31T12:00+05:30",
    "2026-01-31 12:00 -05",
    "2026-01-31 12:00:00 +05:30", "2026-01-31T12:00:00+18:00", "2026-01-31T12:00:00-18:00", "2026-01-31T12:00:00-18",
    "2026-01-31T12:00:00+1800",
    "2026-01-31T12:00:00+17:59", "2026-01-31T12:00:00-00:00", "2026-01-31T12:00:00,5+00:00", "0001-01-01T00:00:00Z",
    "0001-01-01T18:00:00+18:00",
    "0001-01-01T17:59:59.999999+18:00", "0001-01-01T00:00:00-18:00", "9999-12-31T23:59:59.999999Z",
    "9999-12-31T05:59:59.999999-18:00",
    "9999-12-31T06:00:00-18:00", "9999-12-31T23:59:59.999999+00:01", "9999-12-31T23:59:59.9999999Z", "1582-10-10T00:00:00Z",
    "1582-10-10",
    "1900-01-01T00:00:00+00:17", "2026-03-29T02:30:00+01:00", "2016-12-31T23:59:60Z", "2026-01-31T24:00:00",
    "2026-01-31T12:60", "2026-01-31T12:00:61",
]  # fmt: skip


def texts() -> list[str]:
    """Texts that are values, texts of the poison corpus that are not, and both with a letter changed."""
    poison = [text for module in (values, times) for name in dir(module) for text in _texts(getattr(module, name))]
    whole = list(dict.fromkeys([*GOOD, *poison, *TEXTS]))
    chance, source = random.Random(5), Values(5)
    letters = "0123456789+-.,:eETZz /\n\t\u00a0x١"
    changed = []
    for _ in range(2500):
        text = list(chance.choice(GOOD))
        for _ in range(chance.randint(1, 2)):
            at = chance.randint(0, len(text))
            text[at : at + chance.randint(0, 1)] = chance.choice(letters) if chance.random() < 0.7 else ""
        changed.append("".join(text))
    for _ in range(400):
        moment = source.timestamp()
        offset = timedelta(minutes=chance.randint(-1080, 1080))
        clock = chance.choice(["%H:%M", "%H:%M:%S", "%H:%M:%S.%f"])
        sign, minutes = ("-" if offset < timedelta(0) else "+"), abs(offset) // timedelta(minutes=1)
        zone = chance.choice(
            ["", "Z", f"{sign}{minutes // 60:02}:{minutes % 60:02}", f"{sign}{minutes // 60:02}{minutes % 60:02}"]
        )
        changed.append(f"{moment.date().isoformat()}{chance.choice('T ')}{moment.strftime(clock)}{zone}")
        changed += [moment.date().isoformat(), chance.choice(["true", "false", "True"]) + chance.choice(["", " ", "e"])]
        changed += [
            repr(source.number()),
            str(source.integer()),
            str(source.decimal(2)),
            f"{source.number():.3e}",
            f"{source.number():.12f}",
        ]
    return [text for text in dict.fromkeys([*whole, *changed]) if "\0" not in text]


def _texts(value: object) -> list[str]:
    return [each for each in value if isinstance(each, str)] if isinstance(value, tuple) else []


def relation(found: list[str]) -> pa.Table:
    """The texts as rows, and NULL."""
    rows = [*found, None]
    landed = pa.array([datetime(2026, 1, 2, tzinfo=UTC)] * len(rows), ARROW["timestamp"])
    return pa.table({"n": pa.array(range(len(rows)), pa.int64()), "s": pa.array(rows, pa.string()), "_landing_end": landed})


def test_every_text_is_converted_or_refused_alike(engines: Engines) -> None:
    found = texts()
    assert len(found) > 4000
    engines.register("texts", relation(found))
    asked = {
        f"{type_} {scale}": (DuckDialect().convert('"s"', type_, scale), SparkDialect().convert("`s`", type_, scale))
        for type_, scale in FIELDS
    }
    assert engines.differences("texts as fields", asked, "texts") == ((len(found) + 1) * len(FIELDS), [])
    good = engines.on_duckdb(
        f"SELECT {', '.join(f'count({sql}) AS c{i}' for i, (sql, _) in enumerate(asked.values()))} FROM texts"
    )
    assert min(good.to_pylist()[0].values()) >= 5


def test_every_text_is_cast_alike(engines: Engines) -> None:
    found = texts()
    engines.register("texts", relation(found))
    asked = questions([f"cast(s as {to})" for to in CASTS], {"s": "string"})
    assert engines.differences("casts of texts", asked, "texts") == ((len(found) + 1) * len(CASTS), [])


def test_every_letter_has_the_same_other_case(engines: Engines) -> None:
    letters = [chr(code) for code in range(1, 0x110000) if not 0xD800 <= code < 0xE000]
    blocks = ["".join(letters[first : first + 200]) for first in range(0, len(letters), 200)]
    engines.register("texts", relation([*blocks, *(f" {letter}" for letter in letter_cases()["lower"][0])]))
    asked = questions(["lower(s)", "upper(s)", "trim(s)", "length(s)", "substring(s, 3, 5)", "s < lower(s)"], {"s": "string"})
    assert engines.differences("letters of Unicode, by blocks of 200", asked, "texts")[1] == []


def test_every_pattern_reads_every_text_alike(engines: Engines) -> None:
    source = Values(9)
    found = [
        *TEXTS,
        *(source.string() for _ in range(1500)),
        *(chr(code) for code in range(1, 0x300)),
        "\u212a",
        "\u017f",
        "\u2028",
        "\u0085",
    ]
    engines.register("texts", relation(found))
    patterns = [pattern for pattern in PATTERNS if refused_pattern(pattern) is None]
    assert len(patterns) == len(PATTERNS)
    duck, spark = DuckDialect(), SparkDialect()
    asked = questions([f"regexp_matches(s, {quoted(pattern)})" for pattern in patterns], {"s": "string"})
    asked |= {f"full {pattern}": (duck.full_match('"s"', pattern), spark.full_match("`s`", pattern)) for pattern in patterns}
    compared, differences = engines.differences("patterns", asked, "texts")
    assert differences == []
    assert compared > 300_000
