"""A stream as a document of the Open Data Contract Standard: what its readers may rely on.

Source: Open Data Contract Standard v3.1.0 (Bitol, Linux Foundation). The contract is about what is served: the unified table
and the analytics tables. What the standard has no word for stands under `customProperties`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from strandline.spec.model import Budget, Derived, Field, FieldType, GoldTable, Metric, Rule, Stream

API_VERSION = "v3.1.0"
_LOGICAL: Mapping[FieldType, str] = {
    "string": "string", "integer": "integer", "number": "number", "decimal": "number", "boolean": "boolean",
    "timestamp": "timestamp", "date": "date", "json": "string",
}  # fmt: skip
_PHYSICAL: Mapping[FieldType, str] = {
    "string": "string", "integer": "long", "number": "double", "boolean": "boolean", "timestamp": "timestamp",
    "date": "date", "json": "string",
}  # fmt: skip
_SEVERITY = {"warn": "warning", "quarantine": "error", "fail": "error"}
_EFFECT = {"warn": "counted", "quarantine": "the row is quarantined", "fail": "the run stops before anything is published"}


def odcs(stream: Stream, lake: str | None = None) -> dict[str, Any]:
    """The document, keys in the standard's order; with a lake also where its tables are. Equal streams give equal ones."""
    document: dict[str, Any] = {
        "version": stream.version,
        "apiVersion": API_VERSION,
        "kind": "DataContract",
        "id": str(uuid5(NAMESPACE_URL, f"strandline:stream:{stream.name}")),
        "name": stream.name,
        "status": "active",
    }
    if stream.tags:
        document["tags"] = list(stream.tags)
    document["description"] = {"purpose": stream.purpose, **({"usage": stream.usage} if stream.usage else {})}
    if lake:
        document["servers"] = [_server(lake)]
    document["schema"] = [_unified(stream), *(_analytics(stream, table) for table in stream.gold)]
    document["team"] = {"name": stream.team.name, "members": [{"username": stream.team.owner, "role": "owner"}]}
    document["slaProperties"] = list(_service_levels(stream))
    document["customProperties"] = list(_custom(stream))
    return document


def as_yaml(document: Mapping[str, Any]) -> str:
    """The document as YAML, keys in their order."""
    import yaml

    return str(yaml.safe_dump(dict(document), sort_keys=False, allow_unicode=True, width=120))


def _server(lake: str) -> dict[str, Any]:
    if "://" in lake:
        return {"server": "lake", "type": "s3", "location": f"{lake.rstrip('/')}/serving/", "format": "delta"}
    return {"server": "lake", "type": "local", "path": f"{lake.rstrip('/')}/serving/", "format": "delta"}


def _unified(stream: Stream) -> dict[str, Any]:
    """The table of good events, one row an event."""
    found: dict[str, Any] = {
        "name": stream.name,
        "logicalType": "object",
        "physicalName": f"serving/unified/{stream.name}",
        "physicalType": "table",
        "description": stream.purpose,
        "dataGranularityDescription": _same_event(stream),
        "properties": [*(_property(stream, f) for f in stream.fields), *map(_derived, stream.derived)],
    }
    found["quality"] = [
        {
            "type": "library",
            "metric": "duplicateValues",
            "arguments": {"properties": _key(stream)},
            "mustBe": 0,
            "name": "one_row_an_event",
            "description": _same_event(stream),
            "dimension": "uniqueness",
        },
        *[_rule(rule) for rule in stream.rules],
        *[_rule(rule) for rule in stream.budgets],
    ]
    return found


def _key(stream: Stream) -> list[str]:
    return [*stream.primary_key] if stream.deduplicate_within == "stream" else [*stream.primary_key, "event_date"]


def _same_event(stream: Stream) -> str:
    where = "over the whole stream" if stream.deduplicate_within == "stream" else "on one event date"
    return f"One row for each {', '.join(stream.primary_key)} {where}"


def _property(stream: Stream, field: Field) -> dict[str, Any]:
    found: dict[str, Any] = {"name": field.name}
    if field.name in stream.primary_key:
        found |= {"primaryKey": True, "primaryKeyPosition": stream.primary_key.index(field.name) + 1}
    found |= _types(field.type, field.scale)
    options = {"minimum": field.minimum, "maximum": field.maximum, "maxLength": field.max_length, "pattern": field.pattern}
    if said := {name: value for name, value in options.items() if value is not None}:
        found["logicalTypeOptions"] = said
    found["required"] = field.required and field.protect != "drop"
    found["classification"] = field.classification
    if field.description:
        found["description"] = field.description
    if field.choices is not None:
        found["quality"] = [_only(field.choices)]
    custom: dict[str, Any] = {
        "sourceName": field.source_name if field.source_name != field.name else None,
        "unit": field.unit or None,
    }
    custom["protect"] = field.protect if field.protect != "keep" else None
    custom["nullValues"] = list(field.null_values) or None
    return found | _custom_properties(custom)


def _types(type_: FieldType, scale: int | None, precision: int = 18) -> dict[str, Any]:
    physical = f"decimal({precision},{scale or 0})" if type_ == "decimal" else _PHYSICAL[type_]
    return {"logicalType": _LOGICAL[type_], "physicalType": physical}


def _only(choices: Iterable[str]) -> dict[str, Any]:
    return {
        "type": "library",
        "metric": "invalidValues",
        "arguments": {"validValues": list(choices)},
        "mustBe": 0,
        "dimension": "conformity",
    }


def _derived(derived: Derived) -> dict[str, Any]:
    found: dict[str, Any] = {"name": derived.name, **_types(derived.type, derived.scale, 38), "required": False}
    if derived.description:
        found["description"] = derived.description
    return {**found, "transformLogic": derived.expression}


def _rule(rule: Rule | Budget) -> dict[str, Any]:
    """A rule, as a check that Strandline itself makes."""
    per = "a run" if isinstance(rule, Budget) else "a row"
    return {
        "type": "custom",
        "engine": "strandline",
        "implementation": {"expect": rule.expect, "per": "run" if isinstance(rule, Budget) else "row", "action": rule.action},
        "name": rule.name,
        "description": rule.description or f"Holds for {per}; otherwise {_EFFECT[rule.action]}",
        "severity": _SEVERITY[rule.action],
        "dimension": "accuracy",
    }


def _analytics(stream: Stream, table: GoldTable) -> dict[str, Any]:
    """A table of numbers, one row a window and combination of dimensions."""
    types = {f.name: (f.type, f.scale) for f in stream.fields} | {d.name: (d.type, d.scale) for d in stream.derived}
    key = ["window_start", *table.dimensions]
    window: dict[str, Any] = {"name": "window_start", "primaryKey": True, "primaryKeyPosition": 1, **_types("timestamp", None)}
    columns = [{**window, "required": True, "description": f"Start of the {table.grain}, UTC"}]
    for position, name in enumerate(table.dimensions, 2):
        type_, scale = types[name]
        columns.append(
            {"name": name, "primaryKey": True, "primaryKeyPosition": position, **_types(type_, scale), "required": False}
        )
    return {
        "name": f"{stream.name}__{table.name}",
        "logicalType": "object",
        "physicalName": f"serving/analytics/{stream.name}/{table.name}",
        "physicalType": "table",
        **({"description": table.description} if table.description else {}),
        "dataGranularityDescription": f"One row for each {', '.join(key)} ({table.grain})",
        "properties": [*columns, *map(_metric, table.metrics)],
    }


def _metric(metric: Metric) -> dict[str, Any]:
    parts = {
        "of": metric.expression,
        "where": metric.where,
        "q": metric.q,
        "parts": list(metric.parts) if metric.parts else None,
    }
    logic = ", ".join([metric.kind, *(f"{name} {value}" for name, value in parts.items() if value is not None)])
    found: dict[str, Any] = {"name": metric.name, **_types(metric.type, metric.scale, 38), "required": False}
    if metric.description:
        found["description"] = metric.description
    return {**found, "transformLogic": logic, **_custom_properties({"unit": metric.unit or None})}


def _service_levels(stream: Stream) -> Iterable[dict[str, Any]]:
    yield {"property": "frequency", **_length(stream.interval), "driver": "operational", "description": "How often events land"}
    if stream.allowed_lateness is not None:
        late = "How late an event may be; later ones are quarantined"
        yield {
            "property": "latency",
            **_length(stream.allowed_lateness),
            "element": f"{stream.name}.{stream.event_time}",
            "description": late,
        }


def _length(length: timedelta) -> dict[str, Any]:
    seconds = int(length.total_seconds())
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60)):
        if seconds % size == 0:
            return {"value": seconds // size, "unit": unit}
    return {"value": seconds, "unit": "s"}


def _custom(stream: Stream) -> Iterable[dict[str, Any]]:
    yield {"property": "eventTime", "value": stream.event_time}
    if stream.sequence_by:
        yield {"property": "sequenceBy", "value": ", ".join(stream.sequence_by)}
    yield {"property": "unknownFields", "value": stream.unknown_fields}


def _custom_properties(values: Mapping[str, Any]) -> dict[str, Any]:
    found = [{"property": name, "value": value} for name, value in values.items() if value is not None]
    return {"customProperties": found} if found else {}
