"""The load to be sized: how many events, of which size, in how many streams, how often, and how long they are kept."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from strandline.errors import UsageError

DAY = 86_400
"""Seconds."""
Engine = Literal["duckdb", "spark"]
KEPT = ("realtime", "quarantine", "lake")
"""What a retention is of: realtime rows, quarantine rows, and everything else (bronze, silver, gold, unified, analytics)."""
_DEFAULTS = {"realtime": 14.0, "quarantine": 90.0, "lake": 365.0}
_DURATION = re.compile(r"(\d+(?:\.\d+)?)([smhd])")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": DAY}
_COUNT = re.compile(r"(\d+(?:\.\d+)?)([kMGB]?)")
_TIMES = {"": 1.0, "k": 1e3, "M": 1e6, "G": 1e9, "B": 1e9}


@dataclass(frozen=True, slots=True)
class Load:
    """A day: `events` of `event_bytes` raw bytes, spread evenly over `streams` and over the day.

    `interval`, `serve_every`, `batch_window` and `audit_every` (of the whole lake; None: never) are seconds; `kept` days by
    what is kept. Raises `UsageError` for what cannot be.
    """

    events: float
    streams: int = 5
    event_bytes: float = 500.0
    interval: float = 300.0
    serve_every: float = 600.0
    batch_window: float = 4 * 3600.0
    audit_every: float | None = 7.0 * DAY
    engine: Engine = "duckdb"
    kept: Mapping[str, float] = field(default_factory=lambda: dict(_DEFAULTS))

    def __post_init__(self) -> None:
        for name, least, most, unit in (
            ("events", 1, 1e13, "events a day"), ("streams", 1, 100_000, "streams"), ("event_bytes", 2, 16 << 20, "bytes"),
            ("serve_every", 10, DAY, "seconds between two merges"), ("batch_window", 60, DAY, "seconds of the batch window"),
        ):  # fmt: skip
            value = getattr(self, name)
            if not least <= value <= most:
                raise UsageError(f"{unit}: from {least:,} to {most:,.0f} (saw {value:,.0f})")
        if self.audit_every is not None and not DAY <= self.audit_every <= 366 * DAY:
            raise UsageError(f"an audit of the whole lake runs every 1d to 366d, or never (saw {self.audit_every / DAY:g} d)")
        if not 1 <= self.interval <= DAY or DAY % self.interval:
            raise UsageError(f"a landing interval divides a day, as 1m, 5m, 15m or 1h (saw {self.interval:g} s)")

    @property
    def of_a_stream(self) -> float:
        """Events a day of one stream."""
        return self.events / self.streams

    @property
    def landings(self) -> float:
        """Micro-batches a day of one stream."""
        return DAY / self.interval

    @property
    def merges(self) -> float:
        """Merges a day of one stream."""
        return DAY / self.serve_every

    @property
    def audited(self) -> float:
        """Days of one stream's lines that the night's audit reads, on average: all that is kept, or what is new."""
        whole = DAY / self.audit_every if self.audit_every else 0.0
        return whole * self.kept["lake"] + 1 - whole

    def of(self, events: float) -> Load:
        """The same with another number of events a day."""
        return replace(self, events=events)


def seconds(text: str) -> float:
    """The length of `90s`, `5m`, `4h` or `30d`; raises `UsageError` for anything else."""
    found = _DURATION.fullmatch(text.strip())
    if not found or not float(found[1]):
        raise UsageError(f"a length of time is a number and s, m, h or d, as 5m or 4h (saw {text!r})")
    return float(found[1]) * _SECONDS[found[2]]


def count(text: str) -> float:
    """The number of `250000`, `1_000_000`, `500k`, `20M` or `1B` (10⁹); raises `UsageError` for anything else."""
    found = _COUNT.fullmatch(re.sub(r"(?<=\d)[_,](?=\d)", "", text.strip()))
    if not found or not float(found[1]):
        raise UsageError(f"a number of events is more than 0, as 250000, 500k, 20M or 1B (saw {text!r})")
    return float(found[1]) * _TIMES[found[2]]


def retention(texts: Sequence[str]) -> dict[str, float]:
    """Days by what is kept: `365d` is that of the lake, `realtime=7d` of one thing; raises `UsageError` for anything else."""
    kept = dict(_DEFAULTS)
    for text in texts:
        name, _, length = text.rpartition("=")
        name = name.strip() or "lake"
        if name not in KEPT:
            raise UsageError(f"a retention is of {', '.join(KEPT)}, as realtime=14d (saw {text!r})")
        kept[name] = seconds(length) / DAY
    return kept
