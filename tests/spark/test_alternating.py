"""The laws over random histories in which every stage is computed by DuckDB or by Spark, as it is drawn, on the same tables.

As many as `STRANDLINE_HISTORIES` says, of `STRANDLINE_STEPS` steps; `STRANDLINE_SEED` chooses others.
"""

from __future__ import annotations

import os
import random
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from strandline.spec.model import Engine, Stream
from tests.laws.histories import try_histories
from tests.laws.world import World
from tests.spark import counts

if TYPE_CHECKING:
    from strandline.local.spark import SparkCluster

HISTORIES = int(os.environ.get("STRANDLINE_HISTORIES", "2"))
STEPS = int(os.environ.get("STRANDLINE_STEPS", "12"))
SEED = int(os.environ.get("STRANDLINE_SEED", "20260301"))
_ENGINES = (Engine("duckdb"), Engine("spark", "test_cluster"))


def test_the_laws_hold_when_engines_alternate_on_one_table(
    spark_cluster: SparkCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn, used, ended = random.Random(SEED), Counter[str](), list[int]()
    declared: dict[int, Stream] = {}
    monkeypatch.setenv("SPARK_REMOTE", spark_cluster.address)

    def stream(world: World) -> Stream:
        engine = drawn.choice(_ENGINES)
        used[engine.type] += 1
        return replace(declared[id(world)], engine=engine)

    def declare(world: World, given: Stream) -> None:
        declared[id(world)] = given

    monkeypatch.setattr(World, "stream", property(stream, declare), raising=False)
    try_histories(SEED, HISTORIES, STEPS, ended.append)
    counts.STEPS |= {"histories": len(ended), "steps": sum(ended)}
    counts.STEPS |= {f"stages on {engine}": number for engine, number in used.items()} | {"laws broken": 0}
    assert set(used) == {"duckdb", "spark"}
    assert len(ended) >= HISTORIES
