"""Binding: the compiled plan of a stream run on empty tables, so that the engine's binder has the last word on its types."""

from __future__ import annotations

from strandline.engines.duckdb import DuckEngine
from strandline.errors import StrandlineError, UsageError
from strandline.plan import schemas
from strandline.plan.aggregate import aggregate
from strandline.plan.judge import BUDGET_COLUMNS, budget_expression, deduplicate, judge
from strandline.spec.model import Stream


def bind(stream: Stream, engine: DuckEngine | None = None) -> None:
    """Returns when the engine takes judge, deduplication, budgets and every gold and analytics table of the stream.

    Raises `UsageError` with the part and the engine's words otherwise. Reads and writes no lake.
    """
    engine = engine or DuckEngine("256MB", 1)
    dialect = engine.dialect
    with engine.session() as session:
        session.register("lines", schemas.realtime(stream).empty_table())
        parts = {"the fields and rules": judge(stream, dialect).sql}
        for name, schema, served in (("silver", schemas.silver(stream), False), ("unified", schemas.unified(stream), True)):
            session.register(f"{name}_rows", schema.empty_table())
            parts[f"the deduplication of {name}"] = deduplicate(stream, dialect, f"{name}_rows AS r", schema.names)
            layer = "analytics" if served else "gold"
            for table in stream.gold:
                parts[f"{layer}.{table.name}"] = aggregate(stream, table, dialect, f"{name}_rows", served=served)
        values = ", ".join(
            f"CAST(0 AS {dialect.type_name(type_)}) AS {dialect.quote(name)}" for name, type_ in BUDGET_COLUMNS.items()
        )
        for budget in stream.budgets:
            parts[f"the budget {budget.name}"] = (
                f"SELECT {budget_expression(dialect, budget.expect)} FROM (SELECT {values}) AS v"
            )
        for part, sql in parts.items():
            try:
                session.table(sql)
            except StrandlineError as error:
                raise UsageError(f"{stream.path}: {part} does not bind: {error}") from error
