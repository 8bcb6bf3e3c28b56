"""What is guessed from a column, from a key to a range, one sentence a test."""

from __future__ import annotations

import gzip
import json
import random
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import zstandard
from pyarrow import parquet

from strandline.errors import UsageError
from strandline.scaffold.sample import read_sample
from strandline.scaffold.scaffold import scaffold
from strandline.spec.model import FilesSource, GeneratorSource
from tests.scaffold.samples import START, field_of, loaded, made, rows_of, stream_of, written


@pytest.mark.parametrize(
    ("values", "type_"),
    [
        ([1, 2, 3], "integer"),
        ([1.0, 2.0, 3.0], "integer"),
        ([1.5, 2, 3], "number"),
        ([2**70, 2**71], "string"),
        (["12", "13"], "integer"),
        (["007", "013"], "string"),
        ([True, False], "boolean"),
        (["true", "False"], "boolean"),
        (["2026-01-01", "2026-02-28"], "date"),
        (["2026-01-01T10:00", "2026-02-28 11:00:00,5 +0200"], "timestamp"),
        (["2026-02-30", "2026-01-01"], "string"),
        (["a", 1], "string"),
        ([{"a": 1}, None], "json"),
        ([[1], 2], "json"),
        ([1e300, 5], "string"),
    ],
)
def test_the_type_is_the_narrowest_that_nearly_all_values_have(tmp_path: Path, values: list[Any], type_: str) -> None:
    assert field_of(tmp_path, values).type == type_


def test_a_few_bad_values_do_not_change_the_type_and_are_told(tmp_path: Path) -> None:
    values: list[Any] = [*range(200)]
    values[50] = "abc"
    text = made(tmp_path, rows_of(200, lambda n, _: {"x": values[n]})).text
    assert "1 of 200 values are no integer and will be quarantined" in text
    assert loaded(text).field_named("x").type == "integer"


def test_money_is_decimal_with_the_places_seen(tmp_path: Path) -> None:
    field = field_of(tmp_path, [19.9, 5, 7.25], "unit_price")
    assert (field.type, field.scale) == ("decimal", 2)
    assert field_of(tmp_path, ["1.250", "2.500", "0.125"]).scale == 3


def test_a_dash_stands_for_nothing(tmp_path: Path) -> None:
    field = field_of(tmp_path, [*range(30), "-", "-"])
    assert field.type == "integer"
    assert field.null_values == ("-",)
    assert not field.required


def test_in_a_thin_sample_numbers_share_the_texts_for_nothing(tmp_path: Path) -> None:
    stream = stream_of(tmp_path, rows_of(30, lambda n, _: {"referer": "-" if n % 2 else "a", "size": n}))
    assert stream.field_named("size").null_values == ("-",)
    assert not stream.field_named("size").required


def test_a_field_that_is_always_there_is_required(tmp_path: Path) -> None:
    stream = stream_of(tmp_path, rows_of(50, lambda n, _: {"a": n, "b": n if n else None}))
    assert stream.field_named("a").required
    assert not stream.field_named("b").required


def test_few_values_that_keep_coming_back_are_choices(tmp_path: Path) -> None:
    assert field_of(tmp_path, ["GET", "POST"] * 150).choices == ("GET", "POST")
    assert field_of(tmp_path, ["GET", "POST"] * 50).choices is None, "a hundred rows are too few"
    assert field_of(tmp_path, ["GET", "POST"] * 149 + ["HEAD", "PUT"]).choices is None, "there may well be more"


def test_names_of_things_are_never_choices(tmp_path: Path) -> None:
    assert field_of(tmp_path, ["dev-1", "dev-2"] * 150, "device_id").choices is None


def test_limits_of_numbers_leave_room_and_need_many_rows(tmp_path: Path) -> None:
    chance = random.Random(1)
    few = field_of(tmp_path, [chance.uniform(10, 20) for _ in range(300)], "weight")
    assert (few.minimum, few.maximum) == (0, None)
    many = field_of(tmp_path, [chance.uniform(-10, 20) for _ in range(1500)], "temperature")
    assert many.minimum is not None
    assert many.maximum is not None
    assert -60 < many.minimum < -35
    assert 45 < many.maximum < 60


def test_limits_that_a_name_implies_need_no_rows(tmp_path: Path) -> None:
    status = field_of(tmp_path, [200, 404, 200], "status")
    assert (status.minimum, status.maximum) == (100, 599)
    share = field_of(tmp_path, [20.5, 40.5, 33], "humidity_pct")
    assert (share.minimum, share.maximum, share.unit) == (0, 100, "%")


def test_codes_built_alike_have_a_pattern(tmp_path: Path) -> None:
    assert field_of(tmp_path, [f"ORD-{n:06d}" for n in range(1200)], "invoice").pattern == "ORD-[0-9]{6}"
    assert field_of(tmp_path, [f"word {n}" if n % 2 else "w" for n in range(1200)], "invoice").pattern is None


def test_long_texts_have_a_length(tmp_path: Path) -> None:
    assert field_of(tmp_path, ["x" * (n % 60) for n in range(300)], "remark").max_length == 200


def test_a_key_that_is_no_name_is_read_with_from(tmp_path: Path) -> None:
    rows = [{"@timestamp": "2026-03-02T08:00:00Z", "Order Id": n, "order_id": n % 2, "now": 1} for n in range(30)]
    stream = stream_of(tmp_path, rows)
    assert [(f.name, f.source_name) for f in stream.fields] == [
        ("timestamp", "@timestamp"), ("order_id_2", "Order Id"), ("order_id", "order_id"), ("now_", "now")
    ]  # fmt: skip
    assert stream.primary_key == ("order_id_2",)
    assert stream.event_time == "timestamp"


def test_without_a_unique_field_several_are_the_key(tmp_path: Path) -> None:
    rows = [{"device": f"d{n % 5}", "read_at": (START + timedelta(minutes=n // 5)).isoformat(), "v": n % 7} for n in range(100)]
    stream = stream_of(tmp_path, rows)
    assert stream.primary_key == ("device", "read_at")
    assert stream.gold[0].dimensions == ("device",)


def test_a_key_that_repeats_is_told(tmp_path: Path) -> None:
    rows = [{"kind": "a", "at": "2026-03-02T08:00:00Z", "v": n // 10, "f": n * 1.5} for n in range(100)]
    assert "MEND THIS" in made(tmp_path, rows).text


def test_a_copy_of_a_line_does_not_cost_the_key(tmp_path: Path) -> None:
    rows = rows_of(50, lambda n, _: {"v": n % 3})
    assert stream_of(tmp_path, [*rows, *rows[:20]]).primary_key == ("event_id",)


def test_the_event_time_is_when_it_happened_not_when_it_was_changed(tmp_path: Path) -> None:
    stream = stream_of(tmp_path, rows_of(30, lambda n, _: {"updated_at": (START + timedelta(days=n)).isoformat()}))
    assert stream.event_time == "at"
    assert stream.sequence_by == ("updated_at",)


def test_bad_lines_are_counted_and_change_nothing(tmp_path: Path) -> None:
    rows = rows_of(100, lambda n, _: {"kind": "ab"[n % 2]})
    bad = ["no json", "[1]", "{}", '{"event_id": "x"}', '{"at": "2026-03-02T08:00:00Z"}', '{"a": 1, "a": 2}']
    clean, dirty = made(tmp_path, rows), made(tmp_path, [*rows, *bad])
    assert dirty.read.startswith("106 lines read, 6 bad lines left out (")
    assert loaded(dirty.text).fields == loaded(clean.text).fields


def test_a_key_that_next_to_no_row_has_is_left_out_and_named(tmp_path: Path) -> None:
    text = made(tmp_path, rows_of(300, lambda n, _: {"debug": 1} if n == 7 else {"v": n})).text
    assert "kept in the raw bytes: debug." in text


@pytest.mark.parametrize("ending", ["", ".gz", ".zst"])
def test_a_compressed_sample_is_read_and_its_neighbours_are_the_source(tmp_path: Path, ending: str) -> None:
    data = "".join(json.dumps(row) + "\n" for row in rows_of(30, lambda n, _: {"v": n})).encode()
    packed = {"": data, ".gz": gzip.compress(data), ".zst": zstandard.compress(data)}[ending]
    for name in ("a", "b"):
        (tmp_path / f"{name}.ndjson{ending}").write_bytes(packed)
    stream = loaded(scaffold("made", tmp_path / f"a.ndjson{ending}").text)
    assert isinstance(stream.source, FilesSource)
    assert (stream.source.location, stream.source.pattern) == (str(tmp_path), f"*.ndjson{ending}")


def test_where_neighbours_hold_something_else_only_the_sample_is_the_source(tmp_path: Path) -> None:
    written(tmp_path / "a.ndjson", rows_of(30, lambda n, _: {"v": n}))
    written(tmp_path / "b.ndjson", [{"something": "else"}])
    source = loaded(scaffold("made", tmp_path / "a.ndjson").text).source
    assert isinstance(source, FilesSource)
    assert source.pattern == "a.ndjson"


def test_a_csv_gives_its_delimiter_and_empty_cells_are_nothing(tmp_path: Path) -> None:
    lines = ["Meter;Read at;kWh;Remark", *(f"m{n % 3};2026-03-02 08:{n:02d}:00;{n}.{n:02d}0;" for n in range(40))]
    (tmp_path / "meters.csv").write_text("\n".join(lines), encoding="utf-8")
    stream = loaded(scaffold("made", tmp_path / "meters.csv").text)
    assert isinstance(stream.source, FilesSource)
    assert (stream.source.format, stream.source.delimiter) == ("csv", ";")
    assert [(f.name, f.source_name, f.type) for f in stream.fields][:3] == [
        ("meter", "Meter", "string"), ("read_at", "Read at", "timestamp"), ("k_wh", "kWh", "decimal")
    ]  # fmt: skip


def test_parquet_gives_types_and_a_generator_since_it_is_no_source(tmp_path: Path) -> None:
    table = pa.table(
        {
            "id": [f"k{n}" for n in range(40)],
            "at": pa.array([START + timedelta(minutes=n) for n in range(40)], pa.timestamp("us", "UTC")),
            "price": [Decimal("1.50")] * 40,
            "ratio": [float("nan"), *(n / 7 for n in range(39))],
            "tags": [["a"]] * 40,
        }
    )
    parquet.write_table(table, tmp_path / "s.parquet")
    stream = loaded(scaffold("made", tmp_path / "s.parquet").text)
    assert isinstance(stream.source, GeneratorSource)
    assert [f.type for f in stream.fields] == ["string", "timestamp", "decimal", "number", "json"]


def _in_file(file: int, number: int, chance: random.Random) -> dict[str, Any]:
    return {"file": file}


def test_of_a_folder_every_file_is_read_in_part(tmp_path: Path) -> None:
    for number in range(4):
        written(tmp_path / f"{number}.ndjson", rows_of(100, partial(_in_file, number)))
    sample = read_sample(tmp_path, 80)
    assert sample.rows + sample.repeats == sample.lines == 80
    assert set(sample.columns["file"].texts) == {"0", "1", "2", "3"}
    assert sample.cut


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("sample.txt", b"{}", r"its name says no format that is read: \*\.ndjson"),
        ("sample.ndjson", b"", "not one row of ndjson can be read"),
        ("sample.ndjson", b"x\ny\n", "2 not_json"),
        ("sample.csv", b"a;a\n1;2\n", "its first record is no header"),
        ("sample.parquet", b"no", "is no Parquet file"),
    ],
)
def test_what_cannot_be_a_sample_says_why(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UsageError, match=message):
        scaffold("made", tmp_path / name)


def test_the_alert_is_quiet_on_the_sample_and_not_deaf(tmp_path: Path) -> None:
    def row(number: int, chance: random.Random) -> dict[str, Any]:
        return {
            "endpoint": chance.choice(["/a", "/b"]),
            "status": 500 if chance.random() < 0.02 else 200,
            "ms": chance.lognormvariate(4, 1),
        }

    stream = stream_of(tmp_path, rows_of(8000, row))
    (alert,) = stream.alerts
    limit = float(alert.when.split()[2])
    assert alert.on == "hourly_by_endpoint"
    assert "error_rate >" in alert.when
    assert 0.04 < limit < 0.2
    assert [panel.kind for panel in stream.dashboard] == ["area", "line", "line", "table"]
    assert [table.name for table in stream.gold] == ["hourly_by_endpoint", "daily"]


def test_the_moment_of_an_event_is_understood_in_every_zone() -> None:
    from strandline.scaffold.moments import moment_of

    assert moment_of("2026-03-02 10:00:00,5 +02:00") == datetime(2026, 3, 2, 8, 0, 0, 500_000, tzinfo=UTC)
    assert moment_of("02/03/2026 10:00") is None


def test_a_key_that_would_break_a_comment_does_not(tmp_path: Path) -> None:
    rows = rows_of(300, lambda n, _: {"x\n\x1b# y": 1} if n == 7 else {"v": n})
    assert "kept in the raw bytes: x # y." in made(tmp_path, rows).text
