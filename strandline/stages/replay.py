"""Replay: lines in quarantine judged again; what is good now flows in as if it had always been.

It is a rebuild that looks at refused lines only: it costs what is in quarantine and the days its lines belong to.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import date

from strandline.errors import UsageError
from strandline.runtime import Runtime
from strandline.spec.model import Stream
from strandline.stages.gold import gold
from strandline.stages.rejudge import Scope
from strandline.stages.restate import REASONS, restate


def replay(
    runtime: Runtime, stream: Stream, reasons: Collection[str] = (), start: date | None = None, end: date | None = None
) -> dict[str, int]:
    """Counts: lines `judged`, `replayed` (no longer refused), `still_refused`; by how many `good` and `duplicates` grew; event
    `days` and `gold_rows` written again.

    Takes lines refused for one of `reasons` (none: any) that landed on the days `[start, end)` (None: open). What stays refused
    gets its reason of today. Raises `UsageError` for a reason that does not exist.
    """
    if unknown := sorted(set(reasons) - set(REASONS)):
        raise UsageError(f"no such reason: {', '.join(unknown)} (there are: {', '.join(sorted(REASONS))})")
    counts = restate(runtime, stream, Scope("replay", start, end, frozenset(reasons)))
    quarantined = counts.pop("quarantined")
    return {
        "judged": counts.pop("judged"),
        "replayed": max(0, -quarantined),
        "still_refused": counts.pop("still_refused", 0),
        **counts,
        "gold_rows": sum(gold(runtime, stream).values()),
    }
