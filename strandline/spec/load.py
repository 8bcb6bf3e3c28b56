"""`config/streams/*.yaml` → streams: shape, references and meaning are checked, and all problems of all files come together."""

from __future__ import annotations

import gc
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from strandline.errors import ConfigError, Problem
from strandline.spec.defaults import Defaults, defaults_beside, read_defaults, with_defaults
from strandline.spec.document import Document, parse_document, read_document
from strandline.spec.draft import Draft
from strandline.spec.model import Engine, Retention, Stream, Team
from strandline.spec.sections.examples import read_tests
from strandline.spec.sections.fields import read_fields
from strandline.spec.sections.generator import check_generator
from strandline.spec.sections.gold import read_gold
from strandline.spec.sections.rules import read_rules
from strandline.spec.sections.silver import read_derived
from strandline.spec.sections.source import duration, read_source
from strandline.spec.sections.views import read_alerts, read_panels
from strandline.spec.shape import misfits, problem_of, schema_named


def load_streams(config: Path) -> dict[str, Stream]:
    """Every stream of `config/streams/`, by name, in name order; raises ConfigError with all problems of all files."""
    streams, problems = check_streams(config)
    wrong = [problem for problem in problems if problem.level == "error"]
    if wrong:
        raise ConfigError(problems)
    return streams


def load_stream(path: Path) -> Stream:
    """The stream of one file; raises ConfigError with all its problems. Reads no other file but the defaults beside it."""
    stream, problems = check_file(path, defaults_beside(path))
    if stream is None:
        raise ConfigError(problems)
    return stream


def check_file(path: Path, defaults: Defaults) -> tuple[Stream | None, list[Problem]]:
    """The stream of one file with the defaults, or None; and every problem of both."""
    document = with_defaults(read_document(path), defaults)
    stream, found = check_stream(document)
    if defaults.is_broken:
        return None, [*defaults.problems, *(problem for problem in found if not defaults.told(problem))]
    return stream, found


def check_streams(config: Path, known: Collection[Path] = ()) -> tuple[dict[str, Stream], tuple[Problem, ...]]:
    """The good streams by name, and the problems of the bad ones in file and line order; never raises for their content.

    The files that are `known` to be good by themselves are passed over, unless another file declares the same stream.
    """
    folder = config / "streams"
    if not folder.is_dir():
        problem = Problem(
            folder, 1, 1, "SL100", "", "there is no such folder", "streams are declared in <config>/streams/<name>.yaml"
        )
        return {}, (problem,)
    with _uncollected():
        return _check_folder(folder, read_defaults(config), known)


@contextmanager
def _uncollected() -> Iterator[None]:
    """Without the search for cycles: the values that are made have none, and looking takes a seventh of the time.

    At the end they are made old (frozen and let go again), so that they are not all looked at once then.
    """
    was_on, frozen = gc.isenabled(), gc.get_freeze_count()
    gc.disable()
    try:
        yield
    finally:
        if was_on and not frozen:
            gc.freeze()
            gc.unfreeze()
        if was_on:
            gc.enable()


def _check_folder(folder: Path, defaults: Defaults, known: Collection[Path]) -> tuple[dict[str, Stream], tuple[Problem, ...]]:
    streams: dict[str, Stream] = {}
    problems: list[Problem] = list(defaults.problems)
    declared: dict[str, Path] = {}
    for path in stream_files(folder):
        if path.suffix != ".yaml":
            hint = f"rename it to {path.stem}.yaml"
            problems.append(
                Problem(path, 1, 1, "SL114", "", f"is not read: the name must end in .yaml (saw {path.suffix})", hint)
            )
            continue
        if path in known and declared.setdefault(path.stem, path) == path:
            continue
        document = with_defaults(read_document(path), defaults)
        stream, found = check_stream(document)
        found += _same_stream(document, declared)
        problems += [problem for problem in found if not defaults.told(problem)]
        if stream is not None and not _errors(found) and not defaults.is_broken:
            streams[stream.name] = stream
    return dict(sorted(streams.items())), tuple(sorted(set(problems)))


def stream_files(folder: Path) -> list[Path]:
    """The files of a folder that are meant as YAML, in name order; hidden ones are passed over."""
    return sorted(path for path in folder.iterdir() if path.suffix in (".yaml", ".yml") and not path.name.startswith("."))


def check_text(text: str, path: Path) -> tuple[Stream | None, list[Problem]]:
    """The stream a YAML text declares, as if it stood in the file `path`, or None and what is wrong with it."""
    return check_stream(parse_document(text, path))


def check_stream(document: Document) -> tuple[Stream | None, list[Problem]]:
    """The stream a document declares, or None; and every problem of its text, shape, references and meaning, in line order."""
    if document.value is None and document.problems:
        return None, list(document.problems)
    found = misfits(document.value, schema_named("stream"))
    broken = frozenset(misfit.path for misfit in found)
    problems = _told_once([*document.problems, *(problem_of(document, misfit) for misfit in found)])
    if not isinstance(document.value, dict):
        return None, problems
    draft = Draft(document, broken, problems)
    stream = _stream(draft)
    return stream, sorted(draft.problems)


def _told_once(problems: list[Problem]) -> list[Problem]:
    """The problems without those of the shape of a value that the text itself has a problem with."""
    refused = {(problem.line, problem.column) for problem in problems if problem.code < "SL2"}
    return [problem for problem in problems if problem.code < "SL2" or (problem.line, problem.column) not in refused]


def _stream(draft: Draft) -> Stream | None:
    """The stream, when nothing is wrong; every section is read in any case, so that all problems are found."""
    _check_name(draft)
    fields = read_fields(draft)
    rules, budgets = read_rules(draft)
    derived = read_derived(draft)
    gold = read_gold(draft)
    panels, alerts, tests = read_panels(draft), read_alerts(draft), read_tests(draft)
    source = read_source(draft)
    check_generator(draft, rules)
    if source is None or _errors(draft.problems):
        return None
    value = draft.document.value
    schema, retention = value["schema"], value.get("retention", {})
    lateness, skew = schema.get("allowed_lateness"), schema.get("future_skew")
    return Stream(
        name=value["stream"],
        version=value["version"],
        purpose=value["description"]["purpose"],
        usage=value["description"].get("usage", ""),
        team=Team(**value["team"]),
        tags=tuple(value.get("tags", ())),
        source=source,
        primary_key=tuple(schema["primary_key"]),
        event_time=schema["event_time"],
        sequence_by=tuple(schema.get("sequence_by", ())),
        fields=fields,
        path=draft.document.path,
        interval=duration(value.get("interval", "5m")),
        engine=engine_of(value.get("engine", {})),
        deduplicate_within=schema.get("deduplicate", {}).get("within", "event_date"),
        allowed_lateness=duration(lateness) if lateness else None,
        future_skew=duration(skew) if skew else None,
        unknown_fields=schema.get("unknown_fields", "keep"),
        rules=rules,
        budgets=budgets,
        derived=derived,
        gold=gold,
        dashboard=panels,
        alerts=alerts,
        retention=Retention(**{key: duration(text) for key, text in retention.items()}),
        tests=tests,
    )


def engine_of(value: str | Mapping[str, str]) -> Engine:
    """The engine that a YAML value names: its type, or a mapping with it and the connection."""
    return Engine(**({"type": value} if isinstance(value, str) else value))  # type: ignore[arg-type]


def _check_name(draft: Draft) -> None:
    name, stem = draft.get("stream"), draft.document.path.stem
    if isinstance(name, str) and draft.is_clean(("stream",)) and name != stem:
        draft.report(
            "SL301", ("stream",), f"is not the name of the file (saw {name}, allowed {stem})", f"rename the file to {name}.yaml"
        )


def _same_stream(document: Document, declared: dict[str, Path]) -> list[Problem]:
    """The problem that another file declares the same stream; remembers this one otherwise."""
    name = document.value.get("stream") if isinstance(document.value, dict) else None
    if not isinstance(name, str):
        return []
    first = declared.setdefault(name, document.path)
    if first == document.path:
        return []
    message = f"another file declares this stream (saw {name} in {first.name})"
    return [document.problem("SL302", ("stream",), message, "one stream, one file")]


def _errors(problems: list[Problem]) -> bool:
    return any(problem.level == "error" for problem in problems)
