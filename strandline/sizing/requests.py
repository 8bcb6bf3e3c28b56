"""S3 requests a day by step and kind, and how many a second."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from strandline.sizing.figures import BY_MICRO_BATCH, REQUESTS, STEPS, Figures
from strandline.sizing.load import Load
from strandline.sizing.work import micro_batches, runs_a_day

DUE_WITHIN = 60.0
"""Seconds within which the landings of a full interval are taken to be asked for, when all streams are due at once."""
READS = {
    "bronze": ("realtime",), "silver": ("bronze",), "gold": ("silver",), "reconcile": ("silver", "unified"),
}  # fmt: skip
WRITES = {
    "generate": ("staged",), "land": ("realtime",), "bronze": ("bronze",), "silver": ("silver", "quarantine"),
    "merge": ("replaced",), "reconcile": ("unified",),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Asked:
    """Requests a day of a step, by kind, in all streams."""

    step: str
    kinds: Mapping[str, float]

    @property
    def all(self) -> float:
        """All of them."""
        return sum(self.kinds.values())


def requests(load: Load, figures: Figures) -> tuple[Asked, ...]:
    """The requests of every step: runs times what was counted for one, and one more for every further 8 MB read or written.

    Some steps also ask for each micro-batch: of the day, of what is audited, of all in realtime.
    """
    runs = runs_a_day(load)
    found = []
    for step in STEPS:
        kinds = {kind: load.streams * runs[step] * figures.requests[step][kind] for kind in REQUESTS}
        kinds["get"] += _ranges(READS.get(step, ()), load, figures)
        if step in BY_MICRO_BATCH:
            kinds["get"] += load.streams * micro_batches(step, load) * figures(f"requests.{step}.micro_batch")
        kinds["put"] += _ranges(WRITES.get(step, ()), load, figures)
        if step == "audit":
            kinds["get"] += 2 * load.audited * _ranges(("bronze", "silver"), load, figures)
        found.append(Asked(step, kinds))
    return tuple(found)


def _ranges(names: tuple[str, ...], load: Load, figures: Figures) -> float:
    """Requests that bytes alone make, in all streams."""
    wide = load.event_bytes / figures("bytes.event")
    size = sum(figures(f"bytes.{name}.event") for name in names) * load.events * wide
    return size / figures("bytes.request")


def busiest(load: Load, figures: Figures) -> dict[str, float]:
    """PUTs and GETs a second on one stream's prefix below `realtime/`, and on the bucket, when every stream lands at once."""
    land = {kind: sum(figures.requests[step][kind] for step in ("generate", "land")) for kind in ("put", "get")}
    return {
        "prefix_put": land["put"] / DUE_WITHIN,
        "prefix_get": land["get"] / DUE_WITHIN,
        "bucket_put": load.streams * land["put"] / DUE_WITHIN,
        "bucket_get": load.streams * land["get"] / DUE_WITHIN,
    }
