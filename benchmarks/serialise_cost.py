"""What the DAG processor's child does: `python -m benchmarks.serialise_cost CONFIG` prints CPU seconds as JSON.

`first` and `again`: building every DAG of `dags/pipelines.py` when no stream, or every stream, has been checked before;
`serialise`: turning them into what the database holds; `mb` of it, and `largest_kb` by DAG.
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any

from benchmarks.parse_cost import OURS, _warm, cpu, parsed


def main(config: str) -> dict[str, Any]:
    """The costs, in this process, after what a process that parses has loaded anyway."""
    from airflow.serialization.serialized_objects import DagSerialization

    from operators.runtime import checked_streams

    os.environ["STRANDLINE_CONFIG"] = config
    checked_streams().unlink(missing_ok=True)
    _warm()
    found: dict[str, Any] = {}
    for which in ("first", "again"):
        before = cpu()
        bag = parsed(OURS)
        found[which] = round(cpu() - before, 2)
    before = cpu()
    sizes = {dag_id: len(json.dumps(DagSerialization.to_dict(dag), default=str)) for dag_id, dag in bag.dags.items()}
    found["serialise"] = round(cpu() - before, 2)
    largest = sorted(sizes, key=lambda dag_id: -sizes[dag_id])[:3]
    return {**found, "mb": round(sum(sizes.values()) / 1e6, 2), "largest_kb": {name: sizes[name] // 1000 for name in largest}}


if __name__ == "__main__":
    print(json.dumps(main(sys.argv[1])))
