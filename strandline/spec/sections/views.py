"""`dashboard`, `alerts` and `tests`: what looks at the tables, and whether what it names is there."""

from __future__ import annotations

from typing import Any, Literal

from strandline.spec.draft import NUMERIC, Draft, Table
from strandline.spec.model import Alert, Panel, StreamTest
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


def read_tests(draft: Draft) -> tuple[StreamTest, ...]:
    """The examples, in order. Keys that are not declared are allowed in what is given: the data may hold them too."""
    draft.unique([((*path, "name"), item.get("name")) for path, item in draft.items("tests") if isinstance(item, dict)], "test")
    tests: list[StreamTest] = []
    keys = [field.get("from", field["name"]) for _, field in draft.clean_items("schema", "fields")]
    for path, item in draft.clean_items("tests"):
        _check_given(draft, (*path, "given"), item["given"], keys)
        for name, rows in item["expect"].items():
            where = (*path, "expect", name)
            if name not in draft.tables and name not in ("silver", "quarantine"):
                allowed = [*draft.tables, "silver", "quarantine"]
                message = f"is not a table (saw '{name}', allowed {listed(allowed)})"
                draft.report("SL314", where, message, did_you_mean(name, allowed), key=True)
            elif name != "quarantine":
                _check_expected(draft, where, name, rows)
        tests.append(StreamTest(item["name"], tuple(item["given"]), item["expect"]))
    return tuple(tests)


def _check_given(draft: Draft, path: Path, given: list[Any], keys: list[str]) -> None:
    """Notes keys that look like a typo; others may be there on purpose, as the data may hold them too."""
    for index, line in enumerate(given):
        for key in line if isinstance(line, dict) else ():
            close = did_you_mean(key, [name for name in keys if name not in line]) if key not in keys else ""
            if close:
                draft.report(
                    "SL314", (*path, index, key), f"is not a declared field (saw '{key}')", close, key=True, level="note"
                )


def _check_expected(draft: Draft, path: Path, table_name: str, rows: list[dict[str, Any]]) -> None:
    table = draft.tables.get(table_name)
    if table_name != "silver" and table is None:
        return
    columns = table.columns if table else draft.columns
    for index, row in enumerate(rows):
        for name in row:
            if name not in columns.types and not name.startswith("_"):
                message = f"is not a column of {table_name} (saw '{name}', allowed {listed(columns.types)})"
                draft.report("SL314", (*path, index, name), message, did_you_mean(name, columns.types), key=True)
