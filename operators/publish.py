"""The operator that publishes dashboards and alerts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from operators.notify import Notify
from operators.step import StreamOperator

if TYPE_CHECKING:
    from airflow.sdk import Context

    from strandline.runtime import Runtime
    from strandline.spec.model import Stream


class PublishOperator(StreamOperator):
    """Evaluates alerts (each episode notified once) and writes the dashboards of the versions that merge published."""

    def step(self, runtime: Runtime, stream: Stream, context: Context) -> dict[str, Any]:
        from strandline.publish.publish import publish

        return publish(runtime, stream, Notify(context, self.log))
