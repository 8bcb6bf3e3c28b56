"""A stream's page says what a reader wants to know, in words and tables, and nothing that should stay hidden."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from strandline.describe import stream_page, streams_table
from strandline.spec.load import load_streams
from strandline.spec.model import Alert, HttpSource, Metric, Stream

ROOT = Path(__file__).resolve().parents[2]
STREAMS = load_streams(ROOT / "config")


@pytest.fixture
def stream() -> Stream:
    return STREAMS["api_logs"]


@pytest.mark.parametrize("stream", STREAMS.values(), ids=STREAMS)
def test_every_field_rule_metric_and_alert_is_on_the_page(stream: Stream) -> None:
    page = stream_page(stream)
    names = [field.name for field in stream.fields] + [column.name for column in stream.derived]
    names += [rule.name for rule in stream.rules] + [budget.name for budget in stream.budgets]
    names += [metric.name for table in stream.gold for metric in table.metrics] + [alert.name for alert in stream.alerts]
    assert [name for name in names if f"| `{name}` |" not in page] == []
    assert stream.team.owner in page


def test_protected_fields_say_how_they_are_kept(stream: Stream) -> None:
    row = next(line for line in stream_page(stream).splitlines() if line.startswith("| `client_ip` |"))
    assert "**pii**, stored only as a keyed hash" in row


def test_tables_hold_together_when_expressions_have_bars_and_line_breaks(stream: Stream) -> None:
    bars = replace(stream, alerts=(Alert("joined", "rows", "endpoint || method\n = 'a'"),))
    row = next(line for line in stream_page(bars).splitlines() if line.startswith("| `joined` |"))
    assert "`endpoint \\|\\| method = 'a'`" in row
    assert row.replace("\\|", "").count("|") == stream_page(bars).split("## Alerts")[1].splitlines()[2].count("|")


def test_the_address_of_an_api_shows_no_password_and_no_query(stream: Stream) -> None:
    http = replace(stream, source=HttpSource("https://user:hunter2@api.example.com/v1/events?token=s3cret"))
    page = stream_page(http)
    assert "`api.example.com/v1/events`" in page
    assert "hunter2" not in page
    assert "s3cret" not in page


@pytest.mark.parametrize(
    ("metric", "said"),
    [
        (Metric("m", "count", "integer"), "number of rows"),
        (Metric("m", "count", "integer", "is_error"), "number of rows where `is_error`"),
        (Metric("m", "ratio", "number", parts=("errors", "requests")), "`errors` / `requests`"),
        (Metric("m", "quantile", "number", "v", q=0.95), "0.95 quantile of `v`"),
        (Metric("m", "sum", "number", "v", where="v > 0"), "sum of `v`, where `v > 0`"),
        (Metric("m", "count_distinct", "integer", "v"), "count distinct of `v`"),
        (Metric("m", "expression", "number", "a - b"), "`a - b`"),
    ],
)
def test_a_metric_is_said_in_words(metric: Metric, said: str, stream: Stream) -> None:
    page = stream_page(replace(stream, gold=(replace(stream.gold[0], metrics=(metric,)),)))
    assert f"| `m` | {said} |" in page


def test_the_table_of_streams_has_a_row_for_each_and_its_interval() -> None:
    table = streams_table([replace(stream, interval=timedelta(hours=1)) for stream in STREAMS.values()])
    assert len(table.splitlines()) == 2 + len(STREAMS)
    assert table.count("| hour |") == len(STREAMS)
