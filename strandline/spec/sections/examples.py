"""`tests`: lines given and what must come of them, and whether what an example names is there."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from strandline.spec.draft import Columns, Draft
from strandline.spec.model import StreamTest
from strandline.spec.positions import Path
from strandline.spec.wording import did_you_mean, listed

WORDS = ("good", "refused", "duplicates", "alerts")
"""What an example may expect besides gold tables; a gold table of such a name cannot be expected."""
_OTHERWISE = {"silver": "good", "quarantine": "refused", "rejected": "refused"}


def read_tests(draft: Draft) -> tuple[StreamTest, ...]:
    """The examples, in order. Keys that are not declared are allowed in what is given: the data may hold them too."""
    draft.unique([((*path, "name"), item.get("name")) for path, item in draft.items("tests") if isinstance(item, dict)], "test")
    keys = [field.get("from", field["name"]) for _, field in draft.clean_items("schema", "fields")]
    tests: list[StreamTest] = []
    for path, item in draft.clean_items("tests"):
        _check_given(draft, (*path, "given"), item["given"], keys)
        for name, expected in item["expect"].items():
            _check_expected(draft, (*path, "expect", name), name, expected)
        at = _moment(draft, (*path, "at"), item.get("at"))
        tests.append(StreamTest(item["name"], tuple(item["given"]), item["expect"], at, draft.line_of(path)))
    return tuple(tests)


def _moment(draft: Draft, path: Path, text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        return datetime.fromisoformat(text).astimezone(UTC)
    except ValueError:
        draft.report("SL205", path, f"is no moment (saw '{text}')", "write it as 2026-03-02T09:05:00Z")
        return None


def _check_given(draft: Draft, path: Path, given: list[Any], keys: list[str]) -> None:
    """Notes keys that look like a typo; others may be there on purpose, as the data may hold them too."""
    for index, line in enumerate(given):
        for key in line if isinstance(line, dict) else ():
            close = did_you_mean(key, [name for name in keys if name not in line]) if key not in keys else ""
            if close:
                draft.report(
                    "SL314", (*path, index, key), f"is not a declared field (saw '{key}')", close, key=True, level="note"
                )


def _check_expected(draft: Draft, path: Path, name: str, expected: Any) -> None:
    if name == "alerts":
        _check_names(draft, path, expected, [item.get("name", "") for _, item in draft.clean_items("alerts")], "an alert")
    elif name == "refused":
        _check_refused(draft, path, expected)
    elif name == "good":
        _check_rows(draft, path, expected, draft.columns, "the good rows")
    elif name in draft.tables:
        table = draft.tables[name]
        if table is not None:
            _check_rows(draft, path, expected, table.columns, name)
    elif name not in WORDS:
        allowed = [*draft.tables, *WORDS]
        close = f"write {_OTHERWISE[name]}" if name in _OTHERWISE else did_you_mean(name, allowed)
        draft.report(
            "SL314", path, f"is neither a gold table nor {', '.join(WORDS)} (saw '{name}', allowed {listed(allowed)})", close,
            key=True,
        )  # fmt: skip


def _check_rows(draft: Draft, path: Path, rows: Any, columns: Columns, of: str) -> None:
    for index, row in enumerate(rows if isinstance(rows, list) else ()):
        for name in row:
            if name not in columns.types and not name.startswith("_"):
                message = f"is not a column of {of} (saw '{name}', allowed {listed(columns.types)})"
                draft.report("SL314", (*path, index, name), message, did_you_mean(name, columns.types), key=True)


def _check_refused(draft: Draft, path: Path, rows: Any) -> None:
    fields = [field["name"] for _, field in draft.clean_items("schema", "fields")]
    rules = [item["name"] for _, item in draft.clean_items("quality")]
    for index, row in enumerate(rows if isinstance(rows, list) else ()):
        for key, names, what in (("field", fields, "a declared field"), ("rule", rules, "a rule")):
            if row.get(key) is not None:
                draft.known("SL314", (*path, index, key), row[key], names, what)


def _check_names(draft: Draft, path: Path, given: Mapping[str, Any], names: Iterable[str], what: str) -> None:
    known = list(names)
    for name in given:
        if name not in known:
            message = f"is not {what} (saw '{name}', allowed {listed(known)})"
            draft.report("SL314", (*path, name), message, did_you_mean(name, known), key=True)
