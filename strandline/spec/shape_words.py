"""What each JSON Schema keyword means in words, when a value breaks it.

The functions take a `ValidationError` as `Any`: its attributes are typed as possibly unset, but all are set here.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from strandline.spec.positions import Path
from strandline.spec.wording import did_you_mean, either, listed, seen, type_name

if TYPE_CHECKING:
    from jsonschema.exceptions import ValidationError

Words = tuple[Path, str, str, str, bool]

_OLD_BOOLEANS = {"yes": "true", "on": "true", "y": "true", "no": "false", "off": "false", "n": "false"}

_LENGTH = re.compile(r"(\d+) *(s|sec|m|min|h|d|second|minute|hour|day)s?\Z", re.IGNORECASE)


def explain(error: ValidationError) -> Iterator[Words]:
    """Path below the value, code, message, hint, and whether the key is meant, for each thing one schema error says."""
    if "propertyNames" in error.schema_path:
        yield _bad_key(error)
        return
    describe = _KEYWORDS.get(str(error.validator))
    if describe is None:
        yield (), "SL299", f"does not fit (saw {seen(error.instance)})", "", False
        return
    yield from describe(error)


def _bad_key(error: Any) -> Words:
    allowed = error.schema.get("patternErrorMessage", error.validator_value) if isinstance(error.schema, dict) else ""
    name = _lower_name(error.instance)
    hint = f"write {name}" if name != error.instance else ""
    return (str(error.instance),), "SL205", f"is not a usable name (saw {seen(error.instance)}, allowed {allowed})", hint, True


def _additional(error: Any) -> Iterator[Words]:
    known = list(error.schema.get("properties", {}))
    for key in error.instance:
        if key in known or any(re.search(pattern, key) for pattern in error.schema.get("patternProperties", {})):
            continue
        free = [name for name in known if name not in error.instance]
        hint = did_you_mean(key, free)
        twin = "" if hint else did_you_mean(key, known)
        if error.instance[key] is None and not re.fullmatch(r"[\w-]+", key):
            hint = "a comma inside { } ends the value: put the whole value in quotes"
        elif twin:
            hint = f"{twin[13:-1]} is there already: remove one of the two"
        yield (key,), "SL201", f"unknown key (allowed {listed(free or known)})", hint, True


def _required(error: Any) -> Iterator[Words]:
    for key in error.validator_value:
        if key not in error.instance and error.message.startswith(repr(key)):
            yield (key,), "SL202", "is missing", _example(error, key), True


def _example(error: Any, key: str) -> str:
    schema = error.schema.get("properties", {}).get(key, {})
    if "$ref" in schema:
        schema = {}
    if schema.get("enum"):
        return f"one of {listed(schema['enum'])}"
    example = (schema.get("examples") or [None])[0]
    if isinstance(example, str):
        return f"for example {key}: {example}"
    return _first_sentence(schema)


def _first_sentence(schema: Any) -> str:
    sentence = str(schema.get("description", "")).split(". ")[0].rstrip(".") if isinstance(schema, dict) else ""
    return sentence if len(sentence) <= 100 else ""


def _type(error: Any) -> Iterator[Words]:
    wanted = error.validator_value if isinstance(error.validator_value, list) else [error.validator_value]
    hint = ""
    if isinstance(error.instance, str):
        if "boolean" in wanted and error.instance.lower() in _OLD_BOOLEANS:
            hint = f"write {_OLD_BOOLEANS[error.instance.lower()]}"
        elif {"integer", "number"} & set(wanted) and re.fullmatch(r"-?[0-9.]+", error.instance):
            hint = "write the number without quotes"
        elif "array" in wanted:
            hint = f"write [{error.instance}]" if len(error.instance) < 60 else "write a list"
    elif "string" in wanted and isinstance(error.instance, (int, float)):
        hint = f'put it in quotes: "{seen(error.instance)}"'
    elif error.instance is None:
        hint = "give it a value, or remove the key"
    hint = hint or _first_sentence(error.schema)
    yield (), "SL203", f"must be {either(type_name(kind) for kind in wanted)} (saw {seen(error.instance)})", hint, False


def _enum(error: Any) -> Iterator[Words]:
    allowed = error.validator_value if error.validator == "enum" else [error.validator_value]
    yield (
        (),
        "SL204",
        f"is not one of the values allowed (saw {seen(error.instance)}, allowed {listed(allowed)})",
        did_you_mean(error.instance, allowed),
        False,
    )


def _pattern(error: Any) -> Iterator[Words]:
    allowed = error.schema.get("patternErrorMessage") or f"the pattern {error.validator_value}"
    name, length = _lower_name(error.instance), _LENGTH.match(error.instance)
    short = f"{length.group(1)}{length.group(2)[0].lower()}" if length else ""
    better = next(
        (text for text in (name, short) if text and text != error.instance and re.search(error.validator_value, text)), ""
    )
    hint = f"write {better}" if better else ""
    yield (), "SL205", f"is not written as it must be (saw {seen(error.instance)}, allowed {allowed})", hint, False


def _range(error: Any) -> Iterator[Words]:
    words = {"minimum": "at least", "maximum": "at most", "exclusiveMinimum": "more than", "exclusiveMaximum": "less than"}
    schema = error.schema
    bounds = [f"{words[key]} {schema[key]}" for key in words if key in schema]
    yield (), "SL206", f"is out of range (saw {seen(error.instance)}, allowed {' and '.join(bounds)})", "", False


def _length(error: Any) -> Iterator[Words]:
    keyword, bound, size = str(error.validator), error.validator_value, len(error.instance)
    if keyword.startswith("min") and bound == 1:
        yield (), "SL207", "must not be empty", "", False
        return
    what = "characters" if "Length" in keyword else "entries"
    limit = "at least" if keyword.startswith("min") else "at most"
    yield (), "SL207", f"has the wrong size (saw {size} {what}, allowed {limit} {bound})", "", False


def _unique(error: Any) -> Iterator[Words]:
    for index, item in enumerate(error.instance):
        if item in error.instance[:index]:
            yield (index,), "SL208", f"is there twice (saw {seen(item)})", "keep one of the two", False


def _alternatives(error: Any) -> Iterator[Words]:
    branches = [branch for branch in error.validator_value if isinstance(branch, dict)]
    keys = [branch["required"][0] for branch in branches if list(branch) == ["required"]]
    if keys and isinstance(error.instance, dict):
        there = [key for key in error.instance if key in keys]
        saw = listed(there) if there else "none"
        yield (), "SL209", f"needs exactly one of {listed(keys)} (saw {saw})", "", bool(there)
        return
    allowed = either(_branch_words(error))
    values = [
        value
        for child in error.context or []
        if child.validator in ("const", "enum") and not child.path
        for value in _values(child)
    ]
    yield (
        (),
        "SL209",
        f"is none of what is allowed here (saw {seen(error.instance)}, allowed {allowed})",
        did_you_mean(error.instance, values),
        False,
    )


def _branch_words(error: Any) -> Iterator[str]:
    for child in error.context or []:
        if child.path:
            continue
        if child.validator in ("const", "enum"):
            yield from (value if isinstance(value, str) else seen(value) for value in _values(child))
        elif child.validator == "type":
            kinds = child.validator_value if isinstance(child.validator_value, list) else [child.validator_value]
            yield from (type_name(kind) for kind in kinds)


def _values(error: Any) -> list[Any]:
    return list(error.validator_value) if error.validator == "enum" else [error.validator_value]


def _dependencies(error: Any) -> Iterator[Words]:
    for key, needed in error.validator_value.items():
        missing = [name for name in needed if name not in error.instance] if isinstance(needed, list) else []
        if key in error.instance and missing and error.message.startswith(repr(missing[0])):
            yield (key,), "SL210", f"needs {listed(missing)} beside it", "", True


def _never(error: Any) -> Iterator[Words]:
    yield (), "SL211", f"is not allowed here (saw {seen(error.instance)})", "", True


def _lower_name(name: object) -> str:
    """A name as it would be written here: `Status-Code` becomes `status_code`."""
    return re.sub(r"[^a-z0-9]+", "_", re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", str(name)).lower()).strip("_")


_KEYWORDS: dict[str, Callable[[Any], Iterator[Words]]] = {
    "additionalProperties": _additional,
    "required": _required,
    "type": _type,
    "enum": _enum,
    "const": _enum,
    "pattern": _pattern,
    "minimum": _range,
    "maximum": _range,
    "exclusiveMinimum": _range,
    "exclusiveMaximum": _range,
    "minLength": _length,
    "maxLength": _length,
    "minItems": _length,
    "maxItems": _length,
    "minProperties": _length,
    "maxProperties": _length,
    "uniqueItems": _unique,
    "anyOf": _alternatives,
    "oneOf": _alternatives,
    "dependencies": _dependencies,
    "not": _never,
}
