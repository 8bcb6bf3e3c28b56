"""What the events are about: what goes wrong, the number that matters, what to split by, what to count once."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from strandline.scaffold.guess import Guess, Value, many
from strandline.scaffold.identity import Identity
from strandline.scaffold.limits import is_http_status
from strandline.scaffold.names import column, free_name
from strandline.scaffold.types import MONEY

_WRONG = frozenset(
    [
        "error",
        "errors",
        "err",
        "fail",
        "failed",
        "failure",
        "fatal",
        "critical",
        "denied",
        "declined",
        "rejected",
        "refused",
        "fault",
        "faulty",
        "timeout",
        "exception",
        "panic",
        "severe",
        "aborted",
        "crashed",
        "broken",
        "lost",
    ]
)
_NAMES = frozenset(["id", "device", "host", "name", "user", "url", "path", "message", "title", "endpoint", "sensor", "metric"])
_PARTS = re.compile(r"[^a-z]+")
_DIMENSIONS = frozenset(
    [
        "endpoint",
        "region",
        "country",
        "city",
        "device",
        "sensor",
        "site",
        "store",
        "depot",
        "category",
        "kind",
        "station",
        "type",
        "channel",
        "service",
        "method",
        "status",
        "state",
        "level",
        "host",
        "plan",
        "currency",
        "product",
        "department",
        "warehouse",
        "line",
        "model",
        "platform",
        "browser",
        "source",
        "queue",
        "topic",
        "line",
        "direction",
    ]
)
_NUMBERS = frozenset(
    [
        "value",
        "duration",
        "latency",
        "ms",
        "seconds",
        "bytes",
        "size",
        "quantity",
        "weight",
        "temperature",
        "speed",
        "distance",
        "price",
        "amount",
        "total",
        "energy",
        "power",
        "kwh",
        "kg",
        "score",
        "load",
        "usage",
        "count",
        "pressure",
    ]
)
ADDITIVE = MONEY | frozenset(
    ["bytes", "quantity", "count", "size", "items", "units", "kwh", "energy", "distance", "weight", "kg", "duration", "seconds"]
)
_NOT_NUMBERS = frozenset(
    [
        "id",
        "code",
        "lat",
        "lon",
        "lng",
        "latitude",
        "longitude",
        "year",
        "month",
        "day",
        "hour",
        "port",
        "version",
        "zip",
        "line",
        "number",
    ]
)


@dataclass(frozen=True, slots=True)
class Trouble:
    """What counts as gone wrong: the field it is read from, the column and the expression that say so (None: the field is that
    column), and for each row whether it does."""

    source: str
    column: str
    expression: str | None
    rows: list[bool]
    why: str


@dataclass(frozen=True, slots=True)
class Subject:
    """The parts that tables, panels and alerts are made of; each but `fields` may be missing."""

    fields: Sequence[Guess]
    identity: Identity
    trouble: Trouble | None
    number: Guess | None
    dimension: Guess | None
    dimension_why: str
    entity: Guess | None
    start: tuple[Guess, Guess] | None
    taken: set[str] = field(default_factory=set)

    def named(self, name: str) -> Guess:
        """The field of that name."""
        return next(guess for guess in self.fields if guess.name == name)


def subject_of(fields: Sequence[Guess], identity: Identity) -> Subject:
    """What the fields suggest the events are about."""
    taken = {guess.name for guess in fields}
    alone = identity.primary_key if len(identity.primary_key) == 1 else ()
    open_fields = [g for g in fields if g.name not in (*alone, identity.event_time) and not g.is_protected]
    trouble = _trouble(open_fields, taken)
    told = trouble.source if trouble is not None else ""  # a table by what went wrong cannot say how much of each did
    dimension = _best([g for g in open_fields if g.name != told], _dimension_score)
    number = _best(open_fields, lambda g: -1.0 if g is dimension else _number_score(g))
    why = ""
    if dimension is not None:
        why = f"{many(dimension.distinct, 'value')} that split the events into parts of some size"
    entity = _best(fields, lambda g: -1.0 if g is dimension or identity.primary_key == (g.name,) else _entity_score(g))
    return Subject(fields, identity, trouble, number, dimension, why, entity, _span(open_fields, fields, identity), taken)


def _best(guesses: Sequence[Guess], score: object) -> Guess | None:
    assert callable(score)
    scored = [(float(score(guess)), -place, guess) for place, guess in enumerate(guesses)]
    best = max(scored, key=lambda each: each[:2], default=None)
    return best[2] if best and best[0] > 0 else None


def _trouble(fields: Sequence[Guess], taken: set[str]) -> Trouble | None:
    for guess in fields:
        if is_http_status(guess):
            rows = [isinstance(value, int) and value >= 400 for value in guess.values]
            name = free_name("is_error", taken)
            return Trouble(guess.name, name, f"{column(guess.name)} >= 400", rows, "from 400 on HTTP says that it failed")
    for guess in fields:
        if guess.type == "boolean" and guess.words & _WRONG | guess.words & {"fraud", "anomaly", "alarm"}:
            rows = [value is True for value in guess.values]
            return Trouble(guess.name, guess.name, None, rows, "named like something that goes wrong")
    for guess in fields:
        if guess.type != "string" or guess.distinct > 30 or guess.words & _NAMES or guess.present < 4 or guess.mentions_people:
            continue
        bad = [str(value) for value in guess.counts if len(str(value)) <= 24 and _WRONG & set(_PARTS.split(str(value).lower()))]
        if bad and sum(guess.counts[text] for text in bad) < 0.5 * guess.present:
            texts = ", ".join("'" + text.replace("'", "''") + "'" for text in sorted(bad))
            expression = f"{column(guess.name)} = {texts}" if len(bad) == 1 else f"{column(guess.name)} in ({texts})"
            rows = [value in bad for value in guess.values]
            name = free_name("is_error", taken)
            return Trouble(guess.name, name, expression, rows, "these values read like something that went wrong")
    return None


def _dimension_score(guess: Guess) -> float:
    if (
        guess.type not in ("string", "boolean", "integer")
        or not 2 <= guess.distinct <= 100
        or guess.present < 0.9 * len(guess.values)
    ):
        return -1.0
    if guess.mentions_people or guess.distinct > 0.75 * guess.present or (guess.type == "integer" and guess.distinct > 20):
        return -1.0
    if max(len(str(value)) for value in guess.counts) > 60:
        return -1.0
    entropy = -sum(n / guess.present * math.log2(n / guess.present) for n in guess.counts.values())
    score = min(entropy, 4.0) + (2.5 if guess.words & _DIMENSIONS else 0.0)
    score -= 1.5 if guess.type != "string" else 0.0
    score -= 1.0 if guess.is_numeric and not guess.words & _DIMENSIONS else 0.0
    return score


def _number_score(guess: Guess) -> float:
    if not guess.is_numeric or guess.distinct < 3 or is_http_status(guess) or guess.words & _NOT_NUMBERS:
        return -1.0
    score = math.log10(guess.distinct + 1) + (3.0 if guess.words & _NUMBERS else 0.0)
    score += (4.0 if guess.type == "decimal" else 1.0 if guess.type == "number" else 0.0) + (1.0 if guess.unit else 0.0)
    return score * guess.present / max(1, len(guess.values))


def _entity_score(guess: Guess) -> float:
    if guess.type not in ("string", "integer") or guess.classification == "secret" or guess.distinct < 2:
        return -1.0
    if guess.distinct > 0.95 * guess.present and guess.present > 20:
        return -1.0
    score = 2.0 if guess.words & {"user", "customer", "client", "device", "session", "account", "visitor", "host"} else 0.0
    score += 1.0 if guess.words & {"id", "addr", "ip"} else 0.0
    return score + (1.5 if guess.classification == "pii" else 0.0)


def _span(open_fields: Sequence[Guess], fields: Sequence[Guess], identity: Identity) -> tuple[Guess, Guess] | None:
    """Two times of which one never comes before the other."""
    times = [g for g in fields if g.type == "timestamp" and g.present >= 20]
    for first in times:
        for second in times:
            if first is second or first.values == second.values:
                continue
            pairs = [(a, b) for a, b in zip(first.values, second.values, strict=True) if a is not None and b is not None]
            if len(pairs) >= 20 and all(_not_after(a, b) for a, b in pairs) and any(a != b for a, b in pairs):
                return first, second
    return None


def _not_after(a: Value, b: Value) -> bool:
    return a <= b  # type: ignore[operator]
