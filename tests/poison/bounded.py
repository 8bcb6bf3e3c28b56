"""The real steps over a folder in a process of its own, watched for its memory: `python -m tests.poison.bounded <folder>`.

Each of its folders is a case with an `inbox`, taken one after the other. Prints one JSON object, by case: `peak` MB of resident
memory so far above what the process had once everything was imported and a small event had gone through, and `error` (class and
text) or the `counts` of each step.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
from pathlib import Path
from typing import Any

from strandline.errors import StrandlineError

GUARD = 6 << 30
"""Bytes of address space beyond which the process itself is stopped."""


def in_a_process(folder: Path) -> dict[str, dict[str, Any]]:
    """What became of each case in `folder`, taken by one fresh process."""
    environment = {**os.environ, "MALLOC_ARENA_MAX": "2", "ARROW_DEFAULT_MEMORY_POOL": "system"}
    done = subprocess.run(
        [sys.executable, "-m", "tests.poison.bounded", str(folder)],
        capture_output=True,
        env=environment,
        check=False,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    found: dict[str, dict[str, Any]] = json.loads(done.stdout)
    return found


def peak() -> int:
    """The process' greatest resident memory so far, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


def main(folder: Path) -> None:
    from strandline.audit.audit import audit
    from strandline.stages.bronze import bronze
    from strandline.stages.land import ingest
    from strandline.stages.merge import merge
    from strandline.stages.silver import silver
    from tests.poison.lines import GOOD
    from tests.poison.pipeline import INTERVAL, runtime_at, stream_from

    def steps(place: Path) -> dict[str, Any]:
        kind = "csv" if list((place / "inbox").glob("*.csv*")) else "ndjson"
        stream = stream_from(place, f"{{type: files, location: {place}/inbox, format: {kind}}}")
        runtime = runtime_at(str(place / "lake"))
        told: dict[str, Any] = {}
        told["ingest"] = ingest(runtime, stream, INTERVAL)
        told["merge"] = merge(runtime, stream)
        told["bronze"] = bronze(runtime, stream, INTERVAL.end)
        told["silver"] = silver(runtime, stream)
        told["audit"] = audit(runtime, stream).agrees
        return told

    resource.setrlimit(resource.RLIMIT_AS, (GUARD, GUARD))
    cases = sorted(folder.iterdir())
    small = folder / "small"
    (small / "inbox").mkdir(parents=True)
    (small / "inbox" / "a").write_bytes(GOOD)
    steps(small)
    before = peak()
    found: dict[str, dict[str, Any]] = {}
    for case in cases:
        told: dict[str, Any] = {"counts": None, "error": None}
        try:
            told["counts"] = steps(case)
        except StrandlineError as error:
            told["error"] = f"{type(error).__name__}: {error}"
        found[case.name] = {**told, "peak": peak() - before}
    print(json.dumps(found))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
