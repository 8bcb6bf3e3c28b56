"""The SQL of a stream gives the same rows on DuckDB and on Spark: judging, deduplication, budgets and every gold table."""

from __future__ import annotations

import gzip
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pytest

from strandline.engines.duckdb import DuckDialect
from strandline.engines.spark_dialect import SparkDialect
from strandline.intervals import Interval, intervals_between
from strandline.lines.protect import KeyRing
from strandline.plan import schemas
from strandline.plan.aggregate import aggregate
from strandline.plan.dialect import Dialect
from strandline.plan.judge import BUDGET_COLUMNS, budget_expression, deduplicate, judge
from strandline.rehearsal import land_lines
from strandline.sources.generator import EventModel, micro_batch
from strandline.sources.source import RawLine
from strandline.spec.load import load_streams
from strandline.spec.model import Stream
from tests.acceptance.real_data import ACCESS_LOG, CONFIG, DATA, NAB_SENSORS, Case
from tests.poison.corpus import USUAL
from tests.poison.pipeline import stream_from
from tests.spark.vocabulary import Engines, rows_apart

STREAMS = {**load_streams(Path(__file__).parents[2] / "config"), **load_streams(CONFIG)}
BEGIN = datetime(2026, 11, 25, 22, 55, tzinfo=UTC)
KEYS = KeyRing({"STRANDLINE_KEY": "5a" * 32})
DIALECTS: tuple[Dialect, Dialect] = (DuckDialect(), SparkDialect())


def landed(stream: Stream, lines: list[bytes], interval: Interval) -> pa.Table:
    """The lines as they land in one interval."""
    return land_lines(stream, [RawLine(raw, "a", n) for n, raw in enumerate(lines, 1)], KEYS, interval)


def generated(stream: Stream) -> pa.Table:
    """Two hours of a simulated stream over midnight; each interval also lands the lines of the one before again."""
    model, before = EventModel(stream), list[bytes]()
    parts = []
    for interval in intervals_between(BEGIN, BEGIN + timedelta(hours=2), stream.interval):
        lines, _ = micro_batch(model, interval)
        parts.append(landed(stream, [*lines, *before], interval))
        before = list(lines)
    return pa.concat_tables(parts)


def delivered(case: Case) -> pa.Table:
    """Some slices of a real stream with its bad lines."""
    interval = Interval(BEGIN, BEGIN + timedelta(minutes=5))
    lines = [line for path in case.slices("faulted")[:6] for line in gzip.decompress(path.read_bytes()).splitlines()]
    return landed(case.stream, lines, interval)


def answered(engines: Engines, family: str, sql: list[str]) -> pa.Table:
    """DuckDB's answer; Spark's is the same."""
    sides = [ask(one) for ask, one in zip((engines.on_duckdb, engines.on_spark), sql, strict=True)]
    assert rows_apart(family, sides) == []
    return sides[0]


def judged_and_counted(engines: Engines, stream: Stream, lines: pa.Table, family: str) -> pa.Table:
    """The judged rows; all that follows from them is the same on both engines."""
    engines.register("lines", lines)
    judged = answered(engines, family, [judge(stream, dialect).sql for dialect in DIALECTS])
    answered(engines, family, [judge(stream, dialect, raw=False).sql for dialect in DIALECTS])
    values = ", ".join(f"CAST({n} AS {{}}) AS {name}" for n, name in enumerate(BUDGET_COLUMNS))
    for budget in stream.budgets:
        sql = [
            f"SELECT {budget_expression(d, budget.expect)} AS holds FROM (SELECT "
            + values.format(*(d.type_name(type_) for type_ in BUDGET_COLUMNS.values()))
            + ") AS v"
            for d in DIALECTS
        ]
        answered(engines, family, sql)
    good = judged.filter(pa.compute.is_null(judged["_verdict"]))
    statuses = pa.array([schemas.FINAL if n % 3 else schemas.PROVISIONAL for n in range(good.num_rows)], pa.string())
    engines.register("good", good.append_column("_status", statuses))
    kept = [name for name in schemas.unified(stream).names if name not in ("_as_of",)]
    engines.register("silver", answered(engines, family, [deduplicate(stream, d, "good AS r", [*kept]) for d in DIALECTS]))
    for table in stream.gold:
        for served in (False, True):
            answered(engines, family, [aggregate(stream, table, d, "silver", served=served) for d in DIALECTS])
            empty = "(SELECT * FROM silver WHERE FALSE) AS e"
            nothing = answered(engines, family, [aggregate(stream, table, d, empty, served=served) for d in DIALECTS])
            assert nothing.num_rows == 0
    return judged


@pytest.mark.parametrize("name", [name for name, stream in STREAMS.items() if stream.source.type == "generator"])
def test_a_declared_stream_is_the_same_on_both_engines(engines: Engines, name: str) -> None:
    judged = judged_and_counted(engines, STREAMS[name], generated(STREAMS[name]), f"the SQL of {name}")
    assert judged.num_rows > 100


@pytest.mark.skipif(not DATA.is_dir(), reason=f"the real data is not there: {DATA}")
@pytest.mark.parametrize("case", [ACCESS_LOG, NAB_SENSORS], ids=lambda case: case.name)
def test_a_real_stream_is_the_same_on_both_engines(engines: Engines, case: Case) -> None:
    judged = judged_and_counted(engines, case.stream, delivered(case), f"the SQL of {case.name}")
    assert 0 < judged["_verdict"].null_count < judged.num_rows


def test_every_poisoned_line_has_the_same_verdict_on_both_engines(engines: Engines, tmp_path: Path) -> None:
    stream = stream_from(tmp_path, f"{{type: files, location: {tmp_path}}}")
    lines = [poison.raw for poison in USUAL if poison.header is None]
    rows = landed(stream, lines, Interval(BEGIN, BEGIN + timedelta(minutes=5)))
    judged = judged_and_counted(engines, stream, rows, "verdicts on poisoned lines")
    assert len(judged["_verdict"].unique()) > 5
