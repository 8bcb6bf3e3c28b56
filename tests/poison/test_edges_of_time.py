"""A stream whose only event is on the first or the last day there is goes through every step, up to dashboards and alerts."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.poison.deliveries import Placed
from tests.poison.lines import event
from tests.poison.pipeline import check_both_paths, runtime_at, stream_from


@pytest.mark.parametrize("at", ["0001-01-01T00:00:00Z", "9999-12-31T23:59:59.999999Z"])
def test_an_event_at_the_edge_of_time_harms_no_step(tmp_path: Path, at: str) -> None:
    inbox = tmp_path / "inbox"
    inbox.mkdir()
    raw = event(f'"day":"{at[:10]}","x":1', key='"edge"', at=f'"{at}"')
    (inbox / "a.ndjson").write_bytes(raw)
    stream = stream_from(tmp_path, f"{{type: files, location: {inbox}}}")
    check_both_paths(runtime_at(str(tmp_path / "lake")), stream, [Placed(raw, "a.ndjson", 1, None)])
