"""Which rows a condition such as `{country: [de, at], amount: {above: 1000}}` holds for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from strandline.sources.generator.columns import Array, Rows, as_text, text_codes


def holds(condition: Mapping[str, Any], rows: Rows) -> Array:
    """A boolean per row: every named field has the value, one of the values, or lies strictly `above` and `below` the bounds.

    NULL holds for no bound and no value; an empty condition holds everywhere.
    """
    mask = np.ones(rows.n, dtype=bool)
    for name, wanted in condition.items():
        column = rows.column(name)
        if isinstance(wanted, Mapping):
            values = column.values.astype(np.float64)
            with np.errstate(invalid="ignore"):
                if "above" in wanted:
                    mask &= values > wanted["above"]
                if "below" in wanted:
                    mask &= values < wanted["below"]
        else:
            listed = wanted if isinstance(wanted, (list, tuple)) else [wanted]
            mask &= text_codes(column, {as_text(value) or "": 1 for value in listed}, 0) == 1
    return mask
