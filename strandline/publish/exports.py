"""The data behind a panel for other tools: JSON and Parquet, one row per point or table row. The same data give the same
bytes.
"""

from __future__ import annotations

import io
import json
from datetime import datetime
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from strandline.publish.conditions import plain
from strandline.publish.panels import PanelData, window_end


def panel_rows(data: PanelData) -> list[dict[str, Any]]:
    """The rows: `window_start`, `window_end`, the dimension, the metric, `status`; of a table panel its own columns and
    `status`.
    """
    if data.columns:
        return [{**{name: row[name] for name in data.columns}, "status": row["_status"]} for row in data.rows]
    panel = data.panel
    rows = []
    for point in data.points:
        row: dict[str, Any] = {"window_start": point.at, "window_end": window_end(point.at, data.grain)}
        if panel.by is not None and panel.kind != "stat":
            row[panel.by] = point.series
        rows.append({**row, panel.metric or "value": point.value, "status": "provisional" if point.provisional else "final"})
    return rows


def panel_json(data: PanelData, as_of: datetime | None) -> bytes:
    """The panel's description and its rows; times are ISO 8601 in UTC."""
    panel = data.panel
    document = {
        "title": panel.title,
        "kind": panel.kind,
        "table": panel.table,
        "metric": panel.metric,
        "by": panel.by,
        "grain": data.grain,
        "unit": "ratio" if data.unit.percent else data.unit.text,
        "as_of": plain(as_of),
        "notes": list(data.notes),
        "rows": [{name: plain(value) for name, value in row.items()} for row in panel_rows(data)],
    }
    return json.dumps(document, ensure_ascii=False, indent=1, allow_nan=False).encode()


def panel_parquet(data: PanelData) -> bytes:
    """The rows as one Parquet file; timestamps are `timestamp[us, UTC]`, values double unless whole."""
    rows = panel_rows(data)
    moment = pa.timestamp("us", "UTC")
    names = list(rows[0]) if rows else []
    columns: dict[str, pa.Array] = {}
    for name in names:
        values = [row[name] for row in rows]
        if name in ("window_start", "window_end"):
            columns[name] = pa.array(values, moment)
        elif name == data.panel.metric:
            columns[name] = pa.array(values, pa.float64())
        else:
            columns[name] = pa.array(values)
    sink = io.BytesIO()
    pq.write_table(pa.table(columns), sink, compression="zstd", write_page_checksum=True)
    return sink.getvalue()
