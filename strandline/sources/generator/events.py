"""The good events of a landing interval, drawn from the stream's declaration; faults come on top, in `faults`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from strandline.errors import UsageError
from strandline.intervals import Interval
from strandline.sources.generator import composed  # noqa: F401  registers its kinds
from strandline.sources.generator.columns import SESSION, Array, Column, Rows, scatter
from strandline.sources.generator.conditions import holds
from strandline.sources.generator.encode import as_declared, json_values, line, records
from strandline.sources.generator.samplers import Sampler, sampler
from strandline.sources.generator.seeds import milliseconds, random_for
from strandline.sources.generator.sessions import Sessions
from strandline.sources.generator.volume import Recurrence, expected_rows
from strandline.spec.model import Field, GeneratorSource, Stream

_REMEMBERED = 16  # the events of the last intervals are kept while they are small: copies of earlier events are drawn from them
_SMALL = 5_000


@dataclass(frozen=True, slots=True)
class Events:
    """The good events of one interval: finished values by field, the raw columns they came from, and where each stands.

    `arrival` is each event's offset into the interval (ms), by which lines are ordered; `late` marks those whose event
    time lies before the interval; `extra` holds the value of the unknown field (None: the event has none).
    """

    interval: Interval
    rows: Rows
    values: Mapping[str, Array]
    arrival: Array
    late: Array
    extra: Array

    def __len__(self) -> int:
        return self.rows.n


@dataclass(frozen=True, slots=True)
class Incident:
    """An episode that comes back and changes the fields in `set` of the rows it touches."""

    name: str
    window: Recurrence
    where: Mapping[str, Any]
    share: float
    set: Mapping[str, Sampler]

    def touched(self, rows: Rows, random: np.random.Generator) -> Array:
        """The indices of the rows inside the window that meet `where` and the share."""
        mask = self.window.is_open(rows.time)
        if mask.any():
            mask &= holds(self.where, rows) & (random.random(rows.n) < self.share)
        return np.flatnonzero(mask)


class EventModel:
    """The compiled generator of one stream; making it reads nothing but the declaration.

    It remembers some events to save time, never anything that an answer would depend on.
    """

    def __init__(self, stream: Stream) -> None:
        if not isinstance(stream.source, GeneratorSource):
            raise UsageError(f"{stream.name} has a {stream.source.type} source; only a generator simulates events")
        self.stream = stream
        self.options = stream.source.options
        self.seed = (stream.name, self.options.get("seed", 0))
        self.faults: Mapping[str, Any] = self.options.get("faults", {})
        root = "/".join(map(str, self.seed))
        self._samplers = {f.name: sampler(description_of(f, stream), f"{root}/{f.name}") for f in stream.fields}
        self._sessions = Sessions(self.options["sessions"]) if "sessions" in self.options else None
        self._incidents = [self._incident(spec, root) for spec in self.options.get("incidents", ())]
        self.breaks = [
            (spec, {name: sampler(made, f"{root}/breaks/{spec['rule']}/{name}") for name, made in spec["set"].items()})
            for spec in self.faults.get("breaks", ())
        ]
        unknown = self.faults.get("unknown_field")
        self._extra = sampler(unknown["value"], f"{root}/unknown") if unknown else None
        self._recent: dict[str, Events] = {}
        self._names = [f.source_name for f in stream.fields]

    def _incident(self, spec: Mapping[str, Any], root: str) -> Incident:
        sets = {name: sampler(made, f"{root}/incident/{spec['name']}/{name}") for name, made in spec.get("set", {}).items()}
        return Incident(spec["name"], Recurrence.of(spec), spec.get("where", {}), float(spec.get("share", 1)), sets)

    def random(self, interval: Interval, *names: object) -> np.random.Generator:
        """The random generator of one purpose in one interval."""
        return random_for(*self.seed, interval.key, *names)

    def events(self, interval: Interval) -> Events:
        """The good events of `interval`: the same for the same declaration and interval, whatever was asked before."""
        known = self._recent.get(interval.key)
        if known is None:
            known = self._drawn(interval)
            if len(known) <= _SMALL:
                self._recent[interval.key] = known
            if len(self._recent) > _REMEMBERED:
                del self._recent[next(iter(self._recent))]
        return known

    def _drawn(self, interval: Interval) -> Events:
        start, end = (int(moment.timestamp() * 1000) for moment in (interval.start, interval.end))
        random = self.random(interval, "volume")
        wanted = int(random.poisson(expected_rows(self.options, interval)))
        columns: dict[str, Column] = {}
        if self._sessions is not None:
            offsets, columns = self._sessions.simulate(wanted, end - start, random)
            groups = columns[SESSION].codes
        else:
            offsets, groups = np.sort(random.integers(0, end - start, wanted)), None
        late, delay = self._delays(interval, len(offsets), end - start, groups)
        rows = Rows(len(offsets), random, start + offsets - delay, columns)
        self._fill(interval, rows, columns)
        fields = {f.name: json_values(f, columns[f.name]) for f in self.stream.fields}
        return Events(interval, rows, fields, offsets, late, self._extras(interval, rows))

    def _fill(self, interval: Interval, rows: Rows, columns: dict[str, Column]) -> None:
        touched: dict[str, Array] = {}
        for declared in self.stream.fields:
            rows.random = self.random(interval, "field", declared.name)
            column = columns[declared.name] = as_declared(declared, self._samplers[declared.name](rows))
            for incident in self._incidents:
                if declared.name not in incident.set:
                    continue
                if incident.name not in touched:
                    touched[incident.name] = incident.touched(rows, self.random(interval, "incident", incident.name))
                index = touched[incident.name]
                if len(index):
                    made = incident.set[declared.name](rows.take(index)).values
                    merged = scatter(rows.n, [(np.arange(rows.n), column.values), (index, made)])
                    changed = Column(merged, column.codes, column.pool, column.lasting)
                    column = columns[declared.name] = as_declared(declared, changed)

    def _delays(self, interval: Interval, n: int, length: int, groups: Array | None) -> tuple[Array, Array]:
        """Which events are late and by how much (ms): whole sessions where there are sessions, mostly a little and seldom
        a lot."""
        fault = self.faults.get("late")
        if not fault:
            return np.zeros(n, dtype=bool), np.zeros(n, dtype=np.int64)
        random = self.random(interval, "late")
        units = n if groups is None else int(groups.max(initial=-1)) + 1
        late = random.random(units) < fault["rate"]
        room = milliseconds(fault["max"]) - 2 * length
        if room < 1:
            raise UsageError(f"{self.stream.name}: faults.late.max is longer than two landing intervals (saw {fault['max']})")
        delay = np.where(late, length + np.exp(random.random(units) * np.log(room)), 0).astype(np.int64)
        return (late, delay) if groups is None else (late[groups], delay[groups])

    def _extras(self, interval: Interval, rows: Rows) -> Array:
        extra = np.full(rows.n, None, dtype=object)
        if self._extra is not None:
            rows.random = self.random(interval, "unknown")
            index = np.flatnonzero(rows.random.random(rows.n) < self.faults["unknown_field"]["rate"])
            extra[index] = self._extra(rows.take(index)).values.astype(object)
        return extra

    def records(self, events: Events, index: Array) -> list[dict[str, Any]]:
        """The events at `index` as mappings from the JSON key to a plain value."""
        made = records(self._names, [events.values[f.name][index] for f in self.stream.fields])
        if self._extra is not None:
            key = self.faults["unknown_field"]["field"]
            for record, value in zip(made, events.extra[index].tolist(), strict=True):
                if value is not None:
                    record[key] = value
        return made

    def lines(self, events: Events, index: Array) -> list[bytes]:
        """The events at `index` as lines of JSON."""
        return [line(record) for record in self.records(events, index)]


def description_of(field: Field, stream: Stream) -> Any:
    """The field's `generate`, or what its type suggests when it has none; raises UsageError when nothing does."""
    if field.generate is not None:
        return field.generate
    low = field.minimum if field.minimum is not None else 0.0
    high = field.maximum if field.maximum is not None else low + 100
    if field.name == stream.event_time or field.type == "timestamp":
        return "event_time"
    if field.choices:
        return {"choice": list(field.choices)}
    if field.type == "string":
        return "uuid" if field.name in stream.primary_key else {"entity": {"prefix": f"{field.name}-", "count": 100}}
    if field.type == "boolean":
        return {"boolean": 0.5}
    if field.type == "integer":
        return {"integer": {"min": int(low), "max": int(high)}}
    if field.type in ("number", "decimal"):
        return {"uniform": {"min": low, "max": high}}
    raise UsageError(f"{stream.name}: {field.name} is a {field.type} and needs a `generate`")
