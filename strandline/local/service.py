"""A program that runs in the background: started, waited for, found again by a later process, stopped whole."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from strandline.local import processes

_LINES_READ = 400


class Service:
    """The program called `name`, which writes to `log` and whose handle is in `pid_file` while it runs."""

    def __init__(self, name: str, *, log: Path, pid_file: Path) -> None:
        self.name = name
        self.log = log
        self.pid_file = pid_file
        self._child: subprocess.Popen[bytes] | None = None
        self._log_start = 0

    def is_running(self) -> bool:
        """Whether it runs, started by this process or an earlier one."""
        return processes.recall(self.pid_file) is not None

    def launch(self, command: Sequence[str], *, env: Mapping[str, str], cwd: Path) -> None:
        """Start it; whether it came up is for `wait` to say."""
        self._log_start = self.log.stat().st_size if self.log.exists() else 0
        self._child = processes.spawn(command, env=env, cwd=cwd, log=self.log, pid_file=self.pid_file)

    def wait(
        self,
        missing: Callable[[], str],
        timeout: float,
        *,
        every: float = 0.1,
        waiting: Callable[[str], None] = lambda text: None,
    ) -> None:
        """Return once `missing` is empty; it says in a few words what is not ready yet, and `waiting` is told.

        Raises `ProcessError` with the end of the log after `timeout` seconds, or when the program ends.
        """
        deadline = time.monotonic() + timeout
        problem = "it did not answer"
        while time.monotonic() < deadline:
            if not self.is_running():
                problem = "it ended by itself"
                break
            problem = missing()
            if not problem:
                return
            waiting(problem)
            time.sleep(every)
        raise self.failure(f"is not ready: {problem}", lines=30)

    def said(self, text: str) -> bool:
        """Whether the text is among the last lines of its log since the last start."""
        return text in processes.tail(self.log, lines=_LINES_READ, start=self._log_start)

    def failure(self, problem: str, lines: int = 20) -> processes.ProcessError:
        """The error that says so, with the end of the log since the last start."""
        told = processes.tail(self.log, lines=lines, start=self._log_start)
        return processes.ProcessError(f"{self.name} {problem}. The end of {self.log}:\n{told}")

    def stop(self, grace: float = 10.0) -> int:
        """Stop it and every process it started, if any is left: SIGTERM to each, SIGKILL after `grace` seconds.

        How many processes there were.
        """
        handle = processes.remains(self.pid_file)
        count = 0
        if handle is not None:
            count = len(processes.members(handle))
            processes.stop(handle, grace=grace)
        self._forget()
        return count

    def kill(self) -> list[int]:
        """Kill it and every process it started at once (SIGKILL), as when a machine is lost; their ids."""
        handle = processes.remains(self.pid_file)
        killed = processes.kill(handle) if handle is not None else []
        self._forget()
        return killed

    def _forget(self) -> None:
        if self._child is not None:
            self._child.wait()
            self._child = None
        processes.forget(self.pid_file)
