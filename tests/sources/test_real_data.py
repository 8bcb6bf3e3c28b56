"""Files that nobody here wrote come through byte for byte, by the digests that came with them."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path

import pytest

from strandline.intervals import Interval
from strandline.lake.objects import open_objects
from strandline.sources.source import open_source
from strandline.spec.model import Field, FilesSource, Stream, Team

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"


class Beginning:
    """The position before anything was landed."""

    cursor: dict[str, str] = {}  # noqa: RUF012 - never written

    def is_landed(self, source: str) -> bool:
        return False


@pytest.mark.parametrize("variant", ["clean", "faulted"])
@pytest.mark.parametrize("name", ["access_log", "nab_sensors"])
def test_every_slice_has_the_lines_and_the_digest_of_the_manifest(name: str, variant: str) -> None:
    truth = DATA / name / "truth" / f"manifest_{variant}.json"
    if not truth.exists():
        pytest.skip(f"the real streams are not at {DATA}")
    manifest = json.loads(truth.read_text())
    fields = (Field("id", "string", "event_id"), Field("at", "timestamp", "event_ts"))
    source = FilesSource(str(DATA / name / variant), max_files=10_000)
    stream = Stream(name, "1.0.0", "", Team("t", "t@example.com"), source, ("id",), "at", fields, Path("t.yaml"))
    interval = Interval(datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 2, tzinfo=UTC))
    batch = open_source(stream, objects=lambda location, _: open_objects(location)).read(interval, Beginning())
    slices = {name: [line.raw for line in lines] for name, lines in groupby(batch.lines, key=lambda line: line.source)}
    for each in manifest["files"]:
        raws = slices.pop(each["file"] + ".gz", [])
        data = b"\n".join(raws)
        data += b"\n" * (each["bytes"] - len(data))  # some slices end without a line feed
        assert (len(raws), hashlib.sha256(data).hexdigest()[:16]) == (each["lines"], each["sha256"]), each["file"]
    assert slices == {}
    assert len(batch.position()["objects"]) == manifest["slices"]
