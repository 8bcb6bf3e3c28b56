"""How two contracts differ, entry by entry, and which version bump that asks for.

*Breaking*: who writes or reads the data may have to change something (a line that was good may be refused, a column is gone or
means something else). *Compatible*: there is more than before. *Cosmetic*: only what people read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

Severity = Literal["breaking", "compatible", "cosmetic"]
Contract = Mapping[str, Any]
BUMPS: dict[Severity, str] = {"breaking": "major", "compatible": "minor", "cosmetic": "patch"}
_ORDER = ("cosmetic", "compatible", "breaking")
_WORDS = {"description", "purpose", "usage", "unit", "team", "tags", "title"}
_SETTINGS: dict[str, Severity] = {
    "primary_key": "breaking",
    "event_time": "breaking",
    "sequence_by": "breaking",
    "deduplicate_within": "breaking",
    "source": "compatible",
    "interval": "compatible",
    "retention": "compatible",
}


@dataclass(frozen=True, slots=True)
class Change:
    """One difference: the `what` (`field`, `rule`, `metric`, …) `name` was added, removed, changed or renamed.

    A name with a dot is a part of an entry (`value.maximum`). `before` and `after` are texts, empty where there is none.
    """

    kind: Literal["added", "removed", "changed", "renamed"]
    what: str
    name: str
    severity: Severity
    before: str = ""
    after: str = ""
    note: str = ""

    def __str__(self) -> str:
        told = f"{self.what} {self.name} {self.kind}" if self.name else f"{self.what} {self.kind}"
        values = f": {self.before or '–'} → {self.after or '–'}" if self.before or self.after else ""
        return told + values + (f" ({self.note})" if self.note else "")


@dataclass(frozen=True, slots=True)
class Bump:
    """The versions, the least bump that the changes ask for (`none` for no change) and whether the made one fits."""

    before: str
    after: str
    needed: str
    made: str
    fits: bool


def changes(before: Contract | None, after: Contract) -> tuple[Change, ...]:
    """Every difference between two canonical contracts, the gravest first; nothing when `before` is None."""
    if before is None:
        return ()
    found = [
        *_fields(before, after),
        *_settings(before, after),
        *_listed("rule", before["rules"], after["rules"], _rule, _rule_added, _rule_removed),
        *_listed("budget", before["budgets"], after["budgets"], _always("compatible")),
        *_listed("derived column", before["derived"], after["derived"], _always("breaking")),
        *_gold(before["gold"], after["gold"]),
        *_listed("alert", before["alerts"], after["alerts"], _always("compatible"), removed="compatible"),
        *_listed("panel", before["dashboard"], after["dashboard"], _always("cosmetic"), "cosmetic", "cosmetic", key="title"),
    ]
    return tuple(sorted(found, key=lambda c: -_ORDER.index(c.severity)))


def bump(before: Contract | None, after: Contract, found: Sequence[Change]) -> Bump:
    """Whether the version moved far enough: breaking asks for major (before 1.0.0: minor), compatible for minor, cosmetic for
    patch.
    """
    old, new = (tuple(int(n) for n in (c or after)["version"].split(".")) for c in (before, after))
    made = next((word for word, a, b in zip(("major", "minor", "patch"), old, new, strict=True) if a != b), "none")
    grave = max((_ORDER.index(c.severity) for c in found), default=-1)
    needed = "none" if grave < 0 else BUMPS[_ORDER[grave]]  # type: ignore[index]
    if needed == "major" and new[0] == 0:
        needed = "minor"
    ranks = ("none", "patch", "minor", "major")
    fits = new >= old and ranks.index(made) >= ranks.index(needed)
    return Bump((before or after)["version"], after["version"], needed, made, fits)


def _text(value: Any) -> str:
    if value is None or value == "":
        return "–"
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {_text(each)}" for key, each in value.items() if each not in (None, "", [], {})) or "–"
    if isinstance(value, list):
        return "[" + ", ".join(_text(each) for each in value) + "]"
    return f"{value:g}" if isinstance(value, float) else str(value)


def _always(severity: Severity) -> Callable[[str, Any, Any, Any], Severity]:
    return lambda name, old, new, entry: "cosmetic" if name in _WORDS else severity


def _listed(
    what: str,
    before: Sequence[Contract],
    after: Sequence[Contract],
    grade: Callable[[str, Any, Any, Any], Severity],
    added: Severity | Callable[[Contract], Severity] = "compatible",
    removed: Severity | Callable[[Contract], Severity] = "breaking",
    *,
    key: str = "name",
    owner: str = "",
) -> Iterator[Change]:
    """The changes of entries that are told apart by `key`."""
    old, new = ({entry[key]: entry for entry in entries} for entries in (before, after))
    for name, entry in old.items():
        if name not in new:
            yield Change("removed", what, owner + name, removed(entry) if callable(removed) else removed)
    for name, entry in new.items():
        if name not in old:
            shown = _text(entry.get("expect") or entry.get("expression") or entry.get("type") or "")
            severity = added(entry) if callable(added) else added
            yield Change("added", what, owner + name, severity, after="" if shown == "–" else shown)
            continue
        for part, value in entry.items():
            former = old[name].get(part)
            if part not in (key, "metrics") and former != value:
                place = f"{owner}{name}.{part}"
                yield Change("changed", what, place, grade(part, former, value, entry), _text(former), _text(value))


def _fields(before: Contract, after: Contract) -> Iterator[Change]:
    old, new = ({field["name"]: field for field in contract["fields"]} for contract in (before, after))
    gone = {name: field for name, field in old.items() if name not in new}
    for name, field in new.items():
        if name in old:
            continue
        former = next((n for n, f in gone.items() if f["source_name"] == field["source_name"]), None)
        if former is not None:
            yield Change("renamed", "field", former, "breaking", former, name)
            yield from _listed("field", [{**gone.pop(former), "name": name}], [field], _field)
        else:
            severity: Severity = "breaking" if field["required"] else "compatible"
            type_ = field["type"] + (", required" if field["required"] else "")
            yield Change("added", "field", name, severity, after=type_)
    for name in gone:
        yield Change("removed", "field", name, "breaking")
    both = [name for name in new if name in old]
    yield from _listed("field", [old[name] for name in both], [new[name] for name in both], _field)


def _field(part: str, old: Any, new: Any, entry: Any) -> Severity:
    if part in _WORDS:
        return "cosmetic"
    if part in ("generate", "classification"):
        return "compatible"
    if part == "required":
        return "breaking" if new else "compatible"
    if part in ("minimum", "maximum", "max_length"):
        looser = new is None or (old is not None and (new < old if part == "minimum" else new > old))
        return "compatible" if looser else "breaking"
    if part == "choices":
        return "compatible" if new is None or (old is not None and set(old) <= set(new)) else "breaking"
    if part == "pattern" and new is None:
        return "compatible"
    return "breaking"


def _rule(part: str, old: Any, new: Any, entry: Any) -> Severity:
    if part in _WORDS:
        return "cosmetic"
    if part == "action":
        ranks = ("warn", "quarantine", "fail")
        return "breaking" if ranks.index(new) > ranks.index(old) else "compatible"
    return "compatible" if entry["action"] == "warn" else "breaking"


def _rule_added(entry: Contract) -> Severity:
    return "compatible" if entry["action"] == "warn" else "breaking"


def _rule_removed(entry: Contract) -> Severity:
    return "compatible"


def _settings(before: Contract, after: Contract) -> Iterator[Change]:
    for name, severity in _SETTINGS.items():
        if before[name] != after[name]:
            yield Change("changed", "setting", name, severity, _text(before[name]), _text(after[name]))
    for name in ("allowed_lateness", "future_skew"):
        old, new = before[name], after[name]
        if old != new:
            looser = new is None or (old is not None and new > old)
            grade: Severity = "compatible" if looser else "breaking"
            yield Change("changed", "setting", name, grade, _seconds(old), _seconds(new))
    if before["unknown_fields"] != after["unknown_fields"]:
        ranks = ("keep", "quarantine", "fail")
        stricter = ranks.index(after["unknown_fields"]) > ranks.index(before["unknown_fields"])
        grade = "breaking" if stricter else "compatible"
        yield Change("changed", "setting", "unknown_fields", grade, before["unknown_fields"], after["unknown_fields"])
    for name in sorted(_WORDS & set(after)):
        if before.get(name) != after.get(name):
            yield Change("changed", "text", name, "cosmetic")


def _seconds(value: float | None) -> str:
    return "any" if value is None else f"{value / 3600:g} h"


def _gold(before: Sequence[Contract], after: Sequence[Contract]) -> Iterator[Change]:
    yield from _listed("gold table", before, after, _always("breaking"))
    old = {table["name"]: table for table in before}
    for table in after:
        if table["name"] in old:
            former = old[table["name"]]["metrics"]
            yield from _listed("metric", former, table["metrics"], _always("breaking"), owner=f"{table['name']}.")
