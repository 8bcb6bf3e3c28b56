"""Bombs and long lines: the memory of a process that takes them is bounded, and each is refused loudly or kept exactly."""

from __future__ import annotations

import gzip
import random
import zlib
from pathlib import Path
from typing import Any

import pytest
import zstandard

from strandline.errors import SourceError
from strandline.lake import paths
from strandline.lake.objects import Objects, open_objects
from strandline.stages.land import ingest
from strandline.stages.merge import merge
from tests.poison.bounded import in_a_process
from tests.poison.corpus import OVERLONG
from tests.poison.deliveries import csv_objects, gzip_members, ndjson, zstd_frames
from tests.poison.lines import GOOD
from tests.poison.pipeline import INTERVAL, check_both_paths, rows, runtime_at, stream_from

BLOCK = b"\0" * (10 << 20)
MEGABYTE_LINES = 200


def gzip_bomb() -> bytes:
    """One gzip member of 10 GiB of zeros: the same flushed block again and again."""
    packer = zlib.compressobj(9, wbits=31)
    head = packer.compress(BLOCK) + packer.flush(zlib.Z_FULL_FLUSH)
    block = packer.compress(BLOCK) + packer.flush(zlib.Z_FULL_FLUSH)
    return head + block * 1023 + packer.flush()


def zstd_bomb(plain: bytes, times: int) -> bytes:
    """One zstd frame that repeats `plain`."""
    packer = zstandard.ZstdCompressor(3).compressobj()
    return b"".join(packer.compress(plain) for _ in range(times)) + packer.flush()


def long_window() -> bytes:
    """A zstd frame that asks its reader for a window of 1 GiB."""
    parameters = zstandard.ZstdCompressionParameters.from_level(1, window_log=30)
    packer = zstandard.ZstdCompressor(compression_params=parameters).compressobj()
    return packer.compress(GOOD * 100) + packer.flush()


def bombs() -> dict[str, tuple[str, bytes, str]]:
    """By case: the object's name, its bytes and what must be said."""
    ratio, line = "decompresses to more than 200 times its size", "a line of more than 67108864 bytes"
    return {
        "gzip": ("a.gz", gzip_bomb(), ratio),
        "gzip members": ("a.gz", gzip.compress(BLOCK, 9) * 1024, ratio),
        "gzip of short lines": ("a.gz", gzip.compress((b"x" * 999 + b"\n") * 10_000, 9) * 1024, ratio),
        "gzip in disguise": ("a.ndjson", gzip.compress(BLOCK, 9) * 64, ratio),
        "gzip as CSV": ("a.csv.gz", gzip.compress(b'id,at\n"' + BLOCK, 9) * 64, ratio),
        "zstd": ("a.zst", zstd_bomb(BLOCK, 100), ratio),
        "zstd of good lines": ("a.zst", zstd_bomb((GOOD + b"\n") * 50_000, 20), ratio),
        "zstd with a window of 1 GiB": ("a.zst", long_window(), "damaged or no zstd"),
        "a line that never ends": ("a.ndjson", b"{" + b" " * (70 << 20), line),
    }


def place(folder: Path, name: str, data: bytes) -> None:
    (folder / "inbox").mkdir(parents=True)
    (folder / "inbox" / name).write_bytes(data)


def test_no_bomb_takes_memory_or_lands_a_line_and_each_is_named(tmp_path: Path) -> None:
    cases = bombs()
    for case, (name, data, _) in cases.items():
        place(tmp_path / case, name, data)
    found = in_a_process(tmp_path)
    for case, (name, _, message) in cases.items():
        assert found[case]["error"].startswith(f"SourceError: {name}: "), case
        assert message in found[case]["error"], case
    assert max(told["peak"] for told in found.values()) < 400


def test_hundreds_of_lines_of_megabytes_go_through_every_step_to_quarantine(tmp_path: Path) -> None:
    """They are refused (not JSON), so that their bytes go through every step to quarantine."""
    packer = zstandard.ZstdCompressor(1).compressobj()
    lines = (random.Random(n).randbytes(12_000).hex().encode() * 84 + b"\n" for n in range(MEGABYTE_LINES))
    place(tmp_path / "long", "a.zst", b"".join(packer.compress(line) for line in lines) + packer.flush())
    told: dict[str, Any] = in_a_process(tmp_path)["long"]
    assert told["error"] is None
    assert told["counts"]["silver"]["quarantined"] == told["counts"]["merge"]["quarantined"] == MEGABYTE_LINES
    assert told["counts"]["audit"]
    assert told["peak"] < 2200


def test_lines_too_long_to_be_parsed_are_kept_exactly_on_both_paths(tmp_path: Path) -> None:
    (tmp_path / "csv").mkdir()
    json_lines = [poison for poison in OVERLONG if poison.header is None]
    delivered = [ndjson("a.ndjson", json_lines)]
    put(open_objects(str(tmp_path / "inbox")), delivered)
    stream = stream_from(tmp_path, f"{{type: files, location: {tmp_path}/inbox}}")
    check_both_paths(runtime_at(str(tmp_path / "lake")), stream, [line for each in delivered for line in each.lines])
    records = csv_objects([poison for poison in OVERLONG if poison.header is not None])
    put(open_objects(str(tmp_path / "csv" / "inbox")), records)
    stream = stream_from(tmp_path / "csv", f"{{type: files, location: {tmp_path}/csv/inbox, format: csv}}")
    check_both_paths(runtime_at(str(tmp_path / "csv" / "lake")), stream, [line for each in records for line in each.lines])


def put(objects: Objects, delivered: list[Any]) -> None:
    for each in delivered:
        objects.put(each.name, each.data)


_PLAIN = b"".join(b'{"id":"p%d","at":"2026-01-01T00:00:00Z"}\n' % n for n in range(20_000))
_GZ, _ZST = gzip.compress(_PLAIN, 1, mtime=0), zstandard.compress(_PLAIN, 1)
_MEMBERS, _FRAMES = gzip_members(_PLAIN), zstd_frames(_PLAIN)
DAMAGED = {
    "cut in the gzip header": ("a.gz", _GZ[:5], "truncated"),
    "cut after the gzip header": ("a.gz", _GZ[:10], "truncated"),
    "cut in the middle of gzip": ("a.gz", _GZ[: len(_GZ) // 2], "truncated"),
    "cut before the gzip checksum": ("a.gz", _GZ[:-8], "truncated"),
    "cut inside the gzip length": ("a.gz", _GZ[:-1], "truncated"),
    "cut in the second gzip member": ("a.gz", _MEMBERS[:-20], "truncated"),
    "a wrong gzip checksum": ("a.gz", _GZ[:-8] + b"\0\0\0\0" + _GZ[-4:], "damaged"),
    "a wrong gzip length": ("a.gz", _GZ[:-4] + b"\0\0\0\0", "damaged"),
    "a bit flipped in gzip": ("a.gz", _GZ[:5000] + bytes([_GZ[5000] ^ 16]) + _GZ[5001:], "damaged|truncated"),
    "text after gzip": ("a.gz", _GZ + b"the end", "what follows its gzip data is none"),
    "plain text named gzip": ("a.gz", _PLAIN, "damaged or no gzip"),
    "zstd data cut in its header": ("a.zst", _ZST[:6], "truncated"),
    "cut in the middle of zstd": ("a.zst", _ZST[: len(_ZST) // 2], "truncated"),
    "cut in the last zstd frame": ("a.zst", _FRAMES[:-3], "truncated"),
    "text after zstd": ("a.zst", _ZST + b"the end", "damaged or no zstd"),
    "plain text named zstd": ("a.zst", _PLAIN, "damaged or no zstd"),
    "gzip in gzip cut in two": ("a.gz", gzip.compress(_GZ, 1)[:-100], "truncated"),
}


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("damaged")


def test_a_damaged_object_lands_nothing_and_once_it_is_whole_everything(lake: Path) -> None:
    inbox = open_objects(str(lake / "inbox"))
    stream = stream_from(lake, f"{{type: files, location: {lake}/inbox}}")
    runtime = runtime_at(str(lake / "lake"))
    for case, (name, data, message) in DAMAGED.items():
        inbox.put("0.ndjson", GOOD)
        inbox.put(name, data)
        with pytest.raises(SourceError, match=rf"^{name}: .*({message})"):
            ingest(runtime, stream, INTERVAL)
        assert runtime.lake.table(paths.realtime("events")).snapshot() is None, case
        inbox.delete([name])
    inbox.put("a.gz", _MEMBERS)
    inbox.put("b.zst", _FRAMES)
    assert ingest(runtime, stream, INTERVAL)["lines"] == 40_001
    assert merge(runtime, stream)["added"] == 20_001
    assert len(rows(runtime, paths.unified("events"))) == 20_001
