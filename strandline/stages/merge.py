"""Merge: the served view, both sides of the line as one.

Unified is brought up to date, then the analytics follow it, and last one pointer names the versions that belong together.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass

from strandline.errors import StorageError, TransientError
from strandline.lake.objects import ObjectMissing
from strandline.lake.paths import analytics, published
from strandline.lake.paths import unified as unified_path
from strandline.lake.snapshot import Snapshot
from strandline.lake.tables import SupersededError, Table
from strandline.runtime import Runtime
from strandline.spec.model import Stream
from strandline.stages.bronze import Line
from strandline.stages.gold import refresh
from strandline.stages.unified import refresh_unified

_TRIES = 5
_POINTER_TRIES = 20


@dataclass(frozen=True, slots=True)
class Pointer:
    """The table versions that belong together: `unified`, and `analytics` by table.

    `realtime` and `silver` are the commits they have taken; `watermark` and `as_of` are ISO 8601 in UTC, None before the
    first batch or event.
    """

    unified: int
    analytics: Mapping[str, int]
    realtime: int
    silver: int
    watermark: str | None
    as_of: str | None


def merge(runtime: Runtime, stream: Stream) -> dict[str, int]:
    """Counts: new `lines`, rows `added`, `duplicates`, `quarantined`; `reconciled` rows, their `drift`, and how many a rebuild
    or replay has `restated`; `analytics` rows written.

    Raises `DataError` when a `fail` rule or budget is broken; then the published versions stay as they were.
    """
    counts = dict.fromkeys(("lines", "added", "duplicates", "quarantined", "reconciled", "drift", "restated", "analytics"), 0)
    for attempt in range(_TRIES):
        try:
            refresh_unified(runtime, stream, counts)
            break
        except SupersededError:
            if attempt + 1 == _TRIES:
                raise
    unified = runtime.lake.table(unified_path(stream.name)).snapshot()
    if unified is None:
        return counts
    tables = {declared.name: runtime.lake.table(analytics(stream.name, declared.name)) for declared in stream.gold}
    counts["analytics"] = sum(refresh(runtime, stream, unified, tables, "unified", served=True).values())
    _publish(runtime, stream, unified, tables)
    return counts


def _publish(runtime: Runtime, stream: Stream, unified: Snapshot, tables: dict[str, Table]) -> None:
    """Name the versions that belong together, in one object that appears at once."""
    versions = {}
    for name, table in tables.items():
        snapshot = table.snapshot()
        if snapshot is None or snapshot.position("unified") != unified.ordinal:
            return
        versions[name] = snapshot.version
    watermark = Line.of(unified).watermark
    as_of = max((f.maximum["_as_of"] for f in unified.files if "_as_of" in f.maximum), default=None)
    pointer = Pointer(
        unified=unified.version,
        analytics=versions,
        realtime=unified.position("realtime"),
        silver=unified.position("silver"),
        watermark=watermark.isoformat() if watermark else None,
        as_of=as_of.isoformat() if as_of else None,
    )
    _move_pointer(runtime, stream.name, pointer)


def _move_pointer(runtime: Runtime, stream: str, pointer: Pointer) -> None:
    """Replace the very pointer that was looked at, so that one that another merge wrote meanwhile is looked at first: readers
    are never taken back, not even for a moment.
    """
    objects, key = runtime.lake.objects, published(stream)
    data = json.dumps(asdict(pointer), indent=1).encode()
    for _ in range(_POINTER_TRIES):
        tag = objects.tag(key)
        shown = read_pointer(runtime, stream) if tag else None
        if not (shown is None or (shown.unified <= pointer.unified and shown != pointer)):
            return
        if objects.put(key, data, if_absent=tag is None, if_tag=tag, content_type="application/json"):
            return
    raise TransientError(f"{key} was moved by others {_POINTER_TRIES} times meanwhile")


def read_pointer(runtime: Runtime, stream: str) -> Pointer | None:
    """The published versions of a stream; None before the first merge."""
    objects = runtime.lake.objects
    try:
        return Pointer(**json.loads(objects.get(published(stream))))
    except ObjectMissing:
        return None
    except (TypeError, ValueError) as error:
        raise StorageError(f"{published(stream)} is not a pointer: {error}") from error
