"""`make demo`: the whole pipeline on this machine, run once through and then left running until Ctrl-C.

What starts, ends and stops a tour is the same for every kind of it: `main` takes the kind.
"""

from __future__ import annotations

import errno
import os
import signal
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from types import FrameType

from strandline.errors import ConfigError, StrandlineError, UsageError
from strandline.local import prerequisites, processes
from strandline.local.narration import Narrator
from strandline.local.settings import Settings
from strandline.local.tour import Tour

_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


def run(settings: Settings, narrator: Narrator, kind: type[Tour] = Tour) -> int:
    """The exit code: 0 done or stopped on request, 1 a run failed, 2 usage or configuration.

    Whatever the end, and however often it is asked for, every child has been stopped on return.
    """
    pid_file = settings.local / "demo.pid"
    settings.local.mkdir(parents=True, exist_ok=True)
    other = processes.recall(pid_file)
    if other is not None and other.pid != os.getpid():
        stop = f"make {settings.target.down}"
        narrator.fail(f"a demo runs here already (pid {other.pid}). Use that one, or stop it with `{stop}`.")
        return 2
    processes.remember(processes.Handle.of(os.getpid()), pid_file)
    _listen()
    stack = ExitStack()
    tour = kind(settings, narrator, stack)
    try:
        return _guided(tour, narrator)
    finally:
        _be_deaf()
        if tour.has_started:
            with narrator.step("Stop Airflow and the S3 server") as step:
                stack.close()
                again = f"`make {settings.target.up}` goes on from here"
                step.result = f"everything written stays in {settings.target.kept}; {again}"
        processes.forget(pid_file)


def down(settings: Settings, narrator: Narrator, kind: type[Tour] = Tour) -> None:
    """Stop a demo of this folder, wherever it was started, and whatever a killed one left running."""
    handle = processes.recall(settings.local / "demo.pid")
    if handle is not None:
        with narrator.step(f"Stop the demo (pid {handle.pid})"):
            os.kill(handle.pid, signal.SIGTERM)
            deadline = time.monotonic() + 60
            while handle.alive() and time.monotonic() < deadline:
                time.sleep(0.2)
    for service in kind.services_of(settings):
        orphan = processes.remains(service.pid_file)
        if orphan is not None:
            with narrator.step(f"Stop {service.name} (pid {orphan.pid})"):
                service.stop(grace=15.0)


def main(arguments: Sequence[str] | None = None, kind: type[Tour] = Tour) -> int:
    """`python -m strandline.local.demo [--down]` in the repository's root; the exit code as `run` has it."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    narrator = Narrator()
    try:
        settings = Settings.read(Path.cwd(), os.environ, kind.TARGET)
        if given not in ([], ["--down"]):
            raise UsageError(f"the only argument is --down (saw {' '.join(given)})")
        if given:
            down(settings, narrator, kind)
            return 0
        return run(settings, narrator, kind)
    except UsageError as error:
        narrator.fail(str(error))
        return 2


def _guided(tour: Tour, narrator: Narrator) -> int:
    try:
        tour.run()
        return 0
    except KeyboardInterrupt:
        narrator.say("Asked to stop.")
        return 130 if tour.settings.once else 0
    except (UsageError, ConfigError) as error:
        narrator.fail(str(error))
        return 2
    except StrandlineError as error:
        narrator.fail(str(error))
        return 1
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        narrator.fail(prerequisites.disk_full(tour.settings.root))
        return 1


def _listen() -> None:
    for number in _SIGNALS:
        if signal.getsignal(number) != signal.SIG_IGN or number == signal.SIGINT:  # nohup stays nohup
            signal.signal(number, _interrupt)


def _be_deaf() -> None:
    # While children are being stopped, a second Ctrl-C must not cut that short and leave some behind.
    for number in _SIGNALS:
        signal.signal(number, signal.SIG_IGN)


def _interrupt(number: int, frame: FrameType | None) -> None:
    _be_deaf()
    raise KeyboardInterrupt


if __name__ == "__main__":
    raise SystemExit(main())
