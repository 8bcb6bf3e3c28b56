"""Streams from files: what the values are, that all problems come together, and that nothing a file holds raises."""

from __future__ import annotations

import copy
import subprocess
import sys
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from strandline.contracts import digest
from strandline.errors import ConfigError
from strandline.spec.document import walk
from strandline.spec.load import check_streams, check_text, load_stream, load_streams
from strandline.spec.model import Budget, Engine, FilesSource, HttpSource, Rule

ROOT = Path(__file__).parents[2]
VALID = Path(__file__).parents[1] / "fixtures" / "valid"
STREAM = """
stream: orders
version: 1.0.0
description: {purpose: Orders}
team: {name: shop, owner: shop@example.com}
source: {type: files, location: /data}
schema:
  primary_key: [id]
  event_time: at
  fields:
    - {name: id, type: string}
    - {name: at, type: timestamp}
    - {name: amount, type: decimal}
    - {name: status, type: string}
"""
GOLD = """
gold:
  daily:
    grain: day
    dimensions: [status]
    metrics:
      orders: count
      revenue: {sum: amount}
"""


def config_of(folder: Path, **files: str) -> Path:
    (folder / "streams").mkdir()
    for name, text in files.items():
        (folder / "streams" / f"{name}.yaml").write_text(text)
    return folder


def found(text: str) -> list[tuple[str, str, str]]:
    """Code, field and message of each problem of a stream text."""
    _, problems = check_text(text, Path("orders.yaml"))
    return [(problem.code, problem.field, problem.message) for problem in problems]


def test_a_stream_is_a_frozen_value_with_every_default_filled_in() -> None:
    stream, problems = check_text(STREAM, Path("orders.yaml"))
    assert problems == []
    assert stream is not None
    assert stream.source == FilesSource(location="/data")
    assert stream.interval == timedelta(minutes=5)
    assert stream.schedule == "*/5 * * * *"
    assert stream.allowed_lateness is None
    assert stream.deduplicate_within == "event_date"
    assert [field.required for field in stream.fields] == [True, True, False, False]
    assert stream.field_named("amount").scale == 2
    with pytest.raises(AttributeError, match="cannot assign"):
        stream.name = "other"  # type: ignore[misc]


def test_everything_that_can_be_said_arrives() -> None:
    stream = load_stream(VALID / "everything_said.yaml")
    assert stream.tags == ("shop", "a.b-c")
    assert stream.interval == timedelta(days=1)
    assert (stream.allowed_lateness, stream.future_skew) == (timedelta(hours=26), timedelta(seconds=30))
    assert stream.deduplicate_within == "stream"
    assert stream.unknown_fields == "quarantine"
    assert stream.sequence_by == ("at", "quantity")
    assert stream.retention.realtime == timedelta(days=14)
    assert stream.rules == (Rule("positive", "amount > 0", "warn", "Free is suspicious."),)
    assert stream.budgets == (Budget("budget", "rejected_ratio < 0.05 and lines > 0", "fail"),)
    assert stream.tests[0].given == ({"id": "a", "extra": 1}, '{"id": 1, "id": 2}')


def test_the_other_sources_arrive() -> None:
    assert load_stream(VALID / "http_source.yaml").source == HttpSource(
        url="https://api.example.com/v1/orders?x=1",
        records="data.items",
        paging="page",
        first_page=0,
        timeout=timedelta(seconds=90),
        headers={"Accept": "application/json"},
    )
    csv = load_stream(VALID / "csv_of_a_bucket.yaml")
    assert isinstance(csv.source, FilesSource)
    assert (csv.source.location, csv.source.delimiter, csv.source.max_files) == ("s3://bucket/a b/${not_expanded}", ";", 7)
    assert csv.field_named("amount").source_name == "Amount (EUR)"
    assert csv.field_named("amount").null_values == ("-", "", "-1")


def test_metrics_know_their_kind_and_type() -> None:
    table = load_stream(VALID / "every_kind_of_metric.yaml").gold_named("all")
    assert [(metric.name, metric.kind, metric.type) for metric in table.metrics] == [
        ("rows_seen", "count", "integer"),
        ("paid", "count", "integer"),
        ("revenue", "sum", "decimal"),
        ("least", "min", "timestamp"),
        ("most", "max", "decimal"),
        ("mean", "avg", "number"),
        ("orders", "count_distinct", "integer"),
        ("median", "quantile", "number"),
        ("opening", "first", "string"),
        ("closing", "last", "decimal"),
        ("paid_share", "ratio", "number"),
        ("worth", "expression", "number"),
    ]
    by_name = {metric.name: metric for metric in table.metrics}
    assert (by_name["revenue"].where, by_name["revenue"].unit, by_name["revenue"].scale) == ("status = 'paid'", "EUR", 2)
    assert by_name["paid_share"].parts == ("paid", "rows_seen")
    assert by_name["median"].q == 0.5
    assert by_name["rows_seen"].expression is None


def test_derived_columns_come_after_those_they_use_with_their_types() -> None:
    derived = load_stream(VALID / "derived_in_any_order.yaml").derived
    assert [(column.name, column.type) for column in derived] == [
        ("a", "integer"),
        ("b", "integer"),
        ("c", "integer"),
        ("d", "boolean"),
    ]
    money = {column.name: (column.type, column.scale) for column in load_stream(VALID / "money_arithmetic.yaml").derived}
    assert money == {"total": ("decimal", 2), "taxed": ("decimal", 4), "rounded": ("decimal", 1), "rate": ("number", None)}


def test_the_streams_of_the_repository_are_good() -> None:
    streams = load_streams(ROOT / "config")
    assert len(streams) >= 5
    assert list(streams) == sorted(streams)


def test_problems_of_all_files_come_together_in_file_and_line_order(tmp_path: Path) -> None:
    config = config_of(
        tmp_path,
        broken="a: [1\n",
        empty="",
        orders=STREAM.replace("type: decimal", "type: money") + GOLD.replace("[status]", "[state]"),
        second=STREAM.replace("orders", "second").replace("event_time: at", "event_time: status"),
    )
    with pytest.raises(ConfigError, match="SL305") as caught:
        load_streams(config)
    assert [(problem.path.name, problem.line, problem.code) for problem in caught.value.problems] == [
        ("broken.yaml", 1, "SL102"),
        ("empty.yaml", 1, "SL112"),
        ("orders.yaml", 13, "SL204"),
        ("orders.yaml", 19, "SL306"),
        ("second.yaml", 9, "SL305"),
    ]


def test_good_streams_are_there_beside_broken_ones(tmp_path: Path) -> None:
    streams, problems = check_streams(config_of(tmp_path, orders=STREAM, broken="a: [1\n"))
    assert list(streams) == ["orders"]
    assert [problem.path.name for problem in problems] == ["broken.yaml"]


def test_two_files_cannot_declare_one_stream(tmp_path: Path) -> None:
    streams, problems = check_streams(config_of(tmp_path, orders=STREAM, other=STREAM))
    assert list(streams) == ["orders"]
    assert [(problem.path.name, problem.code) for problem in problems] == [("other.yaml", "SL301"), ("other.yaml", "SL302")]
    assert "in orders.yaml" in problems[1].message


def test_files_that_are_not_read_are_told_unless_hidden(tmp_path: Path) -> None:
    config = config_of(tmp_path, orders=STREAM)
    (config / "streams" / "late.yml").write_text(STREAM)
    (config / "streams" / ".swap.yaml").write_text("broken: [")
    (config / "streams" / "notes.txt").write_text("notes")
    streams, problems = check_streams(config)
    assert list(streams) == ["orders"]
    assert [(problem.path.name, problem.code, problem.hint) for problem in problems] == [
        ("late.yml", "SL114", "rename it to late.yaml")
    ]


def test_a_missing_folder_is_a_problem(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="there is no such folder"):
        load_streams(tmp_path)


def test_a_folder_without_files_is_no_stream(tmp_path: Path) -> None:
    assert load_streams(config_of(tmp_path)) == {}


def test_a_typo_in_an_example_is_a_note_and_other_unknown_keys_are_none() -> None:
    text = STREAM + GOLD + "tests:\n  - {name: t, given: [{id: a, amonut: 1, whatever: 2}], expect: {daily: [{orders: 1}]}}\n"
    stream, problems = check_text(text, Path("orders.yaml"))
    assert stream is not None
    assert [(problem.level, problem.field, problem.hint) for problem in problems] == [
        ("note", "tests[0].given[0].amonut", "did you mean amount?")
    ]


# --- a mistake is told once -------------------------------------------------------------------------------------------------


def test_a_broken_field_is_not_told_again_by_what_uses_it() -> None:
    text = STREAM.replace("type: decimal", "type: money") + GOLD
    text += "quality:\n  - {name: a, expect: amount > 0}\nsilver: {derive: {twice: amount * 2}}\n"
    text += "dashboard:\n  - {title: Revenue, line: daily.revenue}\nalerts:\n  - {name: a, on: daily, when: revenue > 5}\n"
    assert [(code, field) for code, field, _ in found(text)] == [("SL204", "schema.fields[2].type")]


def test_a_broken_derived_column_is_not_told_again_by_what_uses_it() -> None:
    text = STREAM + GOLD.replace("amount", "net") + "silver: {derive: {net: amuont - 1, more: net + 1}}\n"
    text += "dashboard:\n  - {title: Revenue, line: daily.revenue, by: status}\n"
    assert [(code, field) for code, field, _ in found(text)] == [("SL402", "silver.derive.net")]


def test_a_broken_table_is_not_told_again_by_what_looks_at_it() -> None:
    text = STREAM + GOLD.replace("grain: day", "grain: daily") + "alerts:\n  - {name: a, on: daily, when: orders > 5}\n"
    assert [(code, field) for code, field, _ in found(text)] == [("SL204", "gold.daily.grain")]
    text = STREAM + "gold: {daily: 5}\nalerts:\n  - {name: a, on: daily, when: orders > 5}\n"
    assert [(code, field) for code, field, _ in found(text)] == [("SL203", "gold.daily")]


def test_two_mistakes_in_one_place_are_both_told() -> None:
    text = STREAM.replace("{name: amount, type: decimal}", "{name: amount, typ: decimal, requird: true}")
    assert [field for _, field, _ in found(text)] == ["schema.fields[2].typ", "schema.fields[2].requird"]


def test_nothing_in_a_file_can_move_the_cursor_of_who_reads_the_problems() -> None:
    text = (
        STREAM.replace("version: 1.0.0", 'version: "\\e[2J\\n"')
        + '"\\e[31m": 1\nquality: [{name: a, expect: "amount > \\"\\e\\""}]\n'
    )
    _, problems = check_text(text, Path("orders.yaml"))
    assert len(problems) == 3
    for problem in problems:
        assert (problem.message + problem.field + problem.hint).isprintable()


# --- properties -------------------------------------------------------------------------------------------------------------

REAL: list[Any] = [
    yaml.load(path.read_text(), Loader=yaml.CSafeLoader) for path in sorted((ROOT / "config" / "streams").glob("*.yaml"))
]
JUNK = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 3),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=8),
    st.sampled_from(["timestamp", "count", "rows", "a.b", "x > 1", "1d", "decimal", "hash", "pii", "drop", "now", "(", "-"]),
    st.lists(st.sampled_from(["a", 1, None]), max_size=2),
    st.dictionaries(
        st.sampled_from(["name", "type", "expect", "count", "generate"]), st.sampled_from(["a", 1, None]), max_size=2
    ),
)


@settings(max_examples=80, deadline=None)
@given(st.data())
def test_whatever_stands_in_a_stream_is_loaded_or_told_and_never_raises(data: st.DataObject) -> None:
    value = copy.deepcopy(data.draw(st.sampled_from(REAL)))
    for _ in range(data.draw(st.integers(1, 3))):
        paths = [path for path, _ in walk(value) if path]
        path = data.draw(st.sampled_from(paths))
        parent = value
        for step in path[:-1]:
            parent = parent[step]
        if data.draw(st.booleans()) and isinstance(parent, dict):
            del parent[path[-1]]
        else:
            parent[path[-1]] = data.draw(JUNK)
        if not isinstance(value, dict) or not value:
            return
    text = yaml.dump(value, Dumper=yaml.CSafeDumper, sort_keys=False, allow_unicode=True)
    stream, problems = check_text(text, Path(f"{value.get('stream')}.yaml"))
    assert (stream is None) == bool(problems)
    lines = text.splitlines()
    for problem in problems:
        assert 1 <= problem.line <= len(lines)
        assert 1 <= problem.column <= len(lines[problem.line - 1]) + 1


def test_loading_five_streams_takes_well_under_a_second() -> None:
    load_streams(ROOT / "config")
    started = time.process_time()
    load_streams(ROOT / "config")
    assert time.process_time() - started < 0.6


def test_loading_streams_imports_nothing_heavy() -> None:
    code = (
        "import sys; from pathlib import Path; from strandline.spec.load import load_streams; load_streams(Path('config'));"
        "heavy = {'airflow', 'duckdb', 'deltalake', 'pandas', 'pyarrow', 'numpy', 'boto3', 'sqlglot', 'obstore'};"
        "print(*sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.strip(), done.stderr) == (0, "", "")


@pytest.mark.parametrize(
    ("text", "engine"),
    [
        ("", Engine("duckdb", "spark_default")),
        ("engine: duckdb", Engine("duckdb", "spark_default")),
        ("engine: spark", Engine("spark", "spark_default")),
        ("engine: {type: spark, connection: nightly_cluster}", Engine("spark", "nightly_cluster")),
    ],
)
def test_one_line_chooses_the_engine_and_its_cluster(text: str, engine: Engine) -> None:
    stream, problems = check_text(f"{STREAM}{text}\n", Path("orders.yaml"))
    assert not problems
    assert stream is not None
    assert stream.engine == engine


def test_the_engine_of_all_streams_stands_in_the_defaults_and_a_stream_may_have_its_own(tmp_path: Path) -> None:
    config = config_of(tmp_path, orders=STREAM, returns=STREAM.replace("orders", "returns") + "engine: duckdb\n")
    (config / "defaults.yaml").write_text("engine: {type: spark, connection: nightly_cluster}\n")
    engines = {stream.name: stream.engine for stream in load_streams(config).values()}
    assert engines == {"orders": Engine("spark", "nightly_cluster"), "returns": Engine("duckdb", "spark_default")}


def test_an_engine_that_there_is_not_is_refused_with_those_there_are() -> None:
    [(_, field, message)] = found(f"{STREAM}engine: flink\n")
    assert field == "engine"
    assert "duckdb" in message
    assert "spark" in message


def test_another_engine_is_the_same_contract() -> None:
    stream, _ = check_text(STREAM, Path("orders.yaml"))
    on_spark, _ = check_text(f"{STREAM}engine: spark\n", Path("orders.yaml"))
    assert stream is not None
    assert on_spark is not None
    assert stream != on_spark
    assert digest(stream) == digest(on_spark)
