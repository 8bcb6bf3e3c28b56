"""How the values of a field could be simulated: the description of `generate` that fits the sample best."""

from __future__ import annotations

import math
import re
from bisect import bisect_right
from collections.abc import Callable, Sequence
from typing import Any

from strandline.scaffold.guess import ADDRESS, Guess
from strandline.scaffold.identity import is_uuid
from strandline.scaffold.limits import whole

_MOST_CHOICES = 12
_TINY = 1e-9
_P99 = 2.3263478740408398
_PREFIX = re.compile(r"(.*?)([0-9]+)")
_LOOKED_AT = 1000
Description = Any


def describe(guess: Guess, *, event_time: bool, key: bool) -> Description:
    """What the field's `generate` says; reasons worth reading are added to the field's."""
    made = _description(guess, event_time=event_time, key=key)
    rate = guess.nulls / max(1, len(guess.values))
    if rate >= 0.001 and not guess.required and guess.present and isinstance(made, dict):
        return {**made, "null_rate": round(rate, 3)}
    return made


def _description(guess: Guess, *, event_time: bool, key: bool) -> Description:
    if event_time or (guess.type == "timestamp"):
        return "event_time"
    if not guess.present:
        return None
    if guess.type == "boolean":
        return {"boolean": round(guess.counts[True] / guess.present, 4)}
    if guess.type == "json":
        return {"value": "{}"}
    if guess.is_protected:
        return _nobody(guess)
    if guess.type == "date":
        return _choice(guess, [str(value) for value, _ in guess.counts.most_common(_MOST_CHOICES)])
    if guess.is_numeric:
        return _whole_key(guess) if key else _numeric(guess)
    return _text(guess, key=key)


def _nobody(guess: Guess) -> Description:
    """Values that stand for persons without being any person's."""
    if guess.personal == "a network address":
        return "ipv4"
    return {"entity": {"prefix": "somebody-", "count": max(2, guess.distinct)}}


def _whole_key(guess: Guess) -> Description:
    if guess.type == "integer":
        return {"integer": {"min": 1, "max": 2**53 - 1}}
    return {"uniform": {"min": 0, "max": 1e9}}


def _text(guess: Guess, *, key: bool) -> Description:
    texts = [str(value) for value in guess.counts]
    if all(map(is_uuid, texts)):
        return "uuid"
    if guess.choices is None and not key and guess.words & {"agent"} and guess.distinct > _MOST_CHOICES:
        return "user_agent"
    unique = guess.distinct >= 0.9 * guess.present and guess.present > _MOST_CHOICES
    if key and unique:
        return "uuid"
    pool = _pool(guess, texts)
    if pool is not None:
        return pool
    if unique and guess.pattern is None:
        return {"entity": {"prefix": f"{guess.name.replace('_', '-')}-", "count": min(1_000_000, 10 * guess.distinct)}}
    top = guess.counts.most_common(_MOST_CHOICES)
    if sum(count for _, count in top) < 0.1 * guess.present:
        top = top[:4]
    shown = [str(value) for value, _ in top if guess.choices or (len(str(value)) <= 120 and not ADDRESS.search(str(value)))]
    return _choice(guess, shown or [f"some {guess.name.replace('_', ' ')}"])


def _pool(guess: Guess, texts: Sequence[str]) -> Description | None:
    """A pool of names that differ by a number only, with as many members as there may be."""
    found = [_PREFIX.fullmatch(text) for text in texts]
    if guess.distinct <= _MOST_CHOICES or any(match is None for match in found):
        return None
    prefixes = {match[1] for match in found if match}
    digits = {len(match[2]) for match in found if match}
    if len(prefixes) != 1:
        return None
    skew = _skew(guess)
    pool: dict[str, Any] = {"prefix": prefixes.pop(), "count": min(1_000_000, guess.distinct)}
    if len(digits) == 1:
        pool["digits"] = max(digits.pop(), len(str(pool["count"])))
    return {"entity": {**pool, "skew": skew} if skew else pool}


def _skew(guess: Guess) -> float:
    """The exponent of Zipf's law between the most frequent member and the one in the middle."""
    counts = [count for _, count in guess.counts.most_common()]
    middle = len(counts) // 2
    return round(min(2.0, max(0.0, math.log(counts[0] / counts[middle]) / math.log(middle + 1))), 1)


def _choice(guess: Guess, values: list[Any]) -> Description:
    if len(values) == 1:
        return {"value": values[0]}
    keyed = {str(value): count for value, count in guess.counts.items()}
    counts = [keyed.get(str(value), 1) for value in values]
    left = 1 - sum(counts) / max(1, guess.present)
    if left > 0.005:
        guess.why.append(f"simulated by the {len(values)} most frequent values, {1 - left:.0%} of the rows")
    return {"choice": values, "weights": weights(counts)}


def weights(counts: Sequence[int]) -> list[int]:
    """The counts as small whole numbers in nearly the same proportion."""
    scale = 1000 / max(counts)
    return list(counts) if scale >= 1 else [max(1, round(count * scale)) for count in counts]


def _numeric(guess: Guess) -> Description:
    if guess.distinct <= _MOST_CHOICES and guess.present >= 2 * guess.distinct:
        return _choice(guess, [whole(float(str(value))) for value, _ in guess.counts.most_common()])
    name, made, distance = best_fit(guess.numbers)
    quality = "well" if distance < 0.05 else "fairly" if distance < 0.12 else "roughly"
    guess.why.append(f"{name} fits {quality} (off by {distance:.0%} at most)")
    places = _places(guess)
    return {**made, "round": places} if guess.type == "number" and places is not None else made


def _places(guess: Guess) -> int | None:
    """Digits after the point, where the values keep to few of them."""
    longest = max((len(text.partition(".")[2]) for text in guess.texts if text and "e" not in text.lower()), default=0)
    return longest if longest <= 3 else None


def best_fit(numbers: Sequence[float]) -> tuple[str, dict[str, Any], float]:
    """The kind, its description and its distance from the sorted numbers: the greatest difference of the two distribution
    functions (Kolmogorov and Smirnov's), least for the kind that is returned."""
    fits = [_uniform(numbers), _normal(numbers)]
    if numbers[0] >= 0 and numbers[len(numbers) // 2] > _TINY:
        fits += [_lognormal(numbers), _exponential(numbers)]
    measured = [(name, made, _distance(numbers, function)) for name, made, function in fits]
    return min(measured, key=lambda fit: fit[2])


Fit = tuple[str, dict[str, Any], Callable[[float], float]]


def _uniform(numbers: Sequence[float]) -> Fit:
    low, high = numbers[0], numbers[-1]
    made = {"uniform": {"min": figure(low), "max": figure(high)}}
    return "a uniform distribution", made, lambda x: (x - low) / (high - low) if high > low else float(x >= low)


def _normal(numbers: Sequence[float]) -> Fit:
    mean = math.fsum(numbers) / len(numbers)
    std = math.sqrt(math.fsum((x - mean) ** 2 for x in numbers) / len(numbers))
    made = {"normal": {"mean": figure(mean), "std": figure(std)}}
    return "a normal distribution", made, lambda x: _bell((x - mean) / std) if std else float(x >= mean)


def _lognormal(numbers: Sequence[float]) -> Fit:
    median = numbers[len(numbers) // 2]
    top = max(numbers[int(0.99 * (len(numbers) - 1))], median * 1.0001)
    sigma = math.log(top / median) / _P99
    made = {"lognormal": {"median": figure(median), "p99": figure(top)}}
    return "a lognormal distribution", made, lambda x: _bell((math.log(x) - math.log(median)) / sigma) if x > 0 else 0.0


def _exponential(numbers: Sequence[float]) -> Fit:
    mean = math.fsum(numbers) / len(numbers)
    return "an exponential distribution", {"exponential": {"mean": figure(mean)}}, lambda x: 1 - math.exp(-x / mean)


def _bell(z: float) -> float:
    return 0.5 * (1 + math.erf(z / math.sqrt(2)))


def _distance(numbers: Sequence[float], function: Callable[[float], float]) -> float:
    size = len(numbers)
    worst = 0.0
    for index in range(0, size, max(1, size // _LOOKED_AT)):
        x = numbers[index]
        below, upto = index / size, bisect_right(numbers, x) / size
        expected = function(x)
        # A value that many rows have is one step of the sample; the middle of the step is what a smooth curve can meet.
        worst = max(worst, abs(expected - (below + upto) / 2) - (upto - below) / 2, 0.5 / size)
    return worst


def figure(value: float) -> int | float:
    """The number with four digits."""
    return whole(float(f"{value:.4g}"))
