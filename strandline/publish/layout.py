"""What the templates are given: tiles, panels and episodes as plain dictionaries of texts."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, Any

from strandline.publish import numbers
from strandline.publish.chart_rows import provisional_from, short_window, window_text
from strandline.publish.charts import spec
from strandline.publish.episodes import Episode
from strandline.publish.panels import PanelData, Unit, window_end
from strandline.publish.sparkline import sparkline

if TYPE_CHECKING:
    from strandline.publish.dashboards import PageData

DATA_WINDOWS = 48
_PLAIN = Unit(whole=True)
_KINDS = {"line": "Line chart", "area": "Area chart", "bar": "Bar chart"}


def tiles(page: PageData, opened: int, worst: str) -> list[dict[str, Any]]:
    """The tiles of a page: volume, what was refused, alerts, then the stream's own stat panels."""
    return [_volume(page), _judged(page), _alerts(opened, worst), *(_stat(p) for p in page.panels if p.panel.kind == "stat")]


def columns(count: int) -> int:
    """How many tiles stand side by side on a wide page, so that rows come out even."""
    if count <= 6:
        return max(count, 1)
    return min(range(6, 3, -1), key=lambda width: -count % width)


def sentences(*texts: str) -> str:
    """The texts that are not empty, each ended with one full stop."""
    return " ".join(text.rstrip(" .") + ("" if text.rstrip().endswith(("!", "?")) else ".") for text in texts if text.strip())


def paired(panels: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The panels, two side by side; one that would stand alone beside a gap is made wide."""
    alone = False
    for index, panel in enumerate(panels):
        if panel["wide"]:
            alone = False
            continue
        alone = not alone
        if alone and (index + 1 == len(panels) or panels[index + 1]["wide"]):
            panel["wide"], alone = True, False
    return panels


def _tile(label: str, value: tuple[str, str], sub: str, **more: Any) -> dict[str, Any]:
    tile = {
        "label": label,
        "value": value[0],
        "unit": value[1],
        "sub": sub,
        "note": "",
        "change": "",
        "path": "",
        "provisional": False,
    }
    return tile | more


def _volume(page: PageData) -> dict[str, Any]:
    volume = page.volume
    before = volume.day_before
    change = numbers.change((volume.day - before) / before) if before else ""
    sub = "vs the 24 h before" if change else f"{page.served:,} served in all"
    note = f"24 h to {volume.until:%b %d, %H:%M}" if volume.until else "no windows yet"
    value = numbers.short(volume.day, _PLAIN) if volume.until else numbers.short(page.served, _PLAIN)
    counts = volume.counts[-2 * volume.windows_a_day :]
    return _tile("Events", value, sub, note=note, change=change, path=sparkline(counts))


def _judged(page: PageData) -> dict[str, Any]:
    judged = page.judged
    if not judged.lines:
        return _tile("Quarantined", (numbers.MISSING, ""), "no batch run has judged lines yet")
    reasons = sorted(judged.reasons.items(), key=lambda item: (-item[1], item[0]))[:2]
    most = "; mostly " + ", ".join(f"{name} {count:,}" for name, count in reasons) if reasons else ""
    sub = f"{judged.quarantined:,} of {judged.lines:,} lines judged by batch{most}"
    note = f"{judged.good:,} good, {judged.duplicates:,} duplicates"
    return _tile("Quarantined", numbers.short(judged.share, Unit(percent=True)), sub, note=note)


def _alerts(opened: int, worst: str) -> dict[str, Any]:
    sub = f"worst: {worst}" if opened and worst else ("open episodes" if opened else "nothing is firing")
    return _tile("Open alerts", (f"{opened:,}", ""), sub)


def _stat(data: PanelData) -> dict[str, Any]:
    stat = data.stat
    if stat is None:
        return _tile(data.panel.title, (numbers.MISSING, ""), f"no windows of {data.panel.table} yet")
    when = short_window(data, stat.at) + ("" if stat.complete else ", still filling")
    sub = f"vs {stat.against}" if stat.against else "nothing to compare with yet"
    return _tile(
        data.panel.title,
        numbers.short(stat.value, data.unit),
        sub,
        note=when,
        change=numbers.change(stat.change),
        path=sparkline(stat.history),
        provisional=stat.provisional,
    )


def episode_view(episode: Episode) -> dict[str, Any]:
    """An episode as texts."""
    key = json.loads(episode.key)
    peaks = [f"{name} {numbers.cell(value, _PLAIN)}" for name, value in episode.peaks.items() if value is not None]
    return {
        "open": episode.state == "open",
        "severity": episode.severity,
        "alert": episode.alert,
        "key": ", ".join(f"{name} {value}" for name, value in key.items()) or "the whole stream",
        "started_at": episode.started_at,
        "last_fired_at": episode.last_fired_at,
        "firings": f"{episode.firings:,}",
        "peaks": ", ".join(peaks) or numbers.MISSING,
    }


def panel_view(data: PanelData, embed: Callable[[Any], str]) -> dict[str, Any]:
    """A panel as texts; `spec` is its chart as JSON, empty for a table."""
    panel = data.panel
    chart = panel.kind in _KINDS
    bars = panel.kind == "bar" and panel.by is not None
    return {
        "slug": data.slug,
        "title": panel.title,
        "what": panel.description or _what(data),
        "table": panel.table,
        "empty": data.empty,
        "wide": panel.kind == "table",
        "tall": chart and not bars,
        "spec": embed(spec(data)) if chart and not data.empty else "",
        "alt": _alt(data) if chart else "",
        "legend": _legend(data) if chart and not bars else [],
        "grid": _table(data) if not chart else (_bar_grid(data) if bars else _grid(data)),
        "notes": "; ".join(data.notes),
    }


def _what(data: PanelData) -> str:
    panel = data.panel
    if panel.kind == "table" or panel.metric is None:
        return f"Rows of {panel.table}, one per {data.grain}"
    unit = "share in percent" if data.unit.percent else data.unit.text
    text = f"{panel.metric}{f', {unit}' if unit else ''}, per {data.grain}"
    return f"{text} and {panel.by}" if panel.by else text


def _alt(data: PanelData) -> str:
    """What the chart shows, in words."""
    values = [p.value for p in data.points if p.value is not None]
    kind = _KINDS[data.panel.kind]
    span = (
        f"from {numbers.full(min(values), data.unit)} to {numbers.full(max(values), data.unit)}" if values else "without values"
    )
    series = f", {len(data.series)} series by {data.panel.by}" if data.panel.by else ""
    start = provisional_from(data)
    tail = f"; provisional from {numbers.moment(start)} UTC on" if start and data.panel.kind != "bar" else ""
    return f"{kind}: {data.panel.title}{series}, values {span}{tail}. The data table below holds the numbers."


def _legend(data: PanelData) -> list[dict[str, str]]:
    if not data.panel.by:
        return []
    last: dict[str, float | None] = {p.series: p.value for p in data.points}
    return [
        {
            "name": name,
            "colour": f"--s{index + 1}" if index < 8 else "--s-other",
            "last": numbers.full(last.get(name), data.unit) if name in last else "",
        }
        for index, name in enumerate(data.series)
    ]


def _text(text: str, kind: str = "", share: float | None = None) -> dict[str, Any]:
    return {"text": text, "kind": kind, "share": share}


def _label(name: str, unit: Unit | None = None) -> str:
    if unit is None:
        return "window start (UTC)" if name == "window_start" else name
    return f"{name} ({unit.text})" if unit.text else name


def _grid(data: PanelData) -> dict[str, Any]:
    """One row a window, newest first, one column a series."""
    cells = {(p.at, p.series): p for p in data.points}
    starts = sorted({p.at for p in data.points}, reverse=True)
    columns = [{"label": "Window (UTC)", "number": False}]
    columns += [{"label": name or data.panel.metric or "value", "number": True} for name in data.series]
    rows = []
    for start in starts[:DATA_WINDOWS]:
        found = [cells.get((start, name)) for name in data.series]
        texts = [_text(numbers.full(p.value if p else None, data.unit), "number") for p in found]
        rows.append(
            {"provisional": any(p and p.provisional for p in found), "cells": [_text(window_text(data, start), "time"), *texts]}
        )
    cut = f" ({DATA_WINDOWS} newest of {len(starts)})" if len(starts) > DATA_WINDOWS else ""
    return {
        "caption": f"{data.panel.title}: newest window first{cut}; provisional rows are marked.",
        "columns": columns,
        "rows": rows,
    }


def _bar_grid(data: PanelData) -> dict[str, Any]:
    """One row a bar; provisional parts apart."""
    columns = [{"label": data.panel.by or "", "number": False}, {"label": data.panel.metric or "", "number": True}]
    columns.append({"label": "status", "number": False})
    rows = [
        {
            "provisional": p.provisional,
            "cells": [_text(p.series), _text(numbers.full(p.value, data.unit), "number"), _text(_status(p.provisional))],
        }
        for p in data.points
    ]
    return {"caption": f"{data.panel.title}: final and provisional parts.", "columns": columns, "rows": rows}


def _status(provisional: bool) -> str:
    return "provisional" if provisional else "final"


def _table(data: PanelData) -> dict[str, Any]:
    """The rows of a table panel; the sorted column carries a bar."""
    sort = (data.panel.sort or "").removeprefix("-")
    sizes = [abs(v) for row in data.rows if isinstance(v := row.get(sort), int | float) and not isinstance(v, bool)]
    high = max(sizes, default=0)
    decimals = {name: numbers.places(row[name] for row in data.rows) for name in data.units}
    rows = []
    for row in data.rows:
        cells = []
        for name in data.columns:
            value, unit = row[name], data.units.get(name)
            kind = "number" if unit is not None else ("time" if isinstance(value, datetime) else "")
            share = None
            if name == sort and unit is not None and high and isinstance(value, int | float):
                kind, share = "number bar", round(abs(value) / high * 100, 1)
            text = numbers.cell(value, unit, decimals.get(name))
            if name == "window_start" and data.grain in ("day", "week", "month"):
                text = f"{value:%Y-%m-%d}"
            cells.append(_text(text, kind, share))
        rows.append({"provisional": row["_status"] == "provisional", "cells": cells})
    columns = [{"label": _label(name, data.units.get(name)), "number": name in data.units} for name in data.columns]
    last = max((row["window_start"] for row in data.rows), default=None)
    until = f"up to {numbers.moment(window_end(last, data.grain))} UTC" if last else "no rows"
    return {
        "caption": f"{data.panel.table}, one row per {data.grain}, {until}; provisional rows are marked.",
        "columns": columns,
        "rows": rows,
    }
