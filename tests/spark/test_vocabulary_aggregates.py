"""Every metric of every type over every grain gives the same on DuckDB and on Spark: generated rows, NULL and empty groups."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import get_args

import pyarrow as pa
import pytest

from strandline.engines.duckdb import DuckDialect
from strandline.engines.spark_dialect import SparkDialect
from strandline.plan.aggregate import aggregate
from strandline.plan.judge import deduplicate
from strandline.plan.schemas import PROVISIONAL
from strandline.spec.model import Field, FieldType, FilesSource, GoldTable, Grain, Metric, MetricKind, Stream, Team
from tests.spark.vocabulary import MOMENTS, SCALES, TYPES, Engines, Values, rows_apart, rows_of
from tests.test_time import MOMENTS as EVERY_MOMENT

ROWS = 3000
NUMERIC = {
    "a": "integer",
    "x": "number",
    "p": "decimal",
    "r": "decimal",
    "x * 3": "number",
    "a // 7": "integer",
    "p * 2": "decimal",
}
VALUES = [name for name, type_ in TYPES.items() if type_ != "json"] + ["lower(s)", "x / 3", "at - bt > interval '1 day'"]
QUANTILES = (0.0, 0.25, 1 / 3, 0.5, 0.95, 0.99, 1.0)
_ENDS: tuple[MetricKind, ...] = ("min", "max")
WHERE = (None, "f", "a > 0", "x < 0 or s is null", "false")


def typed(text: str) -> tuple[FieldType, int | None]:
    """The type of an argument of a metric, and its decimals."""
    name = text.split()[0]
    if text in ("lower(s)", "at - bt > interval '1 day'"):
        return ("string" if text == "lower(s)" else "boolean"), None
    return ("number" if text == "x / 3" else TYPES[name]), SCALES.get(name)


def metrics() -> list[Metric]:
    """Every kind over every type it takes, each with and without `where`."""
    found = [Metric("n", "count", "integer")]
    for number, where in enumerate(WHERE):
        end = f"_{number}"
        found += [Metric(f"count{i}{end}", "count", "integer", text, where) for i, text in enumerate((None, "f", "a > b"))]
        for i, text in enumerate(NUMERIC):
            type_, scale = typed(text)
            found.append(Metric(f"sum{i}{end}", "sum", type_, text, where, scale=scale))
            found.append(Metric(f"avg{i}{end}", "avg", "number", text, where))
            quantiles = QUANTILES if where is None else (0.95,)
            found += [Metric(f"quantile{i}_{j}{end}", "quantile", "number", text, where, q) for j, q in enumerate(quantiles)]
        for i, text in enumerate(VALUES):
            type_, scale = typed(text)
            kinds: list[MetricKind] = ["count_distinct", "first", "last"]
            for kind in (*kinds, *(() if type_ == "boolean" else _ENDS)):
                result = "integer" if kind == "count_distinct" else type_
                found.append(Metric(f"{kind}{i}{end}", kind, result, text, where, scale=scale))
    parts = [("count1_0", "n"), ("sum1_0", "sum0_0"), ("sum2_0", "sum3_0"), ("avg1_0", "count2_1"), ("n", "count0_4")]
    found += [Metric(f"ratio{i}", "ratio", "number", parts=pair) for i, pair in enumerate(parts)]
    computed: list[tuple[str, FieldType, int | None]] = [
        ("n - count1_0", "integer", None), ("sum1_0 * ratio0", "number", None), ("sum0_0 + 1", "integer", None),
        ("coalesce(avg1_0, 0) / n", "number", None), ("case when n > 3 then max6_0 else min6_0 end", "string", None),
        ("date_diff('hour', first10_0, last10_0)", "integer", None), ("round(ratio0, 2) > 0.5", "boolean", None),
    ]  # fmt: skip
    return found + [Metric(f"computed{i}", "expression", t, text, scale=s) for i, (text, t, s) in enumerate(computed)]


def stream_of(grain: Grain, chosen: list[Metric], dimensions: tuple[str, ...], where: str | None = None) -> Stream:
    """A stream with one gold table of the metrics."""
    fields = tuple(Field(name, type_, name, scale=SCALES.get(name)) for name, type_ in TYPES.items())
    gold = (GoldTable("g", grain, dimensions, tuple(chosen), where),)
    return Stream("events", "1.0.0", "a test", Team("t", "t@example.com"), FilesSource("/nowhere"), ("s",), "at", fields,
                  Path("t.yaml"), gold=gold, sequence_by=("x", "t"))  # fmt: skip


def good_rows(count: int = ROWS) -> pa.Table:
    """Rows as good ones are: each with an event time; many in few windows, one group with no values at all."""
    table, values = rows_of(TYPES, count, seed=3), Values(4)
    start = datetime(2026, 3, 2, tzinfo=UTC)
    near = [start + timedelta(minutes=5) * n + timedelta(microseconds=m) for n in (0, 1, 3, 12, 288) for m in (-1, 0, 1)]
    times = [values.random.choice(near if n % 4 else MOMENTS) for n in range(count)]
    keys = [values.random.choice(["a", "b", "B", "ä", "", None, "😀"]) for _ in range(count)]
    columns = {"at": pa.array(times, table.schema.field("at").type), "key": pa.array(keys, pa.string())}
    empty = [n % 50 == 1 for n in range(count)]
    for name in TYPES:
        if name == "at":
            continue
        column = table[name].to_pylist()
        columns[name] = pa.array([None if e else v for e, v in zip(empty, column, strict=True)], table.schema.field(name).type)
    landed = table["_landing_end"].to_pylist()
    columns |= {
        "_landing_start": pa.array([each - timedelta(minutes=5) for each in landed], pa.timestamp("us", "UTC")),
        "_landing_end": table["_landing_end"],
        "_line": table["n"],
        "_status": pa.array([values.random.choice(["final", PROVISIONAL]) for _ in range(count)]),
        "event_date": pa.array([each.date() for each in times], pa.date32()),
    }
    return pa.table(columns)


def compare(engines: Engines, stream: Stream, relation: str, *, served: bool = False) -> int:
    """The number of values of the gold table, which are the same on both."""
    table = stream.gold[0]
    duck = engines.on_duckdb(aggregate(stream, table, DuckDialect(), relation, served=served))
    spark = engines.on_spark(aggregate(stream, table, SparkDialect(), relation, served=served))
    assert rows_apart(f"aggregates by {table.grain}", [duck, spark]) == []
    return int(duck.num_rows * duck.num_columns)


def test_every_kind_of_metric_and_every_grain_has_a_case() -> None:
    assert {metric.kind for metric in metrics()} == set(get_args(MetricKind))
    assert {metric.name for part in parts() for metric in part} == {metric.name for metric in metrics()}


def parts() -> list[list[Metric]]:
    """The metrics by a few, as a table has them: each part with what its computed ones are made of."""
    whole = metrics()
    simple = [m for m in whole if m.kind not in ("ratio", "expression")]
    used = {
        "n",
        "count1_0",
        "count2_1",
        "count0_4",
        "sum1_0",
        "sum0_0",
        "sum2_0",
        "sum3_0",
        "avg1_0",
        "min6_0",
        "max6_0",
        "first10_0",
        "last10_0",
    }
    computed = [m for m in simple if m.name in used] + [m for m in whole if m.kind in ("ratio", "expression")]
    distinct = [m for m in simple if m.kind == "count_distinct"]
    others = [m for m in simple if m.kind != "count_distinct" and m.name not in used]
    return [
        computed,
        *(distinct[i : i + 3] + others[i * 7 : i * 7 + 21] for i in range(0, max(len(distinct), -(-len(others) // 7)), 3)),
    ]


@pytest.mark.parametrize("grain", get_args(Grain))
def test_both_engines_give_every_metric_of_every_grain_the_same_value(engines: Engines, grain: Grain) -> None:
    """Each grain has a share of the metrics, and all of them the computed ones."""
    engines.register("good", good_rows())
    first, *rest = parts()
    turn = get_args(Grain).index(grain)
    dimensions = [("f",), ("s", "f"), ("b",), (), ("d", "g"), ("p",)]
    compared = sum(
        compare(engines, stream_of(grain, chosen, dimensions[(turn + number) % 6]), "good", served=number % 2 == 0)
        for number, chosen in enumerate([first, *rest[turn::6]])
    )
    assert compared > 3000


def test_filtered_and_empty_tables_are_the_same(engines: Engines) -> None:
    engines.register("good", good_rows())
    chosen = parts()[1]
    assert compare(engines, stream_of("hour", chosen, ("g",), "x > 0 and key <> 'a'".replace("key", "s")), "good") > 1000
    assert compare(engines, stream_of("hour", chosen, ()), "(SELECT * FROM good WHERE FALSE) AS e") == 0
    assert compare(engines, stream_of("month", chosen, ()), "(SELECT * FROM good WHERE a IS NULL AND x IS NULL) AS e") > 100


def test_sums_and_averages_of_every_size_are_the_same(engines: Engines) -> None:
    """Groups of one to hundreds of numbers near each power of ten, with halves of the last place that is added."""
    values, rows = Values(12), []
    for group in range(1500):
        size, power = values.random.choice([1, 2, 3, 50]), values.random.randint(-13, 17)
        for _ in range(size):
            number = values.random.uniform(-1, 1) * 10.0**power
            rows.append(
                (group, round(number, 13) if power < 4 else number, values.integer() // 2 ** values.random.randint(0, 60))
            )
    table = pa.table({"g": [r[0] for r in rows], "x": [r[1] for r in rows], "a": [r[2] for r in rows]})
    engines.register("sizes", table)
    sides = []
    for dialect, ask in ((DuckDialect(), engines.on_duckdb), (SparkDialect(), engines.on_spark)):
        shown = [
            dialect.sum("x", "number", 12),
            dialect.average("x", "number", 12),
            dialect.sum("a", "integer", 0),
            dialect.average("a", "integer", 0),
        ]
        shown += [dialect.quantile("x", q) for q in QUANTILES]
        sides.append(ask(f"SELECT g, {', '.join(f'{sql} AS c{i}' for i, sql in enumerate(shown))} FROM sizes GROUP BY g"))
    assert rows_apart("sums, averages and quantiles of every size", sides) == []
    assert any(value is None for value in sides[0]["c2"].to_pylist())


def test_windows_start_at_the_same_moment(engines: Engines) -> None:
    moments = [*EVERY_MOMENT, *MOMENTS, *(Values(8).timestamp() for _ in range(1))]
    engines.register("moments", pa.table({"n": range(len(moments)), "moment": pa.array(moments, pa.timestamp("us", "UTC"))}))
    asked = {g: (DuckDialect().window_start("moment", g), SparkDialect().window_start("moment", g)) for g in get_args(Grain)}
    compared, differences = engines.differences("windows at boundaries", asked, "moments")
    assert differences == []
    assert compared > 250_000


def test_the_same_row_of_an_event_is_kept(engines: Engines) -> None:
    engines.register("good", good_rows())
    stream = stream_of("hour", [], ())
    columns = [*TYPES, "_landing_start", "_line", "event_date"]
    sides = [ask(deduplicate(stream, dialect, "good AS r", columns)) for dialect, ask in
             ((DuckDialect(), engines.on_duckdb), (SparkDialect(), engines.on_spark))]  # fmt: skip
    assert rows_apart("deduplication", sides) == []
    assert 100 < sides[0].num_rows < ROWS


@pytest.mark.parametrize("dialect", [DuckDialect(), SparkDialect()], ids=lambda d: d.name)
def test_a_digest_tells_any_other_rows_and_forgets_their_order(engines: Engines, dialect: DuckDialect | SparkDialect) -> None:
    ask = engines.on_duckdb if dialect.name == "duckdb" else engines.on_spark
    row = "SELECT {} AS k, CAST({} AS DOUBLE) AS x, CAST({} AS {text}) AS s, CAST({} AS {text}) AS t"
    sets = ["1, 'a', NULL", "1, NULL, 'a'", "NULL, 'a', '1'", "NULL, NULL, NULL", "1, '', NULL", "2, 'a', NULL", "0, 'a', 'a'"]
    rows = [row.format(k, *one.split(", "), text=dialect.type_name("string")) for k, one in enumerate(sets)]
    rows += [row.format(100 + k, *one.split(", "), text=dialect.type_name("string")) for k, one in enumerate(sets)]
    both = [
        f"SELECT 200 AS k, x, s, t FROM ({one}) AS a UNION ALL SELECT 200 AS k, x, s, t FROM ({two}) AS b"
        for one, two in [rows[:2]]
    ]
    both += [
        f"SELECT 300 AS k, x, s, t FROM ({two}) AS b UNION ALL SELECT 300 AS k, x, s, t FROM ({one}) AS a"
        for one, two in [rows[:2]]
    ]
    digest = f"CAST({dialect.digest(['x', 's', 't'])} AS {dialect.type_name('string')})"
    found = ask(f"SELECT k, {digest} AS d FROM ({' UNION ALL '.join(rows + both)}) AS r GROUP BY k")
    digests = dict(zip(found["k"].to_pylist(), found["d"].to_pylist(), strict=True))
    assert len({digests[k] for k in range(len(sets))}) == len(sets)
    assert [digests[k] for k in range(len(sets))] == [digests[100 + k] for k in range(len(sets))]
    assert digests[200] == digests[300] not in {digests[k] for k in range(len(sets))}
