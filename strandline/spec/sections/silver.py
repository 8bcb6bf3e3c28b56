"""`silver`: the derived columns, each after those it is made from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

from strandline.spec.draft import RESERVED, Draft
from strandline.spec.expressions import mentioned_in
from strandline.spec.model import Derived, FieldType
from strandline.spec.positions import Path
from strandline.spec.ranges import domain_of


@dataclass(frozen=True, slots=True)
class _Declared:
    path: Path
    text: str
    description: str


def read_derived(draft: Draft) -> tuple[Derived, ...]:
    """The derived columns in an order in which each only uses fields and earlier ones; they become columns of the draft."""
    declared: dict[str, _Declared] = {}
    fields = set(draft.columns.types)
    for name, path, value in draft.named("silver", "derive"):
        if name in fields:
            draft.report("SL303", path, f"a field is called {name} already", "give the derived column its own name", key=True)
            continue
        if name in RESERVED:
            draft.report("SL312", path, f"is a name Strandline uses itself (saw {name})", "give it another name", key=True)
        if not draft.is_clean(path):
            draft.columns.add(name, "unknown")
        elif isinstance(value, dict):
            declared[name] = _Declared((*path, "expression"), value["expression"], value.get("description", ""))
        else:
            declared[name] = _Declared(path, value, "")
    ordered = _in_order(draft, declared)
    found = [_derived(draft, name, declared[name]) for name in ordered]
    return tuple(derived for derived in found if derived is not None)


def _derived(draft: Draft, name: str, item: _Declared) -> Derived | None:
    checked = draft.expression(item.path, item.text, draft.columns)
    if checked is None or checked.type in ("unknown", "interval", "null"):
        draft.columns.add(name, "unknown")
        return None
    columns = draft.columns
    simulated = columns.simulated
    drawn = None if simulated is None else domain_of(checked.node, simulated)
    columns.add(name, checked.type, checked.scale, checked.growth, domain_of(checked.node, columns.domains), drawn)
    return Derived(name, item.text, cast(FieldType, checked.type), item.description, checked.scale)


def _in_order(draft: Draft, declared: dict[str, _Declared]) -> list[str]:
    """The names so that each comes after those it uses; a circle is reported once, and its columns are then of unknown type."""
    uses = {name: sorted(mentioned_in(item.text, declared)) for name, item in declared.items()}
    ordered: list[str] = []
    circles: set[str] = set()

    def visit(name: str, trail: tuple[str, ...]) -> None:
        if name in trail:
            circle = trail[trail.index(name) :]
            if not circles & set(circle):
                message = f"is made from itself: {' → '.join((*circle, name))}"
                draft.report("SL311", declared[circle[0]].path, message, "one of them must use fields only")
            circles.update(circle)
            return
        if name in ordered:
            return
        for other in uses[name]:
            visit(other, (*trail, name))
        if name not in ordered:
            ordered.append(name)

    for name in declared:
        if len(declared) <= _MOST_DERIVED:
            visit(name, ())
    if len(declared) > _MOST_DERIVED:
        draft.report(
            "SL207", ("silver", "derive"), f"has too many columns (saw {len(declared)}, allowed {_MOST_DERIVED})", key=True
        )
    for name in circles:
        draft.columns.add(name, "unknown")
    return [name for name in ordered if name not in circles]


_MOST_DERIVED = 300
