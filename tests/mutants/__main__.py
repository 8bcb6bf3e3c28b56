"""`python -m tests.mutants`: makes each deliberate mistake in a copy of the tree and runs the quick tests against it; a mistake
that no test sees survives. Exit code 1 when one survived that is not argued to be equivalent.

A process that has imported the libraries, but nothing of the core, is forked for each mistake, so that none waits for imports.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from tests.mutants.mutation import Mutation
from tests.mutants.mutations import MUTATIONS

ROOT = Path(__file__).parents[2]
QUICK = (
    "tests/laws/test_positions.py",
    "tests/laws/test_overtaking.py",
    "tests/stages/test_repetition.py",
    "tests/stages/test_quarantine.py",
    "tests/lake/test_tables.py",
    "tests/lake/test_objects.py",
    "tests/test_audit.py",
    "tests/laws/test_histories.py",
)
COPIED = ("strandline", "tests", "schemas", "pyproject.toml")
LIBRARIES = "boto3 deltalake duckdb jsonschema numpy orjson pyarrow pyarrow.parquet pytest sqlglot yaml"
ENVIRONMENT = {
    "OPENBLAS_NUM_THREADS": "1",
    "ARROW_DEFAULT_MEMORY_POOL": "system",
    "JE_ARROW_MALLOC_CONF": "background_thread:false",
    "_RJEM_MALLOC_CONF": "background_thread:false",
    "STRANDLINE_HISTORIES": "40",
    "STRANDLINE_STEPS": "30",
}
"""One thread before the fork, and histories enough to meet what is rare."""
LONGEST = 400
"""Seconds after which a run counts as hung, which is being caught too."""
Verdict = Literal["caught", "hung", "survived", "stale", "broken"]
_VERDICTS: dict[int, Verdict] = {0: "survived", 1: "caught"}
"""By pytest's exit code; any other says that the tests could not be run."""


NONE = Mutation("none", "strandline/__init__.py", "", "", "the tests pass without a mistake")


def mutated(mutation: Mutation, folder: Path) -> bool:
    """Whether the copy of the tree in `folder` now has the mistake; False when the text to replace is not there once."""
    path = folder / mutation.file
    text = path.read_text()
    if text.count(mutation.old) != 1:
        return False
    path.write_text(text.replace(mutation.old, mutation.new))
    return True


def tried(mutation: Mutation, log: Path) -> Verdict:
    """What came of the mistake: the tests it names are run first, then the other quick ones, up to the first failure."""
    with tempfile.TemporaryDirectory(prefix="strandline-mutant-", dir=_memory()) as name:
        folder = Path(name)
        for each in COPIED:
            source = ROOT / each
            if source.is_dir():
                shutil.copytree(source, folder / each, symlinks=True, ignore=shutil.ignore_patterns(".hypothesis"))
            else:
                shutil.copy2(source, folder / each)
        if mutation is not NONE and not mutated(mutation, folder):
            return "stale"
        chosen = tuple(dict.fromkeys((*mutation.tests, *QUICK)))
        for tests in (mutation.tests, tuple(t for t in chosen if t not in mutation.tests)):
            verdict = _run(folder, tests, log) if tests else "survived"
            if verdict != "survived":
                return verdict
    return "survived"


def _run(folder: Path, tests: Sequence[str], log: Path) -> Verdict:
    pid = os.fork()
    if pid == 0:
        _child(folder, tests, log)
    deadline = time.monotonic() + LONGEST
    while time.monotonic() < deadline:
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            return _VERDICTS.get(os.waitstatus_to_exitcode(status), "broken")
        time.sleep(0.05)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    return "hung"


def _child(folder: Path, tests: Sequence[str], log: Path) -> None:
    """Never returns; exit code 0 when all tests passed."""
    code = 99
    try:
        os.setsid()
        descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(descriptor, 1)
        os.dup2(descriptor, 2)
        os.chdir(folder)
        for name in [name for name in sys.modules if name.split(".")[0] in ("tests", "strandline")]:
            del sys.modules[name]
        sys.path[:] = [str(folder), *(p for p in sys.path if p not in ("", str(ROOT)))]
        import pytest

        options = ["-x", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", "-m", "not slow", "-k", "not s3 and not mutant"]
        code = int(pytest.main([*options, *tests]))
    except BaseException:  # noqa: BLE001 - the child ends here, whatever it was
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _memory() -> str | None:
    return "/dev/shm" if Path("/dev/shm").is_dir() else None


def main(arguments: Sequence[str] | None = None) -> int:
    """Run from the command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutants", description=__doc__)
    parser.add_argument("--only", default="", help="only mistakes whose name holds this text")
    parser.add_argument("--skip", type=int, default=0, help="leave out so many mistakes at the beginning of the list")
    parser.add_argument("--minutes", type=float, default=None, help="begin no further one after so many minutes")
    log_path = Path(tempfile.gettempdir()) / "strandline-mutants.log"
    parser.add_argument("--log", type=Path, default=log_path, help=f"where the tests' output goes (default {log_path})")
    parser.add_argument("--no-baseline", action="store_true", help="trust that the tests pass without a mistake")
    given = parser.parse_args(arguments)
    os.environ.update(ENVIRONMENT)
    for library in LIBRARIES.split():
        __import__(library)
    threads = len(os.listdir("/proc/self/task"))
    assert threads == 1, f"there must be one thread to fork, there are {threads}"
    started = time.monotonic()
    counted = dict.fromkeys(("caught", "hung", "survived", "equivalent", "stale", "broken", "not tried"), 0)
    if not given.no_baseline:
        if tried(NONE, given.log) != "survived":
            print(f"the quick tests fail without any mistake; see {given.log}")
            return 2
        print(f"the quick tests pass without a mistake ({time.monotonic() - started:.0f} s)", flush=True)
    for mutation in (m for m in MUTATIONS[given.skip :] if given.only in m.name):
        begun = time.monotonic()
        if given.minutes is not None and begun - started > given.minutes * 60:
            counted["not tried"] += 1
            continue
        with given.log.open("a") as log:
            log.write(f"\n=== {mutation.name}\n")
        verdict: str = tried(mutation, given.log)
        if verdict == "survived" and mutation.equivalent:
            verdict = "equivalent"
        counted[verdict] += 1
        print(f"{verdict:10} {time.monotonic() - begun:5.0f} s  {mutation.file}: {mutation.name}", flush=True)
    print(", ".join(f"{name} {count}" for name, count in counted.items()), f"; {time.monotonic() - started:.0f} seconds")
    return 1 if counted["survived"] or counted["stale"] or counted["broken"] else 0


if __name__ == "__main__":
    raise SystemExit(main())
