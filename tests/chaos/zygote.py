"""A process that has imported everything and opened nothing: it forks a fresh child for each order, at no start-up cost.

Neither delta-rs nor Arrow have started a thread before the fork (checked: a fork of a process that has used them would hang).
Reads orders as JSON lines; answers with `{"pid": n}`, waits for a line, lets the child go, and answers `{"status": n}`.
"""

from __future__ import annotations

import json
import os
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import pyarrow.fs
import pyarrow.parquet  # noqa: F401 - imported for the children

import strandline.engines.duckdb
import strandline.publish.charts
import strandline.stages.land  # noqa: F401
from tests.chaos.child import perform


def main() -> None:
    """Serve orders until the input ends."""
    for line in sys.stdin:
        tasks = len(os.listdir("/proc/self/task"))
        assert tasks == 1, f"the zygote must have one thread to fork, it has {tasks}"
        gate, opened = os.pipe()
        pid = os.fork()
        if pid == 0:
            os.close(opened)
            os.read(gate, 1)
            child(line, perform)
        os.close(gate)
        _say({"pid": pid})
        sys.stdin.readline()
        os.close(opened)
        _, status = os.waitpid(pid, 0)
        _say({"status": status})


def child(line: str, perform: Callable[[dict[str, Any]], None]) -> NoReturn:
    """Follow the order in `line` and end."""
    code = 1
    try:
        order = json.loads(line)
        Path(order["folder"]).mkdir(exist_ok=True)
        os.chdir(order["folder"])
        perform(order)
        code = 0
    except BaseException:  # noqa: BLE001 - the child ends here, whatever it was
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(code)


def _say(told: dict[str, int]) -> None:
    sys.stdout.write(json.dumps(told) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
