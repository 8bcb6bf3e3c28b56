"""The operator that hands landed micro-batches to batch."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from operators.intervals import batch_line
from operators.step import StreamOperator
from strandline.errors import TransientError

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

        line = batch_line(context, stream, self.until)
        wait_for_landing(runtime, stream, line)
        return bronze(runtime, stream, line)


def wait_for_landing(runtime: Runtime, stream: Stream, line: datetime) -> None:
    """Raises `TransientError` while the last intervals before `line` have not landed.

    Ingest and batch start at the same moment when their schedules meet, so the newest interval is usually still on its way.
    """
    from strandline.stages.generate import landings

    landed = landings(runtime, stream).last_end
    if landed is not None and landed < line:
        raise TransientError(f"{stream.name} has landed up to {landed:%Y-%m-%dT%H:%MZ}, not yet up to {line:%Y-%m-%dT%H:%MZ}")
