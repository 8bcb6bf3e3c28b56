"""The operator that cleans and judges."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from operators.step import StreamOperator

if TYPE_CHECKING:
    from airflow.sdk import Context

    from strandline.runtime import Runtime
    from strandline.spec.model import Stream


class SilverOperator(StreamOperator):
    """Types, judges and deduplicates what bronze has and silver has not; the refused go to quarantine, sums to the ledger."""

    def step(self, runtime: Runtime, stream: Stream, context: Context) -> dict[str, Any]:
        from strandline.stages.silver import silver

        return silver(runtime, stream)
