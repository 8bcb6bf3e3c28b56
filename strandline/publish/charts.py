"""Vega-Lite specifications of panels, and sparklines as SVG. Colours are CSS variables of the page, so light and dark need
no script.

Data fields have fixed one-letter names and series are numbered: nothing that came with the data is ever part of an
expression.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from strandline.publish.chart_rows import SMALL, line_rows, milliseconds, provisional_from, stacked_rows
from strandline.publish.numbers import full
from strandline.publish.panels import TOP, PanelData, window_before, window_end

FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif"
CONFIG: dict[str, Any] = {
    "background": None,
    "font": FONT,
    "view": {"stroke": None},
    "axis": {
        "labelColor": "var(--muted)", "labelFontSize": 11, "titleColor": "var(--muted)", "gridColor": "var(--grid)",
        "domain": False, "ticks": False, "labelPadding": 8,
    },
    "axisX": {"grid": False, "domain": True, "domainColor": "var(--line)", "labelOverlap": "greedy", "labelFlush": 8},
    "range": {"category": [*(f"var(--s{i})" for i in range(1, TOP + 1)), "var(--s-other)"]},
}  # fmt: skip
_SCHEMA = "https://vega.github.io/schema/vega-lite/v6.json"
_TIP = {"content": "data"}


def spec(data: PanelData) -> dict[str, Any]:
    """The Vega-Lite specification of a line, area or bar panel, as wide as its container."""
    if data.panel.kind == "bar" and data.panel.by:
        return _bars(data)
    width = {"$schema": _SCHEMA, "width": "container", "height": 220}
    fit = {
        "autosize": {"type": "fit", "contains": "padding", "resize": True},
        "padding": 2,
        "config": CONFIG,
        "usermeta": _names(data),
    }
    if data.panel.kind == "bar":
        return {**width, **fit, "layer": [*_band(data), _columns(data), *_rug(data)]}
    stacked = data.panel.kind == "area" and data.additive
    rows = stacked_rows(data) if stacked else line_rows(data, joined=True)
    marks = _areas(data) if stacked else _lines(data)
    return {**width, **fit, "data": {"values": rows}, "layer": [*_band(data), *marks, *_rug(data)]}


def _band(data: PanelData) -> list[dict[str, Any]]:
    """The shaded ground under the provisional part, with the watermark's line at its left edge."""
    start = provisional_from(data)
    if start is None:
        return []
    last = max(p.at for p in data.points)
    columns = data.panel.kind == "bar"
    first = start if columns or start == min(p.at for p in data.points) else window_before(start, data.grain, 1)
    end = window_end(last, data.grain) if columns else last
    if end <= first:
        end = first + timedelta(milliseconds=1)
    values = {"values": [{"a": milliseconds(first), "b": milliseconds(end)}]}
    x = {"field": "a", "type": "temporal", "scale": {"type": "utc"}}
    return [
        {
            "data": values,
            "mark": {"type": "rect", "color": "var(--band)", "aria": False},
            "encoding": {"x": x, "x2": {"field": "b"}},
        },
        {
            "data": values,
            "mark": {"type": "rule", "color": "var(--band-line)", "strokeDash": [2, 3], "aria": False},
            "encoding": {"x": x},
        },
    ]


def _rug(data: PanelData) -> list[dict[str, Any]]:
    """Marks on the base line under earlier windows that late lines have made provisional again."""
    start = provisional_from(data)
    touched = sorted({p.at for p in data.points if p.provisional and (start is None or p.at < start)})
    if not touched:
        return []
    values = [{"a": milliseconds(at), "b": milliseconds(window_end(at, data.grain))} for at in touched]
    return [
        {
            "data": {"values": values},
            "mark": {"type": "rect", "color": "var(--band-line)", "aria": False},
            "encoding": {
                "x": {"field": "a", "type": "temporal", "scale": {"type": "utc"}},
                "x2": {"field": "b"},
                "y": {"value": {"expr": "height + 1"}},
                "y2": {"value": {"expr": "height + 5"}},
            },
        }
    ]


def _x(data: PanelData) -> dict[str, Any]:
    pattern = {"month": "%b %Y"}.get(data.grain, "%b %d")
    label = f"utcFormat(datum.value, '{pattern}')"
    if data.grain in SMALL:
        label = f"utcFormat(datum.value, '%H:%M') == '00:00' ? {label} : utcFormat(datum.value, '%H:%M')"
    axis = {"labelExpr": label, "tickCount": {"expr": "max(2, ceil(width / 90))"}, "title": None}
    return {"field": "t", "type": "temporal", "scale": {"type": "utc"}, "axis": axis}


def _y(data: PanelData, **more: Any) -> dict[str, Any]:
    values = [p.value for p in data.points if p.value is not None]
    low, high = min(values, default=0.0), max(values, default=0.0)
    zero = data.additive or data.unit.percent or not (low > 0.5 * high > 0)
    axis = {"labelExpr": f"format(datum.value, '{_format(data, high)}')", "tickCount": 4, "title": None}
    return {"field": "v", "type": "quantitative", "scale": {"zero": zero, "nice": True}, "axis": axis, **more}


def _format(data: PanelData, high: float) -> str:
    if data.unit.percent:
        return ".0%" if high >= 0.1 else ".1%"
    return "~s" if high >= 10_000 else ",~r"


def _colour() -> dict[str, Any]:
    return {"field": "s", "type": "ordinal", "scale": {"domain": list(range(TOP + 1)), "range": "category"}, "legend": None}


def _names(data: PanelData) -> dict[str, str]:
    """What the page's script writes before the parts of a point when the pointer is on it."""
    names = {"w": "Window (UTC)", "n": data.panel.by or "", "d": data.panel.metric or "value", "c": "Status"}
    return {field: name for field, name in names.items() if name}


def _lines(data: PanelData) -> list[dict[str, Any]]:
    final, open_ = {"filter": "datum.p == 0"}, {"filter": "datum.p == 1"}
    encoding = {"x": _x(data), "y": _y(data), "color": _colour(), "detail": {"field": "g"}}
    line = {"type": "line", "strokeWidth": 2, "strokeCap": "round", "strokeJoin": "round"}
    layers: list[dict[str, Any]] = []
    if len(data.series) == 1:
        fill = {"type": "area", "opacity": 0.1, "aria": False, "line": False}
        layers.append({"mark": fill, "encoding": {**encoding, "y": _y(data, stack=None)}})
    layers += [
        {"transform": [final], "mark": line, "encoding": encoding},
        {"transform": [open_], "mark": {**line, "strokeDash": [2, 5]}, "encoding": encoding},
        _hover(data),
    ]
    return layers


def _hover(data: PanelData, field: str = "v") -> dict[str, Any]:
    """Points that show where they stand alone or when the pointer is near, with the tooltip."""
    near = {"type": "point", "on": "pointermove", "nearest": True, "clear": "pointerout"}
    seen = {"condition": [{"param": "near", "empty": False, "value": 1}, {"test": "datum.o == 1", "value": 1}], "value": 0}
    return {
        "transform": [{"filter": "datum.j != 1"}],
        "params": [{"name": "near", "select": near}],
        "mark": {"type": "point", "filled": True, "size": 55, "tooltip": _TIP, "stroke": "var(--card)", "strokeWidth": 1.5},
        "encoding": {
            "x": _x(data),
            "y": _y(data) | {"field": field},
            "color": _colour(),
            "opacity": seen,
        },
    }


def _areas(data: PanelData) -> list[dict[str, Any]]:
    value = _y(data) | {"field": "b", "stack": None}
    encoding = {"x": _x(data), "y": value, "y2": {"field": "a"}, "color": _colour(), "detail": {"field": "g"}}
    mark = {"type": "area", "strokeWidth": 1, "stroke": "var(--card)"}
    layers: list[dict[str, Any]] = [
        {"transform": [{"filter": "datum.p == 0"}], "mark": {**mark, "opacity": 0.85}, "encoding": encoding},
        {"transform": [{"filter": "datum.p == 1"}], "mark": {**mark, "opacity": 0.45}, "encoding": encoding},
    ]
    return [*layers, _hover(data, "b")]


def _columns(data: PanelData) -> dict[str, Any]:
    """One bar a window."""
    mark = {
        "type": "rect",
        "color": "var(--s1)",
        "cornerRadiusTopLeft": 2,
        "cornerRadiusTopRight": 2,
        "x2Offset": -1,
        "tooltip": _TIP,
    }
    opacity = {"condition": {"test": "datum.p == 1", "value": 0.45}, "value": 0.9}
    encoding = {
        "x": _x(data),
        "x2": {"field": "e"},
        "y": _y(data),
        "y2": {"datum": 0},
        "opacity": opacity,
    }
    return {"data": {"values": line_rows(data, joined=False)}, "mark": mark, "encoding": encoding}


def _bars(data: PanelData) -> dict[str, Any]:
    """One horizontal bar a value of `by`, in order of size; the provisional share lighter."""
    rows = [
        {"n": p.series, "i": data.series.index(p.series), "v": p.value, "p": int(p.provisional), "d": full(p.value, data.unit),
         "c": "provisional" if p.provisional else "final"}
        for p in data.points
        if p.value is not None
    ]  # fmt: skip
    if not data.additive:
        rows = _highest(rows)
    high = max((float(r["v"]) for r in rows), default=0.0)
    labels = {"title": None, "labelLimit": 150, "labelColor": "var(--ink)", "labelFontSize": 12, "domain": False, "grid": False}
    axis = {
        "labelExpr": f"format(datum.value, '{_format(data, high)}')",
        "tickCount": 4,
        "title": None,
        "grid": True,
        "domain": False,
    }
    return {
        "$schema": _SCHEMA,
        "width": "container",
        "height": max(120, 36 + 23 * len({r["i"] for r in rows})),
        "autosize": {"type": "fit", "contains": "padding", "resize": True},
        "padding": 2,
        "config": CONFIG,
        "usermeta": _names(data),
        "data": {"values": rows},
        "mark": {"type": "bar", "color": "var(--s1)", "cornerRadiusEnd": 3, "height": {"band": 0.62}, "tooltip": _TIP},
        "encoding": {
            "y": {"field": "n", "type": "nominal", "sort": {"field": "i", "op": "min"}, "axis": labels},
            "x": {"field": "v", "type": "quantitative", "axis": axis, "scale": {"zero": True, "nice": True}},
            "opacity": {"condition": {"test": "datum.p == 1", "value": 0.45}, "value": 0.9},
            "order": {"field": "p", "type": "ordinal"},
        },
    }


def _highest(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """One row a name: values that do not add up are not stacked."""
    best: dict[str, dict[str, Any]] = {}
    for row in rows:
        seen = best.get(row["n"])
        if seen is None or row["v"] > seen["v"]:
            best[row["n"]] = row
    return list(best.values())
