"""`dashboard` and `alerts`: what looks at the tables, and whether what it names is there."""

from __future__ import annotations

from typing import Any, Literal

from strandline.spec.draft import NUMERIC, Draft, Table
from strandline.spec.model import Alert, Panel
from strandline.spec.positions import Path
from strandline.spec.wording import did_you_mean, listed

_SHAPES: tuple[Literal["line", "area", "bar", "stat"], ...] = ("line", "area", "bar", "stat")


def read_panels(draft: Draft) -> tuple[Panel, ...]:
    """The panels of the dashboard, in order."""
    draft.unique(
        [((*path, "title"), item.get("title")) for path, item in draft.items("dashboard") if isinstance(item, dict)], "panel"
    )
    panels = [_panel(draft, path, item) for path, item in draft.clean_items("dashboard")]
    return tuple(panel for panel in panels if panel is not None)


def _panel(draft: Draft, path: Path, item: dict[str, Any]) -> Panel | None:
    kind = next((shape for shape in _SHAPES if shape in item), None)
    if kind is None:
        return _table_panel(draft, path, item)
    table_name, metric_name = item[kind].split(".")
    for key in ("sort", *(("by", "limit") if kind == "stat" else ())):
        if key in item:
            draft.report("SL317", (*path, key), f"has no meaning for a {kind} panel", "remove it", key=True)
    table = _table(draft, (*path, kind), table_name)
    if table is None:
        return None
    metrics = table.metrics.types
    if metric_name not in metrics:
        message = f"is not a metric of {table_name} (saw '{metric_name}', allowed {listed(metrics)})"
        draft.report("SL308", (*path, kind), message, did_you_mean(metric_name, metrics), offset=len(table_name) + 1)
    elif metrics[metric_name] not in (*NUMERIC, "unknown"):
        draft.report(
            "SL308", (*path, kind), f"is not a number (saw {metric_name}, {metrics[metric_name]})", "use a table panel"
        )
    if "by" in item:
        draft.known("SL308", (*path, "by"), item["by"], table.dimensions, f"a dimension of {table_name}")
    return Panel(
        item["title"], kind, table_name, metric_name, item.get("by"), None, item.get("limit", 20), item.get("description", "")
    )


def _table_panel(draft: Draft, path: Path, item: dict[str, Any]) -> Panel | None:
    if "by" in item:
        draft.report("SL317", (*path, "by"), "has no meaning for a table panel", "remove it", key=True)
    table = _table(draft, (*path, "table"), item["table"])
    if table is None:
        return None
    columns = list(table.columns.types)
    sort = item.get("sort")
    if sort is not None and sort.lstrip("-") not in columns:
        name = sort.lstrip("-")
        message = f"is not a column of {table.name} (saw '{name}', allowed {listed(columns)})"
        draft.report("SL308", (*path, "sort"), message, did_you_mean(name, columns), offset=len(sort) - len(name))
    return Panel(item["title"], "table", table.name, None, None, sort, item.get("limit", 20), item.get("description", ""))


def _table(draft: Draft, path: Path, name: str) -> Table | None:
    """The gold table `name`; None when there is none (reported) or nothing is known of it (reported elsewhere)."""
    draft.known("SL308", path, name, list(draft.tables), "a gold table")
    return draft.tables.get(name)


def read_alerts(draft: Draft) -> tuple[Alert, ...]:
    """The alerts, in order."""
    draft.unique(
        [((*path, "name"), item.get("name")) for path, item in draft.items("alerts") if isinstance(item, dict)], "alert"
    )
    for path, item in draft.clean_items("alerts"):
        _check_alert(draft, path, item)
    return tuple(
        Alert(
            name=item["name"],
            on=item["on"],
            when=item["when"],
            for_=item.get("for", 1),
            severity=item.get("severity", "medium"),
            key=tuple(item.get("key", ())),
            notify=tuple(item.get("notify", ())),
            description=item.get("description", ""),
        )
        for _, item in draft.clean_items("alerts")
    )


def _check_alert(draft: Draft, path: Path, item: dict[str, Any]) -> None:
    if item["on"] == "rows":
        draft.condition((*path, "when"), item["when"], draft.columns, of="alert")
        keys, what = list(draft.columns.types), "a field or derived column"
    else:
        if not draft.known("SL307", (*path, "on"), item["on"], [*draft.tables, "rows"], "a gold table or rows"):
            return
        table = draft.tables[item["on"]]
        if table is None:
            return
        draft.condition((*path, "when"), item["when"], table.columns, now=False, of="alert")
        keys, what = list(table.dimensions), f"a dimension of {table.name}"
    for index, name in enumerate(item.get("key", ())):
        draft.known("SL310", (*path, "key", index), name, keys, what)
