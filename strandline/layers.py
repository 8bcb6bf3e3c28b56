"""`config/dags/*.yaml`, one file a layer: read, held to their schema, then checked for what it cannot say."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from strandline.errors import Problem
from strandline.layer_checks import Fault, faults
from strandline.spec.document import Document, dotted, read_document
from strandline.spec.load import stream_files
from strandline.spec.shape import check_shape, schema_named

_DEFAULT = "default"


@dataclass(frozen=True, slots=True)
class Layer:
    """One good file: its DAGs by id (still with placeholders) and the defaults they share."""

    path: Path
    default: Mapping[str, Any]
    dags: Mapping[str, Mapping[str, Any]]


def check_layers(config: Path) -> tuple[list[Layer], list[Problem]]:
    """The good files in name order, and every problem of the others; never raises for what is in the files."""
    layers: list[Layer] = []
    problems: list[Problem] = []
    taken: dict[str, Path] = {}
    folder = config / "dags"
    for path in stream_files(folder) if folder.is_dir() else []:
        if path.suffix != ".yaml":
            hint = f"rename it to {path.stem}.yaml"
            problems.append(
                Problem(path, 1, 1, "SL114", "", f"is not read: the name must end in .yaml (saw {path.suffix})", hint)
            )
            continue
        document = read_document(path)
        found = [*document.problems] or _problems(document, taken)
        problems += found
        if not any(problem.level == "error" for problem in found):
            dags = {name: body for name, body in document.value.items() if name != _DEFAULT}
            taken |= dict.fromkeys(dags, path)
            layers.append(Layer(path, document.value.get(_DEFAULT, {}), dags))
    if not layers and not problems:
        hint = "a layer is one file: infrastructure.yaml, speed.yaml, batch.yaml, serving.yaml"
        problems.append(Problem(folder, 1, 1, "SL600", "", "holds no *.yaml file, so there is no DAG", hint))
    return layers, problems


def _problems(document: Document, taken: Mapping[str, Path]) -> list[Problem]:
    """What the schema says; when that is nothing, what the parts say of each other."""
    shape = check_shape(document, schema_named("dag"))
    if shape:
        return shape
    default = document.value.get(_DEFAULT, {})
    dags = {name: body for name, body in document.value.items() if name != _DEFAULT}
    found = list(faults(dags, default))
    twice = dags.keys() & taken.keys()
    found += [Fault((name,), "SL612", f"the DAG is declared in {taken[name]} too", "choose another id") for name in twice]
    return [_located(document, fault) for fault in dict.fromkeys(found)]


def _located(document: Document, fault: Fault) -> Problem:
    is_named = isinstance(_at(document.value, fault.where), Mapping)  # a mapping's key says more than its first line
    place = document.positions.key(fault.where) if is_named else document.positions.value(fault.where)
    return Problem(document.path, place.line, place.column, fault.code, dotted(fault.where), fault.message, fault.hint)


def _at(value: Any, where: tuple[str | int, ...]) -> Any:
    """The value at the path, or None where the path leaves the document."""
    for step in where:
        if isinstance(value, Mapping):
            value = value.get(step)
        elif isinstance(value, list) and isinstance(step, int) and step < len(value):
            value = value[step]
        else:
            return None
    return value
