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
    """Recomputes the stream from its raw bytes and fails where what is stored or served differs.

    With `whole_every` (`7d`) everything is recomputed that often, in between what is new since the last audit that agreed.
    """

    def __init__(self, *, whole_every: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.whole_every = whole_every

    def step(self, runtime: Runtime, stream: Stream, context: Context) -> dict[str, Any]:
        from strandline.audit.audit import audit
        from strandline.spec.sections.source import duration

        found = audit(runtime, stream, whole_every=duration(self.whole_every) if self.whole_every else None)
        if not found.agrees:
            told = "\n".join([*found.faults, *(str(difference) for difference in found.differences)])
            raise DataError(f"the audit of {stream.name} disagrees (of {found.lines} lines and {found.rows} rows):\n{told}")
        since = f"{found.since:%Y-%m-%dT%H:%M:%SZ}" if found.since else "ever"
        return {"lines": found.lines, "rows": found.rows, "since": since, "differences": 0}
