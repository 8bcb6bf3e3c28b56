"""A sample in, the text of a valid stream YAML out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from strandline.errors import Problem, UsageError
from strandline.scaffold.alarm import alert
from strandline.scaffold.example import example
from strandline.scaffold.fit import describe
from strandline.scaffold.guess import Guess
from strandline.scaffold.identity import Identity, event_time_of, key_of, sequence_of
from strandline.scaffold.limits import guess_limits
from strandline.scaffold.names import NAME, field_names
from strandline.scaffold.origin import files_source, generator_source
from strandline.scaffold.personal import mark_personal
from strandline.scaffold.sample import MOST_ROWS, Sample, read_sample
from strandline.scaffold.subject import subject_of
from strandline.scaffold.tables import Told, derived, gold, panels, rules, summary
from strandline.scaffold.types import guess_field
from strandline.scaffold.write import Parts, yaml_of
from strandline.spec.defaults import defaults_beside, with_defaults
from strandline.spec.document import parse_document
from strandline.spec.load import check_stream

_RARE = 0.01
_THIN = 1000
TEAM = {"name": "change-me", "owner": "change-me@example.com"}


@dataclass(frozen=True, slots=True)
class Scaffold:
    """The text of the file, what was read in one sentence, and the names of the fields that are protected."""

    text: str
    read: str
    protected: tuple[str, ...]


def scaffold(
    name: str, sample_path: Path, *, generator: bool = False, most: int = MOST_ROWS, to: Path | None = None
) -> Scaffold:
    """The stream `name` as the sample suggests it. The text has been loaded as the file `to`, so it is valid.

    Raises UsageError for a bad name, a sample that is not there or has no time in it, and, which would be a defect of ours, a
    text that the loader refuses.
    """
    check_name(name)
    sample = read_sample(sample_path, most)
    fields, identity, left, rows = _understood(sample)
    subject = subject_of(fields, identity)
    tables = gold(subject)
    path = to or Path(f"{name}.yaml")
    given = given_by_defaults(path)
    parts = Parts(
        name=name,
        about=_about(sample, left, fields),
        purpose=f"Events like those in {sample_path.name}: say here what one is.",
        usage="",
        team={} if "team" in given else TEAM,
        source=_source(sample, subject.named(identity.event_time), generator=generator),
        identity=identity,
        fields=fields,
        rules=rules(subject, sample, budget="budgets" not in given),
        derived=derived(subject),
        gold=tables,
        panels=panels(subject, tables),
        alert=alert(subject, tables),
        test=example(subject, sample, tables, rows),
    )
    text = yaml_of(parts)
    ensure_valid(text, path)
    return Scaffold(text, summary(sample, left), tuple(guess.name for guess in fields if guess.is_protected))


def check_name(name: str) -> None:
    """Raises UsageError when no stream can be called so."""
    if not NAME.fullmatch(name):
        raise UsageError(f"{name!r} is no name for a stream: lower-case letters, digits and _, starting with a letter")


def given_by_defaults(path: Path) -> frozenset[str]:
    """What the defaults beside a file of `config/streams` say for every stream: its top-level keys."""
    document = defaults_beside(path).document
    return frozenset(document.value) if document is not None and isinstance(document.value, dict) else frozenset()


def ensure_valid(text: str, path: Path) -> None:
    """Raises UsageError when the loader refuses the text, with what it says: that is a defect to report."""
    _, problems = check_stream(with_defaults(parse_document(text, path), defaults_beside(path)))
    wrong: list[Problem] = [problem for problem in problems if problem.level == "error" and problem.path == path]
    if wrong:
        told = "\n".join(f"  {problem}" for problem in wrong[:5])
        raise UsageError(
            f"the stream made from this sample is not valid. That is a defect of `strandline new`: please report it.\n{told}"
        )


def _understood(sample: Sample) -> tuple[list[Guess], Identity, dict[str, int], list[int]]:
    """The fields over the rows that have a key and a time, the identity, the rows left out by reason, and the rows kept."""
    frequent = [
        column for column in sample.columns.values() if sum(column.kinds.values()) > _RARE * sample.rows or sample.rows < 200
    ]
    names = field_names(column.key for column in frequent)
    guesses = [guess_field(column, names[column.key]) for column in frequent if sum(column.kinds.values())]
    empty = [
        Guess(c.key, names[c.key], "string", [None] * sample.rows, c.texts, why=["no value in the sample"])
        for c in frequent
        if not c.kinds
    ]
    for guess in guesses:
        mark_personal(guess)
    time, time_why = event_time_of([guess for guess in guesses if not guess.is_protected])
    timed = [row for row, value in enumerate(time.values) if value is not None]
    left = {f"without {time.name}": sample.rows - len(timed)} if len(timed) < sample.rows else {}
    narrowed = [_kept(guess, timed) for guess in guesses]
    key, key_why = key_of(narrowed, next(guess for guess in narrowed if guess.name == time.name))
    whole = [row for row in timed if all(g.values[row] is not None for g in guesses if g.name in key)]
    if len(whole) < len(timed):
        left[f"without {' or '.join(name for name in key if name != time.name)}"] = len(timed) - len(whole)
    fields = sorted([_kept(guess, whole) for guess in [*guesses, *empty]], key=lambda g: list(names).index(g.key))
    sequence, sequence_why = sequence_of(fields, key, time.name)
    identity = Identity(key, key_why, time.name, time_why, sequence, sequence_why)
    _share_habits(fields, {*key, time.name})
    for guess in fields:
        always = guess.name in key or guess.name == time.name
        guess_limits(guess, key=always)
        guess.generate = describe(guess, event_time=guess.name == time.name, key=guess.name in key)
        if guess.name in key and len(key) == 1:
            guess.why.insert(0, "the key")
    return fields, identity, left, whole


def _share_habits(fields: Sequence[Guess], identity: set[str]) -> None:
    """In a thin sample a text that stands for nothing in one field may do so in numbers of which it shows none missing."""
    habits = list(dict.fromkeys(text for guess in fields for text in guess.null_values))
    for guess in fields:
        thin = len(guess.values) < _THIN and guess.is_numeric and not guess.nulls and guess.name not in identity
        if thin and habits and not guess.null_values:
            guess.null_values = habits
            guess.why.append(f"{', '.join(habits)} stands for nothing in other fields")


def _kept(guess: Guess, rows: Sequence[int]) -> Guess:
    """The guess over these rows, its protection with it."""
    kept = guess.keep(list(rows))
    kept.classification, kept.protect, kept.personal = guess.classification, guess.protect, guess.personal
    return kept


def _source(sample: Sample, event_time: Guess, *, generator: bool) -> Told:
    if generator or sample.format == "parquet":
        told = generator_source(sample, event_time)
        if generator:
            return told
        return Told(
            told.value, f"files of Parquet are no source yet, so events like those in the sample are made up; {told.why}"
        )
    return files_source(sample)


def _about(sample: Sample, left: dict[str, int], fields: Sequence[Guess]) -> list[str]:
    """The first lines: what was read, what was passed over, and that all of it is a guess."""
    more = " (there is more)" if sample.cut else ""
    told = [f"Guessed by `strandline new` from {sample.path.name}: {summary(sample, left)}{more}."]
    told.append("Comments say what was guessed and why. Read, mend, and delete them.")
    known = {guess.key for guess in fields}
    rare = [key for key in sample.columns if key not in known]
    if rare:
        some = ", ".join(rare[:5]) + (" …" if len(rare) > 5 else "")
        told.append(
            f"Left out, because next to no row has {'it' if len(rare) == 1 else 'them'}, but kept in the raw bytes: {some}."
        )
    return told
