"""The points of a panel as rows that a chart draws, and the words for their windows. Field names are fixed single letters."""

from __future__ import annotations

from collections import Counter
from datetime import datetime
from typing import Any

from strandline.publish.numbers import full
from strandline.publish.panels import PanelData, Point, window_end

SMALL = ("5 minutes", "15 minutes", "hour")


def stacked_rows(data: PanelData) -> list[dict[str, Any]]:
    """Rows with y from `a` to `b`: each window's values on top of each other, the first series at the bottom."""
    start = provisional_from(data)
    windows = sorted({p.at for p in data.points})
    rows: list[dict[str, Any]] = []
    floors: dict[datetime, float] = {}
    for index, name in enumerate(data.series):
        for point in (p for p in data.points if p.series == name):
            floor = floors.get(point.at, 0.0)
            floors[point.at] = floor + (point.value or 0.0)
            open_ = start is not None and point.at >= start
            row = _row(data, point, index, int(open_), open_) | {"a": floor, "b": floors[point.at]}
            rows.append(row)
            if start is not None and point.at < start and windows[windows.index(point.at) + 1] == start:
                rows.append(row | {"p": 1, "g": 1})
    return rows


def line_rows(data: PanelData, joined: bool) -> list[dict[str, Any]]:
    """The points as chart rows: t and e window in ms since 1970, v value, s series number, g segment, o alone in its
    segment.

    p is 1 in the last windows that are all provisional. Joined: where they begin the last final point is repeated in the
    next segment, so that lines meet. A window without a row breaks the line.
    """
    start = provisional_from(data)
    rows: list[dict[str, Any]] = []
    segment = 0
    for index, name in enumerate(data.series):
        previous: Point | None = None
        for point in (p for p in data.points if p.series == name):
            if point.value is None:
                previous = None
                continue
            open_ = start is not None and point.at >= start
            follows = previous is not None and window_end(previous.at, data.grain) == point.at
            turns = start is not None and previous is not None and previous.at < start <= point.at
            if not follows or turns:
                segment += 1
                if follows and joined and previous is not None:
                    rows.append(_row(data, previous, index, segment, True) | {"j": 1})
            rows.append(_row(data, point, index, segment, open_))
            previous = point
    alone = Counter(row["g"] for row in rows)
    for row in rows:
        row["o"] = int(alone[row["g"]] == 1)
    return rows


def _row(data: PanelData, point: Point, index: int, segment: int, provisional: bool) -> dict[str, Any]:
    return {
        "t": milliseconds(point.at), "e": milliseconds(window_end(point.at, data.grain)), "v": point.value, "s": index,
        "p": int(provisional), "g": segment, "w": window_text(data, point.at), "n": point.series,
        "d": full(point.value, data.unit), "c": "provisional" if point.provisional else "final",
    }  # fmt: skip


def milliseconds(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)


def window_text(data: PanelData, at: datetime) -> str:
    """The window as people read it, UTC: `2026-11-26 05:00–06:00`, `2026-11-26`."""
    if data.grain in SMALL:
        return f"{at:%Y-%m-%d %H:%M}–{window_end(at, data.grain):%H:%M}"
    if data.grain == "month":
        return f"{at:%Y-%m}"
    return f"{at:%Y-%m-%d}" if data.grain == "day" else f"week of {at:%Y-%m-%d}"


def short_window(data: PanelData, at: datetime) -> str:
    """The window in few letters, UTC: `Nov 26, 05:00–06:00`."""
    if data.grain in SMALL:
        return f"{at:%b %d}, {at:%H:%M}–{window_end(at, data.grain):%H:%M}"
    return window_text(data, at)


def provisional_from(data: PanelData) -> datetime | None:
    """The start of the windows that are all provisional up to the newest; None when the newest is final."""
    status: dict[datetime, bool] = {}
    for point in data.points:
        status[point.at] = status.get(point.at, False) or point.provisional
    start = None
    for at in sorted(status, reverse=True):
        if not status[at]:
            break
        start = at
    return start
