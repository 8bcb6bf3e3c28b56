"""A stream's event as JSON Schema (2020-12): what a producer should send."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from strandline.spec.model import Field, FilesSource, Stream

DIALECT = "https://json-schema.org/draft/2020-12/schema"
TIMESTAMP = (
    r"^(?:[0-9]{4}-[0-9]{2}-[0-9]{2}(?:[T ][0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:[.,][0-9]{1,9})?)?"
    r"(?: ?[Zz]| ?[+-][0-9]{2}(?::?[0-9]{2})?)?)?)$"
)
"""What is read as a timestamp: ISO 8601 with T or a space; without an offset it is UTC."""
DATE = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$"
CONVERSIONS = (
    "Strandline also takes what converts without loss: a number or boolean written as text where one is declared, "
    "a number or boolean as its text where a string is declared, 5.0 where an integer is declared, TRUE and False as booleans, "
    "and an object or list as its JSON text for a json field."
)
_INT64 = 2**63
_LARGEST = 10**18


def json_schema(stream: Stream) -> dict[str, Any]:
    """The schema of one event, its properties under the names they have in the source (`from:`).

    What it accepts is not refused for its shape, type, range, choices, pattern or length; rules, lateness and repetition are
    judged on top. Of the lines that are good, those written as declared validate; `CONVERSIONS` says what else is taken.
    """
    found: dict[str, Any] = {
        "$schema": DIALECT,
        "$id": f"urn:strandline:stream:{stream.name}:{stream.version}",
        "title": stream.name,
        "description": stream.purpose,
        "$comment": CONVERSIONS,
        "type": "object",
        "required": [f.source_name for f in stream.fields if _needed(stream, f)],
        "properties": {f.source_name: _property(stream, f) for f in stream.fields},
        "additionalProperties": stream.unknown_fields == "keep",
    }
    if isinstance(stream.source, FilesSource) and stream.source.format == "csv":
        found["$comment"] = f"The events come as CSV, where every value is a text and an empty cell is null. {CONVERSIONS}"
    return found


def _needed(stream: Stream, field: Field) -> bool:
    return (field.required or field.name == stream.event_time or field.name in stream.primary_key) and field.protect != "drop"


def _property(stream: Stream, field: Field) -> dict[str, Any]:
    about = [field.description, f"In {field.unit}" if field.unit else ""]
    about.append("Protected: only a keyed digest of it is stored" if field.protect == "hash" else "")
    about.append("Protected: it is not stored" if field.protect == "drop" else "")
    said: dict[str, Any] = {"description": ". ".join(text for text in about if text)} if any(about) else {}
    body = {"type": ["string", "number", "boolean"]} if field.protect != "keep" else _value(field)
    if not _needed(stream, field):
        nulls = [*field.null_values, None]
        return said | ({"anyOf": [body, {"enum": nulls}]} if field.null_values else _or_null(body))
    return said | body


def _or_null(body: Mapping[str, Any]) -> dict[str, Any]:
    """The same with null allowed."""
    found = dict(body)
    if "enum" in found:
        found["enum"] = [*found["enum"], None]
    if "type" in found:
        kinds = found["type"] if isinstance(found["type"], list) else [found["type"]]
        found["type"] = [*kinds, "null"]
    return found


def _value(field: Field) -> dict[str, Any]:
    """What a value may be when there is one."""
    limits = {key: value for key, value in (("minimum", field.minimum), ("maximum", field.maximum)) if value is not None}
    if field.choices is not None:
        return _choices(field)
    if field.type == "integer":
        return {"type": "integer", **_bounded(limits, -_INT64, _INT64 - 1)}
    if field.type in ("number", "decimal"):
        open_ended = {"exclusiveMinimum": -_LARGEST, "exclusiveMaximum": _LARGEST}
        return {"type": "number", **(limits if len(limits) == 2 else open_ended | limits)}
    if field.type == "boolean":
        return {"type": "boolean"}
    if field.type == "timestamp":
        return {"type": "string", "pattern": TIMESTAMP}
    if field.type == "date":
        return {"type": "string", "pattern": DATE}
    length = {"maxLength": field.max_length} if field.max_length is not None else {}
    if field.type == "json":
        return {} if not length else {"anyOf": [{"type": "string", **length}, {"not": {"type": "string"}}]}
    pattern = {"pattern": f"^(?:{field.pattern})$"} if field.pattern is not None else {}
    return {"type": "string", **pattern, **length}


def _choices(field: Field) -> dict[str, Any]:
    assert field.choices is not None
    if field.type == "integer":
        return {"type": "integer", "enum": [int(choice) for choice in field.choices]}
    if field.type == "boolean":
        return {"type": "boolean", "enum": [choice == "true" for choice in field.choices]}
    return {"type": "string", "enum": list(field.choices)}


def _bounded(limits: Mapping[str, float], least: int, most: int) -> dict[str, float]:
    return {"minimum": max(limits.get("minimum", least), least), "maximum": min(limits.get("maximum", most), most)}
