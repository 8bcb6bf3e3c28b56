"""The pages: one self-contained HTML file a stream, and an index of all. Pure: the same values give the same bytes.

A stream's values are hostile: every text is escaped by the templates, chart data stand in the page as JSON in which `<`,
`>` and `&` are escaped, and the page's policy runs no script but its own.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from markupsafe import Markup

from strandline.publish import layout
from strandline.publish.assets import chart_script, page_script, render
from strandline.publish.episodes import Episode
from strandline.publish.numbers import short
from strandline.publish.panels import PanelData, Unit
from strandline.publish.sparkline import sparkline
from strandline.spec.model import Stream

FIRST_EPISODES = 8
SHOWN_EPISODES = 40
_SEVERITIES = ("critical", "high", "medium", "low")


@dataclass(frozen=True, slots=True)
class Judged:
    """What batch has judged so far: sums over the stream's ledger."""

    lines: int = 0
    good: int = 0
    duplicates: int = 0
    quarantined: int = 0
    reasons: Mapping[str, int] = field(default_factory=dict)

    @property
    def share(self) -> float | None:
        """Quarantined of all lines; None when there are none."""
        return self.quarantined / self.lines if self.lines else None


@dataclass(frozen=True, slots=True)
class Volume:
    """Events per window (equal lengths, oldest first), the newest window last; `windows_a_day` of them make 24 hours."""

    counts: tuple[int, ...] = ()
    until: datetime | None = None
    windows_a_day: int = 24

    @property
    def day(self) -> int:
        """Events of the newest 24 hours that have data."""
        return sum(self.counts[-self.windows_a_day :])

    @property
    def day_before(self) -> int | None:
        """Events of the 24 hours before those; None when not all of them are known."""
        if len(self.counts) < 2 * self.windows_a_day:
            return None
        return sum(self.counts[-2 * self.windows_a_day : -self.windows_a_day])


@dataclass(frozen=True, slots=True)
class PageData:
    """Everything a stream's page shows; `as_of` None: nothing published yet. `episodes` are those to list, open ones among
    them.
    """

    stream: Stream
    as_of: datetime | None = None
    watermark: datetime | None = None
    versions: Mapping[str, int] = field(default_factory=dict)
    served: int = 0
    judged: Judged = Judged()
    volume: Volume = Volume()
    panels: tuple[PanelData, ...] = ()
    episodes: tuple[Episode, ...] = ()


@dataclass(frozen=True, slots=True)
class StreamSummary:
    """What the index says of one stream; kept as JSON beside its page. `stale_minutes`: after which age the data count as
    stale.
    """

    name: str
    purpose: str
    as_of: datetime | None = None
    events: int = 0
    counts: tuple[int, ...] = ()
    span: str = "24 h"
    quarantined: float | None = None
    open_alerts: int = 0
    worst: str = "low"
    stale_minutes: int = 60
    fingerprint: str = ""

    def to_json(self) -> bytes:
        """The summary as JSON."""
        values = asdict(self) | {"as_of": self.as_of.isoformat() if self.as_of else None}
        return json.dumps(values, ensure_ascii=False, sort_keys=True).encode()

    @classmethod
    def from_json(cls, data: bytes) -> StreamSummary:
        """The summary that `to_json` wrote; unknown keys of other releases are passed over."""
        values = {name: value for name, value in json.loads(data).items() if name in cls.__dataclass_fields__}
        as_of = values.get("as_of")
        moment = datetime.fromisoformat(as_of) if as_of else None
        return cls(**{**values, "as_of": moment, "counts": tuple(values.get("counts", ()))})


def product_version() -> str:
    """The installed release."""
    try:
        return version("strandline")
    except PackageNotFoundError:
        return "(not installed)"


def embed(value: Any) -> Markup:
    """JSON that may stand inside a script element, whatever text it holds."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return Markup(text)  # noqa: S704 - no character that means anything to HTML is left


def listed(episodes: Sequence[Episode]) -> tuple[Episode, ...]:
    """Open episodes first (worst, then newest), then the most recent resolved ones, no more than a page lists; none
    withdrawn.
    """
    shown = [e for e in episodes if e.state != "withdrawn"]
    newest = sorted(shown, key=lambda e: (e.started_at, e.id), reverse=True)
    newest.sort(key=lambda e: (e.state != "open", _rank(e.severity) if e.state == "open" else 0))
    return tuple(newest[:SHOWN_EPISODES])


def _rank(severity: str) -> int:
    return _SEVERITIES.index(severity) if severity in _SEVERITIES else len(_SEVERITIES)


def render_stream_page(
    page: PageData, open_alerts: int | None = None, all_episodes: int | None = None, charts: Callable[[], str] = chart_script
) -> str:
    """The whole page. `open_alerts` and `all_episodes` count more than are listed, when there are more; `charts` gives the
    script that draws, and is called only when there is something to draw.
    """
    opened = open_alerts if open_alerts is not None else sum(e.state == "open" for e in page.episodes)
    total = all_episodes if all_episodes is not None else len(page.episodes)
    panels = layout.paired([layout.panel_view(panel, embed) for panel in page.panels if panel.panel.kind != "stat"])
    drawn = any(view["spec"] and not view["empty"] for view in panels)
    scripts = [charts(), page_script()] if drawn else [page_script()]
    tiles = layout.tiles(page, opened, worst_severity(page.episodes)) if page.as_of else []
    return render(
        "stream.html.j2",
        scripts,
        title=f"{page.stream.name} · Strandline",
        page=page,
        stream=page.stream,
        purpose=layout.sentences(page.stream.purpose, page.stream.usage),
        first=max(FIRST_EPISODES, opened),
        stale=stale_minutes(page.stream),
        tiles=tiles,
        columns=layout.columns(len(tiles)),
        episodes=[layout.episode_view(e) for e in page.episodes],
        episodes_cut=total if total > len(page.episodes) else 0,
        open_count=opened,
        panels=panels,
        versions=sorted(page.versions.items()),
        product_version=product_version(),
    )


def stale_minutes(stream: Stream) -> int:
    """The age in minutes after which what is served is behind its schedule: three landing intervals and a serving run."""
    return int(stream.interval.total_seconds() // 60) * 3 + 20


def summary(page: PageData, open_alerts: int, worst: str, fingerprint: str = "") -> StreamSummary:
    """What the index says of the page."""
    return StreamSummary(
        name=page.stream.name,
        purpose=page.stream.purpose,
        as_of=page.as_of,
        events=page.volume.day,
        counts=page.volume.counts[-2 * page.volume.windows_a_day :],
        span="24 h",
        quarantined=page.judged.share,
        open_alerts=open_alerts,
        worst=worst or "low",
        stale_minutes=stale_minutes(page.stream),
        fingerprint=fingerprint,
    )


def worst_severity(episodes: Sequence[Episode]) -> str:
    """The severity of the worst open episode; empty when none is open."""
    return min((e.severity for e in episodes if e.state == "open"), key=_rank, default="")


def render_index(streams: Sequence[StreamSummary]) -> str:
    """The page of all streams, in order of their names."""
    views = []
    for stream in sorted(streams, key=lambda s: s.name):
        value, unit = short(stream.quarantined, Unit(percent=True))
        views.append(
            {
                "name": stream.name,
                "purpose": stream.purpose,
                "as_of": stream.as_of,
                "stale": stream.stale_minutes,
                "events": short(stream.events, Unit(whole=True))[0] if stream.as_of else "–",
                "span": stream.span,
                "quarantined": f"{value} {unit}".strip(),
                "open_alerts": stream.open_alerts,
                "worst": stream.worst,
                "path": sparkline(stream.counts),
            }
        )
    worst = min((s.worst for s in streams if s.open_alerts), key=_rank, default="low")
    return render(
        "index.html.j2",
        [page_script()],
        title="Streams · Strandline",
        streams=views,
        open_count=sum(s.open_alerts for s in streams),
        worst=worst,
        product_version=product_version(),
    )
