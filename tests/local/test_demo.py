"""What `make demo` says and leaves behind when it cannot go on, or is told to stop."""

from __future__ import annotations

import io
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest
from rich.console import Console

from strandline.errors import UsageError
from strandline.local import ports, prerequisites, processes
from strandline.local.narration import Narrator
from strandline.local.seaweed import PORT_OFFSETS
from strandline.local.settings import Settings
from strandline.local.tour import task_counts

_ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def workplace(tmp_path: Path) -> Path:
    """A folder that looks like the repository, with nothing run in it yet."""
    for name in ("config", "dags", "operators", "plugins", "schemas"):
        if (_ROOT / name).exists():
            (tmp_path / name).symlink_to(_ROOT / name)
    return tmp_path


@contextmanager
def _demo(workplace: Path, *arguments: str, **environment: str) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(
        [sys.executable, "-m", "strandline.local.demo", *arguments],
        cwd=workplace,
        env={**os.environ, "COLUMNS": "200", **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as demo:
        yield demo


@pytest.mark.slow
def test_a_stopped_demo_leaves_no_process(workplace: Path) -> None:
    with _demo(workplace, S3_PORT=str(ports.scattered(offsets=PORT_OFFSETS)), HOME=str(workplace / "empty")) as demo:
        deadline = time.monotonic() + 60
        pid_file = workplace / ".airflow" / "standalone.pid"
        while not pid_file.exists() and demo.poll() is None and time.monotonic() < deadline:
            time.sleep(0.1)
        assert pid_file.exists(), demo.communicate(timeout=60)[0]
        time.sleep(4)  # far enough for Airflow to have children of its own
        family = psutil.Process(demo.pid).children(recursive=True)
        assert len(family) >= 2
        demo.send_signal(signal.SIGTERM)
        told = demo.communicate(timeout=60)[0]
    assert demo.returncode == 0, told
    assert "✓ Stop Airflow and the S3 server" in told
    assert not [process for process in family if processes.is_live(process)]
    assert not list(workplace.glob(".local/*.pid"))


def test_a_port_in_use_ends_it_with_one_paragraph_and_exit_code_2(workplace: Path) -> None:
    port = ports.scattered(offsets=PORT_OFFSETS)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", port))
        taken.listen()
        with _demo(workplace, S3_PORT=str(port)) as demo:
            told = demo.communicate(timeout=60)[0]
    assert demo.returncode == 2, told
    assert f"port {port} is in use by" in told
    assert "Traceback" not in told


def test_a_second_demo_in_the_same_folder_is_refused(workplace: Path) -> None:
    (workplace / ".local").mkdir()
    processes.remember(processes.Handle.of(os.getpid()), workplace / ".local" / "demo.pid")
    with _demo(workplace) as demo:
        told = demo.communicate(timeout=60)[0]
    assert demo.returncode == 2
    assert f"a demo runs here already (pid {os.getpid()})" in told
    assert processes.recall(workplace / ".local" / "demo.pid") is not None


def test_down_with_nothing_running_is_fine(workplace: Path) -> None:
    with _demo(workplace, "--down") as demo:
        assert demo.communicate(timeout=60)[0] == ""
    assert demo.returncode == 0


@pytest.mark.parametrize(("name", "value"), [("S3_PORT", "eighty"), ("AIRFLOW_PORT", "80"), ("S3_PORT", "60000")])
def test_a_port_that_is_none_is_refused_by_name(tmp_path: Path, name: str, value: str) -> None:
    with pytest.raises(UsageError, match=f"{name} is a port number from 1024 to 55000"):
        Settings.read(tmp_path, {name: value})


def test_unset_and_empty_settings_are_the_same(tmp_path: Path) -> None:
    assert Settings.read(tmp_path, {"ONCE": "", "S3_PORT": ""}) == Settings.read(tmp_path, {})
    assert Settings.read(tmp_path, {"ONCE": "1"}).once


def test_a_full_disk_is_told_in_a_sentence(tmp_path: Path) -> None:
    told = prerequisites.disk_full(tmp_path, free=1_200_000_000)
    assert "needs 5 GB" in told
    assert "1.2 GB are free" in told


def test_a_failed_step_is_marked_and_a_finished_one_says_its_result() -> None:
    told = io.StringIO()
    console = Console(width=120, file=told)
    narrator = Narrator(console)
    with narrator.step("Land") as step:
        step.result = "12 [lines]"
    with pytest.raises(KeyError, match="gone"), narrator.step("Serve"):
        raise KeyError("gone")
    lines = told.getvalue().splitlines()
    assert lines[0].startswith("✓ Land: 12 [lines] (")
    assert lines[1].startswith("✗ Serve (")


def test_the_tasks_of_a_run_are_counted() -> None:
    states = {"a": "success", "b": "running", "c": "up_for_retry", "d": "none"}
    assert task_counts(states) == "1 of 4 tasks done, 1 running, waiting to retry c"
