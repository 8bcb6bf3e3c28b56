"""The operator that aggregates."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from operators.step import StreamOperator

if TYPE_CHECKING:
    from airflow.sdk import Context

    from strandline.runtime import Runtime
    from strandline.spec.model import Stream


class GoldOperator(StreamOperator):
    """Restates the windows of every gold table that new silver rows touch."""

    def step(self, runtime: Runtime, stream: Stream, context: Context) -> dict[str, Any]:
        from strandline.stages.gold import gold

        return gold(runtime, stream)
