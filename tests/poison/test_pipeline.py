"""The corpus through every source and both paths: in = good + duplicates + quarantined, bytes, reason and origin exact."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from strandline.lake.objects import Objects, open_objects
from tests.conftest import S3Lake
from tests.poison.corpus import USUAL
from tests.poison.deliveries import PACKINGS, Delivered, Placed, csv_objects, ndjson
from tests.poison.pipeline import check_both_paths, runtime_at, stream_from

JSON = [poison for poison in USUAL if poison.header is None and b"\n" not in poison.raw]
CSV = [poison for poison in USUAL if poison.header is not None]


def put(objects: Objects, delivered: Sequence[Delivered]) -> list[Placed]:
    for each in delivered:
        objects.put(each.name, each.data)
    return [line for each in delivered for line in each.lines]


def json_objects() -> list[Delivered]:
    packed = [ndjson(f"{n}.ndjson{suffix}", JSON, pack) for n, (suffix, pack) in enumerate(PACKINGS)]
    return [*packed, ndjson("3.crlf", [poison for poison in JSON if not poison.raw.endswith(b"\r")], tail=b"\r")]


def all_csv_objects() -> list[Delivered]:
    return [each for suffix, pack in PACKINGS for each in csv_objects(CSV, suffix, pack)]


def test_json_lines_of_a_local_folder_plain_packed_and_with_crlf(tmp_path: Path) -> None:
    inbox = tmp_path / "inbox"
    placed = put(open_objects(str(inbox)), json_objects())
    check_both_paths(runtime_at(str(tmp_path / "lake")), stream_from(tmp_path, f"{{type: files, location: {inbox}}}"), placed)


def test_csv_records_of_a_local_folder_plain_and_packed(tmp_path: Path) -> None:
    inbox = tmp_path / "inbox"
    placed = put(open_objects(str(inbox)), all_csv_objects())
    source = f"{{type: files, location: {inbox}, format: csv, max_files: 1000}}"
    check_both_paths(runtime_at(str(tmp_path / "lake")), stream_from(tmp_path, source), placed)


@pytest.mark.parametrize("kind", ["ndjson", "csv"])
def test_lines_of_an_s3_prefix(tmp_path: Path, s3_lake: S3Lake, kind: str) -> None:
    delivered = json_objects()[1:3] if kind == "ndjson" else csv_objects(CSV)
    placed = put(open_objects(f"{s3_lake.url}/inbox", s3_lake.credentials), delivered)
    source = f"{{type: files, location: {s3_lake.url}/inbox, format: {kind}, max_files: 1000}}"
    check_both_paths(runtime_at(f"{s3_lake.url}/lake"), stream_from(tmp_path, source), placed)
