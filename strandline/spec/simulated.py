"""What a generator can draw for each field: more than it will, never less. Refused lines (most faults) are left out."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

from strandline.spec.domains import (
    ANYTHING,
    FLAG,
    NOTHING,
    Domain,
    Range,
    added,
    multiplied,
    of_numbers,
    union,
    whole,
    widened,
)
from strandline.spec.model import Field

_NUMERIC = ("integer", "number", "decimal")
_MOST_NAMES = 100
Known = Mapping[str, Domain]


def simulated_domains(source: Mapping[str, Any], fields: Iterable[Field]) -> dict[str, Domain]:
    """The domain of every field of a stream with a generator, by name; incidents and breaks are among what is drawn."""
    faults = source.get("faults") or {}
    changes = [item.get("set") or {} for item in (*source.get("incidents", ()), *faults.get("breaks", ()))]
    steps = source.get("sessions") or {}
    known: dict[str, Domain] = {}
    for field in fields:
        if field.protect != "keep":
            known[field.name] = ANYTHING
            continue
        drawn = [_default(field) if field.generate is None else described(field.generate, known, steps)]
        drawn += [described(change[field.name], known, steps) for change in changes if field.name in change]
        known[field.name] = _declared(field, union(drawn))
    return known


def described(description: Any, known: Known, sessions: Mapping[str, Any]) -> Domain:
    """What a `generate` can draw, NULL aside; `known` are the fields declared before."""
    if not isinstance(description, dict):
        return NOTHING if description is None else _constants([] if isinstance(description, str) else [description])
    found = _kind(description, known, sessions)
    least, most = description.get("at_least"), description.get("at_most")
    if least is not None or most is not None:
        low = found.low if least is None else max(found.low, least)
        high = found.high if most is None else min(found.high, most)
        found = Domain(min(low, math.inf if most is None else most), max(high, -math.inf if least is None else least))
    return found


def _kind(item: dict[str, Any], known: Known, sessions: Mapping[str, Any]) -> Domain:
    plain = _drawn_alone(item)
    if plain is not None:
        return plain
    match item:
        case {"entity": entity}:
            return _entity(entity)
        case {"attribute": {"is": inner}} | {"carried": {"is": inner}}:
            return described(inner, known, sessions)
        case {"session": what}:
            return _session(what, sessions)
        case {"by": _, "map": branches}:
            return union(described(inner, known, sessions) for inner in (*branches.values(), item.get("default")))
        case {"when": _, "then": then}:
            return union(described(inner, known, sessions) for inner in (then, item.get("otherwise")))
        case {"sum": terms} | {"product": terms}:
            return _combined(item, terms, known, sessions)
    return ANYTHING


def _drawn_alone(item: dict[str, Any]) -> Domain | None:
    """What a kind draws that looks at nothing else; None for other kinds."""
    match item:
        case {"value": value}:
            return _constants([value])
        case {"choice": values}:
            return _constants(values)
        case {"boolean": share}:
            return FLAG if 0 < share < 1 else Domain(choices=frozenset(("true" if share else "false",)))
        case {"integer": bounds} | {"uniform": bounds}:
            return Domain(min(bounds.values()), max(bounds.values()))
        case {"lognormal": _} | {"exponential": _} | {"poisson": _}:
            return Domain(0)
        case {"daily": {"mean": mean, "amplitude": swing, **rest}}:
            bounds = widened((mean - abs(swing), mean + abs(swing)), 1e-9)
            return ANYTHING if rest.get("noise") else Domain(*bounds)
        case {"sawtooth": {"high": high, "low": low}}:
            return Domain(*widened((min(low, high), max(low, high)), 1e-9))
    return None


def _constants(values: list[Any]) -> Domain:
    if values and all(isinstance(value, bool) for value in values):
        return Domain(choices=frozenset("true" if value else "false" for value in values))
    if values and all(isinstance(value, (int, float)) and not isinstance(value, bool) for value in values):
        return of_numbers(values)
    if values and all(isinstance(value, str) for value in values):
        return Domain(choices=frozenset(values))
    return ANYTHING


def _entity(entity: Mapping[str, Any]) -> Domain:
    count = entity["count"]
    if count > _MOST_NAMES:
        return ANYTHING
    width = entity.get("digits", len(str(count)))
    return Domain(choices=frozenset(f"{entity.get('prefix', '')}{number:0{width}d}" for number in range(1, count + 1)))


def _session(what: str, sessions: Mapping[str, Any]) -> Domain:
    if what == "step":
        return Domain(choices=frozenset(name for name in sessions.get("steps", {}) if name != "start") or None)
    return Domain(1, sessions.get("max_steps", 25)) if what == "position" else ANYTHING


def _combined(item: dict[str, Any], terms: list[Any], known: Known, sessions: Mapping[str, Any]) -> Domain:
    domains = [known.get(term, ANYTHING) if isinstance(term, str) else described(term, known, sessions) for term in terms]
    if any(domain.is_empty for domain in domains):
        return NOTHING
    result: Range = (0.0, 0.0) if "sum" in item else (1.0, 1.0)
    for domain in domains:
        result = added(result, domain.range) if "sum" in item else multiplied(result, domain.range)
    return Domain(*widened(result, 1e-9))


def _default(field: Field) -> Domain:
    """What a field without `generate` gets."""
    if field.choices:
        return ANYTHING  # each of what is declared
    if field.type == "boolean":
        return FLAG
    if field.type not in _NUMERIC:
        return ANYTHING
    low = 0.0 if field.minimum is None else field.minimum
    return Domain(low, low + 100 if field.maximum is None else field.maximum)


def _declared(field: Field, drawn: Domain) -> Domain:
    """What is left of the drawn values once they are rounded and written as the field's type."""
    if field.type not in _NUMERIC:
        if field.type not in ("string", "boolean"):
            return ANYTHING
        return NOTHING if drawn.is_empty else Domain(choices=drawn.choices)
    if drawn.choices is not None and not drawn.is_empty:
        return ANYTHING
    least = -math.inf if field.minimum is None else field.minimum
    most = math.inf if field.maximum is None else field.maximum
    if drawn.is_empty:
        return NOTHING
    if drawn.numbers is not None and all(least <= number <= most for number in drawn.numbers):
        return drawn
    told = field.generate.get("round") if isinstance(field.generate, Mapping) else None
    places = {"integer": 0, "decimal": field.scale or 0}.get(field.type, 4 if told is None else told)
    step = 10.0**-places
    low, high = drawn.range
    bounds = Domain(low if float(low).is_integer() else low - step, high if float(high).is_integer() else high + step)
    low, high = min(max(bounds.low, least), most), max(min(bounds.high, most), least)
    return Domain(*whole((low, high))) if field.type == "integer" else Domain(low, high)
