"""Child processes that can be found again and stopped whole: each leads a session of its own and is written to a pid file."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

from strandline.errors import StrandlineError

_CLOCK_SLACK = 5.0
"""Seconds by which two readings of a process's start may differ (the system clock may be set in between)."""

_LOG_SIZE = 20_000_000
"""Bytes; a longer log is set aside when its program starts again."""


class ProcessError(StrandlineError):
    """A child process did not start, died or could not be stopped; the message ends with the tail of its log."""


@dataclass(frozen=True, slots=True)
class Handle:
    """One running process: its id, and when it started (seconds since the epoch), so that a reused id is told apart."""

    pid: int
    started: float

    @classmethod
    def of(cls, pid: int) -> Handle:
        """The handle of a process that runs now; raises `psutil.NoSuchProcess` when there is none."""
        return cls(pid, psutil.Process(pid).create_time())

    def alive(self) -> bool:
        """Whether this very process still runs; a zombie does not."""
        try:
            process = psutil.Process(self.pid)
            return abs(process.create_time() - self.started) < _CLOCK_SLACK and process.status() != psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess:
            return False


def spawn(command: Sequence[str], *, env: Mapping[str, str], cwd: Path, log: Path, pid_file: Path) -> subprocess.Popen[bytes]:
    """The child, leading its own session, so that a Ctrl-C at the terminal reaches only us and we stop it in order.

    Its output is appended to `log`, of which one older part is kept; `pid_file` holds its handle until `forget`.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    if log.exists() and log.stat().st_size > _LOG_SIZE:
        log.replace(log.with_suffix(".1.log"))
    pid_file.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as output:
        child = subprocess.Popen(
            list(command),
            env=dict(env),
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    remember(Handle.of(child.pid), pid_file)
    return child


def remember(handle: Handle, pid_file: Path) -> None:
    """Write the handle to `pid_file`, whole or not at all."""
    draft = pid_file.with_suffix(".new")
    draft.write_text(json.dumps({"pid": handle.pid, "started": handle.started}), encoding="utf-8")
    draft.replace(pid_file)


def recall(pid_file: Path) -> Handle | None:
    """The process that `pid_file` tells of, if it still runs; None when there is no file, or the process is gone."""
    handle = _read(pid_file)
    return handle if handle is not None and handle.alive() else None


def remains(pid_file: Path) -> Handle | None:
    """The process that `pid_file` tells of, if it or anything of its session runs: children outlive one that was killed."""
    handle = _read(pid_file)
    return handle if handle is not None and members(handle) else None


def _read(pid_file: Path) -> Handle | None:
    try:
        content = json.loads(pid_file.read_text(encoding="utf-8"))
        return Handle(int(content["pid"]), float(content["started"]))
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return None


def members(handle: Handle) -> list[psutil.Process]:
    """Every live process of the handle's session and every descendant, whatever process group it moved itself to."""
    found: dict[int, psutil.Process] = {}
    if handle.alive():
        leader = psutil.Process(handle.pid)
        found[handle.pid] = leader
        with contextlib.suppress(psutil.NoSuchProcess):
            found.update({child.pid: child for child in leader.children(recursive=True)})
    for process in psutil.process_iter():
        try:
            same_session = os.getsid(process.pid) == handle.pid
            younger = process.create_time() >= handle.started - _CLOCK_SLACK
            if same_session and younger and process.status() != psutil.STATUS_ZOMBIE:
                found[process.pid] = process
        except (ProcessLookupError, PermissionError, psutil.NoSuchProcess):
            continue
    return list(found.values())


def stop(handle: Handle, *, grace: float = 10.0) -> None:
    """End the process and all it started: SIGTERM to each, SIGKILL to what is left after `grace` seconds.

    Raises `ProcessError` when something outlives even that.
    """
    rest = members(handle)
    for process in rest:
        _signal(process, kill=False)
    _, rest = psutil.wait_procs(rest, timeout=grace)
    deadline = time.monotonic() + 10.0
    while rest := _merge(rest, members(handle)):
        if time.monotonic() > deadline:
            raise ProcessError(f"these processes could not be stopped: {sorted(process.pid for process in rest)}")
        for process in rest:
            _signal(process, kill=True)
        _, rest = psutil.wait_procs(rest, timeout=1.0)


def kill(handle: Handle) -> list[int]:
    """The ids of the process and of all it started, each of which got SIGKILL, the parents before their children."""
    found = members(handle)
    for process in found:
        _signal(process, kill=True)
    psutil.wait_procs(found, timeout=10.0)
    return [process.pid for process in found]


def forget(pid_file: Path) -> None:
    """Remove the pid file; a missing one is fine."""
    pid_file.unlink(missing_ok=True)


def tail(log: Path, lines: int = 20, start: int = 0) -> str:
    """The last lines of a log from byte `start` on, for a message; empty when there is no log."""
    try:
        with log.open("rb") as stream:
            size = stream.seek(0, os.SEEK_END)
            stream.seek(start if start <= size else 0)  # a log set aside since then starts anew
            text = stream.read().decode("utf-8", "replace")
    except FileNotFoundError:
        return ""
    return "\n".join(text.splitlines()[-lines:])


def is_live(process: psutil.Process) -> bool:
    """Whether the process runs; a zombie that nobody has collected yet does not."""
    try:
        return bool(process.is_running()) and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _merge(left: list[psutil.Process], right: list[psutil.Process]) -> list[psutil.Process]:
    merged = {process.pid: process for process in (*left, *right)}
    return [process for process in merged.values() if is_live(process)]


def _signal(process: psutil.Process, *, kill: bool) -> None:
    try:
        if kill:
            process.kill()
        else:
            process.terminate()
    except psutil.NoSuchProcess:
        return
