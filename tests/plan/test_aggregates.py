"""Metrics of values at the edge: one row never fails the window, nor the run."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa

from strandline.engines.duckdb import DuckEngine
from strandline.plan.aggregate import aggregate
from strandline.spec.model import Field, FilesSource, GoldTable, Metric, Stream, Team

AT = datetime(2026, 1, 1, tzinfo=UTC)


def gold_row(metric: Metric, a: list[int], x: list[float]) -> Any:
    """The metric over the rows of one window."""
    fields = (
        Field("id", "string", "id"),
        Field("at", "timestamp", "at"),
        Field("a", "integer", "a"),
        Field("x", "number", "x"),
    )
    table = GoldTable("g", "hour", (), (metric,))
    stream = Stream("events", "1.0.0", "a test", Team("t", "t@example.com"), FilesSource("/nowhere"), ("id",), "at", fields,
                    Path("t.yaml"), gold=(table,))  # fmt: skip
    moments = pa.array([AT] * len(a), pa.timestamp("us", "UTC"))
    rows = {"at": moments, "a": pa.array(a, pa.int64()), "x": pa.array(x, pa.float64()), "_landing_start": moments,
            "_landing_end": moments, "_line": pa.array(range(len(a)), pa.int64())}  # fmt: skip
    engine = DuckEngine("256MB", 1)
    with engine.session() as session:
        session.register("good", pa.table(rows))
        return session.rows(aggregate(stream, table, engine.dialect, "good"))[0]["m"]


def test_a_sum_that_does_not_fit_its_type_is_null_and_fails_nothing() -> None:
    largest = 2**63 - 1
    assert gold_row(Metric("m", "sum", "integer", "a"), [largest, largest], [1.0, 1.0]) is None
    assert gold_row(Metric("m", "sum", "integer", "a"), [largest, -1], [1.0, 1.0]) == largest - 1
    assert gold_row(Metric("m", "avg", "number", "a"), [largest, largest], [1.0, 1.0]) == float(largest)


def test_a_number_beyond_all_measure_is_passed_over_in_sums() -> None:
    for text in ("exp(x)", "x * 1e300 * 1e300", "power(x, 400)"):
        assert gold_row(Metric("m", "sum", "number", text), [1, 1], [1000.0, 0.0]) == gold_row(
            Metric("m", "sum", "number", text), [1], [0.0]
        )


def test_a_quantile_is_linear_between_neighbours() -> None:
    x = [0.7, 0.1, 0.1, 0.1]
    assert gold_row(Metric("m", "quantile", "number", "x", q=0.3), [1] * 4, x) == 0.1
    assert (
        gold_row(Metric("m", "quantile", "number", "x", q=0.95), [1] * 4, [1.0, 2.0, 3.0, 4.0])
        == 4.0 * 0.8499999999999996 + 3.0 * 0.15000000000000036
    )
    assert gold_row(Metric("m", "quantile", "number", "x", q=1.0), [1] * 4, x) == 0.7
    assert gold_row(Metric("m", "quantile", "number", "x", q=0.5, where="a > 1"), [1] * 4, x) is None


def test_a_distinct_count_counts_each_value_once_and_no_null() -> None:
    count = Metric("m", "count_distinct", "integer", "a")
    assert gold_row(count, [3, 1, 3, 3], [1.0] * 4) == 2
    assert gold_row(Metric("m", "count_distinct", "integer", "a", where="x > 1"), [3, 1], [1.0, 1.0]) == 0
