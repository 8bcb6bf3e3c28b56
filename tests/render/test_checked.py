"""What is remembered of good streams: it saves the check and changes nothing that is found."""

from __future__ import annotations

import hashlib
import logging
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from strandline.render import check, problems

ROOT = Path(__file__).resolve().parents[2]
CONFIG = ROOT / "config"
RULE = "  - {name: no_cached_failure, "
NOTED = "  - {name: never, expect: status_code > 0, action: warn}\n" + RULE
STREAMS = {"api_logs", "ecommerce_clickstream", "financial_transactions", "iot_sensors", "social_media"}


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    return Path(shutil.copytree(CONFIG, tmp_path / "config"))


@pytest.fixture
def memory(tmp_path: Path) -> Path:
    return tmp_path / "home" / "strandline" / "checked.json"


def mark(memory: Path) -> None:
    """Changes every page that is remembered, so that it can be told from one made by checking."""
    body = memory.read_bytes().partition(b"\n")[2].replace(b'"# ', b'"# Remembered ')
    memory.write_bytes(hashlib.sha256(body).hexdigest().encode() + b"\n" + body)


def remembered(config: Path, memory: Path) -> set[str]:
    """The streams that are not checked now."""
    docs = {dag_id[2:].removesuffix("_realtime_ingest"): dag["doc_md"] for dag_id, dag in check(config, memory).dags.items()}
    return {name for name, doc in docs.items() if doc.startswith("# Remembered ")}


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")


def test_what_is_remembered_gives_the_same_dags_and_problems(copy: Path, memory: Path) -> None:
    edit(copy / "streams/api_logs.yaml", RULE, NOTED)
    first = check(copy, memory)
    assert [problem.level for problem in first.problems] == ["note"]
    assert check(copy, memory) == first == check(copy)
    mark(memory)
    assert remembered(copy, memory) == STREAMS


def test_only_the_stream_that_changed_is_checked_again(copy: Path, memory: Path) -> None:
    check(copy, memory)
    mark(memory)
    edit(copy / "streams/api_logs.yaml", "purpose: ", "purpose: New ")
    assert remembered(copy, memory) == STREAMS - {"api_logs"}
    assert remembered(copy, memory) == STREAMS - {"api_logs"}


@pytest.mark.parametrize("name", ["defaults.yaml", "streams/iot_sensors.yaml"])
def test_a_file_that_breaks_after_it_was_remembered_is_found_every_time(name: str, copy: Path, memory: Path) -> None:
    check(copy, memory)
    with (copy / name).open("a", encoding="utf-8") as file:
        file.write("nonsense: 1\n")
    plain = check(copy)
    assert any(problem.path == copy / name for problem in plain.problems)
    assert check(copy, memory) == check(copy, memory) == plain
    assert problems(copy, memory) == plain.problems


def test_a_stream_that_is_taken_away_is_forgotten(copy: Path, memory: Path) -> None:
    check(copy, memory)
    size = memory.stat().st_size
    (copy / "streams/api_logs.yaml").unlink()
    assert check(copy, memory) == check(copy)
    assert memory.stat().st_size < size


@pytest.mark.parametrize("name", ["aaa.yaml", "zzz.yaml"])
def test_a_second_file_that_declares_a_remembered_stream_is_told_the_same_way(name: str, copy: Path, memory: Path) -> None:
    check(copy, memory)
    shutil.copy(copy / "streams/iot_sensors.yaml", copy / "streams" / name)
    assert check(copy, memory) == check(copy, memory) == check(copy)
    assert "SL302" in {problem.code for problem in problems(copy, memory)}


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: data[: len(data) // 2],
        lambda data: data.replace(b"iot_sensors", b"iot_sensorz", 1),
        lambda data: b"",
        lambda data: b"\xff" * 100,
    ],
    ids=["half written", "a letter changed", "empty", "not text"],
)
def test_a_damaged_memory_is_as_none_and_is_mended(damage: Callable[[bytes], bytes], copy: Path, memory: Path) -> None:
    good = check(copy, memory)
    mark(memory)
    memory.write_bytes(damage(memory.read_bytes()))
    assert check(copy, memory) == good
    mark(memory)
    assert remembered(copy, memory) == STREAMS


def test_the_memory_is_its_owners_alone_and_leaves_nothing_beside_it(copy: Path, memory: Path) -> None:
    check(copy, memory)
    assert memory.stat().st_mode & 0o777 == 0o600
    assert memory.parent.stat().st_mode & 0o777 == 0o700
    assert os.listdir(memory.parent) == [memory.name]


def test_a_memory_that_others_may_write_or_that_is_a_link_is_not_read(copy: Path, memory: Path) -> None:
    check(copy, memory)
    mark(memory)
    memory.chmod(0o666)
    assert remembered(copy, memory) == set()
    mark(memory)
    elsewhere = memory.rename(memory.with_name("elsewhere"))
    memory.symlink_to(elsewhere)
    assert remembered(copy, memory) == set()
    assert not memory.is_symlink()


def test_a_folder_open_to_others_is_not_written_to_and_the_log_says_so(
    copy: Path, memory: Path, caplog: pytest.LogCaptureFixture
) -> None:
    memory.parent.mkdir(parents=True)
    memory.parent.chmod(0o777)
    with caplog.at_level(logging.WARNING):
        assert check(copy, memory) == check(copy)
    assert not memory.exists()
    assert "open to other users" in caplog.text


def test_a_memory_that_cannot_be_written_only_costs_time_and_the_log_says_so(
    copy: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("not a folder", encoding="utf-8")
    with caplog.at_level(logging.WARNING):
        assert check(copy, tmp_path / "file" / "checked.json") == check(copy)
    assert "cannot be written" in caplog.text


def test_another_version_of_the_code_checks_anew(copy: Path, memory: Path, tmp_path: Path) -> None:
    for name in ("strandline", "schemas"):
        shutil.copytree(ROOT / name, tmp_path / "product" / name)
    code = "import sys; from pathlib import Path; from strandline.render import check; check(*map(Path, sys.argv[1:]))"

    def run() -> None:
        subprocess.run([sys.executable, "-c", code, str(copy), str(memory)], cwd=tmp_path / "product", check=True)

    run()
    mark(memory)
    marked = memory.read_bytes()
    run()
    assert memory.read_bytes() == marked
    os.utime(tmp_path / "product/strandline/spec/reach.py", (0, 0))
    run()
    assert b"Remembered" not in memory.read_bytes()
