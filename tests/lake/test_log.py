"""Our reading and writing of the Delta log, judged by the library's."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pytest
from deltalake import DeltaTable
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from strandline.errors import StorageError
from strandline.lake.lake import Lake
from strandline.lake.log import HEAD
from strandline.lake.snapshot import DataFile, Snapshot
from strandline.lake.tables import Commit, Table

SCHEMA = pa.schema([("event_date", pa.date32()), ("n", pa.int64()), ("at", pa.timestamp("us", "UTC")), ("text", pa.string())])
WIDER = SCHEMA.append(pa.field("more", pa.string()))
START = date(2026, 3, 1)


def change(table: Table, n: int, *, days: int = 1, drop: int = 0, schema: pa.Schema = SCHEMA) -> Snapshot:
    """One commit: a row on each of some days, and the oldest `drop` files removed."""

    def decide(snapshot: Snapshot) -> Commit:
        writer = table.writer(snapshot, schema, ("n", "at"))
        for day in range(days):
            row = {
                "event_date": START + timedelta(days=day),
                "n": n,
                "at": datetime(2026, 3, 1, day, n % 60, tzinfo=UTC),
                "text": "é",
            }
            writer.write(pa.Table.from_pylist([row], schema=schema))
        return Commit(add=writer.close(), remove=snapshot.files[:drop], positions={"source": n, f"other-{n % 3}": n})

    made = table.commit(schema, decide, "event_date")
    assert made is not None
    return made


def counted(keys: list[str], ask: Callable[[str], Any]) -> Callable[[str], Any]:
    """The same question, which leaves its key in `keys`."""

    def asked(key: str) -> Any:
        keys.append(key)
        return ask(key)

    return asked


def told(files: tuple[DataFile, ...]) -> dict[str, tuple[int, int, object, object, object]]:
    return {f.path: (f.size, f.rows, f.partition, f.minimum, f.maximum) for f in files}


def by_library(url: str, version: int | None = None) -> dict[str, tuple[int, int, object, object, object]]:
    found: dict[str, tuple[int, int, object, object, object]] = {}
    for row in pa.table(DeltaTable(url, version=version).get_add_actions(flatten=True)).to_pylist():
        low = {name[4:]: value for name, value in row.items() if name.startswith("min.") and value is not None}
        high = {name[4:]: value for name, value in row.items() if name.startswith("max.") and value is not None}
        found[row["path"]] = (row["size_bytes"], row["num_records"], row["partition.event_date"], low, high)
    return found


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.integers(1, 3), st.integers(0, 3)), min_size=1, max_size=30), st.data())
def test_what_we_write_the_library_reads_alike_at_every_version(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[int, int]], data: st.DataObject
) -> None:
    root = tmp_path_factory.mktemp("lake")
    table = Lake.open(str(root)).table("t")
    for n, (days, drop) in enumerate(steps, start=1):
        made = change(table, n, days=days, drop=drop)
        if data.draw(st.booleans(), label="another process"):
            table = Lake.open(str(root)).table("t")
        assert made.version == n
    library = DeltaTable(str(root / "t"))
    newest = Lake.open(str(root)).table("t").snapshot()
    assert newest is not None
    assert library.version() == newest.version == len(steps)
    assert told(newest.files) == by_library(table.url)
    for name in ("source", "ordinal", "other-0", "other-1", "other-2"):
        assert newest.position(name) == (library.transaction_version(name) or 0)
    version = data.draw(st.integers(1, len(steps)), label="version")
    older = Lake.open(str(root)).table("t").snapshot(version)
    assert older is not None
    assert told(older.files) == by_library(table.url, version)
    assert pl.read_delta(table.url).height == newest.rows


def test_what_the_library_writes_we_read_alike(tmp_path: Path) -> None:
    table = Lake.open(str(tmp_path)).table("t")
    for n in range(1, 24):
        change(table, n, days=2)
    library = DeltaTable(table.url)
    library.delete("n = 7")
    library.update(predicate="n = 8", updates={"text": "'changed'"})
    library.optimize.compact()
    library.create_checkpoint()
    library.update(predicate="n = 9", updates={"text": "'again'"})
    for lake in (Lake.open(str(tmp_path)), table._lake):
        snapshot = lake.table("t").snapshot()
        assert snapshot is not None
        assert snapshot.version == DeltaTable(table.url).version()
        assert {f.path for f in snapshot.files} == {row["path"] for row in pa.table(library.get_add_actions()).to_pylist()}
        rows = snapshot.arrow(["n", "text"]).sort_by("n").to_pylist()
        assert rows == DeltaTable(table.url).to_pyarrow_table(columns=["n", "text"]).sort_by("n").to_pylist()
        assert (snapshot.position("source"), snapshot.ordinal) == (23, 23)
    assert change(table, 24).rows == 22 * 2 + 1


def test_a_new_column_and_new_types_are_the_librarys_too(tmp_path: Path) -> None:
    table = Lake.open(str(tmp_path)).table("t")
    change(table, 1)
    change(table, 2, schema=WIDER)
    assert [f.name for f in DeltaTable(table.url).schema().fields] == WIDER.names
    retyped = pa.schema([("event_date", pa.date32()), ("n", pa.string())])
    made = table.commit(retyped, lambda s: Commit(schema=retyped, positions={"source": 3}), "event_date", may_retype=True)
    assert made is not None
    assert [(f.name, f.type.type) for f in DeltaTable(table.url).schema().fields] == [("event_date", "date"), ("n", "string")]
    assert DeltaTable(table.url).file_uris() == []


def test_a_shortcut_that_lags_is_damaged_or_is_gone_changes_nothing(tmp_path: Path) -> None:
    for lost in ("old", "damaged", "another's", "gone", "none after a checkpoint"):
        root = tmp_path / lost.replace(" ", "-")
        table = Lake.open(str(root)).table("t")
        for n in range(1, 5):
            change(table, n)
        head = root / "t" / HEAD
        kept = head.read_bytes()
        for n in range(5, 9 if lost != "none after a checkpoint" else 30):
            change(table, n)
        match lost:
            case "old":
                head.write_bytes(kept)
            case "damaged":
                head.write_bytes(head.read_bytes().replace(b'"add"', b'"axd"', 1))
            case "another's":
                head.write_bytes(b'{"base":-1,"at":1e12,"sizes":[]}\n')
            case _:
                head.unlink()
        snapshot = Lake.open(str(root)).table("t").snapshot()
        assert snapshot is not None
        assert snapshot.version == DeltaTable(table.url).version()
        assert told(snapshot.files) == by_library(table.url)


def test_a_process_that_knows_nothing_asks_twice_where_the_checkpoint_is_small(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = Lake.open(str(tmp_path)).table("t")
    asked: dict[int, int] = {}
    for n in range(1, 64):
        if n == 43:
            monkeypatch.setattr("strandline.lake.log._REPEATED", 1_000)
        change(table, n)
        lake = Lake.open(str(tmp_path))
        keys: list[str] = []
        monkeypatch.setattr(lake.objects, "get", counted(keys, lake.objects.get))
        snapshot = lake.table("t").snapshot()
        assert snapshot is not None
        assert snapshot.version == n
        assert told(snapshot.files) == by_library(table.url)
        asked[n] = len(keys)
    assert {asked[n] for n in range(1, 59)} == {2}  # the shortcut, and the entry that is not there yet
    assert {asked[n] for n in range(59, 64)} == {3}  # of a large table the checkpoint too


def test_a_table_that_is_not_there_is_asked_for_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lake = Lake.open(str(tmp_path))
    gets: list[str] = []
    listings: list[str] = []
    monkeypatch.setattr(lake.objects, "get", counted(gets, lake.objects.get))
    monkeypatch.setattr(lake.objects, "list", counted(listings, lake.objects.list))
    assert lake.table("t").snapshot() is None
    assert (len(gets), len(listings)) == (1, 1)


def test_a_flipped_bit_in_an_entry_is_seen(tmp_path: Path) -> None:
    table = Lake.open(str(tmp_path)).table("t")
    for n in range(1, 4):
        change(table, n)
    entry = tmp_path / "t/_delta_log/00000000000000000002.json"
    entry.write_bytes(entry.read_bytes().replace(b'"size":', b'"sizf":', 1))
    (tmp_path / "t" / HEAD).unlink()
    with pytest.raises(StorageError, match=r"0002\.json is damaged: its checksum differs"):
        Lake.open(str(tmp_path)).table("t").snapshot()


def test_a_log_without_its_beginning_is_no_new_table(tmp_path: Path) -> None:
    table = Lake.open(str(tmp_path)).table("t")
    for n in range(1, 24):
        change(table, n)
    for name in ("00000000000000000000.json", "_last_checkpoint"):
        (tmp_path / "t/_delta_log" / name).unlink()
    (tmp_path / "t" / HEAD).unlink()
    with pytest.raises(StorageError, match="lost its beginning"):
        Lake.open(str(tmp_path)).table("t").snapshot()


def test_a_version_that_is_not_there_is_told(tmp_path: Path) -> None:
    table = Lake.open(str(tmp_path)).table("t")
    change(table, 1)
    with pytest.raises(StorageError, match="has no version 7"):
        table.snapshot(7)


def test_a_table_with_features_that_are_not_known_is_refused_by_name(tmp_path: Path) -> None:
    table = Lake.open(str(tmp_path)).table("t")
    change(table, 1)
    protocol = {
        "protocol": {
            "minReaderVersion": 3,
            "minWriterVersion": 7,
            "readerFeatures": ["deletionVectors"],
            "writerFeatures": ["deletionVectors"],
        }
    }
    (tmp_path / "t/_delta_log/00000000000000000002.json").write_text(json.dumps(protocol))
    with pytest.raises(StorageError, match="deletionVectors"):
        table.snapshot()
