"""Mutated lines and random bytes through the real steps: nothing is lost, nothing counted twice, every byte stays."""

from __future__ import annotations

import csv
import io
import json
import random
import tempfile
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from strandline.audit.audit import audit
from strandline.lake import paths
from strandline.lines.parse import parser_of
from strandline.lines.strict import Refusal
from strandline.stages.bronze import bronze
from strandline.stages.land import ingest
from strandline.stages.merge import merge
from strandline.stages.silver import silver
from tests.poison.corpus import USUAL
from tests.poison.deliveries import Placed
from tests.poison.lines import AT, GOOD, event
from tests.poison.pipeline import INTERVAL, check_landed, rows, runtime_at, stream_from

_HEADER = "id,at,n,Note-Text"
_SEEDS = {
    "ndjson": [GOOD, event(), *(p.raw for p in USUAL if p.header is None and len(p.raw) < 300)],
    "csv": [f"r,{AT},1,x".encode(), *(p.raw for p in USUAL if p.header == _HEADER)],
}


def mutated(chance: random.Random, seeds: list[bytes]) -> bytes:
    """One line: flipped, cut, spliced or random; without line feeds, which would make it two."""
    raw = bytearray(chance.choice(seeds) if chance.random() < 0.5 else seeds[0])
    for _ in range(chance.randrange(4)):
        at = chance.randrange(len(raw) + 1)
        kind = chance.randrange(5)
        if kind == 0 and at < len(raw):
            raw[at] ^= 1 << chance.randrange(8)
        elif kind == 1:
            del raw[at : at + chance.randrange(9)]
        elif kind == 2:
            raw[at:at] = chance.randbytes(chance.randrange(5))
        elif kind == 3:
            other = chance.choice(seeds)
            raw[at:] = other[chance.randrange(len(other) + 1) :]
        else:
            raw[at:at] = bytes(chance.choices(b'0123456789-:+TZ.,e"{}[] ', k=2))
    return bytes(raw).replace(b"\n", b"")


@pytest.mark.parametrize("kind", ["ndjson", "csv"])
@given(seed=st.integers(0, 2**32))
@settings(max_examples=3, deadline=None, derandomize=True)
def test_any_bytes_are_good_or_duplicate_or_in_quarantine_exactly(kind: str, seed: int) -> None:
    chance = random.Random(seed)
    lines = [mutated(chance, _SEEDS[kind]) for _ in range(1500)]
    header = None
    if kind == "csv":  # a quote that stays open may rightly take the lines after it into its record
        header, lines = _HEADER, [line for line in lines if line.count(b'"') % 2 == 0]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "inbox").mkdir()
        data = b"".join(line + b"\n" for line in ([_HEADER.encode()] if header else []) + lines)
        (folder / "inbox" / "a").write_bytes(data)
        stream = stream_from(folder, f"{{type: files, location: {folder}/inbox, format: {kind}}}")
        runtime = runtime_at(str(folder / "lake"))
        strict = [parser_of(stream).strict(line, header) for line in lines]
        placed = [
            Placed(line, "a", number, None, said.reason if isinstance(said, Refusal) else None, header)
            for number, (line, said) in enumerate(zip(lines, strict, strict=True), 2 if header else 1)
        ]
        ingest(runtime, stream, INTERVAL)
        live = merge(runtime, stream)
        check_landed(runtime, placed)
        bronze(runtime, stream, INTERVAL.end)
        settled = silver(runtime, stream)
        assert live["added"] + live["duplicates"] + live["quarantined"] == len(lines)
        assert settled["good"] + settled["duplicates"] + settled["quarantined"] == settled["lines"] == len(lines)
        assert (live["added"], live["quarantined"]) == (settled["good"], settled["quarantined"])
        held = {row["_source_line"]: row for row in rows(runtime, paths.quarantine("events"))}
        assert len(held) == settled["quarantined"]
        good = {(row["id"], row["at"].replace(tzinfo=None)) for row in rows(runtime, paths.silver("events"))}
        for line in placed:
            if line.source_line in held:
                row = held[line.source_line]
                assert row["_raw"] == line.raw
                assert line.reason in (None, row["_reason"])
            else:
                assert line.reason is None
                assert _event(line) in {(key, day(at)) for key, at in good}
        assert merge(runtime, stream)["drift"] == 0
        assert audit(runtime, stream).agrees


def day(at: datetime) -> str:
    """The day of a moment, as one writes it."""
    return at.date().isoformat()


def _event(line: Placed) -> tuple[str, str]:
    """Key and UTC day of a good event, by the standard library."""
    if line.header:
        text = line.raw.decode().removeprefix("\ufeff").removesuffix("\r")
        found = next(csv.DictReader(io.StringIO(line.header + "\n" + text, newline="")))
    else:
        found = json.loads(line.raw.decode("utf-8-sig"), parse_int=str, parse_float=str)
    key, at = (value if isinstance(value, str) else json.dumps(value) for value in (found["id"], found["at"]))
    moment = datetime.fromisoformat(_plain(at))
    return key, day(moment.replace(tzinfo=None) - (moment.utcoffset() or timedelta()))


def _plain(at: str) -> str:
    """The text as `datetime.fromisoformat` of any Python reads it."""
    at = at.replace(",", ".").replace("z", "Z").replace(" ", "T", 1).replace(" ", "")
    head, dot, rest = at.partition(".")
    digits = rest[: len(rest) - len(rest.lstrip("0123456789"))]
    return f"{head}.{digits[:6].ljust(6, '0')}{rest[len(digits) :]}" if dot else at
