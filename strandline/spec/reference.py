"""The reference of the stream YAML as a Markdown page, made from `schemas/stream.schema.json`.

`python -m strandline.spec.reference > docs/stream-yaml.md` writes the page again after the schema was changed.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from strandline.spec.shape import schema_named

Node = Mapping[str, Any]

COMMAND = "python -m strandline.spec.reference > docs/stream-yaml.md"
_DEFS = "#/$defs/"
_SCALARS = ("name", "duration", "connection", "tableMetric")
"""Definitions of single values: they stand at the end, once."""
_TITLES = {
    "generatorOptions": "source (generator)",
    "filesSource": "source (files)",
    "httpSource": "source (http)",
    "generatorSessions": "source.sessions",
    "generatorFaults": "source.faults",
    "generatorBreak": "source.faults.breaks[]",
    "generatorIncident": "source.incidents[]",
    "generate": "generate",
    "generateMapping": "generate",
    "metricMapping": "gold.<table>.metrics.<metric>",
    "generateCondition": "a condition of where and when",
    "goldTable": "gold.<table>",
    "metric": "gold.<table>.metrics.<metric>",
    "field": "schema.fields[]",
    "rule": "quality[]",
    "engine": "engine",
    "engineMapping": "engine",
    "budget": "budgets.<name>",
    "budgetMapping": "budgets.<name>",
    "panel": "dashboard[]",
    "alert": "alerts[]",
    "test": "tests[]",
    "tableMetric": "table and metric",
}
_LAST = ("generatorOptions", "generate")
"""Definitions that are explained after everything else, with all below them."""
_WITHIN = ("generateOperand",)
"""Definitions that are said in words wherever they stand."""
_BRIEF = ("generate.", "source.faults.", "silver.derive.", "a condition")
"""Below these, a mapping of single values is told in its row of the table instead of a section of its own."""

_INTRO = f"""\
# The stream YAML

<!-- Made from schemas/stream.schema.json by `{COMMAND}`; edit the schema, not this page. -->

One file a stream: `config/streams/<stream>.yaml`. Everything else follows from it: tables, DAGs, checks, dashboard, alerts.

* `strandline validate` checks every file and names each problem with `path:line:column`, what it saw, what is allowed and a
  hint. Exit code 2 when something is wrong. Each code has [its section](errors.md).
* What all streams share stands in `config/defaults.yaml` (`team`, `tags`, `interval`, `budgets`, `retention` and the limits of
  `schema`): a mapping is merged key by key, a value or list of the stream replaces. `strandline render --resolved STREAM` shows
  the result, each line with where it came from.
* With this first line an editor that knows JSON Schema completes keys and shows these descriptions:
  `# yaml-language-server: $schema=../../schemas/stream.schema.json`
* Expressions (`expect`, `derive`, `where`, `when`, metrics) have their own page: [expressions](expressions.md). Sources by
  example: [sources](sources.md). What alerts and panels do: [alerts and dashboards](alerts-and-dashboards.md).
* YAML is read strictly: a key twice, an anchor or alias, a tag, and a key that is not listed here are errors.

Tables list keys in the order of the schema. **Required** keys are marked; `x[]` is an item of the list `x`, `<x>` a name that
you choose.
"""


@dataclass
class _Page:
    """What has been written, and what is still to be explained."""

    schema: Node
    parts: list[str] = field(default_factory=list)
    seen: set[str] = field(default_factory=set)
    later: list[str] = field(default_factory=list)
    scalars: list[str] = field(default_factory=list)

    def named(self, name: str) -> Node:
        found: Node = self.schema["$defs"][name]
        return found


def reference(schema: Node) -> str:
    """The page as Markdown, for a schema of this shape; the same schema always gives the same text."""
    page = _Page(schema)
    page.parts.append(_INTRO + "\n## The file\n\n" + _table(page, schema, ""))
    _sections(page, schema, "")
    while page.later:
        name = page.later.pop(0)
        heading = "## Simulated events" if name == "generatorOptions" else ""
        page.parts.append("\n\n".join(part for part in (heading, _section(page, name, page.named(name))) if part))
        _sections(page, page.named(name), _title(name))
    page.parts.append("## Kinds of values\n\n" + "\n".join(_scalar(page, name) for name in _SCALARS if name in page.scalars))
    return "\n\n".join(page.parts) + "\n"


def _sections(page: _Page, node: Node, path: str) -> None:
    """A section for every object below `node` that was not explained yet, in the order of the keys."""
    for title, name, inner in _objects(page, node, path):
        key = name or title
        if key in page.seen:
            continue
        page.seen.add(key)
        if name in _LAST:
            page.later.append(name)
            continue
        page.parts.append(_section(page, name, inner, title))
        _sections(page, inner, title)


def _objects(page: _Page, node: Node, path: str) -> Iterator[tuple[str, str, Node]]:
    """(title, name of the definition or empty, the object) of every object one step below `node`."""
    for branch in node.get("allOf", ()):
        if "then" in branch:
            name = branch["then"]["$ref"].removeprefix(_DEFS)
            yield _title(name), name, page.named(name)
    for branch in node.get("anyOf", ()):
        yield from _reached(page, branch, path)
    for key, value in node.get("properties", {}).items():
        yield from _reached(page, value, _below(path, key))
    if isinstance(extra := node.get("additionalProperties"), Mapping):
        yield from _reached(page, extra, f"{path}.<name>")


def _reached(page: _Page, value: Node, path: str) -> Iterator[tuple[str, str, Node]]:
    for name in _references(value):
        if name in _SCALARS or name in _WITHIN:
            continue
        if name.endswith("Mapping"):  # explained together with the value it is a form of
            yield from _objects(page, page.named(name), path)
        else:
            yield _TITLES.get(name, path), name, page.named(name)
    if "items" in value:
        yield from _reached(page, value["items"], f"{path}[]")
    if value.get("properties"):
        if not path.startswith(_BRIEF):
            yield path, "", value
    elif isinstance(extra := value.get("additionalProperties"), Mapping):
        yield from _reached(page, extra, f"{path}.<name>")
    for branch in value.get("anyOf", ()):
        yield from _reached(page, branch, path)


def _references(value: Node) -> Iterator[str]:
    for part in (value, *value.get("allOf", ())):
        if "$ref" in part:
            yield part["$ref"].removeprefix(_DEFS)


def _section(page: _Page, name: str, node: Node, title: str = "") -> str:
    parts = [f"### {_code(title or _title(name))}", node.get("description", "")]
    extra = node.get("additionalProperties")
    values = extra.get("anyOf", ()) if isinstance(extra, Mapping) and not title.startswith("silver") else ()
    forms = [branch for branch in (*node.get("anyOf", ()), *values) if branch.get("description")]
    mapping = next((n for b in node.get("anyOf", ()) for n in _references(b) if n.endswith("Mapping")), "")
    told = [f"* {_value(page, branch, title)}: {branch['description']}" for branch in forms]
    parts.append("\n".join([*told, *(["* a mapping with these keys:"] if mapping else [])]))
    parts.append(_table(page, page.named(mapping) if mapping else node, title or _title(name)))
    if kinds := [_title(b["then"]["$ref"].removeprefix(_DEFS)) for b in node.get("allOf", ()) if "then" in b]:
        parts.append(f"Its other keys: {', '.join(f'[{_code(kind)}](#{anchor(kind)})' for kind in kinds)}.")
    if examples := node.get("examples"):
        parts.append(f"For example {_examples(examples)}.")
    return "\n\n".join(part for part in parts if part)


def _table(page: _Page, node: Node, title: str) -> str:
    """The keys of an object; empty when it has none of its own."""
    if not node.get("properties"):
        return ""
    required = set(node.get("required", ()))
    lines = ["| Key | Value | About |", "| --- | --- | --- |"]
    for key, value in node["properties"].items():
        mark = " **required**" if key in required else ""
        about = _sentences(value, page)
        lines.append(f"| `{key}`{mark} | {_cell(_value(page, value, _below(title, key)))} | {_cell(about)} |")
    return "\n".join(lines)


def _sentences(value: Node, page: _Page) -> str:
    """The description with default and examples."""
    parts = [value.get("description") or next((page.named(n).get("description", "") for n in _references(value)), "")]
    if "default" in value:
        parts.append("Default: none." if value["default"] in ([], {}, "") else f"Default: `{_flow(value['default'])}`.")
    if examples := value.get("examples"):
        parts.append(f"For example {_examples(examples)}.")
    return " ".join(part for part in parts if part)


def _value(page: _Page, value: Node, path: str) -> str:
    """What may stand there, in words, linked to where it is explained."""
    for name in _references(value):
        if name in _SCALARS and name not in page.scalars:
            page.scalars.append(name)
        if name in _WITHIN:
            return _value(page, page.named(name), path)
        title = name if name in _SCALARS and name != "tableMetric" else _TITLES.get(name, path or name)
        word = title if name in _SCALARS else _code(title)
        return f"[{word}](#{anchor(title)})"
    if "const" in value:
        return f"`{_flow(value['const'])}`"
    if "enum" in value:
        return ", ".join(f"`{_flow(item)}`" for item in value["enum"])
    if "anyOf" in value:
        return " or ".join(_value(page, branch, path) for branch in value["anyOf"])
    kinds = value.get("type", "any")
    if kinds == "array":
        return f"list of {_value(page, value.get('items', {}), path + '[]')}{_size(value)}"
    if kinds == "object":
        return _object_value(page, value, path)
    words = " or ".join([kinds] if isinstance(kinds, str) else kinds)
    return f"{words}{_bounds(value)}"


def _object_value(page: _Page, value: Node, path: str) -> str:
    if value.get("properties"):
        if path.startswith(_BRIEF):
            return "mapping: " + "; ".join(_brief(page, value, key) for key in value["properties"])
        return f"[mapping](#{anchor(path)})" if path else "mapping"
    extra = value.get("additionalProperties")
    if not isinstance(extra, Mapping):
        return "mapping"
    inner = path + ".<name>"
    return f"mapping of names to {_value(page, extra, inner)}"


def _brief(page: _Page, value: Node, key: str) -> str:
    """A key of a mapping that has no section of its own: `min` (integer, required)."""
    inner = value["properties"][key]
    required = ", required" if key in value.get("required", ()) else ""
    return f"`{key}` ({_value(page, inner, key)}{required})"


def _size(value: Node) -> str:
    least, most = value.get("minItems"), value.get("maxItems")
    if least is not None and least == most:
        return f", {least} of them"
    return f", at most {most:,}" if most else ""


def _bounds(value: Node) -> str:
    low, high = value.get("minimum"), value.get("maximum")
    above, below = value.get("exclusiveMinimum"), value.get("exclusiveMaximum")
    parts = []
    if low is not None and high is not None:
        parts.append(f"{low:,} to {high:,}")
    elif low is not None:
        parts.append(f"at least {low:,}")
    if above is not None:
        parts.append(f"above {above:,}")
    if high is not None and low is None:
        parts.append(f"at most {high:,}")
    if below is not None:
        parts.append(f"below {below:,}")
    return f", {', '.join(parts)}" if parts else ""


def _scalar(page: _Page, name: str) -> str:
    node = page.named(name)
    title = _title(name)
    about = node.get("patternErrorMessage") or node.get("description", "")
    return f"### {title}\n\n{_cell(about[0].upper() + about[1:])}. Pattern: `{node['pattern']}`.\n"


def _below(title: str, key: str) -> str:
    """The path of a key: `source (files)` and its like are all `source`."""
    return f"{title.partition(' (')[0]}.{key}" if title else key


def _code(title: str) -> str:
    return title if " of " in title else f"`{title}`"


def _title(name: str) -> str:
    return _TITLES.get(name, name)


def anchor(title: str) -> str:
    """The anchor that GitHub gives a heading of this text."""
    return re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-")


def _examples(values: Iterable[Any]) -> str:
    return ", ".join(f"`{_flow(value)}`" for value in values)


def _flow(value: Any) -> str:
    """A value as YAML in one line."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _cell(text: str) -> str:
    """The text in one line, with what Markdown or HTML would take for its own escaped outside of code."""
    parts = " ".join(text.split()).replace("|", "\\|").split("`")
    return "`".join(part.replace("<", "&lt;") if i % 2 == 0 else part for i, part in enumerate(parts))


if __name__ == "__main__":
    sys.stdout.write(reference(schema_named("stream")))
