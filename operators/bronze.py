"""The operator that hands landed micro-batches to batch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from operators.intervals import batch_line
from operators.step import StreamOperator

if TYPE_CHECKING:
    from airflow.sdk import Context

    from strandline.runtime import Runtime
    from strandline.spec.model import Stream


class BronzeOperator(StreamOperator):
    """Takes over every landing interval before the line: `until` (ISO 8601, UTC) if given, else the run's own moment."""

    template_fields: Sequence[str] = (*StreamOperator.template_fields, "until")

    def __init__(self, *, until: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.until = until

    def step(self, runtime: Runtime, stream: Stream, context: Context) -> dict[str, Any]:
        from strandline.stages.bronze import bronze

        return bronze(runtime, stream, batch_line(context, stream, self.until))
