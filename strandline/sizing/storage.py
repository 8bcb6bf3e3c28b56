"""Bytes a day by layer, and what is kept of them."""

from __future__ import annotations

from dataclasses import dataclass

from strandline.sizing.figures import Figures
from strandline.sizing.load import Load

REPLACED_FOR = 7.0
"""Days for which files that a newer version has replaced stay readable (see `strandline/stages/maintain.py`)."""
TAKEN_AFTER = 1.0
"""Days after which batch has taken a staged object."""
DAYS_A_MONTH = 365 / 12


@dataclass(frozen=True, slots=True)
class Layer:
    """GB (10⁹ bytes) that a layer grows by each day, for how many days they are kept, and GB once nothing more is added up."""

    name: str
    gb_a_day: float
    days: float

    @property
    def gb_kept(self) -> float:
        """GB when as much goes as comes."""
        return self.gb_a_day * self.days


def layers(load: Load, figures: Figures) -> tuple[Layer, ...]:
    """The layers of the lake in the order of the data's way, and before them the source's files (gzip), which are not in it.

    A layer takes so many bytes an event, in proportion to the event's size; realtime and bronze something for each micro-batch,
    and gold and analytics for each stream's windows, besides.
    """
    wide = load.event_bytes / figures("bytes.event")
    days = {
        "gzip": 0.0, "staged": TAKEN_AFTER, "realtime": load.kept["realtime"], "quarantine": load.kept["quarantine"],
        "replaced": REPLACED_FOR,
    }  # fmt: skip
    more = {
        "realtime": load.landings * figures("bytes.realtime.micro_batch"),
        "bronze": load.landings * figures("bytes.bronze.micro_batch"),
        "gold": figures("bytes.gold.day"),
        "analytics": figures("bytes.analytics.day"),
    }
    found = []
    for name in ("gzip", "staged", "realtime", "bronze", "silver", "quarantine", "gold", "unified", "analytics", "replaced"):
        size = load.events * wide * figures(f"bytes.{name}.event") + load.streams * more.get(name, 0.0)
        found.append(Layer(name, size / 1e9, days.get(name, load.kept["lake"])))
    return tuple(found)
