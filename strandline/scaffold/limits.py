"""What a good value looks like: required, choices, range, pattern, length, unit. Wide where the sample is thin."""

from __future__ import annotations

import math
import re
from collections.abc import Collection

from strandline.scaffold.guess import Guess, many
from strandline.scaffold.identity import is_uuid

_FEW = 12
_ENOUGH, _PLENTY = 200, 1000
"""Rows from which choices are believed; from which ranges and patterns are."""
_UNSEEN = 0.003
_ENTITIES = frozenset(
    [
        "id",
        "device",
        "host",
        "hostname",
        "node",
        "sensor",
        "user",
        "customer",
        "client",
        "account",
        "session",
        "order",
        "product",
        "sku",
        "item",
        "server",
        "machine",
        "vehicle",
        "driver",
        "store",
        "url",
        "path",
        "uri",
        "title",
        "message",
        "text",
        "comment",
        "name",
        "version",
        "agent",
        "referer",
        "referrer",
        "value",
    ]
)
_SIGNED = frozenset(
    [
        "temperature",
        "temp",
        "celsius",
        "c",
        "balance",
        "delta",
        "change",
        "diff",
        "difference",
        "offset",
        "signal",
        "dbm",
        "lat",
        "latitude",
        "lon",
        "lng",
        "longitude",
        "x",
        "y",
        "z",
        "profit",
        "loss",
        "drift",
        "value",
        "reading",
        "measurement",
        "score",
        "level",
        "adjustment",
        "correction",
        "elevation",
        "altitude",
        "net",
        "longitude",
        "angle",
    ]
)
_NATURAL: tuple[tuple[frozenset[str], float, float], ...] = (
    (frozenset(("lat", "latitude")), -90, 90),
    (frozenset(("lon", "lng", "longitude")), -180, 180),
    (frozenset(("pct", "percent", "percentage", "humidity")), 0, 100),
    (frozenset(("hour",)), 0, 23),
)
_UNITS: tuple[tuple[frozenset[str], str], ...] = (
    (frozenset(("ms", "millis", "milliseconds", "msec")), "ms"),
    (frozenset(("seconds", "secs", "sec", "s")), "s"),
    (frozenset(("minutes", "mins")), "min"),
    (frozenset(("bytes",)), "bytes"),
    (frozenset(("kg",)), "kg"),
    (frozenset(("km",)), "km"),
    (frozenset(("kwh",)), "kWh"),
    (frozenset(("celsius", "c")), "°C"),
    (frozenset(("pct", "percent", "percentage")), "%"),
    (frozenset(("eur",)), "EUR"),
    (frozenset(("usd",)), "USD"),
    (frozenset(("hpa",)), "hPa"),
    (frozenset(("dbm",)), "dBm"),
)
_PIECE = re.compile(r"[0-9]+|[A-Z]+|[a-z]+|[^0-9A-Za-z]")


def guess_limits(guess: Guess, *, key: bool) -> None:
    """Fills in what good values look like; what is protected cannot be judged, so it gets nothing but `required`."""
    rows = len(guess.values)
    allowed = 0.002 * rows if rows >= _PLENTY else 0
    unsure = bool(guess.null_values) and not guess.nulls
    guess.required = key or (rows >= 20 and guess.nulls <= allowed and not unsure)
    if guess.protect == "drop":
        guess.required = False
    if guess.required and guess.nulls and not key:
        guess.why.append(f"missing in only {many(guess.nulls, 'row')}")
    if guess.is_protected:
        return
    if guess.is_numeric:
        _unit(guess)
        if not key and "id" not in guess.words:
            _range(guess)
    elif guess.type == "string" and not key:
        if not _choices(guess):
            _code_or_text(guess)
    elif guess.type == "string" and all(is_uuid(str(value)) for value in guess.counts):
        guess.pattern = UUID


UUID = "[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"


def _unit(guess: Guess) -> None:
    for names, unit in _UNITS:
        if names & guess.words or guess.name.split("_")[-1] in names:
            guess.unit = unit
            return


def is_http_status(guess: Guess) -> bool:
    """Whether the field holds status codes of HTTP."""
    return (
        guess.type == "integer"
        and bool(guess.words & {"status", "code"})
        and bool(guess.numbers)
        and guess.quantile(0.01) >= 100
        and guess.quantile(0.99) <= 599
        and 200 in guess.counts
    )


def _range(guess: Guess) -> None:
    if not guess.numbers:
        return
    low, high = guess.numbers[0], guess.numbers[-1]
    if is_http_status(guess):
        guess.minimum, guess.maximum = 100, 599
        guess.why.append("status codes of HTTP")
        return
    for names, least, most in _NATURAL:
        if names & guess.words and least <= low and high <= most:
            guess.minimum, guess.maximum = int(least), int(most)
            return
    if low >= 0 and not guess.words & _SIGNED:
        guess.minimum = 0
    if guess.present < _PLENTY:
        guess.why.append(f"seen {short(low)} to {short(high)}")
        return
    room = (high - low) or abs(high) or 1.0
    if guess.minimum is None:
        guess.minimum = round_out(low - room, up=False)
    guess.maximum = round_out(high + (4 if low >= 0 else 1) * room, up=True)
    guess.why.append(f"seen {short(low)} to {short(high)}, the limits leave room")


def round_out(value: float, *, up: bool) -> int | float:
    """A number with two digits at or beyond the value: 1234 up is 1300."""
    if abs(value) < 1e-100:
        return 0
    step = 10.0 ** (math.floor(math.log10(abs(value))) - 1)
    found = (math.ceil(value / step) if up else math.floor(value / step)) * step
    return whole(float(f"{found:.6g}"))


def whole(value: float) -> int | float:
    """The number, as a whole one where it is whole."""
    return int(value) if float(value).is_integer() and abs(value) < 1e15 else value


def short(value: float) -> str:
    """The number with at most five digits, for people."""
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"


def _choices(guess: Guess) -> bool:
    """Few values that keep coming back are all there are; Good and Turing's estimate says how likely another one is."""
    seen = guess.present
    once = sum(count == 1 for count in guess.counts.values())
    few = 2 <= guess.distinct <= _FEW and seen >= _ENOUGH and once <= _UNSEEN * seen
    if (
        not few
        or guess.words & _ENTITIES
        or guess.mentions_people
        or any(len(str(value)) > 40 or not str(value).strip() for value in guess.counts)
    ):
        return False
    guess.choices = [str(value) for value, _ in guess.counts.most_common()]
    guess.why.append(f"no other value in {many(seen, 'row')}")
    return True


def _code_or_text(guess: Guess) -> None:
    if not _pattern(guess):
        _length(guess)


def _pattern(guess: Guess) -> bool:
    if guess.present < _PLENTY or guess.distinct < 50:
        return False
    texts = [str(value) for value in guess.counts]
    if all(map(is_uuid, texts)):
        guess.pattern = UUID
        return True
    pattern = common_pattern(texts)
    if pattern:
        guess.pattern = pattern
        guess.why.append(f"all {guess.distinct:,} values look like this")
    return bool(pattern)


def common_pattern(texts: Collection[str]) -> str:
    """The pattern of codes that are all built alike, as `ORD-[0-9]{6}`; empty where there is none that says something."""
    pieces = [_PIECE.findall(text) for text in texts]
    if (
        len({len(found) for found in pieces}) != 1
        or not 2 <= len(pieces[0]) <= 8
        or any("".join(p) != t for p, t in zip(pieces, texts, strict=True))
    ):
        return ""
    found, digits = [], False
    for place in zip(*pieces, strict=True):
        kind = {"0" if p.isdigit() else "A" if p.isupper() else "a" if p.islower() else p for p in place}
        if len(set(place)) == 1 and not place[0].isdigit():
            found.append(re.sub(r"([^A-Za-z0-9_:/@ -])", r"\\\1", place[0]))
        elif kind == {"0"} or kind == {"A"}:
            lengths = {len(p) for p in place}
            digits |= kind == {"0"}
            found.append(("[0-9]" if kind == {"0"} else "[A-Z]") + (f"{{{lengths.pop()}}}" if len(lengths) == 1 else "+"))
        else:
            return ""
    return "".join(found) if digits else ""


def _length(guess: Guess) -> None:
    longest = max((len(str(value)) for value in guess.counts), default=0)
    if longest > 20 and guess.present >= _ENOUGH:
        guess.max_length = next(
            size for size in (100, 200, 500, 1000, 2000, 5000, 10_000, 100_000, 10**8) if size >= 3 * longest
        )
