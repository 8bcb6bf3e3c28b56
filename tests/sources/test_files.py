"""Objects become lines byte for byte, each exactly once, and what cannot be read is loud."""

from __future__ import annotations

import csv
import gzip
import io
import tracemalloc
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from strandline.errors import SourceError, UsageError
from strandline.intervals import Interval
from strandline.lake.local import LocalObjects
from strandline.lake.objects import ObjectInfo, Objects, S3Credentials, open_objects
from strandline.sources.compressed import Limits, plain_chunks
from strandline.sources.files import MARGIN, FilesReader
from strandline.sources.records import csv_records, lines
from strandline.sources.source import RawLine, SourceBatch, open_source
from strandline.spec.model import Field, FilesSource, Stream, Team

INTERVAL = Interval(datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 1, 0, 5, tzinfo=UTC))


@dataclass
class Landed:
    """A position as the lake would give it."""

    cursor: Mapping[str, Any] = field(default_factory=dict)
    names: set[str] = field(default_factory=set)

    def is_landed(self, source: str) -> bool:
        return source in self.names

    def after(self, batch: SourceBatch) -> Landed:
        position = batch.position()
        return Landed(position["cursor"], self.names | set(position["objects"]))


def local(location: str, connection: str | None) -> Objects:
    return open_objects(location)


def stream(location: object, **options: Any) -> Stream:
    fields = (Field("id", "string", "id"), Field("at", "timestamp", "at"))
    source = FilesSource(str(location), **options)
    return Stream("events", "1.0.0", "a test", Team("t", "t@example.com"), source, ("id",), "at", fields, Path("t.yaml"))


def batch_of(location: object, landed: Landed | None = None, **options: Any) -> SourceBatch:
    return open_source(stream(location, **options), objects=local).read(INTERVAL, landed or Landed())


def read(location: object, landed: Landed | None = None, **options: Any) -> list[RawLine]:
    return list(batch_of(location, landed, **options).lines)


def raws(found: list[RawLine]) -> list[bytes]:
    return [line.raw for line in found]


def test_lines_are_split_at_line_feeds_only_and_keep_every_byte(tmp_path: Path) -> None:
    data = b'\xef\xbb\xbf{"a":1}\r\n\n \n\x00\xff\r\x0b\x0c\xe2\x80\xa8\xc2\x85\nlast'
    (tmp_path / "a.ndjson").write_bytes(data)
    found = read(tmp_path)
    assert b"\n".join(raws(found)) == data
    assert [line.source_line for line in found] == [1, 2, 3, 4, 5]
    assert {(line.source, line.header) for line in found} == {("a.ndjson", None)}


def test_the_empty_rest_after_the_last_line_feed_is_no_line(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"1\n2\n")
    (tmp_path / "b").write_bytes(b"3")
    (tmp_path / "c").write_bytes(b"\n\n")
    (tmp_path / "d").write_bytes(b"")
    assert raws(read(tmp_path)) == [b"1", b"2", b"3", b"", b""]


@pytest.mark.parametrize("pack", [gzip.compress, zstandard.compress, bytes], ids=["gzip", "zstd", "plain"])
@pytest.mark.parametrize("name", ["a.ndjson", "a.bin", "A.GZ", "a.json.zst"])
def test_compression_is_told_by_the_first_bytes_whatever_the_name(tmp_path: Path, name: str, pack: Any) -> None:
    (tmp_path / name).write_bytes(pack(b"1\n22\n" * 1000))
    told_wrongly = pack is bytes and name in ("A.GZ", "a.json.zst")
    if told_wrongly:
        with pytest.raises(SourceError, match=f"{name}: damaged or no (gzip|zstd)"):
            read(tmp_path)
    else:
        assert raws(read(tmp_path)) == [b"1", b"22"] * 1000


def test_several_members_or_frames_and_zero_padding_are_one_object(tmp_path: Path) -> None:
    (tmp_path / "a.gz").write_bytes(gzip.compress(b"1\n2") + gzip.compress(b"") + gzip.compress(b"2\n3\n") + b"\0" * 600_000)
    (tmp_path / "b.zst").write_bytes(zstandard.compress(b"1\n2") + zstandard.compress(b"2\n3\n"))
    skippable = b"\x50\x2a\x4d\x18\x03\x00\x00\x00abc"
    (tmp_path / "c.zst").write_bytes(skippable + zstandard.compress(b"4\n"))
    assert raws(read(tmp_path)) == [b"1", b"22", b"3", b"1", b"22", b"3", b"4"]


@pytest.mark.parametrize("pack", [gzip.compress, zstandard.compress], ids=["gzip", "zstd"])
def test_a_truncated_object_is_an_error_that_names_it_and_gives_no_position(tmp_path: Path, pack: Any) -> None:
    whole = pack(bytes(range(256)) * 500 + b"\n" + b"x" * 100)
    for kept in (3, 12, len(whole) // 2, len(whole) - 5, len(whole) - 1):
        (tmp_path / "cut").write_bytes(whole[:kept])
        batch = batch_of(tmp_path)
        if kept == 3 and not whole.startswith(b"\x1f\x8b"):
            continue  # three bytes of a zstd frame are no zstd yet
        with pytest.raises(SourceError, match=r"cut: (truncated|damaged)"):
            list(batch.lines)
        with pytest.raises(SourceError, match="once all its lines are read"):
            batch.position()


def test_a_damaged_gzip_object_is_an_error_that_names_it(tmp_path: Path) -> None:
    whole = bytearray(gzip.compress(b"abc\n" * 1000))
    whole[-6] ^= 1
    (tmp_path / "a.gz").write_bytes(whole)
    with pytest.raises(SourceError, match=r"a\.gz: damaged"):
        read(tmp_path)
    (tmp_path / "a.gz").write_bytes(gzip.compress(b"abc\n") + b"garbage")
    with pytest.raises(SourceError, match=r"a\.gz: what follows its gzip data is none"):
        read(tmp_path)


@pytest.mark.parametrize("kind", ["gzip", "zstd"])
def test_a_bomb_is_refused_by_its_ratio_in_bounded_memory(kind: str) -> None:
    zeros = b"\0" * 1_000_000
    if kind == "gzip":
        packer = zlib.compressobj(9, wbits=31)
        bomb = b"".join(packer.compress(zeros) for _ in range(300)) + packer.flush()
    else:
        frame = zstandard.ZstdCompressor(level=19).compressobj()
        bomb = b"".join(frame.compress(zeros) for _ in range(300)) + frame.flush()
    tracemalloc.start()
    try:
        with pytest.raises(SourceError, match="bomb: decompresses to more than 200 times its size"):
            for _ in plain_chunks(io.BytesIO(bomb), "bomb", Limits()):
                pass
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < (40_000_000 if kind == "zstd" else 3_000_000)


def test_an_object_over_the_size_limit_is_refused_and_one_at_it_is_not() -> None:
    data = gzip.compress(bytes(range(256)) * 40)
    assert sum(map(len, plain_chunks(io.BytesIO(data), "a", Limits(size=10240)))) == 10240
    with pytest.raises(SourceError, match="a: more than 10239 bytes"):
        list(plain_chunks(io.BytesIO(data), "a", Limits(size=10239)))


def test_a_long_line_is_passed_on_and_a_longer_one_is_refused_by_name() -> None:
    chunks = [b"a" * 1000] * 100
    assert list(lines([*chunks, b"\nb"], "x", longest=100_000)) == [b"a" * 100_000, b"b"]
    with pytest.raises(SourceError, match="x: a line of more than 99999 bytes"):
        list(lines([*chunks, b"\nb"], "x", longest=99_999))


def test_a_line_of_50_megabytes_comes_through_whole(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"1\n" + b"x" * 50_000_000 + b"\n2\n")
    assert [len(raw) for raw in raws(read(tmp_path))] == [1, 50_000_000, 1]


def test_reading_a_large_object_needs_little_memory(tmp_path: Path) -> None:
    with gzip.open(tmp_path / "a.gz", "wb", compresslevel=1) as file:
        for number in range(300_000):
            file.write(b'{"id":"%d","pad":"%s"}\n' % (number, str(number * 7919).encode() * 20))
    tracemalloc.start()
    try:
        count = sum(1 for _ in batch_of(tmp_path).lines)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert count == 300_000
    assert peak < 8_000_000


def test_objects_are_taken_in_name_order_at_most_max_files_at_a_time_each_once(tmp_path: Path) -> None:
    for name in ("b/2", "a10", "a9", "b/1", "c"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(name.encode())
    landed, seen = Landed(), []
    for _ in range(4):
        batch = batch_of(tmp_path, landed, max_files=2)
        seen.append([(line.source, line.raw.decode()) for line in batch.lines])
        landed = landed.after(batch)
    assert seen == [[("a10", "a10"), ("a9", "a9")], [("b/1", "b/1"), ("b/2", "b/2")], [("c", "c")], []]
    assert landed.cursor["last"] == "c"
    assert landed.cursor["recent"] == ["a10", "a9", "b/1", "b/2", "c"]


def test_a_reader_lists_once_and_what_comes_meanwhile_is_found_by_the_next(tmp_path: Path) -> None:
    for name in "bcd":
        (tmp_path / name).write_bytes(name.encode())
    listed: list[str] = []

    class Listed(LocalObjects):
        def list(self, prefix: str = "") -> Iterator[ObjectInfo]:
            listed.append(prefix)
            return super().list(prefix)

    def opened(location: str, connection: str | None) -> Objects:
        return Listed(location)

    landed, seen = Landed(), []
    for reads in (4, 1):
        reader = open_source(stream(tmp_path, max_files=1), objects=opened)
        for _ in range(reads):
            batch = reader.read(INTERVAL, landed)
            seen.append([line.source for line in batch.lines])
            landed = landed.after(batch)
            (tmp_path / "a").write_bytes(b"a")
    assert seen == [["b"], ["c"], ["d"], [], ["a"]]
    assert len(listed) == 2


def test_an_object_that_arrives_late_with_an_earlier_name_is_taken_too(tmp_path: Path) -> None:
    (tmp_path / "b").write_bytes(b"b")
    first = batch_of(tmp_path)
    assert raws(list(first.lines)) == [b"b"]
    landed = Landed().after(first)
    (tmp_path / "a").write_bytes(b"a")
    second = batch_of(tmp_path, landed)
    assert raws(list(second.lines)) == [b"a"]
    assert second.position()["objects"] == ["a"]
    assert second.position()["cursor"]["last"] == "b"


def test_an_empty_object_is_landed_though_it_has_no_line(tmp_path: Path) -> None:
    (tmp_path / "a.gz").write_bytes(b"")
    (tmp_path / "b.gz").write_bytes(gzip.compress(b""))
    batch = batch_of(tmp_path)
    assert list(batch.lines) == []
    assert batch.position()["objects"] == ["a.gz", "b.gz"]


def test_no_new_object_keeps_the_cursor(tmp_path: Path) -> None:
    batch = batch_of(tmp_path, Landed({"last": "z"}))
    assert list(batch.lines) == []
    assert batch.position()["cursor"]["last"] == "z"


def test_objects_that_wait_behind_max_files_for_days_are_taken_in_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = datetime.now(UTC)

    class Later(datetime):
        days = 0

        @classmethod
        def now(cls, tz: Any = None) -> Any:
            return now + timedelta(days=cls.days)

    (tmp_path / "z").write_bytes(b"z")
    first = batch_of(tmp_path)
    assert raws(list(first.lines)) == [b"z"]
    landed = Landed().after(first)
    for name in "abcdefgh":
        (tmp_path / name).write_bytes(name.encode())
    monkeypatch.setattr("strandline.sources.files.datetime", Later)
    seen: list[str] = []
    for day in range(1, 7):
        Later.days = day
        batch = batch_of(tmp_path, landed, max_files=2)
        seen += [line.source for line in batch.lines]
        landed = landed.after(batch)
    assert seen == list("abcdefgh")


def test_objects_from_before_the_last_listing_are_not_looked_up_again(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).write_bytes(b"x")
    soon = (datetime.now(UTC) + MARGIN + timedelta(minutes=1)).isoformat()
    batch = batch_of(tmp_path, Landed({"last": "b", "listed_at": soon}))
    assert list(batch.lines) == []
    again = batch_of(tmp_path, Landed({"last": "b", "listed_at": datetime.now(UTC).isoformat()}))
    assert [line.source for line in again.lines] == ["a", "b"]


def test_hidden_names_and_names_off_the_pattern_are_left_alone(tmp_path: Path) -> None:
    for name in ("_SUCCESS", ".hidden", "_tmp/a.json", "day/.part/a.json", "day/a.json", "day/a.csv", "a.JSON", "b.json"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"1")
    assert [line.source for line in read(tmp_path)] == ["a.JSON", "b.json", "day/a.csv", "day/a.json"]
    assert [line.source for line in read(tmp_path, pattern="*.json")] == ["b.json", "day/a.json"]
    assert [line.source for line in read(tmp_path, pattern="day/*")] == ["day/a.csv", "day/a.json"]


def test_a_folder_that_does_not_exist_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="stream events: there is no folder"):
        read(tmp_path / "nowhere")


def test_an_unknown_type_of_source_is_a_usage_error() -> None:
    for kind in ("carrier_pigeon", "records", "../files"):
        with pytest.raises(UsageError, match="no source of type"):
            open_source(replace(stream("x"), source=replace(FilesSource("x"), type=kind)), objects=local)  # type: ignore[arg-type]


# --- CSV ---


def test_csv_records_are_exact_bytes_under_the_exact_header_which_is_no_line(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(b'\xef\xbb\xbfid,at,"n\nx"\r\na,b,1\r\n"q""\r\n,",b,2\r\n\r\nz,y,3')
    found = read(tmp_path, format="csv")
    assert raws(found) == [b"a,b,1\r", b'"q""\r\n,",b,2\r', b"\r", b"z,y,3"]
    assert [line.source_line for line in found] == [3, 4, 6, 7]
    assert {line.header for line in found} == {'\ufeffid,at,"n\nx"\r'}


def test_each_csv_object_has_its_own_header(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(b"id,at\n1,2\n")
    (tmp_path / "b.csv.gz").write_bytes(gzip.compress(b"at,id\n3,4\n"))
    (tmp_path / "c.csv").write_bytes(b"id,at\n")
    batch = batch_of(tmp_path, format="csv")
    assert [(line.header, line.raw) for line in batch.lines] == [("id,at", b"1,2"), ("at,id", b"3,4")]
    assert batch.position()["objects"] == ["a.csv", "b.csv.gz", "c.csv"]


def test_an_opening_quote_gone_astray_harms_its_own_line_alone() -> None:
    physical = [b"id,at", b'"a,1', b"b,2", b'"c","3"', b"d,4", b'e,"5', b"", b'6"']
    assert [record for _, record in csv_records(physical, ",")] == [
        b"id,at", b'"a,1', b"b,2", b'"c","3"', b"d,4", b'e,"5\n\n6"',
    ]  # fmt: skip


def test_a_first_record_that_names_no_declared_column_is_refused_where_fields_are_protected(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(b"eve@example.com,2026\n")
    open_stream = stream(tmp_path, format="csv")
    kept = open_stream.fields
    protected = replace(open_stream, fields=(*kept, Field("email", "string", "email", protect="hash")))
    assert list(open_source(open_stream, objects=local).read(INTERVAL, Landed()).lines) == []
    with pytest.raises(SourceError, match=r"a\.csv: its first record names no declared column") as refusal:
        list(open_source(protected, objects=local).read(INTERVAL, Landed()).lines)
    assert "eve" not in str(refusal.value)


_CELL = st.text('ab",\n\r é', max_size=5)


@given(
    st.integers(1, 4).flatmap(lambda width: st.lists(st.lists(_CELL, min_size=width, max_size=width), min_size=1, max_size=6))
)
@settings(max_examples=300, deadline=None)
def test_records_of_a_written_csv_are_its_rows_and_joined_they_are_its_bytes(rows: list[list[str]]) -> None:
    rows = [[f"c{n}" for n in range(len(rows[0]))], *rows]
    text = io.StringIO()
    csv.writer(text, lineterminator="\n", quoting=csv.QUOTE_ALL).writerows(rows)
    data = text.getvalue().encode()
    found = [record for _, record in csv_records(lines([data], "x"), ",")]
    assert b"\n".join(found) + b"\n" == data
    assert [next(csv.reader([record.decode()])) for record in found] == rows


@given(st.lists(st.binary(max_size=20), max_size=8), st.sampled_from([",", ";"]))
@settings(max_examples=300, deadline=None)
def test_no_byte_is_lost_whatever_the_bytes(chunks: list[bytes], delimiter: str) -> None:
    data = b"".join(chunks)
    split = list(lines(chunks, "x"))
    assert b"\n".join(split) == data.removesuffix(b"\n") or (data.endswith(b"\n") and b"\n".join(split) + b"\n" == data)
    assert b"\n".join(record for _, record in csv_records(split, delimiter)) == b"\n".join(split)


# --- S3 ---


def test_objects_of_a_real_s3_prefix_are_read_like_files(s3_lake: Any) -> None:
    root = open_objects(s3_lake.url, s3_lake.credentials)
    root.put("in/b.ndjson.gz", gzip.compress(b"2\n3\n"))
    root.put("in/a.ndjson", b"1\n")
    root.put("in/_staging", b"no")
    root.put("inner/z", b"no")

    def opened(location: str, connection: str | None) -> Objects:
        credentials: S3Credentials = s3_lake.credentials
        assert connection == "warehouse"
        return open_objects(location, credentials)

    reader = open_source(stream(f"{s3_lake.url}/in", connection="warehouse"), objects=opened)
    batch = reader.read(INTERVAL, Landed())
    assert [(line.source, line.raw) for line in batch.lines] == [
        ("a.ndjson", b"1"), ("b.ndjson.gz", b"2"), ("b.ndjson.gz", b"3"),
    ]  # fmt: skip


def test_limits_reach_the_reader(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"12345")
    source = FilesSource(str(tmp_path))
    reader = FilesReader(stream(tmp_path), source, local, Limits(size=4))
    with pytest.raises(SourceError, match="a: more than 4 bytes"):
        list(reader.read(INTERVAL, Landed()).lines)
