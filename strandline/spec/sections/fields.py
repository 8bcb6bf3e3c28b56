"""`schema`: the declared fields, the key, the event time; what a field's type allows it to say."""

from __future__ import annotations

import math
import re
from typing import Any

from strandline.spec.domains import Domain, of_numbers
from strandline.spec.draft import NUMERIC, RESERVED, Draft, texts
from strandline.spec.model import Field
from strandline.spec.patterns import refused_pattern
from strandline.spec.positions import Path
from strandline.spec.simulated import described, simulated_domains
from strandline.spec.wording import either, folded, listed

_FITS = {
    "minimum": NUMERIC,
    "maximum": NUMERIC,
    "pattern": ("string",),
    "max_length": ("string", "json"),
    "scale": ("decimal",),
    "choices": ("string", "integer", "boolean"),
}
_JUDGED = ("choices", "pattern", "max_length", "minimum", "maximum")
_INTEGER = re.compile(r"-?[0-9]+\Z")
DEFAULT_SCALE = 2


def read_fields(draft: Draft) -> tuple[Field, ...]:
    """The well-formed fields in order; all names, broken ones too, become columns of the draft."""
    items = draft.items("schema", "fields")
    draft.unique([((*path, "name"), item.get("name")) for path, item in items if isinstance(item, dict)], "field")
    _check_keys_of_data(draft, draft.clean_items("schema", "fields"))
    always = _always_there(draft)
    fields: list[Field] = []
    for path, item in items:
        if not isinstance(item, dict) or not isinstance(item.get("name"), str):
            continue
        if not draft.is_clean(path):
            draft.columns.add(item["name"], "unknown")
            continue
        _check_field(draft, path, item, always)
        field = _field(item, item["name"] in always)
        if field.name not in draft.columns.types:
            draft.columns.add(field.name, field.type, field.scale, domain=_domain(field))
        if field.protect == "drop":
            draft.columns.dropped.add(field.name)
        fields.append(field)
    _check_schema(draft, {field.name: field for field in fields})
    _check_choices(draft)
    _simulate(draft, fields)
    return tuple(fields)


def _check_choices(draft: Draft) -> None:
    """Notes choices that differ in case or blanks only."""
    for path, item in draft.clean_items("schema", "fields"):
        first: dict[str, str] = {}
        for index, choice in enumerate(texts(item.get("choices", ()))):
            other = first.setdefault(folded(choice), choice)
            if other != choice and choice.strip():
                message = f"is spelt in two ways (saw '{choice}' beside '{other}')"
                draft.report("SL414", (*path, "choices", index), message, "keep one of the two", level="note")


def _simulate(draft: Draft, fields: list[Field]) -> None:
    """Adds what a generator draws to the columns, and notes draws that the choices have spelt otherwise."""
    source = draft.get("source")
    if not isinstance(source, dict) or source.get("type") != "generator":
        return
    if not draft.is_clean(("source",)) or not draft.is_clean(("schema",)):
        return
    columns = draft.columns
    for name, drawn in simulated_domains(source, fields).items():
        columns.drawn[name] = columns.domains.get(name, Domain()).overlap(drawn)
    for index, field in enumerate(fields):
        if field.type != "string" or not field.choices or field.generate is None or field.protect != "keep":
            continue
        known = {folded(choice): choice for choice in field.choices}
        for value in sorted(described(field.generate, {}, source.get("sessions", {})).choices or ()):
            meant = known.get(folded(value), value)
            if value not in field.choices and meant != value:
                message = f"is spelt in two ways: the generator draws '{value}', the choices have '{meant}'"
                draft.report("SL414", ("schema", "fields", index, "generate"), message, f"write {meant}", level="note")


def _check_keys_of_data(draft: Draft, items: list[tuple[Path, dict[str, Any]]]) -> None:
    """Reports two fields that read the same key of the data; two of the same name have been told already."""
    first: dict[str, tuple[Path, bool]] = {}
    for path, item in items:
        renamed = "from" in item
        key = item["from"] if renamed else item["name"]
        if key in first and (renamed or first[key][1]):
            message = f"another field reads the key '{key}' (at line {draft.line_of(first[key][0])})"
            draft.report("SL303", (*path, "from" if renamed else "name"), message, "each key of the data belongs to one field")
        first.setdefault(key, (path, renamed))


def _always_there(draft: Draft) -> set[str]:
    key = draft.get("schema", "primary_key")
    names = {name for name in key if isinstance(name, str)} if isinstance(key, list) else set()
    event_time = draft.get("schema", "event_time")
    return names | ({event_time} if isinstance(event_time, str) else set())


def _field(item: dict[str, Any], always: bool) -> Field:
    kind = item["type"]
    return Field(
        name=item["name"],
        type=kind,
        source_name=item.get("from", item["name"]),
        description=item.get("description", ""),
        required=item.get("required", False) or always,
        minimum=item.get("minimum"),
        maximum=item.get("maximum"),
        choices=tuple(texts(item["choices"])) if "choices" in item else None,
        pattern=item.get("pattern"),
        max_length=item.get("max_length"),
        scale=item.get("scale", DEFAULT_SCALE) if kind == "decimal" else None,
        unit=item.get("unit", ""),
        null_values=tuple(texts(item.get("null_values", ()))),
        classification=item.get("classification", "internal"),
        protect=item.get("protect", "keep"),
        generate=item.get("generate"),
    )


def _domain(field: Field) -> Domain:
    """What a good row can have in the field."""
    nullable = not field.required
    if field.protect != "keep":
        return Domain(nullable=nullable)
    low = -math.inf if field.minimum is None else field.minimum
    high = math.inf if field.maximum is None else field.maximum
    if field.choices is None:
        return Domain(low, high, nullable=nullable)
    if field.type == "integer":
        numbers = of_numbers(int(choice) for choice in field.choices if _INTEGER.match(choice))
        return Domain(low, high, nullable=nullable).overlap(numbers)
    return Domain(choices=frozenset(field.choices), nullable=nullable)


def _check_field(draft: Draft, path: Path, item: dict[str, Any], always: set[str]) -> None:
    name, kind = item["name"], item["type"]
    if name in RESERVED:
        draft.report(
            "SL312", (*path, "name"), f"is a name Strandline uses itself (saw {name})", f"write {{name: {name}_, from: {name}}}"
        )
    for key, kinds in _FITS.items():
        if key in item and kind not in kinds:
            draft.report(
                "SL315", (*path, key), f"has no meaning for a field of type {kind} (it is for {either(kinds)})", "", key=True
            )
    if kind in NUMERIC and item.get("minimum", 0) > item.get("maximum", item.get("minimum", 0)):
        draft.report("SL316", (*path, "minimum"), f"is greater than the maximum (saw {item['minimum']} and {item['maximum']})")
    if kind == "string" and "pattern" in item:
        refused = refused_pattern(item["pattern"])
        if refused:
            draft.report("SL408", (*path, "pattern"), refused)
    for index, choice in enumerate(texts(item.get("choices", ()))):
        if (kind == "integer" and not _INTEGER.match(choice)) or (kind == "boolean" and choice not in ("true", "false")):
            draft.report(
                "SL315", (*path, "choices", index), f"is not of the field's type (saw '{choice}', allowed {kind} values)"
            )
    _check_protection(draft, path, item, always)


def _check_protection(draft: Draft, path: Path, item: dict[str, Any], always: set[str]) -> None:
    classification, protect = item.get("classification", "internal"), item.get("protect", "keep")
    if classification in ("pii", "secret") and "protect" not in item:
        hint = "add protect: hash (joins still work), protect: drop, or protect: keep to store it in clear"
        draft.report("SL313", (*path, "classification"), f"a {classification} field must say how it is protected", hint)
    if protect == "hash" and item["type"] != "string":
        hint = "declare it as string, or protect: drop"
        draft.report("SL316", (*path, "protect"), f"a hash is a text, so the field must be a string (saw {item['type']})", hint)
    if protect == "drop" and (item.get("required") or item["name"] in always):
        why = "required" if item.get("required") else "part of the primary key or the event time"
        draft.report(
            "SL316",
            (*path, "protect"),
            f"a dropped field is always missing, but this one is {why}",
            "protect: hash keeps it usable",
        )
    judged = [key for key in _JUDGED if key in item]
    if protect != "keep" and judged:
        message = f"cannot be judged: the value is protected before it is judged (saw protect: {protect})"
        draft.report("SL316", (*path, judged[0]), message, f"remove {listed(judged)}, or protect: keep", key=True)


def _check_schema(draft: Draft, fields: dict[str, Field]) -> None:
    names = list(draft.columns.types)
    if not names:
        return
    for key in ("primary_key", "sequence_by"):
        for path, name in draft.items("schema", key):
            if (
                not isinstance(name, str)
                or not draft.is_clean(path)
                or not draft.known("SL304", path, name, names, "a declared field")
            ):
                continue
            field = fields.get(name)
            unfit = ("json",) if key == "primary_key" else ("json", "boolean")
            if field and field.type in unfit:
                draft.report("SL305", path, f"a {field.type} field cannot be part of {key}")
    event_time, path = draft.get("schema", "event_time"), ("schema", "event_time")
    if (
        not isinstance(event_time, str)
        or not draft.is_clean(path)
        or not draft.known("SL304", path, event_time, names, "a declared field")
    ):
        return
    field = fields.get(event_time)
    if field and field.type not in ("timestamp", "date"):
        times = [name for name, kind in draft.columns.types.items() if kind in ("timestamp", "date")]
        hint = f"the times declared are {listed(times)}" if times else "declare the field with type: timestamp"
        draft.report("SL305", path, f"must be a timestamp or date field (saw {event_time}, {field.type})", hint)
