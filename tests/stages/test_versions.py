"""An event that comes again in speed: the row that counts is served once, and of what was served no more is read or written
than the files that hold it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from strandline.audit.audit import audit
from strandline.errors import StorageError
from strandline.lake import paths
from strandline.lake.snapshot import Snapshot
from strandline.runtime import Runtime
from strandline.spec.load import load_stream
from strandline.spec.model import Stream
from strandline.stages.merge import merge
from strandline.stages.touched import touched_since
from tests.stages import streams
from tests.stages.streams import START, interval, landed, readings


def line(number: int, minute: int, **changes: Any) -> bytes:
    """Of a key that is ordered like its number."""
    return streams.line(number, minute, **{"reading_id": f"r{number:04d}", "value": 1, **changes})


def served(runtime: Runtime, stream: Stream) -> Snapshot:
    found = runtime.lake.table(paths.unified(stream.name)).snapshot()
    assert found is not None
    return found


def test_a_file_is_written_again_only_when_one_of_its_events_has_a_new_version(
    tmp_path: Path, runtime: Runtime, stream: Stream
) -> None:
    for number in range(3):
        landed(tmp_path, runtime, stream, number, [line(10 * number + n, 5 * number) for n in range(4)])
    before = {file.path: file.rows for file in served(runtime, stream).files}
    found = landed(tmp_path, runtime, stream, 3, [line(11, 5, value=2), line(12, 5), line(40, 15), line(40, 15, value=3)])
    assert {name: found[name] for name in ("lines", "added", "duplicates")} == {"lines": 4, "added": 1, "duplicates": 3}
    after = {file.path: file.rows for file in served(runtime, stream).files}
    assert len(before.keys() - after.keys()) == 1
    assert sorted(rows for path, rows in after.items() if path not in before) == [2, 3]
    rows = {row["reading_id"]: row for row in served(runtime, stream).arrow().to_pylist()}
    assert sorted(rows) == [f"r{10 * number + n:04d}" for number in range(3) for n in range(4)] + ["r0040"]
    assert {name: (row["value"], row["_line"]) for name, row in rows.items() if row["_landing_start"] == interval(3).start} == {
        "r0011": (2, 1),
        "r0012": (1, 2),
        "r0040": (3, 4),
    }
    assert audit(runtime, stream).agrees


def test_rows_whose_keys_lie_beside_those_of_new_events_are_not_read(tmp_path: Path, runtime: Runtime, stream: Stream) -> None:
    landed(tmp_path, runtime, stream, 0, [line(n, 0) for n in range(100, 200)])
    (held,) = served(runtime, stream).files
    path = tmp_path / "lake" / paths.unified(stream.name) / held.path
    whole = path.read_bytes()
    path.write_bytes(whole[:4] + bytes(600) + whole[604:])
    for number, key in ((1, 99), (2, 200)):
        assert landed(tmp_path, runtime, stream, number, [line(key, 65)])["added"] == 1
    with pytest.raises(StorageError, match="damaged"):
        landed(tmp_path, runtime, stream, 3, [line(150, 5)])
    path.write_bytes(whole)
    assert merge(runtime, stream)["duplicates"] == 1


def test_a_new_version_of_an_event_whose_time_stood_in_another_field(tmp_path: Path, runtime: Runtime) -> None:
    stream = readings(tmp_path, more="- {name: seen, type: timestamp}")
    landed(tmp_path, runtime, stream, 0, [line(1, 0), line(2, 60)])
    text = stream.path.read_text().replace("event_time: at", "event_time: seen").replace("version: 2.3.0", "version: 3.0.0")
    stream.path.write_text(text.replace("- {name: seen, type: timestamp}", "- {name: seen, type: timestamp, required: true}"))
    stream = load_stream(stream.path)
    found = landed(tmp_path, runtime, stream, 1, [line(1, 0, seen="2026-03-01T11:00:00Z", value=5)])
    assert (found["added"], found["duplicates"]) == (0, 1)
    rows = {row["reading_id"]: row["value"] for row in served(runtime, stream).arrow().to_pylist()}
    assert rows == {"r0001": 5, "r0002": 1}
    now = served(runtime, stream)
    assert touched_since(now.files, now.ordinal - 1) == {START.date(): None}
