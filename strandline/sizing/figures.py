"""The measured figures, each with its unit and its source; the package's own, or some of them replaced by a file."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import yaml

from strandline.errors import UsageError

OWN = Path(__file__).parent / "figures.yaml"
STEPS = ("generate", "land", "merge", "publish", "bronze", "silver", "gold", "reconcile", "audit", "maintain")
"""The steps in the order of a day; `reconcile` is the merge after a batch, which compares the days that batch touched."""
BY_MICRO_BATCH = ("bronze", "silver", "audit", "maintain")
"""Steps that open every micro-batch: of the day (bronze, silver), of what is audited, of all that realtime keeps (maintain)."""
LAYERS = ("gzip", "staged", "realtime", "bronze", "silver", "quarantine", "gold", "unified", "analytics", "replaced")
"""What takes room: the source's files as gzip, staged lines until batch has taken them, the tables, and replaced files."""
REQUESTS = ("put", "list", "get", "head")
"""How S3 bills a request; DELETE is free."""
PRICES = (*REQUESTS, "storage")
_PARTS = ("sources", "figures", "requests", "prices")


@dataclass(frozen=True, slots=True)
class Source:
    """Where a figure comes from: a command that prints it (`how`), the machine and the day; or an assumption, told in `how`."""

    name: str
    how: str
    machine: str
    date: str


@dataclass(frozen=True, slots=True)
class Figure:
    """A number, what it is a number of, and where it comes from."""

    value: float
    unit: str
    source: Source


@dataclass(frozen=True, slots=True)
class Figures:
    """All figures by name; `requests` are those of one run, by step and kind; `prices` dollars, by kind."""

    figures: Mapping[str, Figure]
    requests: Mapping[str, Mapping[str, float]]
    requests_source: Source
    prices: Mapping[str, float]
    prices_source: Source

    def __call__(self, name: str) -> float:
        """The value of the figure."""
        return self.figures[name].value

    def sources(self) -> tuple[Source, ...]:
        """Every source that a figure names, by name."""
        found = {each.source.name: each.source for each in self.figures.values()}
        for source in (self.requests_source, self.prices_source):
            found[source.name] = source
        return tuple(found[name] for name in sorted(found))


NEEDED = frozenset(
    [f"cpu.{step}.{per}" for step in STEPS for per in ("run", "million")]
    + [f"{what}.{step}.micro_batch" for what in ("cpu", "requests") for step in BY_MICRO_BATCH]
    + ["cpu.merge.million_of_day"]
    + [f"bytes.{layer}.event" for layer in LAYERS]
    + [f"bytes.{layer}.micro_batch" for layer in ("realtime", "bronze")]
    + ["bytes.event", "bytes.gold.day", "bytes.analytics.day", "bytes.request"]
    + ["memory.task.fixed", "memory.task.million_of_day", "memory.airflow", "cores.task", "cores.usable"]
    + [f"airflow.start.{part}" for part in ("tasks", "scheduler", "api", "rest")]
    + [f"airflow.{part}.stream" for part in ("first_import", "serialise", "first_write", "parse", "serialised")]
    + ["airflow.idle", "airflow.parse.every", "airflow.import_timeout", "airflow.parse_timeout"]
    + ["airflow.loop.task", "airflow.loop.limit", "airflow.dag_tasks_at_once"]
    + ["spark.cpu_factor", "spark.doubling", "spark.executor.cores", "spark.executor.memory"]
    + ["s3.put_a_second", "s3.get_a_second"]
)
"""The figures that the model uses."""


def figures(path: Path | None = None) -> Figures:
    """The package's figures, those in the file `path` put in place of them; raises `UsageError` when it cannot be used."""
    told = _read(OWN)
    if path is not None:
        for part, content in _read(path).items():
            told[part] = {**told[part], **content}
    where = path or OWN
    sources = {name: _source(where, name, given) for name, given in told["sources"].items()}
    _known(where, "figures", told["figures"], NEEDED)
    requests, prices = dict(told["requests"]), dict(told["prices"])
    by_step = _named(where, sources, "requests", requests)
    by_kind = _named(where, sources, "prices", prices)
    _known(where, "requests", requests, STEPS)
    _known(where, "prices", prices, PRICES)
    return Figures(
        {name: _figure(where, sources, name, given) for name, given in told["figures"].items()},
        {step: _kinds(where, step, requests[step]) for step in STEPS},
        by_step,
        {kind: _number(where, f"prices.{kind}", prices[kind]) for kind in PRICES},
        by_kind,
    )


def _read(path: Path) -> dict[str, dict[str, Any]]:
    try:
        told = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UsageError(f"there is no file {path} with figures") from None
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise UsageError(f"{path} cannot be read as YAML: {error}") from error
    if not isinstance(told, dict) or not all(isinstance(part, dict) for part in told.values()):
        raise UsageError(f"{path}: figures are a mapping of {', '.join(_PARTS)}, each a mapping")
    for part in told:
        if part not in _PARTS:
            raise UsageError(f"{path}: there is no part {part}{_close(part, _PARTS)}")
    return told


def _source(path: Path, name: str, given: Any) -> Source:
    wanted = ("how", "machine", "date")
    if not isinstance(given, dict) or set(given) != set(wanted) or not all(given.values()):
        raise UsageError(f"{path}: sources.{name}: a source has {', '.join(wanted)}, none empty")
    return Source(name, " ".join(str(given["how"]).split()), str(given["machine"]), str(given["date"]))


def _figure(path: Path, sources: Mapping[str, Source], name: str, given: Any) -> Figure:
    if not isinstance(given, dict) or set(given) != {"value", "unit", "source"}:
        raise UsageError(f"{path}: figures.{name}: a figure has value, unit and source")
    value = _number(path, f"figures.{name}.value", given["value"])
    return Figure(value, str(given["unit"]), _named(path, sources, f"figures.{name}", dict(given)))


def _named(path: Path, sources: Mapping[str, Source], what: str, given: dict[str, Any]) -> Source:
    name = given.pop("source", None)
    if name not in sources:
        raise UsageError(f"{path}: {what}: no source {name}{_close(str(name), sources)}")
    return sources[name]


def _kinds(path: Path, step: str, given: Any) -> dict[str, float]:
    if not isinstance(given, dict):
        raise UsageError(f"{path}: requests.{step}: requests are {', '.join(REQUESTS)}")
    _known(path, f"requests.{step}", given, REQUESTS)
    return {kind: _number(path, f"requests.{step}.{kind}", given[kind]) for kind in REQUESTS}


def _known(path: Path, part: str, given: Mapping[str, Any], wanted: Iterable[str]) -> None:
    allowed = set(wanted)
    for name in given:
        if name not in allowed:
            raise UsageError(f"{path}: {part}: there is no {name}{_close(name, allowed)}")
    if missing := sorted(allowed - given.keys()):
        raise UsageError(f"{path}: {part}: missing: {', '.join(missing)}")


def _number(path: Path, name: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value < float("inf"):
        raise UsageError(f"{path}: {name} is a number of 0 or more (saw {value!r})")
    return float(value)


def _close(name: str, known: Iterable[str]) -> str:
    choices = sorted(known)
    close = get_close_matches(name, choices, 1, 0.6)
    return f"; did you mean {close[0]}?" if close else f" (there are: {', '.join(choices)})"
