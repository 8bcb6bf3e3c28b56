"""Where an engine in a process puts what does not fit into memory: a folder of its own, gone with it, however it ends.

A process that is killed cannot take its folder away, and there may be gigabytes in it. Each folder is locked by who uses it,
and the system unlocks what a dead process had locked: the next one to need a folder removes those that nobody holds any more.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import tempfile
from pathlib import Path

_PREFIX = "strandline-spill-"


class SpillFolder:
    """An empty folder below the system's temporary one; held until `remove`, or until the process is gone."""

    def __init__(self) -> None:
        for path in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
            if (held := _locked(path)) is not None:
                _removed(path, held)
        while True:
            self.path = Path(tempfile.mkdtemp(prefix=_PREFIX))
            held = _locked(self.path)
            if held is not None and self.path.exists():  # else somebody else took it for one left behind, and removed it
                break
        self._held = held

    def remove(self) -> None:
        """Take the folder away with all that is in it."""
        _removed(self.path, self._held)


def _locked(path: Path) -> int | None:
    """The folder, open and locked; None when somebody uses it or it is another user's."""
    with contextlib.suppress(OSError):
        opened = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        try:
            fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(opened)
        else:
            return opened
    return None


def _removed(path: Path, held: int) -> None:
    shutil.rmtree(path, ignore_errors=True)
    os.close(held)
