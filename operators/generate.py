"""The operator that stages a micro-batch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from operators.intervals import landing_interval
from operators.step import StreamOperator

if TYPE_CHECKING:
    from airflow.sdk import Context

    from strandline.runtime import Runtime
    from strandline.spec.model import Stream


class GenerateOperator(StreamOperator):
    """Stages the lines of the run's landing interval, and of every one missed before it, byte for byte; returns their keys."""

    def step(self, runtime: Runtime, stream: Stream, context: Context) -> dict[str, Any]:
        from strandline.stages.generate import generate

        return {"staged": generate(runtime, stream, landing_interval(context, stream))}
