"""A plan says what a rebuild will do, row by row and window by window, before it does it."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from strandline.changes.plan import plan
from strandline.changes.text import markdown
from strandline.cli.app import app
from strandline.errors import UsageError
from strandline.lake import paths
from strandline.runtime import Runtime
from strandline.spec.model import Stream
from strandline.stages.rebuild import rebuild
from strandline.stages.replay import replay
from tests.stages.contract_changes import DAILY, METRIC, NEW_FIELD, RETYPED, STRICTER, WIDER, Lakes, changed, runtime_on

ALL = 100_000
Table = dict[tuple[Any, ...], dict[str, Any]]


@pytest.fixture(scope="module")
def lakes(tmp_path_factory: pytest.TempPathFactory) -> Lakes:
    return Lakes(tmp_path_factory.mktemp("lakes"))


@pytest.fixture
def stream(lakes: Lakes) -> Stream:
    return lakes.stream


@pytest.fixture
def runtime(tmp_path: Path, lakes: Lakes) -> Runtime:
    return lakes.copy(tmp_path / "lake", count=2)


def table(runtime: Runtime, path: str, key: tuple[str, ...]) -> Table:
    """A table's rows by key, without what says how they were judged; a column of nothing is no column."""
    snapshot = runtime.lake.table(path).snapshot()
    assert snapshot is not None
    found = {}
    for row in snapshot.arrow().to_pylist():
        shown = {name: value for name, value in row.items() if value is not None and name != "_contract_version"}
        found[tuple(row[name] for name in key)] = shown
    return found


def differing(before: Table, after: Table) -> set[tuple[Any, ...]]:
    return {key for key in before.keys() | after.keys() if before.get(key) != after.get(key)}


SILVER = (paths.silver("readings"), ("reading_id", "event_date"))
HOURLY = (paths.gold("readings", "hourly"), ("window_start", "site"))
REFUSED = (paths.quarantine("readings"), ("_landing_start", "_line"))


@pytest.mark.parametrize("edits", [(WIDER, STRICTER), (NEW_FIELD, METRIC), (STRICTER, DAILY)])
def test_a_plan_names_exactly_the_rows_and_windows_that_the_rebuild_then_changes(
    runtime: Runtime, stream: Stream, edits: tuple[tuple[str, str], ...]
) -> None:
    now = changed(stream, *edits)
    found = plan(runtime, now, shown=ALL).measured
    assert found is not None
    before = [table(runtime, *each) for each in (SILVER, HOURLY, REFUSED)]
    rebuild(runtime, now)
    after = [table(runtime, *each) for each in (SILVER, HOURLY, REFUSED)]

    rows = differing(before[0], after[0])
    assert {(row.key["reading_id"], row.event_date) for row in found.rows} == rows
    assert sum(found.row_counts.values()) == len(rows)
    assert found.row_counts.get("appears", 0) == len(after[0].keys() - before[0].keys())
    assert found.row_counts.get("goes", 0) == len(before[0].keys() - after[0].keys())

    windows = differing(before[1], after[1])
    named = {(w.window_start, w.dimensions["site"]): w for t in found.tables for w in t.windows}
    assert named.keys() == windows
    assert sum(t.changed for t in found.tables) == len(windows)
    for key, window in named.items():
        for told, held in ((window.before, before[1].get(key)), (window.after, after[1].get(key))):
            assert (told is None) == (held is None)
            assert told is None or held is None or {n: v for n, v in told.items() if v is not None}.items() <= held.items()

    assert sum(each.lines for each in found.refused) == len(after[2].keys() - before[2].keys())
    assert sum(each.lines for each in found.accepted) == len(before[2].keys() - after[2].keys())
    days = {row[1] for row in rows}
    assert set(found.partitions.get(SILVER[0], ())) == days
    assert found.cost.bytes_read > 0
    again = plan(runtime, now, shown=ALL)
    assert not again.needs_rebuild


def test_lines_judged_otherwise_are_told_by_rule_with_examples(runtime: Runtime, stream: Stream) -> None:
    found = plan(runtime, changed(stream, STRICTER), shown=2)
    assert found.measured is not None
    [rule] = found.measured.refused
    assert (rule.label, rule.detail, len(rule.examples)) == ("rule not_freezing", "value > 3", 2)
    assert json.loads(rule.examples[0]["raw"])["value"] <= 3
    wider = plan(runtime, changed(stream, WIDER)).measured
    assert wider is not None
    assert {each.label for each in wider.accepted} == {"range value"}


def test_a_plan_changes_nothing(tmp_path: Path, runtime: Runtime, stream: Stream) -> None:
    def files() -> set[Path]:
        return set((tmp_path / "lake").rglob("*"))

    before = files()
    plan(runtime, changed(stream, WIDER, RETYPED, DAILY))
    assert files() == before


def test_a_range_of_days_measures_the_newest_ones(runtime: Runtime, stream: Stream) -> None:
    now = changed(stream, STRICTER)
    found = plan(runtime, now, days=2, shown=ALL).measured
    assert found is not None
    assert found.scope.start == date(2026, 2, 28)
    whole = plan(runtime, now, shown=ALL).measured
    assert whole is not None
    assert tuple(row for row in whole.rows if row.event_date >= date(2026, 2, 28)) == found.rows != whole.rows


def test_words_alone_need_no_rebuild(runtime: Runtime, stream: Stream) -> None:
    found = plan(runtime, changed(stream, ("Readings for", "Other readings for"), version="2.3.1"))
    assert not found.needs_rebuild
    assert (found.bump.needed, found.bump.made, found.bump.fits) == ("patch", "patch", True)


def test_a_fail_rule_that_would_stop_the_rebuild_is_told(runtime: Runtime, stream: Stream) -> None:
    found = plan(runtime, changed(stream, ("expect: value > -40}", "expect: value > 3, action: fail}")))
    assert "not_freezing" in found.blocked
    assert "A rebuild would stop" in markdown([found], 5)


def test_after_a_replay_the_plan_compares_with_its_contract(runtime: Runtime, stream: Stream) -> None:
    now = changed(stream, WIDER)
    replay(runtime, now)
    found = plan(runtime, now)
    assert found.changes == ()
    assert found.against is not None
    assert found.against.startswith("batch/contracts/readings/3.0.0-")


def test_a_stream_that_never_ran_has_nothing_to_measure(tmp_path: Path, stream: Stream) -> None:
    found = plan(runtime_on(tmp_path / "empty"), stream)
    assert (found.against, found.measured, found.needs_rebuild) == (None, None, False)
    assert "nothing to measure" in markdown([found], 5)


def git(folder: Path, *arguments: str) -> None:
    subprocess.run(
        ["git", "-c", "user.name=t", "-c", "user.email=t@example.com", *arguments], cwd=folder, check=True, capture_output=True
    )


def test_a_plan_against_a_git_revision_compares_with_the_file_of_then(tmp_path: Path, runtime: Runtime, stream: Stream) -> None:
    folder = tmp_path / "repository"
    folder.mkdir()
    path = folder / "readings.yaml"
    path.write_text(stream.path.read_text())
    git(folder, "init", "-q")
    git(folder, "add", ".")
    git(folder, "commit", "-qm", "first")
    now = replace(changed(stream, STRICTER), path=path)
    found = plan(runtime, now, "git:HEAD")
    assert [str(change) for change in found.changes] == ["rule not_freezing.expect changed: value > -40 → value > 3"]
    assert plan(runtime, replace(now, path=folder / "other.yaml"), "git:HEAD").against is None
    with pytest.raises(UsageError, match="no such revision: nowhere"):
        plan(runtime, now, "git:nowhere")
    with pytest.raises(UsageError, match="git:REV"):
        plan(runtime, now, "yesterday")


@pytest.fixture
def command(tmp_path: Path, runtime: Runtime) -> Callable[..., Any]:
    def run(now: Stream, *arguments: str) -> Any:
        streams = tmp_path / "config" / "streams"
        streams.mkdir(parents=True, exist_ok=True)
        (streams / "readings.yaml").write_text(now.path.read_text())
        where = ["--config", str(tmp_path / "config"), "--lake", str(tmp_path / "lake")]
        return CliRunner().invoke(app, [*arguments, *where])

    return run


def test_the_exit_code_says_whether_a_rebuild_is_needed(stream: Stream, command: Callable[..., Any]) -> None:
    assert command(stream, "plan", "readings").exit_code == 0
    now = changed(stream, WIDER, STRICTER)
    told = command(now, "plan", "readings", "--json")
    assert told.exit_code == 3
    assert json.loads(told.stdout)["readings"]["measured"]["refused"][0]["rule"] == "not_freezing"
    shared = command(now, "plan", "--markdown")
    assert shared.exit_code == 3
    assert "reading_id" not in shared.stdout
    assert "strandline run batch --rebuild --stream readings" in shared.stdout
    assert command(now, "plan", "--against", "last week").exit_code == 2
    rebuilt = command(now, "run", "batch", "--rebuild", "--json")
    assert rebuilt.exit_code == 0
    assert json.loads(rebuilt.stdout)["readings"]["steps"]["merge"]["restated"] > 0
    assert command(now, "plan").exit_code == 0


def test_a_replay_from_the_command_line_serves_what_is_good_now(stream: Stream, command: Callable[..., Any]) -> None:
    now = changed(stream, WIDER)
    done = command(now, "replay", "readings", "--reason", "range", "--json")
    assert done.exit_code == 0
    counts = json.loads(done.stdout)["readings"]
    assert counts["replayed"] > 0
    assert counts["served_rows"] > 0
    assert "replayed" in command(now, "replay", "readings").stdout
    assert command(now, "replay", "readings", "--reason", "rnge").exit_code == 2
    assert command(now, "run", "batch", "--from", "-7d").exit_code == 2
