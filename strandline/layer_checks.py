"""What a schema cannot say about a file of `config/dags`: names that must exist, placeholders, schedules, cycles."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from typing import Any, NamedTuple

from strandline.cron import cron_fault
from strandline.placeholders import ALL_STREAMS, STREAM_NAMES, placeholders
from strandline.spec.wording import did_you_mean, seen

FieldPath = tuple[str | int, ...]
_NAME = "stream.name"
_REPEATED_NAME = "${stream.name}"


class Fault(NamedTuple):
    """One thing wrong at `where` inside the document."""

    where: FieldPath
    code: str
    message: str
    hint: str


@dataclass(frozen=True, slots=True)
class Operator:
    """What a short name in `config/dags` stands for: a class, whether it works on one stream, arguments of its own, and the
    asset of the stream (a key of `ASSETS`) that it updates.
    """

    path: str
    needs_stream: bool = True
    arguments: tuple[str, ...] = ()
    updates: str | None = None


ASSETS: Mapping[str, str] = {"realtime": "realtime/{stream}", "silver": "batch/silver/{stream}"}
"""What a DAG may be scheduled on, and what Airflow calls it: the place of the stream's table in the lake."""


OPERATORS: Mapping[str, Operator] = {
    "bootstrap": Operator("operators.bootstrap.BootstrapOperator", needs_stream=False),
    "generate": Operator("operators.generate.GenerateOperator"),
    "land": Operator("operators.land.LandOperator", updates="realtime"),
    "bronze": Operator("operators.bronze.BronzeOperator", arguments=("until",)),
    "silver": Operator("operators.silver.SilverOperator", arguments=("restate",), updates="silver"),
    "gold": Operator("operators.gold.GoldOperator"),
    "audit": Operator("operators.audit.AuditOperator"),
    "maintain": Operator("operators.maintain.MaintainOperator"),
    "merge": Operator("operators.merge.MergeOperator"),
    "publish": Operator("operators.publish.PublishOperator"),
}


def faults(dags: Mapping[str, Any], default: Mapping[str, Any]) -> Iterator[Fault]:
    """Everything wrong with the DAGs of a file that the schema let through."""
    for dag_id, dag in dags.items():
        repeated = "for_each" in dag
        yield from _name((dag_id,), dag_id, needed=repeated, inside=repeated)
        own = {key: value for key, value in dag.items() if key not in ("tasks", "task_groups")}
        yield from _unknown_placeholders((dag_id,), own, inside=repeated)
        yield from _unknown_placeholders(("default",), _inherited(dag, default), inside=repeated)
        yield from _schedule((dag_id, "schedule"), dag["schedule"], _updated(dag))
        yield from _params((dag_id, "params"), dag.get("params", {}))
        yield from _groups(dag_id, dag.get("task_groups", {}), inside=repeated)
        yield from _tasks((dag_id, "tasks"), dag.get("tasks", {}), inside=repeated)
        yield from _dependencies(dag_id, dag)


def _inherited(dag: Mapping[str, Any], default: Mapping[str, Any]) -> dict[str, Any]:
    """What the DAG takes from the file's defaults because it does not say it itself."""
    inherited = {key: value for key, value in default.items() if key not in dag}
    own = dag.get("default_args", {})
    return inherited | {
        "default_args": {key: value for key, value in default.get("default_args", {}).items() if key not in own}
    }


def _groups(dag_id: str, groups: Mapping[str, Any], *, inside: bool) -> Iterator[Fault]:
    for name, group in groups.items():
        where = (dag_id, "task_groups", name)
        repeated = "for_each" in group
        if inside and repeated:
            yield Fault((*where, "for_each"), "SL604", "the whole DAG is repeated already", "leave out one of the two")
        yield from _name(where, name, needed=repeated, inside=inside or repeated)
        own = {key: value for key, value in group.items() if key != "tasks"}
        yield from _unknown_placeholders(where, own, inside=inside or repeated)
        yield from _tasks((*where, "tasks"), group["tasks"], inside=inside or repeated)
        yield from _unmet((*where, "tasks"), group["tasks"], "task of the group")


def _tasks(where: FieldPath, tasks: Mapping[str, Any], *, inside: bool) -> Iterator[Fault]:
    for name, task in tasks.items():
        here = (*where, name)
        operator = OPERATORS[task["operator"]]
        yield from _name(here, name, needed=False, inside=inside)
        own = {key: value for key, value in task.items() if key != "dependencies"}
        yield from _unknown_placeholders(here, own, inside=inside)
        if operator.needs_stream and not inside:
            message = f"the operator {task['operator']} works on one stream, and here is none"
            yield Fault((*here, "operator"), "SL605", message, "put the task in a DAG or a task group with `for_each: stream`")
        taken = {*operator.arguments, *(("keys_conn_id",) if operator.needs_stream else ())}
        for argument in task.keys() & {"until", "restate", "keys_conn_id"} - taken:
            owners = ", ".join(kind for kind, other in OPERATORS.items() if argument in other.arguments)
            message = f"the operator {task['operator']} takes no `{argument}`"
            yield Fault((*here, argument), "SL606", message, f"it belongs to {owners or 'operators that work on one stream'}")


def _name(where: FieldPath, name: str, *, needed: bool, inside: bool) -> Iterator[Fault]:
    """A name may hold `${stream.name}` and no other placeholder, and must when it is repeated for each stream."""
    for other in placeholders(name):
        if other != _NAME or not inside:
            allowed = f"only {_REPEATED_NAME}, inside a `for_each: stream`"
            yield Fault(where, "SL601", f"a name cannot hold ${{{other}}} here (allowed: {allowed})", f"write {_REPEATED_NAME}")
    if needed and _NAME not in placeholders(name):
        hint = f"write {_REPEATED_NAME} somewhere in the name"
        yield Fault(where, "SL602", "is repeated for each stream, but has the same name for all of them", hint)


def _unknown_placeholders(where: FieldPath, value: Any, *, inside: bool) -> Iterator[Fault]:
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from _unknown_placeholders((*where, key), item, inside=inside)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _unknown_placeholders((*where, index), item, inside=inside)
    elif isinstance(value, str):
        streams = tuple(f"stream.{name}" for name in STREAM_NAMES)
        for name in placeholders(value):
            if name in streams and not inside:
                yield Fault(where, "SL603", f"${{{name}}} has no stream here", "it belongs inside a `for_each: stream`")
            elif name not in (*streams, ALL_STREAMS):
                allowed = ", ".join((*streams, ALL_STREAMS))
                yield Fault(where, "SL603", f"unknown name ${{{name}}} (allowed: {allowed})", did_you_mean(name, streams))


def _updated(dag: Mapping[str, Any]) -> set[str]:
    """The assets that the DAG's own tasks update."""
    tasks = [dag.get("tasks", {}), *(group["tasks"] for group in dag.get("task_groups", {}).values())]
    return {asset for some in tasks for task in some.values() if (asset := OPERATORS[task["operator"]].updates)}


def _schedule(where: FieldPath, schedule: str | Mapping[str, Any] | None, updated: Collection[str]) -> Iterator[Fault]:
    if isinstance(schedule, Mapping):
        for index, asset in enumerate(schedule["assets"]):
            if asset in updated:
                message = f"the DAG updates {asset} itself, so each of its runs would start the next"
                yield Fault((*where, "assets", index), "SL613", message, "leave it out, or put that step into another DAG")
    elif schedule is not None and not any(placeholders(schedule)) and (fault := cron_fault(schedule)):
        hint = "five fields in UTC, such as `0 2 * * *`, null for by hand, or {assets: [realtime]} for when data have landed"
        yield Fault(where, "SL607", f"{schedule!r} {fault}", hint)


def _params(where: FieldPath, params: Mapping[str, Any]) -> Iterator[Fault]:
    from jsonschema import Draft7Validator

    for name, param in params.items():
        if isinstance(param, Mapping):
            allowed = {key: param[key] for key in ("type", "enum") if key in param}
            if not Draft7Validator(allowed).is_valid(param["default"]):
                message = f"the default is not what type and enum allow (saw {seen(param['default'])})"
                yield Fault((*where, name, "default"), "SL608", message, 'for no value, add "null" to type')


def _dependencies(dag_id: str, dag: Mapping[str, Any]) -> Iterator[Fault]:
    """What the DAG's own tasks and groups wait for: each other, by the names as they stand in the file."""
    groups, tasks = dag.get("task_groups", {}), dag.get("tasks", {})
    for name in groups.keys() & tasks.keys():
        yield Fault((dag_id, "tasks", name), "SL609", f"a task group is called {name} too", "give the task another name")
    nodes = {**groups, **tasks}
    for kind, members in (("task_groups", groups), ("tasks", tasks)):
        for name, node in members.items():
            yield from _missing((dag_id, kind, name, "dependencies"), node, nodes, "task or task group of the DAG")
    yield from _cycle((dag_id,), nodes)


def _unmet(where: FieldPath, tasks: Mapping[str, Any], what: str) -> Iterator[Fault]:
    for name, task in tasks.items():
        yield from _missing((*where, name, "dependencies"), task, tasks, what)
    yield from _cycle(where, tasks)


def _missing(where: FieldPath, node: Mapping[str, Any], nodes: Mapping[str, Any], what: str) -> Iterator[Fault]:
    for index, other in enumerate(node.get("dependencies", [])):
        if other not in nodes:
            message = f"no {what} is called {other!r} (there are: {', '.join(nodes)})"
            yield Fault((*where, index), "SL610", message, did_you_mean(other, tuple(nodes)))


def _cycle(where: FieldPath, nodes: Mapping[str, Any]) -> Iterator[Fault]:
    try:
        TopologicalSorter({name: node.get("dependencies", []) for name, node in nodes.items()}).prepare()
    except CycleError as error:
        ring = " → ".join(reversed(error.args[1]))
        yield Fault(where, "SL611", f"tasks wait for each other in a ring: {ring}", "take one of these dependencies out")
