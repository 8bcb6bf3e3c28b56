"""The pictures of the command line in the documents show what the commands print today."""

from __future__ import annotations

import html
import re

import pytest

from tests.cli.screens import ROOT, SCREENS, made, picture

SIZES = re.compile(r"[\d.]+ [kM]?B (read|written)")
"""Bytes on the disk: a file of a table may come out a little larger another time."""


def told(svg: str) -> list[str]:
    """The lines of text in a picture, without their spaces."""
    rows: dict[str, str] = {}
    for row, text in re.findall(r'<text class="[^"]*" x="[^"]*" y="([^"]*)"[^>]*>(.*?)</text>', svg):
        rows[row] = rows.get(row, "") + " " + html.unescape(text)
    return [SIZES.sub("… B", " ".join(text.split())) for text in rows.values() if text.strip()]


@pytest.mark.slow
@pytest.mark.parametrize("name", SCREENS)
def test_a_picture_shows_what_its_command_prints(name: str) -> None:
    """When this fails for a good reason: `python -m tests.cli.screens docs/images`."""
    shown = (ROOT / "docs/images" / f"{name}.svg").read_text(encoding="utf-8")
    assert told(shown) == told(picture(SCREENS[name][0], made(name)))
    assert len(told(shown)) > 15


@pytest.mark.parametrize("name", SCREENS)
def test_a_picture_loads_nothing(name: str) -> None:
    shown = (ROOT / "docs/images" / f"{name}.svg").read_text(encoding="utf-8")
    assert re.findall(r"https?://(?!www\.w3\.org/|www\.textualize\.io)[^\s\"]+", shown) == []
