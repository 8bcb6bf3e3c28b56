"""`config/defaults.yaml`: what every stream has unless its own file says otherwise.

The rules are three, and there are no others. A key that a stream does not have is taken from the defaults. Where both have a
mapping, it is merged key by key by the same rules. In every other case (a value, a list) what the stream says stands alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path as FilePath
from typing import Any

from strandline.errors import Problem
from strandline.spec.document import Document, read_document
from strandline.spec.positions import Path
from strandline.spec.shape import check_shape, schema_named

FILE = "defaults.yaml"


@dataclass(frozen=True, slots=True)
class Defaults:
    """The file as read, None when there is none or nothing can be read in it; and what is wrong with it."""

    document: Document | None = None
    problems: tuple[Problem, ...] = ()

    @property
    def is_broken(self) -> bool:
        """Something is wrong with the file, so that no stream is known for sure."""
        return bool(self.problems)

    def told(self, problem: Problem) -> bool:
        """Whether a problem found in a stream stands in a broken file of defaults, whose problems are told already."""
        return self.is_broken and self.document is not None and problem.path == self.document.path


def read_defaults(config: FilePath) -> Defaults:
    """The defaults of a configuration; without a file there are none, which is fine. Never raises for what is in it."""
    path = config / FILE
    if not path.is_file():
        return Defaults()
    document = read_document(path)
    if document.value is None and document.problems:
        return Defaults(None, document.problems)
    return Defaults(document, (*document.problems, *check_shape(document, schema_named("defaults"))))


def defaults_beside(stream: FilePath) -> Defaults:
    """The defaults that hold for a file of `<config>/streams`; none for a file elsewhere."""
    return read_defaults(stream.parent.parent) if stream.parent.name == "streams" else Defaults()


def with_defaults(document: Document, defaults: Defaults) -> Document:
    """The stream's document with what it does not say itself; problems of a value point to the file that it came from."""
    given = defaults.document
    if given is None or not isinstance(given.value, dict) or not isinstance(document.value, dict):
        return document
    borrowed: set[Path] = set()
    value = _merged(document.value, given.value, (), borrowed)
    return Document(document.path, value, document.positions, document.problems, given, frozenset(borrowed))


def _merged(own: dict[str, Any], given: dict[str, Any], path: Path, borrowed: set[Path]) -> dict[str, Any]:
    result = dict(own)
    for key, value in given.items():
        if key not in own:
            result[key] = value
            borrowed.add((*path, key))
        elif isinstance(own[key], dict) and isinstance(value, dict):
            result[key] = _merged(own[key], value, (*path, key), borrowed)
    return result
