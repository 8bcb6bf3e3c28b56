"""The operator that cleans and judges."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from airflow.sdk.exceptions import AirflowFailException

from operators.step import StreamOperator

if TYPE_CHECKING:
    from airflow.sdk import Context

    from strandline.runtime import Runtime
    from strandline.spec.model import Stream


class SilverOperator(StreamOperator):
    """Types, judges and deduplicates what bronze has and silver has not; the refused go to quarantine, sums to the ledger.

    With `restate` it first judges again: `rebuild` everything that batch has, `replay` what is in quarantine.
    """

    template_fields: Sequence[str] = (*StreamOperator.template_fields, "restate")

    def __init__(self, *, restate: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.restate = restate

    def step(self, runtime: Runtime, stream: Stream, context: Context) -> dict[str, Any]:
        from strandline.stages.rejudge import Scope
        from strandline.stages.restate import restate
        from strandline.stages.silver import silver

        if not self.restate:
            return silver(runtime, stream)
        if self.restate not in ("rebuild", "replay"):
            raise AirflowFailException(f"restate is rebuild, replay or empty (saw {self.restate!r})")
        again = restate(runtime, stream, Scope("rebuild" if self.restate == "rebuild" else "replay"))
        return {**silver(runtime, stream), **{f"restated_{name}": count for name, count in again.items()}}
