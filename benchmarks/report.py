"""docs/performance.md from what was measured: goals, tables and plots between two markers; the rest is left alone."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from benchmarks.events import ROOT
from benchmarks.goals.throughput import LIMIT, LIMIT_STEPS, OURS
from benchmarks.results import Found

PAGE = ROOT / "docs" / "performance.md"
IMAGES = ROOT / "docs" / "images"
BEGIN, END = "<!-- measured: begin, written by `make bench SIZE=full` -->", "<!-- measured: end -->"
_BLUE, _GREY = "#2563eb", "#94a3b8"
_CONFIG: Mapping[str, Any] = {
    "background": "white",
    "font": "sans-serif",
    "axis": {"labelColor": "#334155", "titleColor": "#334155", "gridColor": "#e2e8f0", "domainColor": "#94a3b8"},
    "view": {"stroke": None},
    "title": {"anchor": "start", "color": "#0f172a", "fontSize": 14},
}


def write(everything: Sequence[Found]) -> None:
    """The page and its plots, made anew."""
    plots = [name for found in everything for name in _plots(found)]
    text = PAGE.read_text(encoding="utf-8")
    before, after = text.split(BEGIN)[0], text.split(END)[1]
    PAGE.write_text(f"{before}{BEGIN}\n\n{_measured(everything, plots)}\n{END}{after}", encoding="utf-8")


def _measured(everything: Sequence[Found], plots: Iterable[str]) -> str:
    goals = [
        {
            "#": verdict.goal,
            "work": verdict.what,
            "figure": verdict.figure,
            "goal": verdict.aim,
            "met": {True: "yes", False: "**no**", None: "–"}[verdict.met],
            "in the way": verdict.why,
        }
        for found in everything
        for verdict in found.verdicts
    ]
    parts = ["### The goals", _table(goals), *(f"![{name.replace('_', ' ')}](images/{name}.svg)" for name in plots)]
    for found in everything:
        for title, rows in found.tables.items():
            if rows:
                parts += [f"### {title}", _table(rows)]
    parts += ["### The machine", *_machines(everything)]
    return "\n\n".join(parts) + "\n"


def _table(rows: Sequence[Mapping[str, Any]]) -> str:
    names = list(dict.fromkeys(name for row in rows for name in row))
    lines = ["| " + " | ".join(name.replace("_", " ") for name in names) + " |", "|" + " --- |" * len(names)]
    lines += ["| " + " | ".join(_cell(row.get(name, "")) for name in names) + " |" for row in rows]
    return "\n".join(lines)


def _cell(value: Any) -> str:
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    return str(value).replace("|", "\\|").replace("<", "&lt;")


def _machines(everything: Sequence[Found]) -> list[str]:
    told: dict[str, list[str]] = {}
    for found in everything:
        here = found.machine
        versions = ", ".join(f"{name} {number}" for name, number in here["versions"].items())
        what = f"{here['cpu']}, {here['cores']} cores, {here['memory_gb']} GB, {here['system']}, Python {here['python']}; "
        what += f"{versions}."
        told.setdefault(what, []).append(f"goal {found.number} ({found.size}) {found.at}, load {here['load'][0]} at its end")
    return [f"{what} Measured: {'; '.join(when)}." for what, when in told.items()]


def _plots(found: Found) -> list[str]:
    """The names of the plots of a goal, written as SVG."""
    if found.number == 1:
        rows = found.tables["Source files to gold"]
        return _seconds(rows)
    if found.number == 3:
        rows = found.tables["Peak memory from files to gold"]
        return [_plot("memory", _line("Peak memory of the process tree, MB", rows, "lines", "peak_mb"))]
    if found.number == 4:
        rows = found.tables["Requests of generate + land by commits"]
        return [_plot("requests_by_commits", _line("S3 requests of a run of generate + land", rows, "commits", "mean"))]
    if found.number == 5:
        rows = next(rows for title, rows in found.tables.items() if "by days of history" in title)
        long = [{"days": row["days"], "seconds": float(row["CPU s"])} for row in rows]
        return [_plot("refresh_by_history", _line("CPU seconds of a refresh by days of history", long, "days", "seconds"))]
    if found.number == 6:
        rows = found.tables["Parsing DAG files (CPU seconds)"]
        kinds = {"file_cpu_s": "whole file", "hand_written_cpu_s": "hand-written", "own_dag_cpu_s": "own DAG only"}
        long = [{"streams": r["streams"], "seconds": r[name], "what": told} for r in rows for name, told in kinds.items()]
        return [_plot("parsing", _line("CPU seconds to parse the DAG file", long, "streams", "seconds", "what"))]
    return []


def _seconds(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    names = []
    for lines in sorted({row["lines"] for row in rows}):
        some = [dict(row) for row in rows if row["lines"] == lines]
        if len(some) == 1:
            continue
        for row in some:
            if row["who"] == LIMIT:
                row["wall_s"] = round(sum(row[step] for step in LIMIT_STEPS), 2)
            row["kind"] = {OURS: "ours", LIMIT: "limit"}.get(row["who"], "by hand")
        title = f"Seconds from source files to gold, {lines:,} events (shorter is better)"
        names.append(_plot(f"seconds_{lines}", _bars(title, some, "wall_s")))
    return names


def _bars(title: str, rows: Sequence[Mapping[str, Any]], value: str) -> dict[str, Any]:
    colour = {
        "field": "kind",
        "scale": {"domain": ["ours", "by hand", "limit"], "range": [_BLUE, _GREY, "#16a34a"]},
        "title": None,
    }
    base = {"y": {"field": "who", "type": "nominal", "sort": {"field": value}, "title": None}}
    x = {"field": value, "type": "quantitative", "title": None}
    return {
        "title": title,
        "width": 520,
        "data": {"values": rows},
        "layer": [
            {"mark": "bar", "encoding": {**base, "x": x, "color": {**colour, "type": "nominal"}}},
            {"mark": {"type": "text", "align": "left", "dx": 4}, "encoding": {**base, "x": x, "text": {"field": value}}},
        ],
    }


def _line(title: str, rows: Sequence[Mapping[str, Any]], x: str, y: str, colour: str | None = None) -> dict[str, Any]:
    encoding: dict[str, Any] = {
        "x": {"field": x, "type": "quantitative", "scale": {"type": "log"}},
        "y": {"field": y, "type": "quantitative", "scale": {"zero": True}, "title": None},
    }
    if colour:
        encoding["color"] = {"field": colour, "type": "nominal", "title": None}
    return {
        "title": title,
        "width": 520,
        "height": 220,
        "data": {"values": list(rows)},
        "mark": {"type": "line", "point": True, **({} if colour else {"color": _BLUE})},
        "encoding": encoding,
    }


def _plot(name: str, chart: Mapping[str, Any]) -> str:
    import vl_convert

    specification = {"$schema": "https://vega.github.io/schema/vega-lite/v5.json", "config": _CONFIG, **chart}
    IMAGES.mkdir(parents=True, exist_ok=True)
    svg = vl_convert.vegalite_to_svg(json.dumps(specification), vl_version="5.21")
    (IMAGES / f"{name}.svg").write_text(svg, encoding="utf-8")
    return name
