"""Several fresh processes at once: a zygote that forks as many as are ordered, and `Crew`, which gives it orders.

Reads JSON lines: `{"start": [order, …]}` forks a child for each, lets all go together and answers `{"pids": […]}`;
`{"wait": [pid, …]}` waits for them and answers `{"statuses": […]}`.
"""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from types import TracebackType
from typing import Any

from tests.chaos.duties import perform
from tests.chaos.zygote import child

LONGEST = 240.0
"""Seconds after which a child counts as hung."""


class Crew:
    """Processes forked from one zygote, as many at once as wanted; a context manager."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = dict(environment)
        self._running: set[int] = set()

    def __enter__(self) -> Crew:
        self._zygote = subprocess.Popen(
            [sys.executable, "-m", "tests.chaos.crew"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=self._environment,
        )
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        assert self._zygote.stdin is not None
        assert self._zygote.stdout is not None
        for pid in self._running:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self._zygote.stdin.close()
        self._zygote.wait()
        self._zygote.stdout.close()

    def start(self, orders: Sequence[Mapping[str, Any]]) -> list[int]:
        """The children's process ids."""
        pids: list[int] = self._say({"start": orders})["pids"]
        self._running.update(pids)
        return pids

    def wait(self, pids: Sequence[int]) -> list[int]:
        """How each ended (0: by itself). One that takes longer than `LONGEST` is killed."""
        statuses: list[int] = self._say({"wait": pids}, pids)["statuses"]
        self._running.difference_update(pids)
        return statuses

    def _say(self, words: Mapping[str, Any], pids: Sequence[int] = ()) -> dict[str, Any]:
        assert self._zygote.stdin is not None
        assert self._zygote.stdout is not None
        self._zygote.stdin.write(json.dumps(words).encode() + b"\n")
        self._zygote.stdin.flush()
        if not select.select([self._zygote.stdout], [], [], LONGEST)[0]:
            for pid in pids:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        answer: dict[str, Any] = json.loads(self._zygote.stdout.readline())
        return answer


def main() -> None:
    """Serve orders until the input ends."""
    for line in sys.stdin:
        words = json.loads(line)
        if "start" in words:
            answer: dict[str, Any] = {"pids": _started(words["start"])}
        else:
            answer = {"statuses": [os.waitpid(pid, 0)[1] for pid in words["wait"]]}
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


def _started(orders: Sequence[Mapping[str, Any]]) -> list[int]:
    tasks = len(os.listdir("/proc/self/task"))
    assert tasks == 1, f"the zygote must have one thread to fork, it has {tasks}"
    gate, opened = os.pipe()
    pids = []
    for order in orders:
        pid = os.fork()
        if pid == 0:
            os.close(opened)
            os.read(gate, 1)  # ends for all of them when the parent closes its end
            child(json.dumps(order), perform)
        pids.append(pid)
    os.close(gate)
    os.close(opened)
    return pids


if __name__ == "__main__":
    main()
