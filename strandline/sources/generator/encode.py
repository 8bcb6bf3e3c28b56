"""From columns to the lines of a micro-batch: JSON values, then one UTF-8 object a line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import orjson

from strandline.sources.generator.columns import Array, Column
from strandline.spec.model import Field

_FRACTIONS = np.array([f"{fraction:03d}Z" for fraction in range(1000)], dtype=object)


def as_declared(declared: Field, column: Column) -> Column:
    """The column as its field is declared: rounded (`round` places of a `number`, 4 unless told; the scale of a `decimal`;
    none of an `integer`) and kept within `minimum` and `maximum`. Later fields see these values, and so does JSON. NULL
    stays NaN or None.
    """
    values = column.values
    if declared.type not in ("integer", "number", "decimal") or values.dtype.kind not in "iuf":
        return column
    told = declared.generate.get("round") if isinstance(declared.generate, Mapping) else None
    places = {"integer": 0, "decimal": declared.scale or 0}.get(declared.type, 4 if told is None else told)
    numbers = np.round(values.astype(np.float64), places)
    if declared.minimum is not None or declared.maximum is not None:
        numbers = np.clip(numbers, declared.minimum, declared.maximum)
    return Column(numbers, column.codes, column.pool, column.lasting)


def json_values(declared: Field, column: Column) -> Array:
    """The values of a column made `as_declared` as they stand in JSON: times as ISO 8601 text in UTC, NULL as None."""
    values = column.values
    if declared.type == "timestamp" and values.dtype.kind in "iu":
        return _iso(values)
    if values.dtype.kind != "f":
        return values
    gone = np.isnan(values)
    whole = declared.type == "integer"
    if not gone.any():
        return values.astype(np.int64) if whole else values
    objects = np.where(gone, 0, values).astype(np.int64).astype(object) if whole else values.astype(object)
    objects[gone] = None
    return objects


def _iso(milliseconds: Array) -> Array:
    seconds, rest = np.divmod(milliseconds, 1000)
    uniques, codes = np.unique(seconds, return_inverse=True)  # few seconds, many events: write each second once
    prefixes = np.datetime_as_string(uniques.astype("datetime64[s]")).astype(object) + "."
    text: Array = prefixes[codes] + _FRACTIONS[rest]
    return text


def records(names: Sequence[str], columns: Sequence[Array]) -> list[dict[str, Any]]:
    """One mapping a row, of plain Python values, keys in the order of `names`."""
    lists = [column.tolist() for column in columns]
    return [dict(zip(names, row, strict=True)) for row in zip(*lists, strict=True)]


def line(record: dict[str, Any]) -> bytes:
    """The record as one compact UTF-8 JSON object without a line end."""
    return orjson.dumps(record)
