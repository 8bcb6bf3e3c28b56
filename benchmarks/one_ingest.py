"""Generate and land one micro-batch, as two tasks do it: `python -m benchmarks.one_ingest FOLDER LAKE` (AWS by environment).

Prints the CPU seconds of the work, and of what came before it (the interpreter and the libraries, which an Airflow worker has
loaded already).
"""

from __future__ import annotations

import importlib
import json
import resource
import sys
from datetime import timedelta

from benchmarks.ours import START, as_installed, stream_at


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def main(folder: str, lake: str) -> None:
    """Lands what the folder holds as the interval at noon."""
    as_installed()
    for library in (
        "boto3",
        "deltalake",
        "duckdb",
        "numpy",
        "orjson",
        "pyarrow.dataset",
        "pyarrow.parquet",
        "sqlglot",
    ):
        importlib.import_module(library)
    from strandline.intervals import Interval
    from strandline.lake.lake import Lake
    from strandline.runtime import Runtime
    from strandline.stages.generate import generate
    from strandline.stages.land import land

    before = _cpu()
    stream = stream_at(folder)
    noon = Interval(START + timedelta(hours=12), START + timedelta(hours=12, minutes=5))
    generate(Runtime(Lake.open(lake)), stream, noon)
    counts = land(Runtime(Lake.open(lake)), stream, noon)
    print(json.dumps({**counts, "work_cpu": round(_cpu() - before, 3), "before_cpu": round(before, 3)}))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
