"""Whether all contestants came to the same result, by value; a run in which they did not is void."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from benchmarks import ours
from benchmarks.events import HOME, Day

KEYS = {"sales_hourly": ["window_start", "event_type", "country"], "devices_5m": ["window_start", "device"]}
EXACT = ("events", "failures", "users", "items")
_RELATIVE = 1e-9  # doubles that others add in any order


class Void(Exception):
    """Two contestants disagree, or one disagrees with what the files are known to hold."""


def check_same(given: Day, printed: Mapping[str, Mapping[str, Any]]) -> None:
    """Raises `Void` unless every contestant has the known counts and the same gold as Strandline."""
    from benchmarks.goals.throughput import OURS, PEERS

    for who, counts in printed.items():
        if (counts.get("quarantined"), counts.get("duplicates")) != (given.bad, given.copies):
            raise Void(f"{who}: {counts} where {given.bad} lines are bad and {given.copies} are copies")
    expected = {name: _ordered(name, table.to_pandas()) for name, table in ours.gold(str(HOME / "out" / "ours")).items()}
    for who in printed:
        if who != OURS:
            for name, table in expected.items():
                _compare(who, name, table, _ordered(name, _read(HOME / "out" / PEERS[who], name)))


def _read(folder: Path, name: str) -> pd.DataFrame:
    whole = folder / f"{name}.parquet"
    return pd.read_parquet(whole) if whole.exists() else pd.read_csv(folder / f"{name}.csv")


def _ordered(name: str, table: pd.DataFrame) -> pd.DataFrame:
    moment = pd.to_datetime(table["window_start"], utc=True).dt.as_unit("us")
    named = table.assign(window_start=moment, **{key: table[key].astype(str) for key in KEYS[name][1:]})
    return named.sort_values(KEYS[name]).reset_index(drop=True)


def _compare(who: str, name: str, expected: pd.DataFrame, found: pd.DataFrame) -> None:
    if len(expected) != len(found):
        raise Void(f"{who}: {name} has {len(found)} rows, Strandline's {len(expected)}")
    for column in [*KEYS[name], *(c for c in found.columns if c not in KEYS[name])]:
        ours, theirs = expected[column], found[column]
        if column in KEYS[name] or column in EXACT:
            same = ours.astype(theirs.dtype) == theirs
        else:
            ours, theirs = ours.astype(float), theirs.astype(float)
            same = ((ours - theirs).abs() <= _RELATIVE * ours.abs().clip(lower=1)) | (ours.isna() & theirs.isna())
        if not same.all():
            at = int((~same).to_numpy().argmax())
            raise Void(f"{who}: {name}.{column} row {at}: {theirs[at]!r}, Strandline's {ours[at]!r}")
