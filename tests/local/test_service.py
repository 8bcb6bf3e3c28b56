"""A program in the background: waited for, found again, killed with all it started."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import psutil
import pytest

from strandline.local import processes
from strandline.local.service import Service

_PARENT = """
import subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
print("child", child.pid, flush=True)
time.sleep(600)
"""


@pytest.fixture
def service(tmp_path: Path) -> Service:
    return Service("The mill", log=tmp_path / "mill.log", pid_file=tmp_path / "mill.pid")


def launch(service: Service, code: str) -> None:
    service.launch([sys.executable, "-c", code], env=dict(os.environ), cwd=service.log.parent)


def test_one_that_ends_before_it_is_ready_is_told_with_the_end_of_its_log(service: Service) -> None:
    launch(service, "print('no water in the river'); raise SystemExit(3)")
    with pytest.raises(processes.ProcessError, match=r"(?s)The mill is not ready: it ended by itself.*no water in the river"):
        service.wait(lambda: "grinding", timeout=30)
    service.stop()


def test_what_is_missing_is_told_while_it_is_waited_for_and_at_the_end(service: Service) -> None:
    told: list[str] = []
    launch(service, "import time; time.sleep(600)")
    try:
        with pytest.raises(processes.ProcessError, match="The mill is not ready: the wheel"):
            service.wait(lambda: "the wheel", timeout=0.5, waiting=told.append)
        assert set(told) == {"the wheel"}
        service.wait(lambda: "", timeout=5)
    finally:
        service.stop()


def test_only_what_it_said_since_its_last_start_counts(service: Service) -> None:
    for text, other in (("first ready.", "second"), ("second ready.", "first")):
        launch(service, f"print('{text}')")
        deadline = time.monotonic() + 30
        while not service.said(text) and time.monotonic() < deadline:
            time.sleep(0.05)
        assert service.said(text)
        assert not service.said(other)
        service.stop()


def test_a_kill_leaves_none_of_what_it_started(service: Service) -> None:
    launch(service, _PARENT)
    service.wait(lambda: "" if service.said("child") else "its child", timeout=30)
    child = psutil.Process(int(processes.tail(service.log).split()[-1]))
    killed = service.kill()
    assert child.pid in killed
    assert len(killed) == 2
    assert not processes.is_live(child)
    assert not service.is_running()
    assert service.kill() == []


def test_another_process_finds_it_by_the_pid_file_and_stops_it(service: Service) -> None:
    launch(service, _PARENT)
    again = Service("The mill", log=service.log, pid_file=service.pid_file)
    service.wait(lambda: "" if service.said("child") else "its child", timeout=30)
    assert again.is_running()
    assert again.stop() == 2
    assert not service.is_running()
    service.stop()
