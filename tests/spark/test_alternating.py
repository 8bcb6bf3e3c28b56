"""The laws over random histories in which every step is computed by DuckDB or by Spark, as it is drawn, on the same tables."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from strandline.spec.model import Engine, Stream
from tests.laws.histories import try_histories
from tests.laws.world import World

if TYPE_CHECKING:
    from strandline.local.spark import SparkCluster

HISTORIES, STEPS = 2, 12
_ENGINES = (Engine("duckdb"), Engine("spark", "test_cluster"))


def test_the_laws_hold_when_engines_alternate_on_one_table(
    spark_cluster: SparkCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn, used = random.Random(20260301), set[str]()
    declared: dict[int, Stream] = {}
    monkeypatch.setenv("SPARK_REMOTE", spark_cluster.address)

    def stream(world: World) -> Stream:
        engine = drawn.choice(_ENGINES)
        used.add(engine.type)
        return replace(declared[id(world)], engine=engine)

    def declare(world: World, given: Stream) -> None:
        declared[id(world)] = given

    monkeypatch.setattr(World, "stream", property(stream, declare), raising=False)
    ended: list[int] = []
    try_histories(20260301, HISTORIES, STEPS, ended.append)
    assert used == {"duckdb", "spark"}
    assert len(ended) >= HISTORIES
