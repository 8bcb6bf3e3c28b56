"""Publish: alerts and dashboards of one stream from its published table versions.

Pages depend on table versions and on this package alone, never on the wall clock: publishing twice leaves the same bytes.
What a page was made from is kept beside it as a fingerprint, written last, so that an interrupted run is repeated and an
idle one is cheap.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow.dataset as pads

from strandline.lake import paths
from strandline.lake.objects import ObjectMissing
from strandline.publish import alerts, assets
from strandline.publish.alert_tables import AlertStore, newest_episodes
from strandline.publish.dashboards import (
    SHOWN_EPISODES,
    Judged,
    PageData,
    StreamSummary,
    listed,
    render_index,
    render_stream_page,
    summary,
    worst_severity,
)
from strandline.publish.exports import panel_json, panel_parquet
from strandline.publish.panels import PanelData, panel_data, slugs
from strandline.publish.reading import Reader
from strandline.publish.volume import volume

if TYPE_CHECKING:
    from strandline.lake.lake import Lake
    from strandline.lake.objects import Objects
    from strandline.lake.snapshot import Snapshot
    from strandline.publish.alerts import Notify
    from strandline.runtime import Runtime
    from strandline.spec.model import Stream

SUMMARY = "summary.json"
_INDEX_TRIES = 5


@dataclass(frozen=True, slots=True)
class Published:
    """What the stream's pointer names: `tables` are the served aggregates and, as `rows`, the unified events."""

    tables: dict[str, Snapshot]
    watermark: datetime | None
    as_of: datetime | None
    versions: dict[str, int]


def publish(runtime: Runtime, stream: Stream, notify: Notify) -> dict[str, int]:
    """Counts: `days` whose alerts were evaluated, `firings` on them, `episodes` open now, `notified`, `pages` and `files`
    written.

    An episode is notified once for opening and once for resolving; when `notify` raises, the pages are still written and
    the error goes on, so that the next run tells what is left.
    """
    published = read_published(runtime.lake, stream)
    store = AlertStore(runtime.lake, stream.name)
    counts = {"days": 0, "firings": 0, "notified": 0}
    if published is not None and (stream.alerts or store.days.snapshot() is not None):
        runtime.progress(f"alerts {stream.name}", 0, None)
        engine = runtime.engine
        with engine.session() as session:
            counts |= alerts.refresh(stream, store, published.tables, session, engine.dialect)
    try:
        counts["notified"] = alerts.tell(stream, store, notify)
    finally:
        counts |= _pages(runtime, stream, published, store)
    return counts


def read_published(lake: Lake, stream: Stream) -> Published | None:
    """The published versions of the stream, opened; None before its first merge."""
    try:
        pointer: dict[str, Any] = json.loads(lake.objects.get(paths.published(stream.name)))
    except ObjectMissing:
        return None
    versions = {"unified": int(pointer["unified"])}
    named = {"rows": lake.table(paths.unified(stream.name)).snapshot(versions["unified"])}
    for table in stream.gold:
        if table.name in pointer["analytics"]:
            versions[table.name] = int(pointer["analytics"][table.name])
            named[table.name] = lake.table(paths.analytics(stream.name, table.name)).snapshot(versions[table.name])
    moments = [datetime.fromisoformat(text) if (text := pointer.get(name)) else None for name in ("watermark", "as_of")]
    return Published({name: s for name, s in named.items() if s is not None}, moments[0], moments[1], versions)


def _pages(runtime: Runtime, stream: Stream, published: Published | None, store: AlertStore) -> dict[str, int]:
    """Write the stream's page, its data and the index when anything they show has changed."""
    objects = runtime.lake.objects
    episodes = store.episodes.snapshot()
    ledger = runtime.lake.table(paths.LEDGER).snapshot()
    versions = dict(published.versions) if published else {}
    versions |= {name: s.version for name, s in (("episodes", episodes), ("ledger", ledger)) if s is not None}
    mark = _fingerprint(stream, published, versions)
    every = newest_episodes(episodes, SHOWN_EPISODES) if episodes is not None else []
    opened = sum(e.state == "open" for e in every)
    shown = {"episodes": opened, "pages": 0, "files": 0}
    kept = _summary_of(objects, paths.dashboard(stream.name, SUMMARY))
    if kept is not None and kept.fingerprint == mark:
        return shown | {"pages": _write_index(runtime)}
    runtime.progress(f"dashboard {stream.name}", 0, None)
    page = PageData(stream, versions=versions, judged=_judged(ledger, stream.name), episodes=listed(every))
    if published is not None and published.as_of is not None:
        page = _filled(page, published)
    for panel in page.panels:
        as_of = page.as_of
        objects.put(
            paths.dashboard(stream.name, f"data/{panel.slug}.json"), panel_json(panel, as_of), content_type="application/json"
        )
        objects.put(paths.dashboard(stream.name, f"data/{panel.slug}.parquet"), panel_parquet(panel))
    every_shown = sum(e.state != "withdrawn" for e in every)
    if episodes is not None and episodes.rows > len(every):
        every_shown = episodes.rows
    html = render_stream_page(page, opened, every_shown, lambda: _chart_script(objects)).encode()
    objects.put(paths.dashboard(stream.name), html, content_type="text/html; charset=utf-8")
    told = summary(page, opened, worst_severity(every), mark)
    objects.put(paths.dashboard(stream.name, SUMMARY), told.to_json(), content_type="application/json")
    return shown | {"pages": 1 + _write_index(runtime), "files": 2 * len(page.panels)}


def _chart_script(objects: Objects) -> str:
    """The chart script, kept in the lake once it was made: making it takes seconds, and every page has it inside."""
    key = f"{paths.DASHBOARDS}/assets/{assets.chart_script_name()}"
    try:
        return objects.get(key).decode()
    except ObjectMissing:
        script = assets.chart_script()
        objects.put(key, script.encode(), if_absent=True, content_type="text/javascript")
        return script


def _fingerprint(stream: Stream, published: Published | None, versions: dict[str, int]) -> str:
    """A digest of everything the page is a function of."""
    line = (published.watermark, published.as_of) if published else None
    text = repr((replace(stream, path=Path()), line, sorted(versions.items()), assets.fingerprint()))
    return hashlib.sha256(text.encode()).hexdigest()


def _filled(page: PageData, published: Published) -> PageData:
    """The page with what the published tables hold."""
    assert published.as_of is not None
    stream, as_of = page.stream, published.as_of
    reader = Reader(stream, published.tables, as_of)
    panels: list[PanelData] = []
    for panel, slug in zip(stream.dashboard, slugs(p.title for p in stream.dashboard), strict=True):
        if panel.table in published.tables:
            rows, ahead = reader.recent(panel.table)
            panels.append(panel_data(stream, panel, slug, rows, as_of, ahead))
    return replace(
        page,
        as_of=as_of,
        watermark=published.watermark,
        served=published.tables["rows"].rows if "rows" in published.tables else 0,
        volume=volume(stream, reader, as_of),
        panels=tuple(panels),
    )


def _judged(ledger: Snapshot | None, stream: str) -> Judged:
    """The sums of the stream's ledger rows."""
    if ledger is None:
        return Judged()
    names = ["lines", "good", "duplicates", "quarantined"]
    rows = ledger.arrow(columns=[*names, "reasons"], where=pads.field("stream") == stream).to_pylist()
    reasons: dict[str, int] = {}
    for row in rows:
        for reason, count in json.loads(row["reasons"] or "{}").items():
            reasons[reason] = reasons.get(reason, 0) + int(count)
    left = {reason: n for reason, n in reasons.items() if n}
    return Judged(**{name: sum(row[name] or 0 for row in rows) for name in names}, reasons=left)


def _summary_of(objects: Objects, key: str) -> StreamSummary | None:
    try:
        return StreamSummary.from_json(objects.get(key))
    except ObjectMissing:
        return None


def _write_index(runtime: Runtime) -> int:
    """1 when the index was written. It is read again after writing, so that of two streams that publish at once neither is
    lost.
    """
    objects = runtime.lake.objects
    key = f"{paths.DASHBOARDS}/index.html"
    written = 0
    for _ in range(_INDEX_TRIES):
        found = [o.key for o in objects.list(f"{paths.DASHBOARDS}/") if o.key.endswith(f"/{SUMMARY}") and o.key.count("/") == 3]
        streams = [s for s in (_summary_of(objects, name) for name in found) if s is not None]
        html = render_index(streams).encode()
        if objects.exists(key) and objects.get(key) == html:
            break
        objects.put(key, html, content_type="text/html; charset=utf-8")
        written = 1
    return written
