"""`source` and `generate` of simulated streams: that every field and rule they name is there when it is needed."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Any

from strandline.spec.draft import Draft
from strandline.spec.model import Rule
from strandline.spec.positions import Path
from strandline.spec.sections.source import duration
from strandline.spec.wording import did_you_mean, listed

_PLACE = re.compile(r"\{([a-z][a-z0-9_]*)\}")
_SIMULATED = ("string", "integer", "number", "decimal", "boolean", "timestamp")
_NEEDS = {"future": "future_skew", "stale": "allowed_lateness"}


def check_generator(draft: Draft, rules: tuple[Rule, ...]) -> None:
    """Reports names that lead nowhere; does nothing for streams of other sources."""
    source = draft.get("source")
    if not isinstance(source, dict) or source.get("type") != "generator" or not draft.is_clean(("source",)):
        return
    _check_fields(draft)
    _check_faults(draft, rules)
    names = list(draft.columns.types)
    for path, incident in draft.clean_items("source", "incidents"):
        _check_changes(draft, path, incident, names)


def _check_fields(draft: Draft) -> None:
    """Each field may use those declared before it: fields are drawn in order."""
    earlier: list[str] = []
    for path, item in draft.items("schema", "fields"):
        if not isinstance(item, dict) or not isinstance(item.get("name"), str):
            continue
        if draft.is_clean(path):
            if "generate" in item:
                _check_description(draft, (*path, "generate"), item["generate"], earlier, "declared before this one")
            elif item["type"] not in _SIMULATED:
                draft.report("SL318", (*path, "type"), f"a {item['type']} field of a simulated stream needs a generate")
        earlier.append(item["name"])


def _check_description(draft: Draft, path: Path, description: Any, names: Collection[str], what: str) -> None:
    """Checks every field a description names, and those inside it."""
    if not isinstance(description, dict):
        return
    for key in ("when", "null_when"):
        if key in description:
            _check_condition(draft, (*path, key), description[key], names, what)
    if "by" in description:
        _check_name(draft, (*path, "by"), description["by"], names, what)
    for key in ("attribute", "sawtooth"):
        inner = description.get(key)
        if isinstance(inner, dict) and "of" in inner:
            _check_name(draft, (*path, key, "of"), inner["of"], names, what)
    _check_operands(draft, path, description, names, what)
    if isinstance(description.get("template"), str):
        for match in _PLACE.finditer(description["template"]):
            _check_name(draft, (*path, "template"), match[1], names, what, offset=match.start(1))
    _check_weights(draft, path, description)
    for key in ("then", "otherwise", "default"):
        if key in description:
            _check_description(draft, (*path, key), description[key], names, what)
    for value, inner in (description.get("map") or {}).items():
        _check_description(draft, (*path, "map", value), inner, names, what)


def _check_operands(draft: Draft, path: Path, description: dict[str, Any], names: Collection[str], what: str) -> None:
    for key in ("sum", "product"):
        for index, operand in enumerate(description.get(key) or ()):
            if isinstance(operand, str):
                _check_name(draft, (*path, key, index), operand, names, what)
            else:
                _check_description(draft, (*path, key, index), operand, names, what)


def _check_weights(draft: Draft, path: Path, description: dict[str, Any]) -> None:
    choices, weights = description.get("choice"), description.get("weights")
    if isinstance(choices, list) and isinstance(weights, list) and len(choices) != len(weights):
        message = f"has one number a choice (saw {len(weights)} for {len(choices)} choices)"
        draft.report("SL319", (*path, "weights"), message)


def _check_condition(draft: Draft, path: Path, condition: Any, names: Collection[str], what: str) -> None:
    for name in condition if isinstance(condition, dict) else ():
        _check_name(draft, (*path, name), name, names, what, key=True)


def _check_name(
    draft: Draft, path: Path, name: Any, names: Collection[str], what: str, *, key: bool = False, offset: int | None = None
) -> None:
    if not isinstance(name, str) or name in names or name.startswith("_"):
        return
    later = name in draft.columns.types
    hint = f"move {name} above it" if later else did_you_mean(name, names)
    draft.report("SL318", path, f"is not a field {what} (saw '{name}', allowed {listed(names)})", hint, key=key, offset=offset)


def _check_changes(draft: Draft, path: Path, item: dict[str, Any], names: Collection[str]) -> None:
    """`where` and `set` of an incident or a break."""
    _check_condition(draft, (*path, "where"), item.get("where"), names, "of this stream")
    changes = item.get("set")
    for name, description in changes.items() if isinstance(changes, dict) else ():
        _check_name(draft, (*path, "set", name), name, names, "of this stream", key=True)
        _check_description(draft, (*path, "set", name), description, names, "of this stream")


def _check_faults(draft: Draft, rules: tuple[Rule, ...]) -> None:
    faults, path = draft.get("source", "faults"), ("source", "faults")
    if not isinstance(faults, dict):
        return
    schema = draft.get("schema") or {}
    for fault, needed in _NEEDS.items():
        if faults.get(fault) and isinstance(schema, dict) and needed not in schema:
            draft.report("SL318", (*path, fault), f"needs schema.{needed}: without it no such event is refused", key=True)
    _check_late(draft, (*path, "late", "max"), faults.get("late"))
    extra = faults.get("unknown_field")
    if isinstance(extra, dict) and extra.get("field") in draft.columns.types:
        message = f"is a declared field, so it is not unknown (saw {extra['field']})"
        draft.report("SL318", (*path, "unknown_field", "field"), message, "give it a name that is not declared")
    refusing = [rule.name for rule in rules if rule.action != "warn"]
    for where, item in draft.clean_items("source", "faults", "breaks"):
        _check_changes(draft, where, item, list(draft.columns.types))
        if item["rule"] not in refusing and draft.is_clean(("quality",)):
            hint = did_you_mean(item["rule"], refusing)
            message = f"is not a rule that refuses rows (saw '{item['rule']}', allowed {listed(refusing)})"
            draft.report("SL318", (*where, "rule"), message, hint)


def _check_late(draft: Draft, path: Path, late: Any) -> None:
    interval = draft.get("interval") or "5m"
    if not isinstance(late, dict) or not isinstance(late.get("max"), str) or not draft.is_clean(("interval",)):
        return
    if duration(late["max"]) <= 2 * duration(interval):
        draft.report("SL318", path, f"must be longer than two landing intervals of {interval} (saw {late['max']})")
