"""Figures that are easy to compute with by hand: all zero but those that a test gives."""

from __future__ import annotations

from collections.abc import Mapping

from strandline.sizing.figures import NEEDED, PRICES, REQUESTS, STEPS, Figure, Figures, Source

SOURCE = Source("test", "made up", "none", "2026-01-01")
GIVEN = {
    "bytes.event": 100.0,
    "bytes.request": 8e6,
    "cores.usable": 0.5,
    "cores.task": 2.0,
    "memory.task.fixed": 0.5,
    "memory.airflow": 1.0,
    "airflow.parse.every": 30.0,
    "airflow.import_timeout": 30.0,
    "airflow.parse_timeout": 50.0,
    "airflow.loop.limit": 5.0,
    "airflow.dag_tasks_at_once": 16.0,
    "airflow.start.scheduler": 1e-12,
    "spark.cpu_factor": 1.0,
    "spark.doubling": 2.0,
    "spark.executor.cores": 4.0,
    "spark.executor.memory": 16.0,
    "s3.put_a_second": 3500.0,
    "s3.get_a_second": 5500.0,
}
"""What may not be zero."""


def flat(
    values: Mapping[str, float] | None = None,
    requests: Mapping[str, Mapping[str, float]] | None = None,
    prices: Mapping[str, float] | None = None,
) -> Figures:
    """The figures; `values` by name, `requests` by step and kind, `prices` by kind."""
    told = {**dict.fromkeys(NEEDED, 0.0), **GIVEN, **(values or {})}
    asked = {step: {**dict.fromkeys(REQUESTS, 0.0), **(requests or {}).get(step, {})} for step in STEPS}
    cost = {**dict.fromkeys(PRICES, 0.0), **(prices or {})}
    return Figures({name: Figure(value, "", SOURCE) for name, value in told.items()}, asked, SOURCE, cost, SOURCE)
