"""The operator that lets go."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from operators.step import StreamOperator

if TYPE_CHECKING:
    from airflow.sdk import Context

    from strandline.runtime import Runtime
    from strandline.spec.model import Stream


class MaintainOperator(StreamOperator):
    """Deletes what retention lets go, what was staged and has landed, and files that no version of a table names."""

    def step(self, runtime: Runtime, stream: Stream, context: Context) -> dict[str, Any]:
        from strandline.stages.maintain import maintain

        return maintain(runtime, stream)
