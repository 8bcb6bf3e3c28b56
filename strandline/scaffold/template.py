"""A stream's YAML out of a few answers instead of a sample."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from strandline.errors import UsageError
from strandline.scaffold.guess import Guess
from strandline.scaffold.identity import Identity
from strandline.scaffold.names import column, name_of
from strandline.scaffold.scaffold import check_name, ensure_valid, given_by_defaults
from strandline.scaffold.subject import Subject
from strandline.scaffold.tables import Told, gold, panels
from strandline.scaffold.write import Parts, yaml_of

SourceKind = Literal["generator", "files", "http"]


@dataclass(frozen=True, slots=True)
class Answers:
    """What is asked; each default is what `--yes` takes. `place` is a folder, an S3 prefix or a URL."""

    name: str
    purpose: str = "Say here what one event is."
    team: str = "change-me"
    owner: str = "change-me@example.com"
    source: SourceKind = "generator"
    place: str = ""
    key: str = "event_id"
    time: str = "occurred_at"
    dimension: str = "kind"
    number: str = "amount"


def template(answers: Answers, to: Path | None = None) -> str:
    """The text of a valid stream with four fields, a table by hour and one by day, panels, an alert and an example.

    Raises UsageError when an answer cannot be used.
    """
    check_name(answers.name)
    keys = (answers.key, answers.time, answers.dimension, answers.number)
    if len({name_of(key) for key in keys}) < len(keys):
        raise UsageError(f"four different fields are needed (saw {', '.join(keys)})")
    key, time, dimension, number = fields = _fields(answers)
    why = "lines with the same key on the same day are one event"
    identity = Identity((key.name,), why, time.name, "", (time.name,), "of two versions of an event the later one wins")
    subject = Subject(fields, identity, None, number, dimension, "one row an hour and value", None, None)
    tables = gold(subject)
    path = to or Path(f"{answers.name}.yaml")
    parts = Parts(
        name=answers.name,
        about=["A beginning: keep what fits, change the rest; docs/stream-yaml.md has every key."],
        purpose=answers.purpose,
        usage="",
        team={"name": answers.team, "owner": answers.owner},
        source=_source(answers),
        identity=identity,
        fields=fields,
        rules=_rules(number)[: 1 if "budgets" in given_by_defaults(path) else 2],
        derived={f"is_large_{number.name}"[:60]: Told(f"{column(number.name)} > 100")},
        gold=tables,
        panels=panels(subject, tables),
        alert=_alert(tables, number),
        test=_example(key, time, dimension, number, tables),
    )
    text = yaml_of(parts)
    ensure_valid(text, path)
    return text


def _fields(answers: Answers) -> tuple[Guess, Guess, Guess, Guess]:
    key, time = (
        Guess(answers.key, name_of(answers.key), "string", [], []),
        Guess(answers.time, name_of(answers.time), "timestamp", [], []),
    )
    dimension = Guess(answers.dimension, name_of(answers.dimension), "string", [], [])
    number = Guess(answers.number, name_of(answers.number), "number", [], [])
    key.required = time.required = dimension.required = True
    number.minimum = 0
    key.generate, time.generate = "uuid", "event_time"
    dimension.generate = {"choice": ["red", "green", "blue"], "weights": [5, 3, 2]}
    number.generate = {"lognormal": {"median": 20, "p99": 200}, "round": 2}
    number.why = ["below 0 it is quarantined"]
    return key, time, dimension, number


def _source(answers: Answers) -> Told:
    if answers.source == "files":
        return Told(
            {"type": "files", "location": answers.place or "/data/" + answers.name, "pattern": "*.ndjson*"},
            "a file is taken once",
        )
    if answers.source == "http":
        return Told(
            {"type": "http", "url": answers.place or "https://api.example.com/v1/events"}, "a list of records, read with GET"
        )
    faults: dict[str, Any] = {"duplicate": 0.02, "malformed": 0.005}
    return Told({"type": "generator", "rows": {"mean": 100}, "faults": faults}, "simulated, until there is a source")


def _rules(number: Guess) -> list[Told]:
    usual = {"name": f"{number.name}_usual"[:60], "expect": f"{column(number.name)} <= 500", "action": "warn"}
    budget = {"name": "reject_budget", "expect": "rejected_ratio < 0.1", "per": "run", "action": "warn"}
    return [Told(usual, "counted, not refused"), Told(budget, "action: fail stops the run before anything is published")]


def _alert(tables: Mapping[str, Told], number: Guess) -> Told:
    table = next(iter(tables))
    names = list(tables[table].value["metrics"])
    average = next(name for name in names if name.startswith("avg_"))
    when = f"{column(average)} > 100 and {column(names[0])} >= 10"
    item = {"name": f"high_{number.name}"[:60], "on": table, "when": when, "severity": "medium"}
    return Told({**item, "description": f"The mean of {number.name} is higher than usual"}, "an hour with a mean above 100")


def _example(key: Guess, time: Guess, dimension: Guess, number: Guess, tables: Mapping[str, Told]) -> Told:
    event = {key.key: "a", time.key: "2026-03-02T09:00:10Z", dimension.key: "red", number.key: 12.5}
    broken = {name: value for name, value in event.items() if name != time.key}
    table = next(iter(tables))
    expect: dict[str, Any] = {
        table: [{dimension.name: "red", next(iter(tables[table].value["metrics"])): 1}],
        "refused": [{"reason": "missing", "field": time.name}],
        "duplicates": 1,
    }
    name = "a line that comes twice counts once, one without its time is set aside"
    return Told({"name": name, "given": [event, event, broken], "expect": expect}, "checked by `strandline test`")
