"""What a field's `generate` says, as a function from rows to a column. One builder a kind; the kinds are a closed set.

A description is a name (`uuid`), a constant (a number, true, false, null), or a mapping with one kind and its modifiers
(`{lognormal: {median: 120, p99: 2500}, null_rate: 0.1}`). Kinds nest wherever a description is expected.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np

from strandline.errors import UsageError
from strandline.sources.generator.columns import POSITION, SESSION, STEP, Array, Column, Rows
from strandline.sources.generator.conditions import holds

Sampler = Callable[[Rows], Column]
Builder = Callable[[Mapping[str, Any], str], Sampler]

KINDS: dict[str, Builder] = {}

_P99 = 2.3263478740408408  # the 0.99 quantile of the standard normal distribution

_BROWSERS = (
    ("Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36", 30),
    (
        "Mozilla/5.0 (Linux; Android 15; Pixel 9) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Mobile Safari/537.36",
        22,
    ),
    ("Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) AppleWebKit/605.1.15 Version/18.6 Mobile/15E148 Safari/604.1", 20),
    (
        "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.6 Safari/605.1.15",
        9,
    ),
    ("Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0", 6),
    ("python-requests/2.32.5", 6),
    ("okhttp/5.1.0", 4),
    ("curl/8.16.0", 2),
    ("Googlebot/2.1 (+http://www.google.com/bot.html)", 1),
)


def kind(name: str) -> Callable[[Builder], Builder]:
    """Registers the builder of the kind `name`."""

    def register(builder: Builder) -> Builder:
        KINDS[name] = builder
        return builder

    return register


def sampler(description: Any, seed: str) -> Sampler:
    """The sampler of `description`; `seed` names where it stands, for pools that last. Raises UsageError for an unknown
    kind."""
    if description is None or isinstance(description, (bool, int, float)):
        return _constant(np.nan if description is None else description)
    if isinstance(description, str):
        description = {description: {}}
    kinds = [name for name in description if name in KINDS]
    if len(kinds) != 1:
        raise UsageError(
            f"`generate` names one kind (saw {', '.join(map(str, description)) or 'none'}, allowed {', '.join(KINDS)})"
        )
    made = KINDS[kinds[0]](description, seed)
    if "at_least" in description or "at_most" in description:
        made = _bounded(made, description.get("at_least"), description.get("at_most"))
    if "null_when" in description:
        made = _with_nulls(made, partial(holds, description["null_when"]))
    if rate := float(description.get("null_rate", 0)):
        made = _with_nulls(made, lambda rows: rows.random.random(rows.n) < rate)
    return made


def _constant(value: Any) -> Sampler:
    return lambda rows: Column(np.full(rows.n, value, dtype=object if isinstance(value, str) else None))


def _bounded(made: Sampler, least: float | None, most: float | None) -> Sampler:
    return lambda rows: Column(np.clip(made(rows).values.astype(np.float64), least, most))


def _with_nulls(made: Sampler, gone: Callable[[Rows], Array]) -> Sampler:
    return lambda rows: made(rows).without(gone(rows))


def pick(weights: Array, n: int, random: np.random.Generator) -> Array:
    """`n` indices drawn in proportion to `weights`."""
    cumulative = np.cumsum(weights) / np.sum(weights)
    drawn: Array = np.minimum(np.searchsorted(cumulative, random.random(n), side="right"), len(weights) - 1)
    return drawn


def _pool(items: list[Any]) -> Array:
    values = np.empty(len(items), dtype=object)
    values[:] = items
    if items and all(isinstance(item, (int, float)) and not isinstance(item, bool) for item in items):
        return np.asarray(items)
    return values


@kind("value")
def _value(spec: Mapping[str, Any], seed: str) -> Sampler:
    return _constant(spec["value"])


@kind("event_time")
def _event_time(spec: Mapping[str, Any], seed: str) -> Sampler:
    return lambda rows: Column(rows.time)


@kind("uuid")
def _uuid(spec: Mapping[str, Any], seed: str) -> Sampler:
    def sample(rows: Rows) -> Column:
        octets = np.empty((rows.n, 16), dtype=np.uint8)
        octets[:, :6] = rows.time.astype(">u8").view(np.uint8).reshape(rows.n, 8)[:, 2:]
        octets[:, 6:] = rows.random.integers(0, 256, (rows.n, 10), dtype=np.uint8)
        octets[:, 6] = octets[:, 6] & 0x0F | 0x70
        octets[:, 8] = octets[:, 8] & 0x3F | 0x80
        text = octets.tobytes().hex()
        spans = [
            (text[i : i + 8], text[i + 8 : i + 12], text[i + 12 : i + 16], text[i + 16 : i + 20], text[i + 20 : i + 32])
            for i in range(0, 32 * rows.n, 32)
        ]
        return Column(_pool(["-".join(span) for span in spans]))

    return sample


@kind("ipv4")
def _ipv4(spec: Mapping[str, Any], seed: str) -> Sampler:
    def sample(rows: Rows) -> Column:
        hosts = (0x64400000 + rows.random.integers(0, 1 << 22, rows.n)).tolist()  # 100.64.0.0/10, never routed in the Internet
        return Column(_pool([f"{h >> 24}.{h >> 16 & 255}.{h >> 8 & 255}.{h & 255}" for h in hosts]))

    return sample


@kind("user_agent")
def _user_agent(spec: Mapping[str, Any], seed: str) -> Sampler:
    return _choice({"choice": [b[0] for b in _BROWSERS], "weights": [b[1] for b in _BROWSERS]}, seed)


@kind("choice")
def _choice(spec: Mapping[str, Any], seed: str) -> Sampler:
    items = list(spec["choice"])
    weights = np.asarray(spec.get("weights", [1] * len(items)), dtype=np.float64)
    if len(weights) != len(items):
        raise UsageError(f"`weights` has one number a choice (saw {len(weights)} for {len(items)})")
    pool = _pool(items)

    def sample(rows: Rows) -> Column:
        codes = pick(weights, rows.n, rows.random)
        return Column(pool[codes], codes, len(pool))

    return sample


@kind("entity")
def _entity(spec: Mapping[str, Any], seed: str) -> Sampler:
    options = spec["entity"]
    count = int(options["count"])
    width = int(options.get("digits", len(str(count))))
    pool = _pool([f"{options.get('prefix', '')}{i:0{width}d}" for i in range(1, count + 1)])
    weights = 1.0 / np.arange(1, count + 1) ** float(options.get("skew", 0))

    def sample(rows: Rows) -> Column:
        codes = pick(weights, rows.n, rows.random)
        return Column(pool[codes], codes, count)

    return sample


@kind("session")
def _session(spec: Mapping[str, Any], seed: str) -> Sampler:
    name = {"id": SESSION, "step": STEP, "position": POSITION}[spec["session"]]
    return lambda rows: rows.column(name)


@kind("boolean")
def _boolean(spec: Mapping[str, Any], seed: str) -> Sampler:
    probability = float(spec["boolean"])
    return lambda rows: Column(rows.random.random(rows.n) < probability)


@kind("integer")
def _integer(spec: Mapping[str, Any], seed: str) -> Sampler:
    low, high = int(spec["integer"]["min"]), int(spec["integer"]["max"])
    return lambda rows: Column(rows.random.integers(low, high + 1, rows.n))


@kind("uniform")
def _uniform(spec: Mapping[str, Any], seed: str) -> Sampler:
    low, high = float(spec["uniform"]["min"]), float(spec["uniform"]["max"])
    return lambda rows: Column(rows.random.uniform(low, high, rows.n))


@kind("normal")
def _normal(spec: Mapping[str, Any], seed: str) -> Sampler:
    mean, std = float(spec["normal"]["mean"]), float(spec["normal"]["std"])
    return lambda rows: Column(rows.random.normal(mean, std, rows.n))


@kind("lognormal")
def _lognormal(spec: Mapping[str, Any], seed: str) -> Sampler:
    median, p99 = float(spec["lognormal"]["median"]), float(spec["lognormal"]["p99"])
    mu, sigma = np.log(median), np.log(p99 / median) / _P99
    return lambda rows: Column(rows.random.lognormal(mu, sigma, rows.n))


@kind("exponential")
def _exponential(spec: Mapping[str, Any], seed: str) -> Sampler:
    mean = float(spec["exponential"]["mean"])
    return lambda rows: Column(rows.random.exponential(mean, rows.n))


@kind("poisson")
def _poisson(spec: Mapping[str, Any], seed: str) -> Sampler:
    mean = float(spec["poisson"]["mean"])
    return lambda rows: Column(rows.random.poisson(mean, rows.n))
