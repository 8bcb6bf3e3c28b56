"""A preview: what a stream's YAML makes of a sample, step by step, as values that a terminal or a program can show."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

import pyarrow.compute as pc

from strandline.lines.members import members
from strandline.lines.records import split_record
from strandline.plan.expressions import parse_expression
from strandline.plan.judge import column_scales, column_types
from strandline.publish.numbers import lasting
from strandline.rehearsal import Rehearsal, rehearse
from strandline.sample import Sample, take_sample
from strandline.spec.model import Field, FilesSource, Stream

if TYPE_CHECKING:
    from strandline.engines.duckdb import DuckEngine

_EXAMPLES = 3
_EXPECTED = {
    "not_utf8": "text in UTF-8",
    "not_json": "one JSON object on the line",
    "not_object": "a JSON object, as {…}",
    "duplicate_key": "each key once",
    "number_range": "a number that a double can hold",
    "lone_surrogate": "whole characters",
    "nul": "text without NUL bytes",
    "too_long": "a line of at most 16 MiB",
    "too_deep": "at most 200 objects and lists inside one another",
    "empty_line": "a line with something in it",
    "ragged_row": "as many cells as the header has, quotes closed",
    "unknown_field": "declared fields alone (schema.unknown_fields)",
}


@dataclass(frozen=True, slots=True)
class Refused:
    """Lines refused for one reason: what was expected, how many, and examples (rows of quarantine, with `saw`)."""

    reason: str
    field: str | None
    rule: str | None
    detail: str
    expected: str
    count: int
    examples: tuple[Mapping[str, Any], ...]


@dataclass(frozen=True, slots=True)
class Preview:
    """A sample and what became of it. `refused` most frequent first; `unknown_fields` counts lines by undeclared key."""

    sample: Sample
    rehearsal: Rehearsal
    refused: tuple[Refused, ...]
    unknown_fields: Mapping[str, int]


def preview(
    engine: DuckEngine, stream: Stream, *, file: str | None, rows: int | None, at: datetime | None, now: datetime
) -> Preview:
    """The stream's preview; see `take_sample` for what is read and for the errors."""
    with engine.session() as session:
        sample = take_sample(engine, session, stream, file=file, rows=rows, at=at, now=now)
        found = rehearse(engine, session, sample.stream, sample.landed)
    return Preview(sample, found, tuple(_refused(found)), _unknown_fields(sample))


def _refused(found: Rehearsal) -> Iterator[Refused]:
    groups: dict[tuple[str, str | None, str | None, str], list[dict[str, Any]]] = {}
    for row in found.refused.to_pylist():
        detail = "" if row["_reason"] in _EXPECTED else row["_detail"]
        groups.setdefault((row["_reason"], row["_field"], row["_rule"], detail), []).append(row)
    for (reason, field, rule, detail), rows in sorted(groups.items(), key=lambda group: -len(group[1])):
        examples = tuple({**row, "saw": _saw(found, row)} for row in rows[:_EXAMPLES])
        told = detail or str(rows[0]["_detail"])
        yield Refused(reason, field, rule, told, _expected(found.stream, reason, field, rule), len(rows), examples)


def _expected(stream: Stream, reason: str, field: str | None, rule: str | None) -> str:
    """What a line had to be so as not to be refused for this reason."""
    if rule is not None:
        return next(r.expect for r in stream.rules if r.name == rule)
    if reason == "late" and stream.allowed_lateness is not None:
        return f"not more than {lasting(stream.allowed_lateness)} before its landing interval ends (schema.allowed_lateness)"
    if reason == "future" and stream.future_skew is not None:
        return f"not more than {lasting(stream.future_skew)} after its landing interval ends (schema.future_skew)"
    if reason in _EXPECTED or field is None:
        return _EXPECTED.get(reason, reason)
    return domain(stream.field_named(field), needed=field in (*stream.primary_key, stream.event_time))


def domain(field: Field, *, needed: bool = False) -> str:
    """What values a field takes, in words: `integer, 100 to 599, required`."""
    parts = [f"{field.type} with {field.scale} decimal places" if field.type == "decimal" else field.type]
    if field.minimum is not None and field.maximum is not None:
        parts.append(f"{field.minimum:,.12g} to {field.maximum:,.12g}")
    elif field.minimum is not None:
        parts.append(f"at least {field.minimum:,.12g}")
    elif field.maximum is not None:
        parts.append(f"at most {field.maximum:,.12g}")
    if field.choices:
        parts.append(f"one of {', '.join(field.choices)}")
    if field.pattern:
        parts.append(f"like {field.pattern}")
    if field.max_length is not None:
        parts.append(f"at most {field.max_length} characters")
    if field.required or needed:
        parts.append("required")
    return ", ".join(parts)


def _saw(found: Rehearsal, row: Mapping[str, Any]) -> dict[str, str | None]:
    """The texts, as landed, of the fields that a refusal is about."""
    names: tuple[str, ...] = (row["_field"],) if row["_field"] else ()
    if row["_rule"]:
        rule = next(r for r in found.stream.rules if r.name == row["_rule"])
        used = parse_expression(rule.expect, column_types(found.stream), scales=column_scales(found.stream)).columns
        names = tuple(f.name for f in found.stream.fields if f.name in used)
    if not names or row["_sealed"]:
        return {}
    landed = found.landed
    at = pc.and_(pc.equal(landed["_landing_start"], row["_landing_start"]), pc.equal(landed["_line"], row["_line"]))
    chosen = landed.select(list(names)).filter(at).slice(0, 1).to_pylist()
    return dict(chosen[0]) if chosen else {}


def _unknown_fields(sample: Sample) -> dict[str, int]:
    """How many accepted lines have each undeclared key, most frequent first."""
    stream, landed = sample.stream, sample.landed
    declared = {f.source_name for f in stream.fields}
    delimiter = stream.source.delimiter if isinstance(stream.source, FilesSource) else ","
    seen: Counter[str] = Counter()
    for row in landed.filter(pc.greater(landed["_unknown_fields"], 0)).select(["_raw", "_header"]).to_pylist():
        if row["_header"] is None:
            keys = [member.key for member in members(row["_raw"].decode().removeprefix("\ufeff")) or ()]
        else:
            cells = split_record(row["_header"].removeprefix("\ufeff").removesuffix("\r"), delimiter)
            keys = cells if isinstance(cells, list) else []
        seen.update({key for key in keys if key not in declared})
    return dict(sorted(seen.items(), key=lambda each: (-each[1], each[0])))
