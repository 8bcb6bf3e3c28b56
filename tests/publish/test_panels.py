"""Panels show the newest windows, combined only where that is exact, and say what they left out."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pyarrow as pa
import pytest

from strandline.publish.chart_rows import provisional_from
from strandline.publish.charts import spec
from strandline.publish.combine import combine
from strandline.publish.exports import panel_json, panel_parquet, panel_rows
from strandline.publish.numbers import change, full, lasting, short
from strandline.publish.panels import Unit, panel_data, slugs, window_before, window_end
from strandline.publish.sparkline import sparkline
from strandline.spec.model import GoldTable, Metric, Panel
from tests.publish import samples

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
TABLE = GoldTable(
    "t",
    "hour",
    ("shop", "city"),
    (
        Metric("orders", "count", "integer"),
        Metric("paid", "count", "integer", expression="ok"),
        Metric("share", "ratio", "number", parts=("paid", "orders")),
        Metric("basket", "avg", "number", expression="total"),
        Metric("p95", "quantile", "number", expression="total", q=0.95),
        Metric("least", "min", "number", expression="total"),
        Metric("total", "sum", "decimal", expression="total"),
    ),
)


def row(
    hour: int, shop: str | None, city: str, orders: int, paid: int = 0, basket: float = 1.0, status: str = "final"
) -> dict[str, object]:
    return {
        "window_start": NOON + timedelta(hours=hour), "shop": shop, "city": city, "orders": orders, "paid": paid,
        "share": paid / orders if orders else None, "basket": basket, "p95": basket * 2, "least": basket,
        "total": Decimal("1.50"),
        "_status": status,
    }  # fmt: skip


ROWS = pa.Table.from_pylist(
    [
        row(0, "a", "x", 10, 5, 2.0),
        row(0, "a", "y", 30, 3, 4.0),
        row(0, None, "x", 1, 1, 9.0),
        row(1, "a", "x", 4, 1, 1.0, "provisional"),
    ]
)


def metric(name: str) -> Metric:
    return next(m for m in TABLE.metrics if m.name == name)


@pytest.mark.parametrize(
    ("name", "expected", "how"),
    [
        ("orders", 40.0, ""),
        ("total", 3.0, ""),
        ("share", 8 / 40, ""),
        ("basket", (10 * 2.0 + 30 * 4.0) / 40, "averages weighted by orders"),
        ("least", 2.0, ""),
        ("p95", 8.0, "the highest of each city"),
    ],
)
def test_metrics_combine_over_a_dimension_exactly_or_say_how(name: str, expected: float, how: str) -> None:
    combined = combine(ROWS, TABLE, metric(name), "shop")
    at, shop, value, provisional = combined.rows[1]
    assert (at, shop, provisional) == (NOON, "a", False)
    assert value == pytest.approx(expected)
    assert combined.how == how
    assert combined.rows[0][1] == "(none)"
    assert combined.rows[2][3] is True


def test_over_all_windows_final_and_provisional_parts_stay_apart() -> None:
    combined = combine(ROWS, TABLE, metric("orders"), "shop", over_windows=True)
    assert {(name, value, provisional) for _, name, value, provisional in combined.rows} == {
        ("a", 40.0, False), ("a", 4.0, True), ("(none)", 1.0, False),
    }  # fmt: skip


def test_the_greatest_eight_are_shown_and_the_others_added_up_where_that_is_exact() -> None:
    area = samples.page().panels[1]
    assert area.series == ("/login", "/orders", "/search", "/cart", "/checkout", "/account", *samples.ATTACKS[:2], "other (2)")
    shown: dict[datetime, float] = {}
    for point in area.points:
        shown[point.at] = shown.get(point.at, 0.0) + (point.value or 0.0)
    true: dict[datetime, float] = {}
    for record in samples.rows().to_pylist():
        true[record["window_start"]] = true.get(record["window_start"], 0.0) + record["requests"]
    assert shown == {at: total for at, total in true.items() if at in shown}
    assert len(shown) == 48


def test_a_share_is_not_added_up_and_the_page_says_what_is_left_out() -> None:
    line = samples.page().panels[2]
    assert len(line.series) == 8
    assert any("left out, as their values do not add up" in note for note in line.notes)
    assert line.unit.percent


def test_a_window_without_rows_counts_zero_but_has_no_rate() -> None:
    some = samples.rows().to_pylist()
    gap = datetime(2026, 11, 25, 12, tzinfo=UTC)
    table = pa.Table.from_pylist([r for r in some if not (r["window_start"] == gap and r["endpoint"] == "/login")])
    page = samples.page(data=table)
    area, line = page.panels[1], page.panels[2]
    assert [p.value for p in area.points if p.at == gap and p.series == "/login"] == [0.0]
    assert [p for p in line.points if p.at == gap and p.series == "/login"] == []


def test_a_number_is_of_the_last_complete_window_and_compared_with_the_day_before() -> None:
    stat = samples.page().panels[0].stat
    assert stat is not None
    by_window: dict[datetime, int] = {}
    for record in samples.rows().to_pylist():
        by_window[record["window_start"]] = by_window.get(record["window_start"], 0) + record["requests"]
    at = datetime(2026, 11, 26, 4, tzinfo=UTC)
    assert (stat.at, stat.complete, stat.provisional) == (at, True, True)
    before = by_window[at - timedelta(days=1)]
    assert stat.value == by_window[at]
    assert stat.change == pytest.approx((by_window[at] - before) / before)
    assert stat.against == "24 h before"


def test_windows_after_the_newest_landing_are_not_shown_and_counted() -> None:
    future = samples.rows(2).to_pylist()
    for record in future:
        record["window_start"] += timedelta(days=400)
    rows = pa.concat_tables([samples.rows(), pa.Table.from_pylist(future)])
    page = samples.page(data=rows)
    assert max(p.at for p in page.panels[1].points) == datetime(2026, 11, 26, 5, tzinfo=UTC)
    assert any(note.startswith("20 rows of windows after") for note in page.panels[1].notes)


def test_a_table_takes_the_newest_windows_until_it_is_full_and_sorts_them() -> None:
    table = samples.page().panels[6]
    assert len(table.rows) == 12
    assert {r["window_start"] for r in table.rows} <= {datetime(2026, 11, 26, h, tzinfo=UTC) for h in (4, 5)}
    values = [r["p95_ms"] for r in table.rows]
    assert values == sorted(values, reverse=True)
    assert table.notes[0] == "Newest 2 hours, sorted by p95_ms, greatest first, 12 of 20 rows"


def test_the_provisional_part_begins_at_the_watermark_and_earlier_late_windows_are_marked_apart() -> None:
    area = samples.page().panels[1]
    assert provisional_from(area) == samples.WATERMARK
    layers = spec(area)["layer"]
    assert layers[-1]["data"]["values"][0]["a"] == int(
        (samples.AS_OF.replace(minute=0) - timedelta(hours=20)).timestamp() * 1000
    )
    assert len(layers[-1]["data"]["values"]) == 1


def test_nothing_of_the_data_stands_in_a_chart_outside_its_values() -> None:
    for panel in samples.page().panels:
        if panel.panel.kind in ("line", "area", "bar"):
            chart = spec(panel)
            chart.pop("data", None)
            for layer in chart.get("layer", ()):
                layer.pop("data", None)
            assert not any(attack[:12] in repr(chart) for attack in samples.ATTACKS)


def test_data_go_out_as_json_and_parquet_with_the_same_rows_and_the_same_bytes() -> None:
    import io
    import json

    import pyarrow.parquet as pq

    for panel in samples.page().panels:
        document = json.loads(panel_json(panel, samples.AS_OF))
        table = pq.read_table(io.BytesIO(panel_parquet(panel)))
        assert table.num_rows == len(document["rows"]) == len(panel_rows(panel)) > 0
        assert document["as_of"] == "2026-11-26T05:40:00Z"
        assert set(table.column_names) == set(document["rows"][0])
        assert panel_parquet(panel) == panel_parquet(panel)


def test_a_panel_without_windows_is_empty_but_still_goes_out() -> None:
    empty = panel_data(samples.stream(), samples.PANELS[2], "x", samples.rows().slice(0, 0), samples.AS_OF)
    assert empty.empty
    assert panel_rows(empty) == []
    assert panel_parquet(empty)


def test_file_names_are_safe_and_unlike_each_other() -> None:
    assert slugs(["Error rate", "Error  rate!", "../../etc", "Übersicht", "日本"]) == [
        "error-rate",
        "error-rate-2",
        "etc",
        "bersicht",
        "panel",
    ]


@pytest.mark.parametrize(
    ("grain", "end"), [("5 minutes", "2024-01-31 00:05"), ("week", "2024-02-07 00:00"), ("day", "2024-02-01 00:00")]
)
def test_windows_end_where_the_next_begins(grain: str, end: str) -> None:
    assert f"{window_end(datetime(2024, 1, 31, tzinfo=UTC), grain):%Y-%m-%d %H:%M}" == end  # type: ignore[arg-type]


def test_months_are_counted_by_the_calendar() -> None:
    december = datetime(2024, 12, 1, tzinfo=UTC)
    assert window_end(december, "month") == datetime(2025, 1, 1, tzinfo=UTC)
    assert window_before(december, "month", 12) == datetime(2023, 12, 1, tzinfo=UTC)


def test_numbers_read_well() -> None:
    assert short(1_234_567.0, Unit(whole=True)) == ("1.23M", "")
    assert short(0.0123, Unit(percent=True)) == ("1.23", "%")
    assert full(1234.5, Unit("ms")) == "1,234 ms"
    assert full(None, Unit("ms")) == "–"
    assert [change(x) for x in (0.123, -0.034, 0.0001, None)] == ["+12 %", "−3.4 %", "0 %", ""]
    assert [lasting(timedelta(minutes=m)) for m in (0, 35, 200, 3120)] == ["0 min", "35 min", "3 h 20 min", "2 d 4 h"]


def test_a_sparkline_breaks_where_values_are_missing_and_is_empty_without_two_values() -> None:
    assert sparkline([1.0, None, 2.0, 3.0]).count("M") == 2
    assert sparkline([1.0, None]) == ""


def test_a_panel_kind_without_dimension_draws_one_series() -> None:
    panel = panel_data(samples.stream(), Panel("All", "line", "api_hourly", "requests"), "all", samples.rows(), samples.AS_OF)
    assert panel.series == ("",)
