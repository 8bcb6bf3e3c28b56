"""The Arrow schemas of a stream's tables; every timestamp is `timestamp[us, UTC]`."""

from __future__ import annotations

import pyarrow as pa

from strandline.spec.model import FieldType, GoldTable, Metric, Stream

MOMENT = pa.timestamp("us", tz="UTC")
EVENT_DATE = "event_date"
LANDING_DATE = "landing_date"
FINAL, PROVISIONAL = "final", "provisional"

_PLACE = [
    ("_landing_start", MOMENT),
    ("_landing_end", MOMENT),
    ("_line", pa.int64()),
    ("_source", pa.string()),
    ("_source_line", pa.int64()),
]
_SIMPLE: dict[FieldType, pa.DataType] = {
    "string": pa.string(),
    "json": pa.string(),
    "integer": pa.int64(),
    "number": pa.float64(),
    "boolean": pa.bool_(),
    "timestamp": MOMENT,
    "date": pa.date32(),
}

STAGED = pa.schema(
    [
        ("raw", pa.binary()),
        ("source", pa.string()),
        ("source_line", pa.int64()),
        ("header", pa.string()),
        ("digest", pa.string()),
        ("sealed", pa.bool_()),
        ("reason", pa.string()),
        ("reason_field", pa.string()),
        ("reason_detail", pa.string()),
    ]
)

LEDGER = pa.schema(
    [
        ("stream", pa.string()),
        ("batch", pa.int64()),
        ("lines", pa.int64()),
        ("good", pa.int64()),
        ("duplicates", pa.int64()),
        ("quarantined", pa.int64()),
        ("reasons", pa.string()),
        ("warnings", pa.string()),
        ("unknown_fields", pa.int64()),
        ("intervals", pa.int64()),
        ("watermark", MOMENT),
        ("contract_version", pa.string()),
        ("recorded_at", MOMENT),
        ("seconds", pa.string()),
        ("kind", pa.string()),
        ("contract", pa.string()),
        ("replayed", pa.int64()),
        ("still_refused", pa.int64()),
    ]
)


def arrow_type(type_: FieldType, scale: int | None = None, precision: int = 18) -> pa.DataType:
    """The Arrow type of a field type."""
    return pa.decimal128(precision, scale or 0) if type_ == "decimal" else _SIMPLE[type_]


def value_fields(stream: Stream) -> list[pa.Field]:
    """The typed columns of a good row: declared fields, then derived ones. Derived decimals have 38 digits."""
    declared = [pa.field(f.name, arrow_type(f.type, f.scale)) for f in stream.fields]
    return declared + [pa.field(d.name, arrow_type(d.type, d.scale, 38)) for d in stream.derived]


def realtime(stream: Stream) -> pa.Schema:
    """Landed lines: raw bytes, where they came from, and every declared field as text. Also bronze's schema."""
    own = [
        (LANDING_DATE, pa.date32()),
        *_PLACE,
        ("_header", pa.string()),
        ("_raw", pa.binary()),
        ("_digest", pa.string()),
        ("_sealed", pa.bool_()),
        ("_reason", pa.string()),
        ("_reason_field", pa.string()),
        ("_reason_detail", pa.string()),
        ("_unknown_fields", pa.int32()),
        ("_contract_version", pa.string()),
        ("_position", pa.string()),
    ]
    return pa.schema(own + [(f.name, pa.string()) for f in stream.fields])


def silver(stream: Stream) -> pa.Schema:
    """Good events: typed, judged, deduplicated; one row an event."""
    own = [*_PLACE, ("_contract_version", pa.string()), ("_warnings", pa.string())]
    return pa.schema([pa.field(EVENT_DATE, pa.date32()), *value_fields(stream), *[pa.field(n, t) for n, t in own]])


def unified(stream: Stream) -> pa.Schema:
    """Served events: silver's columns, with the side of the line they stand on and the landing time they speak of."""
    return silver(stream).append(pa.field("_as_of", MOMENT)).append(pa.field("_status", pa.string()))


def quarantine() -> pa.Schema:
    """Refused lines: exact bytes, why, and where they came from; one row a line."""
    own = [
        (LANDING_DATE, pa.date32()),
        ("_reason", pa.string()),
        ("_field", pa.string()),
        ("_rule", pa.string()),
        ("_detail", pa.string()),
        ("_raw", pa.binary()),
        ("_digest", pa.string()),
        ("_sealed", pa.bool_()),
        ("_header", pa.string()),
        *_PLACE,
        ("_contract_version", pa.string()),
    ]
    return pa.schema(own)


def metric_type(metric: Metric) -> pa.DataType:
    """The Arrow type of a metric's column; decimals have 38 digits so that sums fit."""
    return arrow_type(metric.type, metric.scale, 38)


def gold(stream: Stream, table: GoldTable, *, served: bool = False) -> pa.Schema:
    """One aggregate: window, dimensions, metrics, `_as_of`; served ones also say whether they are final."""
    columns = {f.name: f.type for f in value_fields(stream)}
    fields = [pa.field(EVENT_DATE, pa.date32()), pa.field("window_start", MOMENT)]
    fields += [pa.field(name, columns[name]) for name in table.dimensions]
    fields += [pa.field(m.name, metric_type(m)) for m in table.metrics]
    fields.append(pa.field("_as_of", MOMENT))
    return pa.schema([*fields, pa.field("_status", pa.string())] if served else fields)
