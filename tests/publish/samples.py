"""A stream with hostile values, its served rows and its pages, for the tests of this folder."""

from __future__ import annotations

import json
import math
import random
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa

from strandline.publish.dashboards import Judged, PageData, Volume, listed
from strandline.publish.episodes import Episode
from strandline.publish.panels import panel_data, slugs
from strandline.spec.model import Alert, Field, GeneratorSource, GoldTable, Metric, Panel, Stream, Team

AS_OF = datetime(2026, 11, 26, 5, 40, tzinfo=UTC)
WATERMARK = datetime(2026, 11, 26, 2, 0, tzinfo=UTC)
ATTACKS = (
    "/</script><script>document.title='owned'</script>",
    "<img src=https://evil.example/x onerror=\"document.title='owned'\">",
    "{{ 7 * 7 }}\u2028'\"&<!--",
    "javascript:alert(1)",
)
ENDPOINTS = ("/login", "/orders", "/search", "/cart", "/checkout", "/account", *ATTACKS)
METRICS = (
    Metric("requests", "count", "integer"),
    Metric("errors", "count", "integer", expression="is_error"),
    Metric("error_rate", "ratio", "number", parts=("errors", "requests")),
    Metric("p95_ms", "quantile", "number", expression="ms", q=0.95, unit="ms"),
    Metric("avg_ms", "avg", "number", expression="ms", unit="ms"),
)
PANELS = (
    Panel("Requests", "stat", "api_hourly", "requests"),
    Panel("Requests by endpoint", "area", "api_hourly", "requests", "endpoint"),
    Panel("Error rate", "line", "api_hourly", "error_rate", "endpoint"),
    Panel("Overall error rate", "line", "api_hourly", "error_rate"),
    Panel("Busiest endpoints", "bar", "api_hourly", "requests", "endpoint"),
    Panel("Requests per hour", "bar", "api_hourly", "requests"),
    Panel("Slowest <b>endpoints</b>", "table", "api_hourly", sort="-p95_ms", limit=12),
)


def stream(panels: tuple[Panel, ...] = PANELS) -> Stream:
    """Access logs with one hourly table by endpoint."""
    fields = tuple(Field(n, t, n) for n, t in (("id", "string"), ("at", "timestamp"), ("endpoint", "string"), ("ms", "number")))  # type: ignore[arg-type]
    return Stream(
        "api_logs",
        "1.2.0",
        "Access logs of <the> public API",
        Team("platform", "oncall@example.com"),
        GeneratorSource({}),
        ("id",),
        "at",
        fields,
        Path("api_logs.yaml"),
        tags=("api",),
        gold=(GoldTable("api_hourly", "hour", ("endpoint",), METRICS),),
        dashboard=panels,
        alerts=(Alert("error_spike", "api_hourly", "error_rate > 0.05", severity="high"),),
    )


def rows(hours: int = 60) -> pa.Table:
    """Served rows of the last `hours` windows; those from the watermark on are provisional, and one before it."""
    rng = random.Random(3)
    found: list[dict[str, Any]] = []
    for back in reversed(range(hours)):
        at = AS_OF.replace(minute=0) - timedelta(hours=back)
        for rank, endpoint in enumerate(ENDPOINTS):
            requests = int(900 / (rank + 1) * (1.2 + math.sin(at.hour / 4)) * rng.uniform(0.9, 1.1)) + 1
            errors = int(requests * 0.02 * rng.uniform(0.5, 2))
            late = back == 20 and rank == 0
            found.append(
                {
                    "event_date": at.date(),
                    "window_start": at,
                    "endpoint": endpoint,
                    "requests": requests,
                    "errors": errors,
                    "error_rate": errors / requests,
                    "p95_ms": 120.0 * (rank + 1) * rng.uniform(0.9, 1.2),
                    "avg_ms": 80.0 + rank,
                    "_as_of": AS_OF,
                    "_status": "provisional" if at >= WATERMARK or late else "final",
                }
            )
    return pa.Table.from_pylist(found)


def episodes() -> tuple[Episode, ...]:
    """One open and two resolved episodes, one of them for a hostile key."""

    def episode(number: int, key: str, back: int, state: str) -> Episode:
        start = AS_OF - timedelta(hours=back)
        end = start + timedelta(hours=1)
        values = json.dumps({"endpoint": key})
        resolved = None if state == "open" else end + timedelta(hours=1)
        return Episode(f"e{number}", "error_spike", "high", values, start, end, resolved, 3, {"error_rate": 0.12}, state)  # type: ignore[arg-type]

    return (episode(1, ATTACKS[1], 30, "resolved"), episode(2, "/orders", 2, "open"), episode(3, "/cart", 9, "resolved"))


def page(panels: tuple[Panel, ...] = PANELS, data: pa.Table | None = None) -> PageData:
    """A whole page."""
    declared = stream(panels)
    table = rows() if data is None else data
    shown = tuple(
        panel_data(declared, p, slug, table, AS_OF) for p, slug in zip(panels, slugs(p.title for p in panels), strict=True)
    )
    counts = tuple(sum(900 for _ in range(hour % 24)) for hour in range(48))
    return PageData(
        declared,
        AS_OF,
        WATERMARK,
        {"unified": 41, "api_hourly": 39},
        120_345,
        Judged(102_345, 98_000, 2_300, 2_045, {"type": 800, "not_json": 600}),
        Volume(counts, AS_OF.replace(minute=0) + timedelta(hours=1), 24),
        shown,
        listed(episodes()),
    )
