"""The guessed stream as the text of its YAML file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from textwrap import wrap
from typing import Any

from strandline.scaffold.guess import Guess
from strandline.scaffold.identity import Identity
from strandline.scaffold.tables import Told
from strandline.scaffold.yaml_text import WIDTH, aligned, beside, comment, entry, flow, item, scalar, sentence

SCHEMA = "# yaml-language-server: $schema=../../schemas/stream.schema.json"


@dataclass(frozen=True, slots=True)
class Parts:
    """All that the file says."""

    name: str
    about: Sequence[str]
    purpose: str
    usage: str
    team: Mapping[str, str]
    source: Told
    identity: Identity
    fields: Sequence[Guess]
    rules: Sequence[Told]
    derived: Mapping[str, Told]
    gold: Mapping[str, Told]
    panels: Sequence[Mapping[str, Any]]
    alert: Told
    test: Told | None
    tags: Sequence[str] = ()


def yaml_of(parts: Parts) -> str:
    """The text of the file."""
    head = [SCHEMA, *(line for text in parts.about for line in comment(text))]
    head += [f"stream: {parts.name}", "version: 0.1.0", "description:", f"  purpose: {sentence(parts.purpose)}"]
    if parts.usage:
        head.append(f"  usage: {sentence(parts.usage)}")
    if parts.team:
        why = "change this: who answers for the stream" if "change-me" in flow(parts.team) else ""
        head += beside(f"team: {flow(parts.team)}", why)
    if parts.tags:
        head.append(f"tags: {flow(list(parts.tags))}")
    blocks = [head, _source(parts.source), _schema(parts), _rules(parts.rules), _derived(parts.derived), _gold(parts.gold)]
    blocks += [_panels(parts.panels), _alert(parts.alert), _test(parts.test)]
    return "\n\n".join("\n".join(block) for block in blocks if block) + "\n"


def _source(source: Told) -> list[str]:
    lines = [*comment(source.why), "source:"]
    return [*lines, *(line for key, value in source.value.items() for line in entry(key, value, "  "))]


def _schema(parts: Parts) -> list[str]:
    identity = parts.identity
    lines = ["schema:"]
    for key, value, why in (
        ("primary_key", flow(list(identity.primary_key)), identity.key_why),
        ("event_time", scalar(identity.event_time), identity.time_why),
        ("sequence_by", flow(list(identity.sequence_by)) if identity.sequence_by else "", identity.sequence_why),
    ):
        if value:
            lines += beside(f"  {key}: {value}", why, "  ")
    lines.append("  fields:")
    names, types = (max((len(text) for text in column), default=0) for column in zip(*map(_head, parts.fields), strict=True))
    return lines + [line for guess in parts.fields for line in _field(guess, names, types)]


def _head(guess: Guess) -> tuple[str, str]:
    return f"{scalar(guess.name)},", f"{guess.type},"


def _field(guess: Guess, names: int, types: int) -> list[str]:
    """The field on one line where it fits with its comment, else a key a line."""
    said = _said(guess)
    why = "; ".join(guess.why)
    name, type_ = _head(guess)
    rest = ", ".join(f"{key}: {flow(value)}" for key, value in said.items())
    before = f"    - {{name: {name:<{names}} type: {type_:<{types}} "
    line = f"{before}{rest}}}" if rest else before.rstrip().rstrip(",") + "}"
    if len(line) + (len(why) + 5 if why else 0) <= WIDTH:
        return beside(line, why)
    if len(line) <= WIDTH and len(said) <= 4:
        return [*comment(why, "    "), line]
    lines = beside(f"    - name: {scalar(guess.name)}", why, "    ")
    return [*lines, f"      type: {guess.type}", *(line for key, value in said.items() for line in entry(key, value, "      "))]


def _said(guess: Guess) -> dict[str, Any]:
    """What the YAML says of the field beyond its name and type, in the order of the reference."""
    everything: dict[str, Any] = {
        "from": guess.key if guess.key != guess.name else None,
        "required": guess.required or None,
        "minimum": guess.minimum,
        "maximum": guess.maximum,
        "choices": guess.choices,
        "pattern": guess.pattern,
        "max_length": guess.max_length,
        "scale": guess.scale if guess.type == "decimal" else None,
        "unit": guess.unit or None,
        "null_values": guess.null_values or None,
        "classification": guess.classification if guess.classification != "internal" else None,
        "protect": guess.protect if guess.protect != "keep" else None,
        "generate": guess.generate,
    }
    return {key: value for key, value in everything.items() if value is not None}


def _rules(rules: Sequence[Told]) -> list[str]:
    if not rules:
        return []
    lines = ["quality:" + " " * 3 + "# what a good row satisfies; what is missing is judged by `required` alone"]
    for rule in rules:
        body = ", ".join(f"{key}: {_text(value) if key == 'expect' else scalar(value)}" for key, value in rule.value.items())
        found = item(rule.value, "  ", f"  - {{{body}}}")
        lines += beside(found[0], rule.why, "  ") + found[1:]
    return lines


def _text(text: str) -> str:
    """An expression inside a flow mapping."""
    found = sentence(text)
    return found if not set(found) & set(",[]{}") else scalar(text)


def _derived(derived: Mapping[str, Told]) -> list[str]:
    if not derived:
        return []
    short = {name: told for name, told in derived.items() if len(name) + len(told.value) + 8 <= WIDTH}
    lines = aligned([(f"    {scalar(name)}:", sentence(told.value), told.why) for name, told in short.items()])
    for name, told in derived.items():
        if name not in short:
            lines += [
                f"    {scalar(name)}: >-",
                *(f"      {line}" for line in wrap(told.value, WIDTH - 6, break_on_hyphens=False)),
            ]
    return ["silver:", "  derive:", *lines]


def _gold(tables: Mapping[str, Told]) -> list[str]:
    lines = ["gold:"]
    for name, told in tables.items():
        lines += beside(f"  {scalar(name)}:", told.why, "  ")
        lines.append(f"    grain: {told.value['grain']}")
        if told.value.get("dimensions"):
            lines.append(f"    dimensions: {flow(told.value['dimensions'])}")
        lines.append("    metrics:")
        lines += _metrics(told.value["metrics"])
    return lines


def _metrics(metrics: Mapping[str, Told]) -> list[str]:
    width = max(len(scalar(name)) for name in metrics)
    if any(width + len(flow(told.value)) + 8 > WIDTH for told in metrics.values()):
        return [line for name, told in metrics.items() for line in entry(name, told.value, "      ")]
    return aligned([(f"      {scalar(name)}:", flow(told.value), told.why) for name, told in metrics.items()])


def _panels(panels: Sequence[Mapping[str, Any]]) -> list[str]:
    width = max(len(scalar(panel["title"])) for panel in panels) + 1
    lines = []
    for panel in panels:
        rest = ", ".join(f"{key}: {flow(value)}" for key, value in panel.items() if key != "title")
        lines += item(panel, "  ", f"  - {{title: {scalar(panel['title']) + ',':<{width}} {rest}}}")
    return ["dashboard:", *lines]


def _alert(alert: Told) -> list[str]:
    lines = ["alerts:", *comment(alert.why, "  ")]
    for number, (key, value) in enumerate(alert.value.items()):
        text = sentence(value) if key in ("when", "description") else scalar(value)
        lines.append(f"  {'-' if number == 0 else ' '} {key}: {text}")
    return [*lines, "    # notify: [slack_default]   # an Airflow connection; until then the log tells"]


def _test(test: Told | None) -> list[str]:
    if test is None:
        return []
    lines = ["tests:", *comment(test.why, "  "), f"  - name: {sentence(test.value['name'])}", "    given:"]
    for event in test.value["given"]:
        lines += _event(event)
    lines.append("    expect:")
    return lines + [line for name, rows in test.value["expect"].items() for line in entry(name, rows, "      ")]


def _event(event: Mapping[str, Any]) -> list[str]:
    head = "      - {"
    lines = [head]
    for number, (key, value) in enumerate(event.items()):
        text = f"{scalar(key)}: {flow(value)}" + ("," if number < len(event) - 1 else "}")
        if lines[-1] != head and len(lines[-1]) + len(text) + 1 > WIDTH:
            lines.append(" " * (len(head) - 1))
        lines[-1] += text if lines[-1] == head else f" {text}"
    return lines
