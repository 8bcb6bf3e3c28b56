"""Rebuild: silver and quarantine recomputed from bronze's raw bytes under the contract of today, while live runs go on.

Every line is parsed and judged again; only days on which something comes out otherwise are written. Gold, unified and
analytics follow as they follow any batch: `gold` and `merge` restate the windows that changed.
"""

from __future__ import annotations

from datetime import date

from strandline.runtime import Runtime
from strandline.spec.model import Stream
from strandline.stages.gold import gold
from strandline.stages.rejudge import Scope
from strandline.stages.restate import restate


def rebuild(runtime: Runtime, stream: Stream, start: date | None = None, end: date | None = None) -> dict[str, int]:
    """Counts like `restate`, of the event dates in `[start, end)` (None: open), and `gold_rows` written.

    A line without an event date (it could not be read) belongs to every range. Killed anywhere, the same call ends it.
    """
    counts = restate(runtime, stream, Scope("rebuild", start, end))
    return {**counts, "gold_rows": sum(gold(runtime, stream).values())}
