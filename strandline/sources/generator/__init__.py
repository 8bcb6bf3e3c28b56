"""Simulated events: realistic streams with declared faults, and the exact truth about them.

The same declaration and interval always give the same bytes, on every machine (with the NumPy version of the lock file).
"""

from strandline.sources.generator.batch import micro_batch
from strandline.sources.generator.events import EventModel, Events
from strandline.sources.generator.reader import GeneratorReader, open_reader, truth
from strandline.sources.generator.truth import Injected, Totals, Truth, total

__all__ = [
    "EventModel",
    "Events",
    "GeneratorReader",
    "Injected",
    "Totals",
    "Truth",
    "micro_batch",
    "open_reader",
    "total",
    "truth",
]
