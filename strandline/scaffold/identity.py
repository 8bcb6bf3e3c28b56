"""Which field says when an event happened, which fields tell events apart, and which says what is newer."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations

from strandline.errors import UsageError
from strandline.scaffold.guess import Guess, many

_MOMENTS = ("event_time", "event_ts", "event_timestamp", "event_at", "occurred_at", "happened_at")
_TIMES = ("timestamp", "time", "ts", "datetime", "date_time", "at")
_LATER = frozenset(
    [
        "updated",
        "modified",
        "changed",
        "processed",
        "ingested",
        "received",
        "loaded",
        "inserted",
        "deleted",
        "expires",
        "expiry",
        "due",
        "birth",
        "valid",
    ]
)
_NEWER = (
    "sequence",
    "seq",
    "sequence_number",
    "revision",
    "updated_at",
    "modified_at",
    "last_modified",
    "updated",
    "changed_at",
)
_ID = frozenset(["id", "uuid", "guid", "key", "ulid"])
_UUID = re.compile(r"[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}")
_UNIQUE, _THERE = 0.995, 0.95
_EPOCH = (1e9, 1e10), (1e12, 1e13)


@dataclass(frozen=True, slots=True)
class Identity:
    """The names of the key, the event time and what orders versions, each with the reason."""

    primary_key: tuple[str, ...]
    key_why: str
    event_time: str
    time_why: str
    sequence_by: tuple[str, ...]
    sequence_why: str


def is_uuid(text: str) -> bool:
    """Whether the text is a UUID in its usual form."""
    return _UUID.fullmatch(text) is not None


def event_time_of(guesses: Sequence[Guess]) -> tuple[Guess, str]:
    """The field that most likely says when the event happened, and why. Raises UsageError when no field reads as a time."""
    times = [guess for guess in guesses if guess.type in ("timestamp", "date") and guess.present >= 0.9 * len(guess.values)]
    if not times:
        raise UsageError(
            f"no field says when the event happened: a stream needs a time in ISO 8601 in every event. {_epochs(guesses)}"
        )
    best = max(times, key=_time_score)
    why = f"{best.type} in {_share(best.present, len(best.values))} of the rows"
    others = [guess.name for guess in times if guess is not best]
    if others:
        why += f"; {', '.join(others[:3])} would do too"
    return best, why


def _epochs(guesses: Sequence[Guess]) -> str:
    for guess in guesses:
        if (
            guess.is_numeric
            and guess.numbers
            and any(low <= guess.numbers[0] <= guess.numbers[-1] < high for low, high in _EPOCH)
        ):
            return f"{guess.key} looks like seconds or milliseconds since 1970: write it as 2026-11-26T05:00:00Z in the source."
    return "2026-11-26T05:00:00Z, with a space for the T, with an offset or with the date alone are read; 26/11/2026 is not."


def _time_score(guess: Guess) -> float:
    score = 20.0 if guess.type == "timestamp" else 0.0
    score += 10 * guess.present / max(1, len(guess.values)) + min(1.0, guess.distinct / max(1, guess.present))
    if guess.name in _MOMENTS:
        score += 12
    elif guess.name in _TIMES:
        score += 8
    elif guess.name.endswith(("_at", "_time", "_ts")):
        score += 5
    if guess.words & _LATER:
        score -= 9
    if guess.name.startswith("created"):
        score -= 1
    return score


def key_of(guesses: Sequence[Guess], event_time: Guess) -> tuple[tuple[str, ...], str]:
    """The fields whose values tell the rows apart, and why: one field, else two or three, else the best there is."""
    rows = len(event_time.values)
    usable = [
        g for g in guesses if g.type in ("string", "integer", "timestamp", "date", "decimal") and g.classification != "secret"
    ]
    full = [g for g in usable if g.present >= _THERE * rows and g is not event_time]
    single = [g for g in full if g.distinct >= _UNIQUE * g.present and _key_score(g) > 0]
    if single:
        best = max(single, key=_key_score)
        return (best.name,), _why_key(best, [g.name for g in single if g is not best])
    parts = sorted(full, key=_part_score, reverse=True)[:8]
    for size in (1, 2):
        for chosen in combinations(parts, size):
            names = (*chosen, event_time)
            found = len(set(zip(*(g.values for g in names), strict=True)))
            if found >= _UNIQUE * rows:
                told = "" if found == rows else f"; {many(rows - found, 'row')} share it with another and would count once"
                return tuple(g.name for g in names), f"no field alone is unique, these together are{told}"
    names = (*parts[:2], event_time)
    found = len(set(zip(*(g.values for g in names), strict=True)))
    return tuple(g.name for g in names), f"MEND THIS: {many(rows - found, 'row')} share it with another and would count once"


def _why_key(best: Guess, others: list[str]) -> str:
    repeats = best.present - best.distinct
    why = "differs in every row" if not repeats else f"repeats in only {many(repeats, 'row')}"
    why += f"; {', '.join(others[:3])} would do too" if others else ""
    return why


def _key_score(guess: Guess) -> float:
    """How much a unique field looks like a key; not above 0 for what is unique by chance: long texts, times, amounts."""
    if guess.type in ("timestamp", "date", "decimal"):
        return 0.0
    texts = [str(value) for value in list(guess.counts)[:200]]
    longest = max(map(len, texts))
    score = 1.0 if longest <= 64 and not any(" " in text for text in texts) else 0.0
    if guess.name in ("id", "event_id", "uuid", "event_uuid", "message_id"):
        score += 6
    elif guess.words & _ID:
        score += 4
    if all(map(is_uuid, texts)):
        score += 3
    if guess.is_protected:
        score -= 3
    if guess.type == "integer" and not guess.words & _ID and guess.present < 1000:
        score -= 0.9
    return score


def _part_score(guess: Guess) -> float:
    score = 3.0 if guess.words & _ID else 0.0
    score += 2.0 if guess.type in ("string", "integer") else 0.0
    score += 1.0 if 1 < guess.distinct < 0.5 * max(1, guess.present) else 0.0
    return score - (2.0 if guess.type == "timestamp" else 0.0)


def sequence_of(guesses: Iterable[Guess], key: tuple[str, ...], event_time: str) -> tuple[tuple[str, ...], str]:
    """The field that grows from one version of an event to the next, if one is named so."""
    by_name = {g.name: g for g in guesses if g.type in ("timestamp", "integer", "date") and g.name not in key}
    for name in _NEWER:
        if name in by_name and by_name[name].present >= 0.9 * len(by_name[name].values) and name != event_time:
            return (name,), "of two versions of an event the later one wins"
    return (event_time,), "of two versions of an event the later one wins; no field is named like a version"


def _share(part: int, whole: int) -> str:
    return "all" if part == whole else f"{part:,} of {whole:,}"
