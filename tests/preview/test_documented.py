"""What `docs/testing-streams.md` shows is what the commands print on the stream and the sample of that page."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from strandline.cli import app

PAGE = Path(__file__).parents[2] / "docs/testing-streams.md"
BLOCK = re.compile(r"```(\w+)\n(.*?)\n```", re.DOTALL)


@pytest.fixture
def texts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The page's blocks of text: the sample, the preview, the failing test. The stream and the sample are laid out here."""
    blocks = BLOCK.findall(PAGE.read_text(encoding="utf-8"))
    (tmp_path / "config/streams").mkdir(parents=True)
    (tmp_path / "config/streams/orders.yaml").write_text(
        next(text for language, text in blocks if language == "yaml") + "\n", encoding="utf-8"
    )
    found = [text for language, text in blocks if language == "text"]
    (tmp_path / "sample.ndjson").write_text(found[0] + "\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    for name in ("STRANDLINE_CONFIG", "STRANDLINE_KEY", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)
    return found


def printed(*arguments: str) -> str:
    return CliRunner().invoke(app, list(arguments)).stdout.rstrip("\n")


def unhashed(text: str) -> str:
    """The text without what differs each time: hashes under a throw-away key, and how long things took."""
    return re.sub(r"h:[0-9a-f]{8}:[0-9a-f]*|\d+ ms|[\d.]+ s$", "…", text)


def test_the_preview_is_as_shown(texts: list[str]) -> None:
    assert unhashed(printed("preview", "orders", "--input", "sample.ndjson")) == unhashed(texts[1])


def test_the_examples_pass_and_fail_as_shown(texts: list[str]) -> None:
    assert "2 passed" in printed("test")
    path = Path("config/streams/orders.yaml")
    path.write_text(path.read_text(encoding="utf-8").replace("turnover: 612.50", "turnover: 625.00"), encoding="utf-8")
    assert unhashed(printed("test")) == unhashed(texts[2])
