"""A stream as YAML with everything said: its own values, the defaults of the configuration, and those that are built in."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path as FilePath
from typing import Any

from strandline.errors import ConfigError
from strandline.spec.defaults import read_defaults, with_defaults
from strandline.spec.document import Document, read_document
from strandline.spec.load import check_file
from strandline.spec.positions import Path
from strandline.spec.scalars import resolve
from strandline.spec.shape import schema_named

BUILT_IN = "built-in default"
_WIDEST = 64
_PLAIN = re.compile(
    r"(?!(?:yes|no|on|off|y|n)\Z)[A-Za-z_/][\w ./<>=()%+*@-]*[\w/)%]|[A-Za-z_]|\d+[smhd]|\d+\.\d+\.\d+", re.IGNORECASE
)
_SOURCES = {"generator": "generatorOptions", "files": "filesSource", "http": "httpSource"}
_NEEDS: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "scale": ("type", ("decimal",)),
    "delimiter": ("format", ("csv",)),
    "cursor_param": ("paging", ("cursor",)),
    "cursor_path": ("paging", ("cursor",)),
    "page_param": ("paging", ("page",)),
    "first_page": ("paging", ("page",)),
    "max_pages": ("paging", ("cursor", "page")),
}
"""Keys with a built-in default that only mean something beside another key's value."""


def resolved(config: FilePath, name: str) -> str:
    """The YAML of a stream, a comment at each line: the file and line it came from, or that it is built in.

    Read as a stream it is the same one. Raises ConfigError with the problems of the stream or the defaults.
    """
    path, defaults = config / "streams" / f"{name}.yaml", read_defaults(config)
    stream, problems = check_file(path, defaults)
    if stream is None:
        raise ConfigError(problems)
    document = with_defaults(read_document(path), defaults)
    made: set[Path] = set()
    value = _completed(document.value, schema_named("stream"), (), made)
    lines = list(_Writer(document, config, frozenset(made)).mapping(value, (), 0))
    width = min(_WIDEST, max(len(text) for text, _ in lines))
    return "\n".join(f"{text:<{width}}  # {origin}" for text, origin in lines) + "\n"


def _completed(value: Any, schema: Mapping[str, Any], path: Path, made: set[Path]) -> Any:
    """The value with the defaults of the schema; `made` collects where they stand."""
    schema = _followed(schema, value)
    if isinstance(value, list):
        items = schema.get("items", {})
        return [_completed(item, items, (*path, index), made) for index, item in enumerate(value)]
    if not isinstance(value, dict) or "anyOf" in schema:
        return value
    extra = schema.get("additionalProperties")
    result = {}
    for key, own in value.items():
        inner = schema.get("properties", {}).get(key, extra if isinstance(extra, Mapping) else {})
        result[key] = _completed(own, inner, (*path, key), made)
    for key, inner in schema.get("properties", {}).items():
        if key not in value and inner.get("default") not in (None, [], {}, "") and _means_something(key, {**value, **result}):
            result[key] = inner["default"]
            made.add((*path, key))
    return result


def _followed(schema: Mapping[str, Any], value: Any) -> Mapping[str, Any]:
    definitions = schema_named("stream")["$defs"]
    while "$ref" in schema or (set(schema) & {"allOf"} and "$ref" in schema["allOf"][0]):
        reference = schema.get("$ref") or schema["allOf"][0]["$ref"]
        name = reference.removeprefix("#/$defs/")
        if name == "source" and isinstance(value, dict):
            name = _SOURCES[value["type"]]
        schema = definitions[name]
    return schema


def _means_something(key: str, beside: Mapping[str, Any]) -> bool:
    if key == "limit" and "stat" in beside:
        return False
    needed = _NEEDS.get(key)
    return needed is None or beside.get(needed[0]) in needed[1]


@dataclass(frozen=True, slots=True)
class _Writer:
    """Writes values as block YAML, one value a line, with where each came from."""

    document: Document
    config: FilePath
    made: frozenset[Path]

    def mapping(self, value: Mapping[str, Any], path: Path, indent: int) -> Iterator[tuple[str, str]]:
        for key, item in value.items():
            where, start = (*path, key), f"{' ' * indent}{_scalar(key)}:"
            if isinstance(item, dict) and item:
                yield start, self.origin(where, key=True)
                yield from self.mapping(item, where, indent + 2)
            elif isinstance(item, list) and any(isinstance(each, (dict, list)) for each in item):
                yield start, self.origin(where, key=True)
                yield from self.items(item, where, indent + 2)
            else:
                yield f"{start} {_flow(item)}", self.origin(where, key=False)

    def items(self, value: list[Any], path: Path, indent: int) -> Iterator[tuple[str, str]]:
        for index, item in enumerate(value):
            where = (*path, index)
            if isinstance(item, dict) and item:
                first = True
                for text, origin in self.mapping(item, where, indent + 2):
                    yield (f"{' ' * indent}- {text[indent + 2 :]}" if first else text), origin
                    first = False
            else:
                yield f"{' ' * indent}- {_flow(item)}", self.origin(where, key=False)

    def origin(self, path: Path, *, key: bool) -> str:
        if any(path[:length] in self.made for length in range(1, len(path) + 1)):
            return BUILT_IN
        origin = self.document.origin(path)
        place = origin.positions.key(path) if key else origin.positions.value(path)
        return f"{origin.path.relative_to(self.config).as_posix()}:{place.line}"


def _flow(value: Any) -> str:
    if isinstance(value, list):
        return f"[{', '.join(_flow(item) for item in value)}]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_scalar(key)}: {_flow(item)}" for key, item in value.items()) + "}"
    return _scalar(value)


def _scalar(value: Any) -> str:
    """A value in one line that is read back as itself; texts stand bare where nothing in them means anything to YAML."""
    if isinstance(value, str) and _PLAIN.fullmatch(value) and resolve(value) == value:
        return value
    return json.dumps(value, ensure_ascii=False)
