"""What an engine spills is gone with its process, killed or not, and nobody takes a folder that is in use."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from strandline.engines.duckdb import DuckEngine
from strandline.engines.spill import SpillFolder

HOLD = """
import sys
from strandline.engines.spill import SpillFolder
folder = SpillFolder()
(folder.path / "block.tmp").write_bytes(b"x" * 1000)
print(folder.path, flush=True)
sys.stdin.read()
"""


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", None)
    return tmp_path


def test_what_a_killed_process_spilled_is_removed_by_the_next_and_what_a_live_one_holds_is_not() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", HOLD], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[1]
    ) as process:
        assert process.stdout is not None
        spilled = Path(process.stdout.readline().strip()) / "block.tmp"
        SpillFolder().remove()
        assert spilled.stat().st_size == 1000
        process.kill()
        process.wait(30)
    assert spilled.exists()
    SpillFolder().remove()
    assert not spilled.parent.exists()


def test_folders_made_and_removed_at_once_are_each_held_by_one(temporary: Path) -> None:
    def use(number: int) -> bool:
        folder = SpillFolder()
        mine = folder.path / str(number)
        mine.touch()
        held = [path.name for path in folder.path.iterdir()] == [mine.name]
        folder.remove()
        return held

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(use, range(400)))
    assert not list(temporary.iterdir())


def test_what_does_not_fit_into_the_engines_memory_goes_there_and_is_gone_with_the_engine(temporary: Path) -> None:
    engine = DuckEngine("30MB", threads=1)
    with engine.session() as session:
        session.materialise("wide", "SELECT i, repeat(CAST(hash(i) AS VARCHAR), 20) AS text FROM range(200000) AS r(i)")
        assert sum(path.stat().st_size for path in temporary.rglob("*.tmp")) > 10_000_000
        assert session.rows("SELECT COUNT(*) AS n FROM wide") == [{"n": 200_000}]
    del session, engine
    assert not list(temporary.iterdir())
