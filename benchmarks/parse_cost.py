"""What parsing costs one process: `python -m benchmarks.parse_cost own|file|first|hand|task …` prints CPU seconds as JSON.

* `file CONFIG`, `first CONFIG`, `hand PATH`: a whole DAG file through Airflow's own loader, after Airflow is imported: ours for
  a `config/`, with the streams checked before (`file`) or never (`first`), or a hand-written one. `shape` is a digest of the
  DAGs and tasks that came out.
* `own CONFIG DAG TASK`: the same file as parsed when one task is to run.
* `task CONFIG DAG TASK`: in a process forked from one that has what a scheduler has, the plugin included: parse, find the task,
  up to the first line of the core.
"""

from __future__ import annotations

import hashlib
import json
import os
import resource
import sys
import tempfile
from importlib import import_module
from pathlib import Path
from typing import Any

from benchmarks.events import ROOT
from benchmarks.peers.hand_written import source

OURS = ROOT / "dags" / "pipelines.py"


def cpu() -> float:
    """User and system CPU seconds of this process so far."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def parsed(path: Path) -> Any:
    """The bag of DAGs of a file; raises RuntimeError when one could not be built."""
    from airflow.dag_processing.dagbag import BundleDagBag

    bag = BundleDagBag(dag_folder=str(path), safe_mode=False, load_op_links=False, bundle_path=path.parent, bundle_name="bench")
    if bag.import_errors:
        raise RuntimeError(str(bag.import_errors)[:2000])
    return bag


def _context(config: str, dag: str, task: str) -> None:
    os.environ.update(STRANDLINE_CONFIG=config, _AIRFLOW_PARSING_CONTEXT_DAG_ID=dag, _AIRFLOW_PARSING_CONTEXT_TASK_ID=task)


def _warm() -> None:
    """What a process that parses DAG files has loaded after its first file, ours and dag-factory's modules among it."""
    from strandline.render import render

    for module in ("dagfactory.dagbuilder", "dagfactory.utils"):
        import_module(module)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "warm.py"
        path.write_text(source(render(ROOT / "config"), "config"), encoding="utf-8")
        parsed(path)


def _file(path: Path) -> dict[str, Any]:
    _warm()
    before = cpu()
    bag = parsed(path)
    spent = cpu() - before
    tasks = sum(len(dag.task_dict) for dag in bag.dags.values())
    return {"cpu": spent, "dags": len(bag.dags), "tasks": tasks, "shape": _shape(bag)}


def _shape(bag: Any) -> str:
    """A digest of all that readers, the scheduler and tasks see of the DAGs."""
    texts = [
        (dag_id, dag.description, dag.doc_md, sorted(dag.tags), getattr(dag.timetable, "expression", None), dag.catchup,
         dag.max_active_runs, sorted(dag.params), [_task_shape(task) for _, task in sorted(dag.task_dict.items())])
        for dag_id, dag in sorted(bag.dags.items())
    ]  # fmt: skip
    return hashlib.sha256(repr(texts).encode()).hexdigest()[:16]


def _task_shape(task: Any) -> tuple[Any, ...]:
    told = (task.task_id, task.task_display_name, task.task_type, task.owner, sorted(task.upstream_task_ids))
    tries = (task.retries, task.retry_delay, task.retry_exponential_backoff, task.max_retry_delay, task.execution_timeout)
    given = [(field, getattr(task, field)) for field in task.template_fields]
    group = (task.task_group.group_id, task.task_group.tooltip) if task.task_group else None
    return (
        *told,
        *tries,
        given,
        getattr(task, "config", None),
        group,
        [asset.name for asset in task.outlets],
        sorted(task.params),
    )


def _task(config: str, dag: str, task: str) -> dict[str, Any]:
    import airflow.dag_processing.dagbag  # the scheduler has these, and what the plugin loads
    import airflow.sdk.execution_time.task_runner  # noqa: F401

    sys.path.insert(0, str(ROOT / "plugins"))
    import_module("strandline_preload").preload(["airflow", "scheduler"])
    reader, writer = os.pipe()
    if os.fork() == 0:
        _context(config, dag, task)
        before = cpu()
        operator = parsed(OURS).dags[dag].task_dict[task]
        found = cpu() - before
        from strandline.stages.generate import generate  # noqa: F401

        spent = {"cpu": cpu() - before, "parse": found, "operator": type(operator).__name__}
        os.write(writer, json.dumps(spent).encode())
        os._exit(0)
    os.close(writer)
    os.wait()
    spoken: dict[str, Any] = json.loads(os.read(reader, 1 << 16))
    return spoken


def main(arguments: list[str]) -> dict[str, Any]:
    """The costs that the arguments ask for."""
    kind, first, *rest = arguments
    if kind == "hand":
        return _file(Path(first))
    os.environ["STRANDLINE_CONFIG"] = first
    if kind == "first":
        from operators.runtime import checked_streams

        checked_streams().unlink(missing_ok=True)
    if kind in ("file", "first"):
        return _file(OURS)
    if kind == "own":
        _context(first, *rest)
        return _file(OURS)
    return _task(first, *rest)


if __name__ == "__main__":
    print(json.dumps(main(sys.argv[1:])))
