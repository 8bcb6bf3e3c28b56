"""The `tests:` of a stream: lines given, rehearsed by the real steps, and what came of them compared with what is expected."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow.compute as pc

from strandline.intervals import Interval, interval_at
from strandline.lines.protect import KeyRing, Protector
from strandline.rehearsal import UNKNOWN, Rehearsal, event_times, interval_ending, land_lines, landed_in, rehearse
from strandline.row_matching import ABSENT, RowDifference, is_same, match_rows
from strandline.sources.source import RawLine
from strandline.spec.model import FilesSource, Stream, StreamTest

if TYPE_CHECKING:
    from strandline.engines.duckdb import DuckEngine, DuckSession

GIVEN = "given"
KEYS = KeyRing({"STRANDLINE_KEY": hashlib.sha256(b"the key of strandline test").hexdigest()})
"""Tests protect with this key, whatever the environment has: what they compare does not depend on it."""


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that did not come as expected: `part` is its name in `expect`; rows or, in `message`, a number."""

    part: str
    message: str
    rows: tuple[RowDifference, ...] = ()


@dataclass(frozen=True, slots=True)
class CaseResult:
    """What a case gave: nothing in `differences` when all came as expected; `landed` is the interval it was judged in."""

    stream: Stream
    test: StreamTest
    landed: Interval
    rehearsal: Rehearsal
    differences: tuple[Difference, ...]

    @property
    def passed(self) -> bool:
        """All came as expected."""
        return not self.differences

    @property
    def place(self) -> str:
        """Where the case stands: `config/streams/orders.yaml:31`."""
        return f"{_near(self.stream.path)}:{self.test.line}"


def run_case(engine: DuckEngine, session: DuckSession, stream: Stream, test: StreamTest) -> CaseResult:
    """The case, run in the session. Lines that break a `fail` rule are refused like others; budgets are not judged."""
    stream = _needed(stream, test)
    landed = land_lines(stream, given_lines(stream, test), KEYS, interval_ending(UNKNOWN, stream.interval))
    interval = _interval(engine, session, stream, test, landed)
    rehearsal = rehearse(engine, session, stream, landed_in(landed, interval))
    return CaseResult(stream, test, interval, rehearsal, tuple(_differences(rehearsal, test)))


def _needed(stream: Stream, test: StreamTest) -> Stream:
    """The stream with no more tables, alerts and panels than the case looks at."""
    alerts = tuple(alert for alert in stream.alerts if alert.name in test.expect.get("alerts", ()))
    tables = {*test.expect, *(alert.on for alert in alerts)}
    return replace(stream, gold=tuple(table for table in stream.gold if table.name in tables), alerts=alerts, dashboard=())


def given_lines(stream: Stream, test: StreamTest) -> list[RawLine]:
    """The lines as a source would give them: a mapping is a line of JSON, a text is itself, split at line feeds.

    For a stream of CSV a text is a record under a header of the declared fields in their order.
    """
    source = stream.source
    is_csv = isinstance(source, FilesSource) and source.format == "csv"
    header = source.delimiter.join(f.source_name for f in stream.fields) if isinstance(source, FilesSource) and is_csv else None
    lines: list[RawLine] = []
    for given in test.given:
        if isinstance(given, str):
            texts = [(text, header) for text in given.removesuffix("\n").split("\n")]
        else:
            texts = [(json.dumps(given, ensure_ascii=False), None)]
        for text, under in texts:
            lines.append(RawLine(text.encode("utf-8", "surrogatepass"), GIVEN, len(lines) + 1, under))
    return lines


def _interval(engine: DuckEngine, session: DuckSession, stream: Stream, test: StreamTest, landed: Any) -> Interval:
    """Where the lines land: up to `at`, else the interval of the latest event time given."""
    if test.at is not None:
        return interval_ending(test.at, stream.interval)
    latest: datetime | None = pc.max(event_times(engine, session, stream, landed)).as_py()
    if latest is None:
        return interval_ending(UNKNOWN, stream.interval)
    return interval_at(latest, stream.interval)


def _differences(found: Rehearsal, test: StreamTest) -> Iterator[Difference]:
    stored = _AsStored(found.stream)
    counts = {"good": found.good.num_rows, "refused": found.counts.quarantined, "duplicates": found.duplicates}
    for part, expected in test.expect.items():
        if part == "alerts":
            yield from _alerts(found, expected)
        elif isinstance(expected, int):
            if expected != counts[part]:
                yield Difference(part, f"{expected} expected, {counts[part]} found")
        elif part == "refused":
            yield from _rows(part, expected, list(refusals(found)), is_same)
        else:
            rows = (found.good if part == "good" else found.gold[part]).to_pylist()
            dimensions = () if part == "good" else ("window_start", *found.stream.gold_named(part).dimensions)
            yield from _rows(part, expected, rows, stored.is_same, dimensions)


def _rows(
    part: str,
    expected: Sequence[Mapping[str, Any]],
    found: Sequence[Mapping[str, Any]],
    same: Callable[[str, Any, Any], bool],
    always: Sequence[str] = (),
) -> Iterator[Difference]:
    rows = match_rows(expected, found, same, always)
    if rows:
        yield Difference(part, f"{_many(len(expected), 'row')} expected, {len(found)} found", tuple(rows))


def refusals(found: Rehearsal) -> Iterator[dict[str, Any]]:
    """Each refused line as `refused:` speaks of it, with the number of its line and what was expected of it."""
    for row in found.refused.select(["_reason", "_field", "_rule", "_line", "_detail"]).to_pylist():
        yield {name.removeprefix("_"): value for name, value in row.items()}


def _alerts(found: Rehearsal, expected: Mapping[str, int]) -> Iterator[Difference]:
    outcomes = {outcome.alert.name: outcome for outcome in found.alerts}
    for name, wanted in expected.items():
        outcome = outcomes[name]
        opened = len(outcome.episodes)
        if opened != wanted:
            what = "good row" if outcome.alert.on == "rows" else "window"
            fires = f"it fires on {len(outcome.firings)} of {_many(outcome.evaluated, what)}"
            needs = f" and needs {outcome.alert.for_} one after another" if outcome.alert.for_ > 1 else ""
            yield Difference("alerts", f"{name}: {_many(wanted, 'episode')} expected, {opened} found; {fires}{needs}")


class _AsStored:
    """Compares values in clear, as a test has them, with the values of protected fields, as tables have them."""

    def __init__(self, stream: Stream) -> None:
        self._fields = {f.name: f for f in stream.protected if f.protect == "hash"}
        self._protector = Protector(stream, KEYS)

    def is_same(self, name: str, expected: Any, found: Any) -> bool:
        field = self._fields.get(name)
        if field is None or expected is None or found is None or found is ABSENT:
            return is_same(name, expected, found)
        line = RawLine(json.dumps({field.source_name: expected}).encode(), GIVEN, 1)
        hashed = json.loads(self._protector.protect(line).raw)[field.source_name]
        return found in (expected, hashed)


def explained(result: CaseResult) -> list[str]:
    """The failure of a case as lines of text: its place, each difference column by column, and what became of the lines."""
    lines = [result.place]
    for difference in result.differences:
        lines += ["", f"expect.{difference.part}: {difference.message}"]
        for row in difference.rows:
            lines += row.lines()
    return [*lines, "", *_fates(result)]


def _fates(result: CaseResult) -> Iterator[str]:
    found = result.rehearsal
    good, refused = found.good.num_rows, found.counts.quarantined
    yield f"{_many(found.counts.lines, 'line')} = {good} good + {_many(found.duplicates, 'duplicate')} + {refused} refused"
    for row in refusals(found):
        about = row["rule"] or row["field"]
        yield f"  line {row['line']} refused: {row['reason']}{f' {about}' if about else ''} ({row['detail']})"
    yield f"landed in {result.landed}"


def _many(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _near(path: Path) -> Path:
    """The path as one would type it here."""
    return path.relative_to(Path.cwd()) if path.is_absolute() and path.is_relative_to(Path.cwd()) else path
