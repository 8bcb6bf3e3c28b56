"""Streams side by side: a process each, `jobs` at a time; they are spawned, because delta-rs does not survive a fork."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Sequence
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from types import FrameType
from typing import Any

from strandline.errors import ConfigError
from strandline.run import Done, Listener, Order, Outcome, Place, run_stream

_SECONDS_BETWEEN_REPORTS = 0.1
_PATIENCE = 5.0


def run_side_by_side(place: Place, names: Sequence[str], order: Order, listener: Listener, jobs: int) -> list[Outcome]:
    """The outcome of each stream, in the order of `names`; a process that dies is an outcome too.

    When this call is interrupted, every process it started has ended before it returns.
    """
    context = multiprocessing.get_context("spawn")
    waiting = list(names)
    running: dict[Connection, tuple[str, SpawnProcess]] = {}
    outcomes: dict[str, Outcome] = {}
    try:
        while waiting or running:
            while waiting and len(running) < jobs:
                name = waiting.pop(0)
                here, there = context.Pipe(duplex=False)
                process = context.Process(target=_serve, args=(there, place, name, order), daemon=True)
                process.start()
                there.close()
                running[here] = (name, process)
            for ready in wait(list(running)):
                assert isinstance(ready, Connection)
                name, process = running[ready]
                outcome = _received(ready, name, process, listener)
                if outcome is not None:
                    outcomes[name] = outcome
                    listener.ended(outcome)
                    del running[ready]
                    ready.close()
    finally:
        _stop([process for _, process in running.values()])
    return [outcomes[name] for name in names]


def _received(connection: Connection, name: str, process: SpawnProcess, listener: Listener) -> Outcome | None:
    """The outcome if the message was one (or the process is gone); anything else is told to the listener."""
    try:
        kind, content = connection.recv()
    except EOFError:
        process.join()
        code = process.exitcode or 0
        why = f"was killed by signal {-code}; out of memory?" if code < 0 else f"ended unexpectedly with code {code}"
        return Outcome(name, error=f"{name}: its process {why}", code=1)
    if kind == "ended":
        process.join(_PATIENCE)
        found: Outcome = content
        return found
    if kind == "progress":
        listener.progress(name, *content)
    elif kind == "notice":
        listener.notice(name, content)
    else:
        listener.finished(name, content)
    return None


def _stop(processes: Sequence[SpawnProcess]) -> None:
    for process in processes:
        process.terminate()
    deadline = time.monotonic() + _PATIENCE
    for process in processes:
        process.join(max(deadline - time.monotonic(), 0))
        if process.is_alive():
            process.kill()
            process.join()


class _Reporter:
    """The listener inside a process: sends on what it is told, progress not too often."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._sent = 0.0
        self._what = ""

    def progress(self, stream: str, what: str, done: int, total: int | None) -> None:
        now = time.monotonic()
        if what != self._what or done == total or now - self._sent >= _SECONDS_BETWEEN_REPORTS:
            self._what, self._sent = what, now
            self._connection.send(("progress", (what, done, total)))

    def notice(self, stream: str, text: str) -> None:
        self._connection.send(("notice", text))

    def finished(self, stream: str, done: Done) -> None:
        self._connection.send(("finished", done))

    def ended(self, outcome: Outcome) -> None:
        self._connection.send(("ended", outcome))


def _serve(connection: Connection, place: Place, name: str, order: Order) -> None:
    """One stream in this process: deaf to Ctrl-C (the parent ends it in order), gone when the parent is."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, _leave)
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_follow, args=(parent,), daemon=True).start()
    from strandline.spec.load import check_streams

    streams, problems = check_streams(place.config)
    reporter = _Reporter(connection)
    if name in streams:
        run_stream(place, streams[name], order, reporter)
    else:  # the file was changed since the parent read it
        reporter.ended(Outcome(name, error=str(ConfigError(problems)), code=2))


def _leave(number: int, frame: FrameType | None) -> None:
    sys.exit(128 + number)  # unwinds, so that temporary files go


def _follow(parent: Any) -> None:
    parent.join()
    os._exit(1)
