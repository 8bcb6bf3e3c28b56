"""The kinds of `generate` that combine: conditions, arithmetic, attributes of entities, curves over time, texts."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import numpy as np

from strandline.errors import UsageError
from strandline.sources.generator.columns import (
    POSITION,
    STEP,
    Array,
    Column,
    Rows,
    as_objects,
    as_text,
    is_null,
    scatter,
    text_codes,
)
from strandline.sources.generator.conditions import holds
from strandline.sources.generator.samplers import Sampler, kind, sampler
from strandline.sources.generator.seeds import milliseconds, random_for

_DAY = 86_400_000
_PLACE = re.compile(r"\{([a-z][a-z0-9_]*)\}")


@kind("attribute")
def _attribute(spec: Mapping[str, Any], seed: str) -> Sampler:
    """A value that stays with an entity: one draw for each member of the pool that the field `of` draws from."""
    of, inner = spec["attribute"]["of"], sampler(spec["attribute"]["is"], f"{seed}/is")
    tables: dict[int, Column] = {}

    def table(pool: int, lasting: bool, rows: Rows) -> Column:
        if not lasting:
            return inner(Rows(pool, rows.random, np.zeros(pool, dtype=np.int64), {}))
        if pool not in tables:
            tables[pool] = inner(Rows(pool, random_for(seed), np.zeros(pool, dtype=np.int64), {}))
        return tables[pool]

    def sample(rows: Rows) -> Column:
        owner = rows.column(of)
        if owner.codes is None:
            raise UsageError(
                f"`attribute` hangs on an entity, a choice, a session or an attribute of one; {of} is none of them"
            )
        drawn = table(owner.pool, owner.lasting, rows).take(owner.codes)
        if drawn.codes is None:  # an attribute may carry attributes itself
            drawn = Column(drawn.values, owner.codes, owner.pool, owner.lasting)
        return drawn.without(is_null(owner.values))

    return sample


@kind("carried")
def _carried(spec: Mapping[str, Any], seed: str) -> Sampler:
    """A value drawn anew at the steps `new_on` of a session and kept until the next of them."""
    inner = sampler(spec["carried"]["is"], f"{seed}/is")
    steps = dict.fromkeys(spec["carried"]["new_on"], 1)

    def sample(rows: Rows) -> Column:
        fresh = (text_codes(rows.column(STEP), steps, 0) == 1) | (rows.column(POSITION).values == 1)
        if rows.n:
            fresh[0] = True
        return inner(rows.take(np.flatnonzero(fresh))).take(np.cumsum(fresh) - 1)

    return sample


@kind("by")
def _by(spec: Mapping[str, Any], seed: str) -> Sampler:
    """One description for each value of another field."""
    by, branches = spec["by"], list(spec["map"].items())
    numbers = {as_text(key) or "": i for i, (key, _) in enumerate(branches)}
    samplers = [sampler(inner, f"{seed}/{as_text(key)}") for key, inner in branches]
    samplers.append(sampler(spec.get("default"), f"{seed}/default"))

    def sample(rows: Rows) -> Column:
        chosen = text_codes(rows.column(by), numbers, len(branches))
        parts = [(index, samplers[i](rows.take(index)).values) for i, index in _groups(chosen, len(samplers))]
        return Column(scatter(rows.n, parts))

    return sample


@kind("when")
def _when(spec: Mapping[str, Any], seed: str) -> Sampler:
    """`then` where the condition holds, `otherwise` elsewhere."""
    condition = spec["when"]
    samplers = [sampler(spec.get("otherwise"), f"{seed}/otherwise"), sampler(spec["then"], f"{seed}/then")]

    def sample(rows: Rows) -> Column:
        chosen = holds(condition, rows).astype(np.int64)
        parts = [(index, samplers[i](rows.take(index)).values) for i, index in _groups(chosen, 2)]
        return Column(scatter(rows.n, parts))

    return sample


def _groups(chosen: Array, count: int) -> list[tuple[int, Array]]:
    groups = [(i, np.flatnonzero(chosen == i)) for i in range(count)]
    return [(i, index) for i, index in groups if len(index)]


def _operands(terms: list[Any], seed: str) -> list[Sampler]:
    return [_field(term) if isinstance(term, str) else sampler(term, f"{seed}/{i}") for i, term in enumerate(terms)]


def _field(name: str) -> Sampler:
    return lambda rows: rows.column(name)


@kind("sum")
def _sum(spec: Mapping[str, Any], seed: str) -> Sampler:
    terms = _operands(list(spec["sum"]), seed)

    def sample(rows: Rows) -> Column:
        total = np.zeros(rows.n)
        for term in terms:
            total = total + term(rows).values.astype(np.float64)
        return Column(total)

    return sample


@kind("product")
def _product(spec: Mapping[str, Any], seed: str) -> Sampler:
    factors = _operands(list(spec["product"]), seed)

    def sample(rows: Rows) -> Column:
        result = np.ones(rows.n)
        for factor in factors:
            result = result * factor(rows).values.astype(np.float64)
        return Column(result)

    return sample


@kind("daily")
def _daily(spec: Mapping[str, Any], seed: str) -> Sampler:
    """A sinusoid over the UTC day, at its highest at `peak`."""
    options = spec["daily"]
    mean, amplitude, noise = float(options["mean"]), float(options["amplitude"]), float(options.get("noise", 0))
    peak = milliseconds(options.get("peak", "15h"))

    def sample(rows: Rows) -> Column:
        curve = mean + amplitude * np.cos((rows.time - peak) * (2 * np.pi / _DAY))
        return Column(curve + rows.random.normal(0, noise, rows.n) if noise else curve)

    return sample


@kind("sawtooth")
def _sawtooth(spec: Mapping[str, Any], seed: str) -> Sampler:
    """A run-down from `high` to `low` and back at once, each entity in its own phase and at its own pace (up to `spread`
    off)."""
    options = spec["sawtooth"]
    of, period, spread = options["of"], milliseconds(options["period"]), float(options.get("spread", 0))
    high, low = float(options["high"]), float(options["low"])

    def sample(rows: Rows) -> Column:
        owner = rows.column(of)
        if owner.codes is None:
            raise UsageError(f"`sawtooth` runs down per entity; {of} is none")
        random = random_for(seed)
        phases = random.random(owner.pool)
        periods = period * (1 + spread * random.uniform(-1, 1, owner.pool))
        passed = (rows.time / periods[owner.codes] + phases[owner.codes]) % 1
        return Column(high - (high - low) * passed)

    return sample


@kind("template")
def _template(spec: Mapping[str, Any], seed: str) -> Sampler:
    """Text with the values of earlier fields in it: `{user_name}@example.com`; NULL when one of them is."""
    pattern: str = spec["template"]
    names = _PLACE.findall(pattern)
    fixed = _PLACE.sub("%s", pattern.replace("%", "%%"))

    def sample(rows: Rows) -> Column:
        columns = [as_objects(rows.column(name).values).tolist() for name in names]
        made = [None if None in row else fixed % row for row in zip(*columns, strict=True)] if names else [fixed % ()] * rows.n
        values = np.empty(rows.n, dtype=object)
        values[:] = made
        return Column(values)

    return sample
