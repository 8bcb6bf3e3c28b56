"""Where the lines of a preview come from, and what is read and written for it."""

from __future__ import annotations

import gzip
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import zstandard

from strandline.errors import SourceError, UsageError
from strandline.intervals import Interval
from strandline.preview import Preview, preview
from strandline.sources.generator import EventModel, micro_batch
from strandline.spec.load import load_stream
from strandline.spec.model import GeneratorSource, HttpSource, Stream
from tests.preview.shop import SHOP, lines, opened, order, shop

NOON = datetime(2026, 11, 25, 12, tzinfo=UTC)
CSV = b"id,at,amount,paid,buyerName\no1,2026-03-02T09:00:00Z,10.50,true,ada\no2,2026-03-02T09:00:00Z,x,true,bob\n"
CONFIG = Path(__file__).parents[2] / "config/streams"


def previewed(stream: Stream, file: Path | None = None, rows: int | None = None, at: datetime | None = None) -> Preview:
    with opened() as (engine, _):
        return preview(engine, stream, file=str(file) if file else None, rows=rows, at=at, now=NOON + timedelta(minutes=2))


def test_a_generator_gives_its_last_whole_interval_as_it_will_land() -> None:
    stream = load_stream(CONFIG / "api_logs.yaml")
    found = previewed(stream)
    lines, truth = micro_batch(EventModel(stream), Interval(NOON - stream.interval, NOON))
    assert found.rehearsal.counts.lines == len(lines) == truth.lines
    assert found.rehearsal.counts.reasons == truth.reasons
    assert found.rehearsal.as_of == NOON


def test_a_generator_gives_as_many_intervals_as_the_rows_take() -> None:
    stream = load_stream(CONFIG / "iot_sensors.yaml")
    found = previewed(stream, rows=1200)
    assert 1200 <= found.rehearsal.counts.lines < 1200 + 400
    assert len(set(found.rehearsal.landed["_landing_start"].to_pylist())) > 2
    assert previewed(stream, rows=1200).rehearsal.landed.select(["_source_line"]) == found.rehearsal.landed.select(
        ["_source_line"]
    )


def test_a_great_generator_is_shown_by_an_interval_made_smaller() -> None:
    stream = load_stream(CONFIG / "iot_sensors.yaml")
    assert isinstance(stream.source, GeneratorSource)
    great = replace(stream, source=GeneratorSource({**stream.source.options, "rows": {"mean": 4_000_000}}))
    found = previewed(great)
    assert 400 < found.rehearsal.counts.lines < 1100
    assert "4,000,000 events" in found.sample.notes[0]


def test_a_quiet_generator_ends_somewhere() -> None:
    stream = load_stream(CONFIG / "iot_sensors.yaml")
    assert isinstance(stream.source, GeneratorSource)
    quiet = replace(stream, source=GeneratorSource({**stream.source.options, "rows": {"mean": 0.001}}))
    assert previewed(quiet).rehearsal.counts.lines < 20


@pytest.mark.parametrize("name", ["a.ndjson", "a.json", "a.ndjson.gz", "a.jsonl.zst", "a"])
def test_a_file_of_ndjson_is_read_whatever_it_is_packed_in(tmp_path: Path, name: str) -> None:
    data = lines(order(1), order(2, amount=-1), "no json")
    path = tmp_path / name
    path.write_bytes(gzip.compress(data) if name.endswith("gz") else zstandard.compress(data) if name.endswith("zst") else data)
    found = previewed(shop(tmp_path), path)
    assert found.rehearsal.counts.reasons == {"not_json": 1, "range": 1}
    assert found.rehearsal.refused["_source"].unique().to_pylist() == [name]


@pytest.mark.parametrize("name", ["a.csv", "a.CSV.gz"])
def test_a_file_of_csv_is_told_by_its_name(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(gzip.compress(CSV) if name.endswith("gz") else CSV)
    found = previewed(shop(tmp_path), tmp_path / name)
    assert found.rehearsal.good["id"].to_pylist() == ["o1"]
    assert found.rehearsal.counts.reasons == {"type": 1}


def test_a_file_without_an_ending_is_read_as_the_streams_own_files(tmp_path: Path) -> None:
    (tmp_path / "export").write_bytes(CSV.replace(b",", b";"))
    stream = shop(tmp_path, SHOP.replace('pattern: "*"', 'pattern: "*", format: csv, delimiter: ";"'))
    assert previewed(stream, tmp_path / "export").rehearsal.good.num_rows == 1


def test_a_long_file_is_read_as_far_as_asked_and_says_so(tmp_path: Path) -> None:
    (tmp_path / "a.ndjson").write_bytes(lines(*(order(n) for n in range(5))))
    found = previewed(shop(tmp_path), tmp_path / "a.ndjson", rows=3)
    assert found.rehearsal.counts.lines == 3
    assert "the first 3 lines" in found.sample.notes[0]
    assert "the first" not in "".join(previewed(shop(tmp_path), tmp_path / "a.ndjson", rows=5).sample.notes)


def test_a_source_of_files_is_read_and_not_moved_on(tmp_path: Path) -> None:
    (tmp_path / "inbox").mkdir()
    (tmp_path / "inbox/1.ndjson").write_bytes(lines(order(1), order(2)))
    stream = shop(tmp_path)
    assert [previewed(stream).rehearsal.counts.lines for _ in range(2)] == [2, 2]


def test_old_lines_are_late_when_they_land_now(tmp_path: Path) -> None:
    (tmp_path / "a.ndjson").write_bytes(lines(order(1)))
    found = previewed(shop(tmp_path), tmp_path / "a.ndjson", at=NOON)
    assert found.rehearsal.counts.reasons == {"late": 1}
    assert found.refused[0].expected.startswith("not more than 2 d before")
    assert found.refused[0].examples[0]["saw"] == {"at": "2026-03-02T09:00:00Z"}


def test_an_api_is_not_called_but_its_lines_may_be_given(tmp_path: Path) -> None:
    stream = replace(shop(tmp_path), source=HttpSource("https://example.com/orders"))
    with pytest.raises(UsageError, match="give lines it sent with --input FILE"):
        previewed(stream)
    (tmp_path / "a.ndjson").write_bytes(lines(order(1)))
    assert previewed(stream, tmp_path / "a.ndjson").rehearsal.good.num_rows == 1


def test_a_file_that_is_not_there_or_damaged_is_an_error_that_names_it(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"none\.ndjson cannot be read: No such file"):
        previewed(shop(tmp_path), tmp_path / "none.ndjson")
    (tmp_path / "a.ndjson.gz").write_bytes(gzip.compress(lines(order(1)))[:-9])
    with pytest.raises(SourceError, match=r"a\.ndjson\.gz: truncated"):
        previewed(shop(tmp_path), tmp_path / "a.ndjson.gz")


def test_the_key_of_the_environment_is_used_where_there_is_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.ndjson").write_bytes(lines(order(1)))
    monkeypatch.delenv("STRANDLINE_KEY", raising=False)
    first, second = (previewed(shop(tmp_path), tmp_path / "a.ndjson") for _ in range(2))
    assert first.sample.key == second.sample.key == "throw-away"
    assert first.rehearsal.good["buyer"] != second.rehearsal.good["buyer"]
    monkeypatch.setenv("STRANDLINE_KEY", "5a" * 32)
    assert previewed(shop(tmp_path), tmp_path / "a.ndjson").sample.key == "own"
    monkeypatch.setenv("STRANDLINE_KEY", "short")
    with pytest.raises(UsageError, match="is no key"):
        previewed(shop(tmp_path), tmp_path / "a.ndjson")


def test_undeclared_fields_are_named_and_counted(tmp_path: Path) -> None:
    (tmp_path / "a.ndjson").write_bytes(lines(order(1, note="x"), order(2, note=None, other={"note": 1}), order(3)))
    assert previewed(shop(tmp_path), tmp_path / "a.ndjson").unknown_fields == {"note": 2, "other": 1}
    (tmp_path / "a.csv").write_bytes(CSV.replace(b"paid", b"payed"))
    assert previewed(shop(tmp_path), tmp_path / "a.csv").unknown_fields == {"payed": 2}


def test_lines_refused_for_one_reason_are_one_group_with_what_was_seen(tmp_path: Path) -> None:
    bad = [order(n, amount=amount) for n, amount in ((1, 2000), (2, 3000), (3, "x"), (4, -5))]
    (tmp_path / "a.ndjson").write_bytes(lines(*bad, "{", order(5, at=None)))
    groups = {(g.reason, g.field or g.rule): g for g in previewed(shop(tmp_path), tmp_path / "a.ndjson").refused}
    told = {about: (g.count, g.expected, [example["saw"] for example in g.examples]) for about, g in groups.items()}
    assert told == {
        ("rule", "affordable"): (2, "amount < 1000", [{"amount": "2000"}, {"amount": "3000"}]),
        ("type", "amount"): (1, "decimal with 2 decimal places, at least 0", [{"amount": "x"}]),
        ("range", "amount"): (1, "decimal with 2 decimal places, at least 0", [{"amount": "-5"}]),
        ("missing", "at"): (1, "timestamp, required", [{"at": None}]),
        ("not_json", None): (1, "one JSON object on the line", [{}]),
    }
