"""Whether a document has the shape its JSON Schema says: one clear problem for each thing that is wrong, with its place.

Two validators of the same draft share the work: `jsonschema-rs` says in a tenth of a millisecond that a document fits, and only
one that does not is gone through by `jsonschema`, whose errors can be explained.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path as FilePath
from typing import TYPE_CHECKING, Any

import jsonschema_rs

from strandline.errors import Problem
from strandline.spec.document import Document, read_document
from strandline.spec.positions import Path, Positions
from strandline.spec.shape_words import explain
from strandline.spec.wording import closest, seen

if TYPE_CHECKING:
    from jsonschema.exceptions import ValidationError

_ROOTS = (FilePath(__file__).parent.parent / "schemas", FilePath(__file__).parents[2] / "schemas")


@dataclass(frozen=True, slots=True)
class Misfit:
    """One thing that does not fit the schema: where, code, sentence; `at_key` says that the key is wrong, not the value."""

    path: Path
    code: str
    message: str
    hint: str = ""
    at_key: bool = False


@cache
def schema_named(name: str) -> Mapping[str, Any]:
    """The JSON Schema `schemas/<name>.schema.json`, read once; raises FileNotFoundError when there is none."""
    for root in _ROOTS:
        path = root / f"{name}.schema.json"
        if path.is_file():
            loaded: Mapping[str, Any] = json.loads(path.read_text(encoding="utf-8"))
            return loaded
    raise FileNotFoundError(f"there is no schema named {name}")


class _Validators:
    """Both validators of one schema; the explaining one is made when it is first needed."""

    def __init__(self, schema: Mapping[str, Any]) -> None:
        self.schema = schema
        self._quick = jsonschema_rs.Draft7Validator(dict(schema))
        self._thorough: Any = None

    def fits(self, value: Any) -> bool:
        try:
            return self._quick.is_valid(value)
        except ValueError:  # a value that JSON cannot hold
            return False

    def errors(self, value: Any) -> Iterable[ValidationError]:
        if self._thorough is None:
            from jsonschema import Draft7Validator

            self._thorough = Draft7Validator(dict(self.schema))
        found: Iterable[ValidationError] = self._thorough.iter_errors(value)
        return found

    def unexplained(self, value: Any) -> Iterator[Misfit]:
        """What only the quick validator refuses: a `$` that Python's patterns let stand before a last line break."""
        for error in self._quick.iter_errors(value):
            path = tuple(error.instance_path)
            yield Misfit(
                path, "SL205", f"is not written as it must be (saw {seen(error.instance)})", "remove the line break at its end"
            )


_validators: dict[int, _Validators] = {}


def check_document(path: FilePath, schema: Mapping[str, Any]) -> tuple[Any, Positions, list[Problem]]:
    """The value of a YAML file, the places in it, and every problem of its text and its shape (none: it fits)."""
    document = read_document(path)
    return document.value, document.positions, [*document.problems, *check_shape(document, schema)]


def check_shape(document: Document, schema: Mapping[str, Any]) -> list[Problem]:
    """Every problem of the shape of a document that was read, in the order of its lines; none when nothing could be read."""
    if document.value is None and document.problems:
        return []
    return [problem_of(document, misfit) for misfit in misfits(document.value, schema)]


def problem_of(document: Document, misfit: Misfit) -> Problem:
    """The problem a misfit is, with its place in the document."""
    return document.problem(misfit.code, misfit.path, misfit.message, misfit.hint, key=misfit.at_key)


def misfits(value: Any, schema: Mapping[str, Any]) -> list[Misfit]:
    """What in `value` does not fit the schema; a missing key that an unknown one resembles is not told twice."""
    held = _validators.get(id(schema))
    if held is None or held.schema is not schema:
        held = _validators[id(schema)] = _Validators(schema)
    if held.fits(value):
        return []
    found = list(_explained(held.errors(value), ())) or list(held.unexplained(value))
    unknown = [(misfit.path[:-1], misfit.path[-1]) for misfit in found if misfit.code == "SL201"]
    kept: list[Misfit] = []
    for misfit in dict.fromkeys(found):
        key = str(misfit.path[-1]) if misfit.path else ""
        same_place = [name for path, name in unknown if path == misfit.path[:-1]]
        if misfit.code == "SL202" and any(closest(name, [key]) for name in same_place):
            continue
        if misfit.code == "SL209" and not misfit.at_key and any(path == misfit.path for path, _ in unknown):
            continue
        kept.append(misfit)
    return kept


def _explained(errors: Iterable[ValidationError], above: Path) -> Iterator[Misfit]:
    for error in errors:
        path = (*above, *error.path)
        if error.validator in ("anyOf", "oneOf") and error.context:
            best = _best_branch(error)
            if best is not None:
                yield from _explained(best, path)
                continue
        for where, code, message, hint, at_key in explain(error):
            yield Misfit((*path, *where), code, message, hint, at_key)


def _best_branch(error: ValidationError) -> list[ValidationError] | None:
    """The errors of the alternative that was most likely meant, or None when the value is like none of them."""
    branches: dict[int, list[ValidationError]] = {}
    for child in error.context or []:
        branches.setdefault(int(child.schema_path[0]), []).append(child)
    possible = [errors for errors in branches.values() if not any(_is_other_kind(child) for child in errors)]
    if len(possible) < 2:
        return possible[0] if possible else None
    if all(child.validator == "required" and not child.path for errors in possible for child in errors):
        return None
    ranked = sorted(possible, key=_distance)
    return ranked[0]


def _is_other_kind(error: ValidationError) -> bool:
    """Whether the error says that the alternative is for another kind of value altogether."""
    if error.path:
        return False
    if error.validator == "type":
        return True
    return error.validator in ("const", "enum")


def _distance(errors: list[ValidationError]) -> tuple[int, int]:
    """How far a mapping is from an alternative: keys that do not belong or are missing first, then everything else."""
    wrong_keys = sum(1 for error in errors if not error.path and error.validator in ("required", "additionalProperties"))
    return wrong_keys, len(errors)
