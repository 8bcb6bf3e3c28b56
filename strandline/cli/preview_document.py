"""A preview for machines: everything that was found, complete; keys are only ever added."""

from __future__ import annotations

import json
from collections.abc import Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import orjson

from strandline.cli.rows import text as cell_text
from strandline.publish.conditions import plain
from strandline.publish.exports import panel_json
from strandline.publish.panels import unit_of

if TYPE_CHECKING:
    import pyarrow as pa

    from strandline.preview import Preview, Refused
    from strandline.rehearsal import AlertOutcome


def document(preview: Preview) -> dict[str, Any]:
    """The preview as plain values; rows as the tables have them, times in UTC, decimals as `Decimal`, lines as bytes."""
    found, sample = preview.rehearsal, preview.sample
    stream = found.stream
    landed = found.landed.select(["_source", "_source_line", "_landing_end", "_sealed", "_raw"])
    return {
        "stream": stream.name,
        "version": stream.version,
        "origin": sample.origin,
        "key": sample.key,
        "as_of": found.as_of,
        "notes": list(sample.notes),
        "counts": {
            "lines": found.counts.lines,
            "good": found.good.num_rows,
            "duplicates": found.duplicates,
            "refused": found.counts.quarantined,
        },
        "stops": list(found.stops),
        "budgets_broken": [{"name": b.name, "action": b.action, "expect": b.expect} for b in found.budgets],
        "landed": [{name.removeprefix("_"): value for name, value in row.items()} for row in landed.to_pylist()],
        "good": _rows(found.good),
        "refused": [_refused(group) for group in preview.refused],
        "warnings": dict(found.counts.warnings),
        "unknown_fields": dict(preview.unknown_fields),
        "gold": {
            table.name: {
                "grain": table.grain,
                "dimensions": list(table.dimensions),
                "units": {m.name: "ratio" if unit_of(table, m).percent else m.unit for m in table.metrics},
                "rows": _rows(found.gold[table.name]),
            }
            for table in stream.gold
        },
        "alerts": [_alert(outcome) for outcome in found.alerts],
        "panels": [json.loads(panel_json(panel, found.as_of)) for panel in found.panels],
    }


def as_json_text(value: Mapping[str, Any]) -> str:
    """The document as JSON; decimals are numbers with all their digits, bytes the text they most likely are."""

    def default(other: Any) -> Any:
        if isinstance(other, Decimal):
            return orjson.Fragment(f"{other:f}")
        return cell_text(other)

    return orjson.dumps(value, default=default, option=orjson.OPT_INDENT_2 | orjson.OPT_UTC_Z).decode()


def _rows(table: pa.Table) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = table.to_pylist()
    return rows


def _refused(group: Refused) -> Mapping[str, Any]:
    kept = ("_source", "_source_line", "_sealed", "_raw", "_detail", "saw")
    return {
        "reason": group.reason,
        "field": group.field,
        "rule": group.rule,
        "detail": group.detail,
        "expected": group.expected,
        "lines": group.count,
        "examples": [{name.removeprefix("_"): row[name] for name in kept} for row in group.examples],
    }


def _alert(outcome: AlertOutcome) -> Mapping[str, Any]:
    alert = outcome.alert
    return {
        "name": alert.name,
        "on": alert.on,
        "when": alert.when,
        "for": alert.for_,
        "severity": alert.severity,
        "evaluated": outcome.evaluated,
        "firings": [
            {"key": json.loads(f.key), "at": f.at, "values": json.loads(f.values), "row": json.loads(f.row) if f.row else None}
            for f in outcome.firings
        ],
        "episodes": [
            {
                "key": json.loads(key),
                "started_at": run.start,
                "last_fired_at": run.end,
                "resolved_at": run.resolved_at,
                "firings": run.firings,
                "peaks": {name: plain(value) for name, value in run.peaks.items()},
            }
            for key, run in outcome.episodes
        ],
    }
