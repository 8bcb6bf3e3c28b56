"""CSV objects whose header cannot be read: what they hold is seen in quarantine, never swallowed as a header."""

from __future__ import annotations

from pathlib import Path

import pytest

from strandline.errors import SourceError
from strandline.lines.keys import KeyRing
from strandline.runtime import Runtime
from strandline.spec.load import load_stream
from strandline.stages.land import ingest
from tests.poison.deliveries import Placed
from tests.poison.lines import AT
from tests.poison.pipeline import INTERVAL, check_both_paths, runtime_at, stream_from

OLD_MAC = f"id,at\ra,{AT}\rb,{AT}\r".encode()
OPEN_QUOTE = f'"id,at\na,{AT}\n'.encode()


def delivered(folder: Path, data: bytes) -> str:
    (folder / "inbox").mkdir()
    (folder / "inbox" / "a.csv").write_bytes(data)
    return f"{{type: files, location: {folder}/inbox, format: csv}}"


def test_an_object_with_old_mac_line_ends_is_one_refused_record_and_not_a_header_of_nothing(tmp_path: Path) -> None:
    stream = stream_from(tmp_path, delivered(tmp_path, OLD_MAC))
    placed = Placed(OLD_MAC, "a.csv", 1, ("ragged_row", None), "ragged_row", OLD_MAC.decode())
    check_both_paths(runtime_at(str(tmp_path / "lake")), stream, [placed])


def test_a_header_whose_quote_stays_open_is_refused_with_every_line_under_it(tmp_path: Path) -> None:
    stream = stream_from(tmp_path, delivered(tmp_path, OPEN_QUOTE))
    lines = OPEN_QUOTE.splitlines()
    placed = [Placed(raw, "a.csv", n, ("ragged_row", None), "ragged_row", '"id,at') for n, raw in enumerate(lines, 1)]
    check_both_paths(runtime_at(str(tmp_path / "lake")), stream, placed)


@pytest.mark.parametrize("data", [OLD_MAC, OPEN_QUOTE])
def test_in_a_protected_stream_such_an_object_is_refused_because_a_header_is_stored_in_clear(
    tmp_path: Path, data: bytes
) -> None:
    stream = stream_from(tmp_path, delivered(tmp_path, data))
    path = tmp_path / "events.yaml"
    path.write_text(path.read_text().replace("from: Note-Text", "from: Note-Text, classification: pii, protect: hash"))
    stream = load_stream(path)
    runtime = Runtime(runtime_at(str(tmp_path / "lake")).lake, KeyRing({"STRANDLINE_KEY": "ab" * 32}))
    with pytest.raises(SourceError, match=r"a\.csv: its first record cannot be read as a header"):
        ingest(runtime, stream, INTERVAL)


def test_an_object_without_a_record_is_no_line(tmp_path: Path) -> None:
    stream = stream_from(tmp_path, delivered(tmp_path, b"\xef\xbb\xbfid,at\r\n"))
    check_both_paths(runtime_at(str(tmp_path / "lake")), stream, [])
