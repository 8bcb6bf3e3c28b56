"""The operator that proves."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from operators.step import StreamOperator
from strandline.errors import DataError

if TYPE_CHECKING:
    from airflow.sdk import Context

    from strandline.runtime import Runtime
    from strandline.spec.model import Stream


class AuditOperator(StreamOperator):
    """Recomputes the stream from its raw bytes and fails where what is stored or served differs."""

    def step(self, runtime: Runtime, stream: Stream, context: Context) -> dict[str, Any]:
        from strandline.audit import audit

        found = audit(runtime, stream)
        if not found.agrees:
            told = "\n".join([*found.faults, *(str(difference) for difference in found.differences)])
            raise DataError(f"the audit of {stream.name} disagrees (of {found.lines} lines and {found.rows} rows):\n{told}")
        return {"lines": found.lines, "rows": found.rows, "differences": 0}
