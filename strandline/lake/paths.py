"""The S3 layout: every key and table path of the lake, relative to its root.

Speed writes only under `realtime/`, batch only under `batch/`, serving only under `serving/`, so that a role can be held to
a prefix.
"""

from __future__ import annotations

from strandline.intervals import Interval

REALTIME = "realtime"
BATCH = "batch"
SERVING = "serving"
LEDGER = "batch/ledger"
SERVING_LEDGER = "serving/ledger"
DASHBOARDS = "serving/dashboards"
UNIFIED = "serving/unified"
ALERTS = "serving/alerts"


def realtime(stream: str) -> str:
    """The table of landed lines of the speed layer."""
    return f"realtime/{stream}"


def staging(stream: str, interval: Interval) -> str:
    """The object that holds one interval's lines between *generate* and *land*."""
    return f"{staged_prefix(stream)}{interval.key}.arrow"


def staged_prefix(stream: str) -> str:
    """What the keys of a stream's staged objects begin with."""
    return f"realtime/{stream}/_staging/"


def bronze(stream: str) -> str:
    """The table of landed lines that batch has taken over."""
    return f"batch/bronze/{stream}"


def silver(stream: str) -> str:
    """The table of typed, judged and deduplicated events."""
    return f"batch/silver/{stream}"


def quarantine(stream: str) -> str:
    """The table of refused lines."""
    return f"batch/quarantine/{stream}"


def gold(stream: str, table: str) -> str:
    """One aggregate of the batch layer."""
    return f"batch/gold/{stream}/{table}"


def unified(stream: str) -> str:
    """The served events: everything landed so far, both sides of the line."""
    return f"serving/unified/{stream}"


def analytics(stream: str, table: str) -> str:
    """One served aggregate."""
    return f"serving/analytics/{stream}/{table}"


def published(stream: str) -> str:
    """The pointer to the table versions that belong together."""
    return f"serving/unified/_published/{stream}.json"


def firings(stream: str) -> str:
    """The table of windows and rows on which an alert fired."""
    return f"serving/alerts/{stream}/firings"


def episodes(stream: str) -> str:
    """The table of alert episodes."""
    return f"serving/alerts/{stream}/episodes"


def dashboard(stream: str, name: str = "index.html") -> str:
    """A file of a stream's dashboard."""
    return f"serving/dashboards/{stream}/{name}"
