"""The operator that makes the served view."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from operators.step import StreamOperator

if TYPE_CHECKING:
    from airflow.sdk import Context

    from strandline.runtime import Runtime
    from strandline.spec.model import Stream


class MergeOperator(StreamOperator):
    """Brings batch and what landed since together, each number final or provisional, and moves the pointer readers follow."""

    def step(self, runtime: Runtime, stream: Stream, context: Context) -> dict[str, Any]:
        from strandline.stages.merge import merge

        return merge(runtime, stream)
