"""The operator that lands staged micro-batches."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from operators.intervals import landing_interval
from operators.step import StreamOperator

if TYPE_CHECKING:
    from airflow.sdk import Context

    from strandline.runtime import Runtime
    from strandline.spec.model import Stream


class LandOperator(StreamOperator):
    """Commits every staged interval up to the run's own to the realtime table, in order, each exactly once."""

    def step(self, runtime: Runtime, stream: Stream, context: Context) -> dict[str, Any]:
        from strandline.stages.land import land

        return land(runtime, stream, landing_interval(context, stream))
