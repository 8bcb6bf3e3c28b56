"""Child processes are stopped whole, however they resist."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from strandline.local import processes

_FAMILY = '''
import os, signal, subprocess, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
stubborn = """
import os, signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
os.setpgid(0, 0)
print(os.getpid(), flush=True)
time.sleep(60)
"""
subprocess.Popen([sys.executable, "-c", stubborn])
subprocess.Popen([sys.executable, "-c", "import os, time; print(os.getpid(), flush=True); time.sleep(60)"])
if sys.argv[1] == "stays":
    time.sleep(60)
'''


def _spawn_family(folder: Path, how: str) -> tuple[subprocess.Popen[bytes], processes.Handle, list[int]]:
    log = folder / "log"
    child = processes.spawn(
        [sys.executable, "-c", _FAMILY, how], env=dict(os.environ), cwd=folder, log=log, pid_file=folder / "pid"
    )
    handle = processes.recall(folder / "pid")
    assert handle is not None
    deadline = time.monotonic() + 20
    while len(log.read_text().split()) < 2 and time.monotonic() < deadline:
        time.sleep(0.05)
    if how == "leaves":
        child.wait(timeout=10)
    pids = [int(pid) for pid in log.read_text().split()]
    assert len(pids) == 2
    everyone = pids + ([handle.pid] if how == "stays" else [])
    assert all(psutil.pid_exists(pid) for pid in everyone)
    return child, handle, everyone


@pytest.mark.parametrize("how", ["stays", "leaves"])
def test_a_whole_family_is_stopped_even_if_it_ignores_sigterm_changes_its_group_or_has_lost_its_parent(
    tmp_path: Path, how: str
) -> None:
    child, handle, family = _spawn_family(tmp_path, how)
    processes.stop(handle, grace=0.5)
    child.wait()
    assert not [pid for pid in family if psutil.pid_exists(pid) and processes.is_live(psutil.Process(pid))]
    assert processes.recall(tmp_path / "pid") is None


def test_a_pid_that_another_process_has_taken_over_is_not_mistaken(tmp_path: Path) -> None:
    own = processes.Handle.of(os.getpid())
    processes.remember(processes.Handle(own.pid, own.started - 3600), tmp_path / "pid")
    assert processes.recall(tmp_path / "pid") is None
    processes.remember(own, tmp_path / "pid")
    assert processes.recall(tmp_path / "pid") == own


@pytest.mark.parametrize("content", ["", "{}", "12", '{"pid": "x", "started": 0}'])
def test_a_damaged_pid_file_tells_of_no_process(tmp_path: Path, content: str) -> None:
    (tmp_path / "pid").write_text(content)
    assert processes.recall(tmp_path / "pid") is None


def test_children_that_outlive_a_killed_parent_are_found_again(tmp_path: Path) -> None:
    child, handle, family = _spawn_family(tmp_path, "stays")
    child.kill()
    child.wait()
    assert processes.recall(tmp_path / "pid") is None
    assert processes.remains(tmp_path / "pid") == handle
    processes.stop(handle, grace=0.5)
    assert not [pid for pid in family if psutil.pid_exists(pid) and processes.is_live(psutil.Process(pid))]
    assert processes.remains(tmp_path / "pid") is None
