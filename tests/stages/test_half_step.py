"""Silver killed between its commits, and the contract changed before it goes on: a line is in one place, and booked once."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from strandline.contracts import contract_path
from strandline.lake import paths
from strandline.runtime import Runtime
from strandline.spec.load import load_stream
from strandline.spec.model import Stream
from strandline.stages import silver as stage
from strandline.stages.bronze import bronze
from strandline.stages.land import ingest
from strandline.stages.rebuild import rebuild
from strandline.stages.silver import silver
from tests.stages.contract_changes import NEW_FIELD, OTHER_TIME, RENAMED, RETYPED, STRICTER, WIDER, line, some_lines
from tests.stages.streams import deliver, interval, readings, runtime_in

EDITS = {"wider": WIDER, "stricter": STRICTER, "new field": NEW_FIELD}
MORE_EDITS = {**EDITS, "retyped": RETYPED, "renamed": RENAMED, "other time": OTHER_TIME}


class Killed(BaseException):
    """Stands for the process' end."""


def changed(stream: Stream, folder: Path, edit: tuple[str, str], version: str) -> Stream:
    text = (folder / "readings.yaml").read_text().replace(*edit).replace("version: 2.3.0", f"version: {version}")
    path = folder / "readings.yaml"
    path.write_text(text)
    return load_stream(path)


def landed(folder: Path, runtime: Runtime, stream: Stream, number: int) -> None:
    deliver(folder, f"{number:02}", [*some_lines(number), line(100 + number, value=60), line(200 + number, value=2)])
    ingest(runtime, stream, interval(number))
    bronze(runtime, stream, interval(number).end)


def places(runtime: Runtime, path: str) -> list[tuple[Any, int]]:
    snapshot = runtime.lake.table(path).snapshot()
    return (
        [(r["_landing_start"], r["_line"]) for r in snapshot.arrow(["_landing_start", "_line"]).to_pylist()] if snapshot else []
    )


def ledger(runtime: Runtime) -> list[dict[str, Any]]:
    snapshot = runtime.lake.table(paths.LEDGER).snapshot()
    return sorted(snapshot.arrow().to_pylist(), key=lambda row: row["batch"]) if snapshot else []


def check_balance(runtime: Runtime, stream: Stream) -> None:
    """Every line is good, a copy of a good one or refused, in the tables as in the ledger."""
    bronze_now = runtime.lake.table(paths.bronze(stream.name)).snapshot()
    assert bronze_now is not None
    lines = {place for place in places(runtime, paths.bronze(stream.name)) if place[1] > 0}
    good, refused = places(runtime, paths.silver(stream.name)), places(runtime, paths.quarantine(stream.name))
    assert not set(good) & set(refused)
    assert len(set(good)) == len(good)
    assert len(set(refused)) == len(refused)
    raws = {
        (r["_landing_start"], r["_line"]): r["_raw"] for r in bronze_now.arrow(["_landing_start", "_line", "_raw"]).to_pylist()
    }
    events = {_event(stream, raws[place]) for place in good}
    assert {_event(stream, raws[place]) for place in lines - set(refused)} == events  # what is nowhere is a copy of a good one
    rows = ledger(runtime)
    assert sum(row["lines"] for row in rows) == len(lines)
    assert sum(row["good"] for row in rows) == len(good)
    assert sum(row["quarantined"] for row in rows) == len(refused)
    assert all(row["lines"] == row["good"] + row["duplicates"] + row["quarantined"] for row in rows)
    assert all(sum(json.loads(row["reasons"]).values()) == row["quarantined"] for row in rows)


def _event(stream: Stream, raw: bytes) -> tuple[Any, str]:
    event = json.loads(raw)
    return event["reading_id"], event[stream.event_time][:10]


def killed(monkeypatch: pytest.MonkeyPatch, runtime: Runtime, stream: Stream, at: str) -> None:
    """Silver, ended before its function `at`."""

    def end(*given: Any) -> None:
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(stage, at, end)
        with pytest.raises(Killed):
            silver(runtime, stream)


@pytest.mark.parametrize("name", EDITS)
@pytest.mark.parametrize("at", ["_commit_silver", "_commit_ledger"])
@pytest.mark.parametrize("version", ["2.3.0", "2.4.0"])
def test_a_step_is_ended_under_one_contract(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, at: str, version: str
) -> None:
    stream, runtime = readings(tmp_path), runtime_in(tmp_path)
    landed(tmp_path, runtime, stream, 0)
    silver(runtime, stream)
    landed(tmp_path, runtime, stream, 1)
    killed(monkeypatch, runtime, stream, at)
    today = changed(stream, tmp_path, EDITS[name], version)
    silver(runtime, today)
    check_balance(runtime, today)
    judged_by = stream if at == "_commit_ledger" else today
    assert ledger(runtime)[-1]["contract"] == contract_path(judged_by)
    assert ledger(runtime)[-1]["contract_version"] == judged_by.version
    landed(tmp_path, runtime, today, 2)
    silver(runtime, today)
    check_balance(runtime, today)


@pytest.mark.parametrize("name", MORE_EDITS)
@pytest.mark.parametrize("at", ["_commit_silver", "_commit_ledger"])
def test_a_rebuild_ends_a_step_of_another_contract_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, at: str
) -> None:
    stream, runtime = readings(tmp_path, more="- {name: moved, type: timestamp}"), runtime_in(tmp_path)
    landed(tmp_path, runtime, stream, 0)
    silver(runtime, stream)
    landed(tmp_path, runtime, stream, 1)
    killed(monkeypatch, runtime, stream, at)
    today = changed(stream, tmp_path, MORE_EDITS[name], "3.0.0")
    rebuild(runtime, today)
    check_balance(runtime, today)
    assert rebuild(runtime, today)["days"] == 0
