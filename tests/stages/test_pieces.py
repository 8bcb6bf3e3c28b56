"""A step's lines in pieces: what comes of them is what comes of all at once, and what waits for the end is little."""

from __future__ import annotations

import json
import random
import tempfile
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.dataset as pads
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from strandline.engines.datasets import pieces_of
from strandline.engines.duckdb import DuckSession
from strandline.lake.paths import quarantine as quarantine_path
from strandline.lake.paths import silver as silver_path
from strandline.runtime import Runtime
from strandline.spec.load import load_stream
from strandline.spec.model import Stream
from strandline.stages.bronze import bronze
from strandline.stages.land import ingest
from strandline.stages.silver import silver
from tests.stages.streams import deliver, interval, readings, runtime_in

_ALL = 1_000_000
_BATCHES = 2


@settings(max_examples=60, deadline=None)
@given(st.lists(st.lists(st.integers(1, 6), min_size=1, max_size=5), min_size=1, max_size=4), st.integers(1, 12))
def test_pieces_are_whole_row_groups_in_order(files: list[list[int]], most: int) -> None:
    paths, first = [], 0
    with tempfile.TemporaryDirectory() as folder:
        for number, groups in enumerate(files):
            paths.append(f"{folder}/{number}.parquet")
            with pq.ParquetWriter(paths[-1], pa.schema([("n", pa.int64())])) as writer:
                for rows in groups:
                    writer.write_table(pa.table({"n": range(first, first + rows)}))
                    first += rows
        pieces = [piece.to_table()["n"].to_pylist() for piece in pieces_of(pads.dataset(paths), most)]
    sizes = [rows for groups in files for rows in groups]
    assert [n for piece in pieces for n in piece] == list(range(first))
    for piece, following in pairwise([*pieces, []]):
        held = 0
        while held < len(piece):
            held += sizes.pop(0)
        assert held == len(piece), "no row group is in two pieces"
        assert held <= most or held in {rows for groups in files for rows in groups}
        assert not following or held + sizes[0] > most, "the next row group had no room"


def _lines(seed: int, number: int) -> list[bytes]:
    """Lines of which some come again, in this micro-batch, in a later one and under another date, and some are refused."""
    chance = random.Random(f"{seed}/{number}")
    found = []
    for n in range(30):
        key = f"k{chance.randrange(60)}" if chance.random() < 0.4 else f"{number}-{n}"
        value = chance.choice([1, 2, 35, 99, "x"])
        hour, day = chance.randrange(8, 12), chance.choice([1, 1, 1, 2])
        row = {"reading_id": key, "at": f"2026-03-{day:02}T{hour:02}:{chance.randrange(60):02}:00Z", "value": value}
        found.append(json.dumps(row).encode() if chance.random() < 0.95 else b"{broken")
    return found


def _served(tmp_path: Path, stream: Stream, name: str, seed: int) -> dict[str, Any]:
    """What silver and quarantine hold after two batches of several micro-batches."""
    folder = tmp_path / name
    folder.mkdir()
    runtime = runtime_in(folder)
    counts = []
    for batch in range(_BATCHES):
        for number in range(batch * 6, batch * 6 + 6):
            deliver(tmp_path, f"{number:03}.ndjson", _lines(seed, number))
            ingest(runtime, stream, interval(number))
        bronze(runtime, stream, interval(batch * 6 + 5).end)
        counts.append(silver(runtime, stream))
    return {
        "counts": counts,
        "silver": _rows(runtime, silver_path(stream.name)),
        "quarantine": _rows(runtime, quarantine_path(stream.name)),
    }


def _rows(runtime: Runtime, path: str) -> list[str]:
    snapshot = runtime.lake.table(path).snapshot()
    assert snapshot is not None
    return sorted(str(row) for row in snapshot.arrow().to_pylist())


@pytest.mark.parametrize("within", ["event_date", "stream"])
@pytest.mark.parametrize("seed", range(4))
def test_pieces_give_what_all_at_once_gives(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int, within: str) -> None:
    stream = readings(tmp_path)
    text = stream.path.read_text().replace("  event_time: at", f"  event_time: at\n  deduplicate: {{within: {within}}}")
    stream.path.write_text(text)
    stream = load_stream(stream.path)
    found = {}
    for most in (_ALL, 70, 10):
        monkeypatch.setattr(DuckSession, "rows_at_once", most)
        found[most] = _served(tmp_path, stream, f"lake-{most}", seed)
    whole = found[_ALL]
    assert all(min(each["good"], each["duplicates"], each["quarantined"]) > 0 for each in whole["counts"])
    assert found[70] == found[10] == whole


def test_what_comes_once_is_written_in_order_with_its_piece_and_only_the_rest_waits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(DuckSession, "rows_at_once", 25)
    waiting: list[int] = []
    kept = DuckSession.materialise

    def materialise(self: DuckSession, name: str, sql: str) -> None:
        kept(self, name, sql)
        if name == "judged":
            waiting.append(self.rows("SELECT COUNT(*) AS n FROM judged")[0]["n"])

    monkeypatch.setattr(DuckSession, "materialise", materialise)
    stream, runtime = readings(tmp_path), runtime_in(tmp_path)
    for number in range(3):
        times = [f"2026-03-01T10:{minute:02}:00Z" for minute in range(20)]
        random.Random(number).shuffle(times)
        lines = [json.dumps({"reading_id": f"{number}-{n}", "at": at, "value": 1}).encode() for n, at in enumerate(times)]
        twice = json.dumps({"reading_id": "twice", "at": "2026-03-01T10:30:00Z", "value": number}).encode()
        deliver(tmp_path, f"{number}.ndjson", [*lines, twice, b"{broken"])
        ingest(runtime, stream, interval(number))
    bronze(runtime, stream, interval(2).end)
    counts = silver(runtime, stream)
    assert (counts["good"], counts["duplicates"], counts["quarantined"]) == (61, 2, 3)
    assert waiting == [6], "three copies and three refused lines"
    snapshot = runtime.lake.table(silver_path(stream.name)).snapshot()
    assert snapshot is not None
    files = sorted(snapshot.files, key=lambda file: -file.rows)
    assert [file.rows for file in files] == [60, 1]
    lone = _pieces(snapshot.arrow(["at", "_landing_start"], files=files[:1]).to_pylist())
    assert [len(piece) for piece in lone] == [20, 20, 20]
    assert all(piece == sorted(piece) for piece in lone)
    last = snapshot.arrow(["reading_id", "value"], files=files[1:]).to_pylist()
    assert last == [{"reading_id": "twice", "value": 2.0}]


def _pieces(rows: Sequence[dict[str, Any]]) -> list[list[Any]]:
    """The times of rows that follow one another and landed together."""
    found: list[list[Any]] = []
    landed = None
    for row in rows:
        if row["_landing_start"] != landed:
            landed = row["_landing_start"]
            found.append([])
        found[-1].append(row["at"])
    return found
