"""`config/dags` × `config/streams` → dag-factory configuration, without importing Airflow.

A file of `config/dags` speaks dag-factory's words, with two additions: `for_each: stream` repeats a DAG or a task group, and
`${stream.name}` and its like are replaced. What comes out is plain dag-factory, as its own loader would read it: one mapping a
DAG, defaults merged in, objects as `__type__`, task names unique over the DAG as dag-factory asks for (`bronze_api_logs` in the
group `api_logs`, shown as `bronze`).
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from strandline.checked import check_texts
from strandline.errors import ConfigError, Problem
from strandline.layer_checks import ASSETS, OPERATORS
from strandline.layers import Layer, check_layers
from strandline.placeholders import StreamTexts, Values, common_values, stream_texts, substitute
from strandline.spec.defaults import read_defaults
from strandline.spec.load import check_file

DagConfig = dict[str, Any]
_LENGTHS = ("retry_delay", "max_retry_delay", "execution_timeout", "dagrun_timeout")
_STREAM_NAME = "${stream.name}"  # the only placeholder allowed in names
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


@dataclass(frozen=True, slots=True)
class Rendered:
    """Every DAG that can be built, by id, and every problem of every file. A stream with a problem is in no DAG."""

    dags: Mapping[str, DagConfig]
    problems: tuple[Problem, ...]


def check(config: Path, memory: Path | None = None) -> Rendered:
    """All DAGs of the good files, and all problems of the others; never raises for what is in the files.

    With a file as `memory`, streams that were checked before and have not changed since are not checked again.
    """
    streams, of_streams = check_texts(config, memory)
    layers, of_layers = check_layers(config)
    return Rendered(_render(layers, streams, config), (*of_layers, *of_streams))


def problems(config: Path, memory: Path | None = None) -> tuple[Problem, ...]:
    """The problems that `check` finds, without making the DAGs."""
    return (*check_layers(config)[1], *check_texts(config, memory)[1])


def render(config: Path) -> dict[str, DagConfig]:
    """Every DAG's dag-factory configuration by id; raises `ConfigError` with all problems of all files."""
    rendered = check(config)
    errors = [problem for problem in rendered.problems if problem.level == "error"]
    if errors:
        raise ConfigError(errors)
    return dict(rendered.dags)


def render_one(config: Path, dag_id: str, task_id: str | None = None) -> DagConfig | None:
    """The configuration of one DAG, or None when no good file makes it; reads only the streams it needs.

    With the id of a task that belongs to one stream's group, the groups of the other streams are left out: running that task
    takes as long with a thousand streams as with one.
    """
    layers, _ = check_layers(config)
    folder = config / "streams"
    files = _files(folder) if folder.is_dir() else {}
    for layer in layers:
        for template, body in layer.dags.items():
            names = _streams_of(template, body, dag_id, task_id, files)
            if names is not None:
                defaults = read_defaults(config)
                found = (check_file(folder / files[name], defaults)[0] for name in names)
                streams = [stream_texts(stream) for stream in found if stream is not None]
                return _render([Layer(layer.path, layer.default, {template: body})], streams, config).get(dag_id)
    return None


def _files(folder: Path) -> dict[str, str]:
    """The names of the files that `stream_files` gives, by stream; as plain text, which takes no time with a thousand."""
    names = (name for name in sorted(os.listdir(folder)) if name.endswith((".yaml", ".yml")) and not name.startswith("."))
    return {name.rpartition(".")[0]: name for name in names}


def as_yaml(dags: Mapping[str, DagConfig]) -> str:
    """The DAGs as a file that dag-factory's own loader reads, texts of several lines as they are read."""
    import yaml

    class Dumper(yaml.SafeDumper):
        """Writes texts of several lines as blocks."""

    def text(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
        return dumper.represent_scalar("tag:yaml.org,2002:str", value, style="|" if "\n" in value else None)

    Dumper.add_representer(str, text)
    return yaml.dump(dict(dags), Dumper=Dumper, sort_keys=False, allow_unicode=True, width=120)


def _streams_of(
    template: str, body: Mapping[str, Any], dag_id: str, task_id: str | None, names: Iterable[str]
) -> list[str] | None:
    """The names of the streams that the DAG (or the task's group in it) is made from; None when this is another DAG."""
    if "for_each" in body:
        return [name for name in names if template.replace(_STREAM_NAME, name) == dag_id] or None
    if template != dag_id:
        return None
    group_id, dot, _ = (task_id or "").partition(".")
    repeated = [group for group, parts in body.get("task_groups", {}).items() if "for_each" in parts]
    own = [name for name in names for group in repeated if dot and group.replace(_STREAM_NAME, name) == group_id]
    return own or list(names)


def _render(layers: Iterable[Layer], streams: list[StreamTexts], config: Path) -> dict[str, DagConfig]:
    common, folder = common_values(streams), str(config)
    scopes = [_Scope(common | stream.values, stream.name, folder) for stream in streams]
    outside = _Scope(common, None, folder)
    dags: dict[str, DagConfig] = {}
    for layer in layers:
        for dag_id, body in layer.dags.items():
            merged = _merged(body, layer.default)
            for scope in scopes if "for_each" in body else [outside]:
                dags[substitute(dag_id, scope.values)] = _dag(merged, scope, scopes)
    return dict(sorted(dags.items()))


@dataclass(frozen=True, slots=True)
class _Scope:
    """What names mean at one place: inside a `for_each: stream` with a stream, outside without."""

    values: Values
    stream: str | None
    config: str


def _dag(body: Mapping[str, Any], scope: _Scope, scopes: list[_Scope]) -> DagConfig:
    """One DAG: its own keys, then groups and tasks with the repeated ones written out."""
    tasks: dict[str, Any] = {}
    groups: dict[str, Any] = {}
    copies: dict[str, list[str]] = {}
    for template, group in body.get("task_groups", {}).items():
        copies[template] = []
        for inner in scopes if "for_each" in group else [scope]:
            name = substitute(template, inner.values)
            copies[template].append(name)
            groups[name] = _group(group, inner)
            tasks |= _grouped_tasks(name, group["tasks"], inner)
    for template, task in body.get("tasks", {}).items():
        tasks[substitute(template, scope.values)] = _task(task, scope) | _dependencies(task, scope, copies)
    own = {key: value for key, value in body.items() if key not in ("for_each", "tasks", "task_groups", "schedule", "params")}
    dag = _plain(substitute(own, scope.values)) | {"schedule": _schedule(body["schedule"], scope, scopes)}
    if "doc_md" in dag:
        dag["doc_md"] = dag["doc_md"].rstrip() + "\n"  # a text that ends in `.md` would be taken for a file's name
    if "params" in body:
        dag["params"] = {name: _param(param) for name, param in body["params"].items()}
    return dag | {"tasks": tasks} | ({"task_groups": groups} if groups else {})


def _group(group: Mapping[str, Any], scope: _Scope) -> dict[str, Any]:
    own = {key: value for key, value in group.items() if key not in ("for_each", "tasks")}
    return _plain(substitute(own, scope.values))


def _grouped_tasks(name: str, tasks: Mapping[str, Any], scope: _Scope) -> Iterator[tuple[str, dict[str, Any]]]:
    """The tasks of one group, named after it; they depend on each other by their short names."""
    for short, task in tasks.items():
        label = substitute(short, scope.values)
        rendered = {"task_group_name": name, "task_display_name": label} | _task(task, scope)
        if "dependencies" in task:
            rendered["dependencies"] = [f"{substitute(other, scope.values)}_{name}" for other in task["dependencies"]]
        yield f"{label}_{name}", rendered


def _dependencies(task: Mapping[str, Any], scope: _Scope, copies: Mapping[str, list[str]]) -> dict[str, Any]:
    """A task's dependencies; the name of a repeated group (`${stream.name}`) means all of its copies."""
    if "dependencies" not in task:
        return {}
    named = ([*copies[other]] if other in copies else [substitute(other, scope.values)] for other in task["dependencies"])
    return {"dependencies": [name for names in named for name in names]}


def _task(task: Mapping[str, Any], scope: _Scope) -> dict[str, Any]:
    """A task but for its dependencies: the operator's class, the stream and configuration it works on, and its own keys."""
    operator = OPERATORS[task["operator"]]
    rendered: dict[str, Any] = {"operator": operator.path}
    if operator.needs_stream and scope.stream is not None:
        rendered |= {"stream": scope.stream, "config": scope.config}
        if operator.updates is not None:
            rendered["outlets"] = [_asset(operator.updates, scope.stream)]
    own = {key: value for key, value in task.items() if key not in ("operator", "dependencies")}
    return rendered | _plain(substitute(own, scope.values))


def _merged(body: Mapping[str, Any], default: Mapping[str, Any]) -> dict[str, Any]:
    """The DAG over the file's defaults; `default_args` key by key."""
    merged = {**default, **body}
    if "default_args" in merged:
        merged["default_args"] = {**default.get("default_args", {}), **body.get("default_args", {})}
    return merged


def _plain(value: Mapping[str, Any]) -> dict[str, Any]:
    """Lengths of time (`30s`) in dag-factory's form, in nested mappings too."""
    plain: dict[str, Any] = {}
    for key, item in value.items():
        if key in _LENGTHS:
            plain[key] = {"__type__": "datetime.timedelta", _UNITS[item[-1]]: int(item[:-1])}
        else:
            plain[key] = _plain(item) if isinstance(item, Mapping) else item
    return plain


def _schedule(schedule: str | Mapping[str, Any] | None, scope: _Scope, scopes: Iterable[_Scope]) -> dict[str, Any] | None:
    """A cron text as true data intervals (a bare one has intervals of no length in Airflow 3); `{assets: …}` as any of these
    assets of the DAG's stream or, outside of `for_each: stream`, of any stream.
    """
    if schedule is None:
        return None
    if isinstance(schedule, Mapping):
        streams = [each.stream for each in ([scope] if scope.stream else scopes) if each.stream]
        assets = [_asset(asset, stream) for stream in streams for asset in schedule["assets"]]
        return {"__type__": "airflow.sdk.AssetAny", "__args__": assets} if assets else None
    cron = substitute(schedule, scope.values)
    return {"__type__": "airflow.sdk.CronDataIntervalTimetable", "__args__": [cron], "timezone": "UTC"}


def _asset(asset: str, stream: str) -> dict[str, Any]:
    return {"__type__": "airflow.sdk.Asset", "name": ASSETS[asset].format(stream=stream)}


def _param(param: Any) -> Any:
    return {"__type__": "airflow.sdk.Param", **param} if isinstance(param, Mapping) else param
