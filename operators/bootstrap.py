"""The operator that makes the bucket ready."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator

from operators.runtime import S3_CONNECTION, open_lake
from operators.step import only_transient_errors_retried

if TYPE_CHECKING:
    from airflow.sdk import Context


class BootstrapOperator(BaseOperator):
    """Makes the lake's bucket and hardens it; returns what was done and what the endpoint does not support."""

    template_fields: Sequence[str] = ("lake",)

    def __init__(self, *, lake: str | None = None, conn_id: str = S3_CONNECTION, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.lake = lake
        self.conn_id = conn_id

    def execute(self, context: Context) -> dict[str, Any]:
        """What was done, step by step; raises `TransientError` (retried) or `AirflowFailException` (not)."""
        from strandline.stages.bootstrap import bootstrap

        with only_transient_errors_retried():
            lake = open_lake(self.lake, self.conn_id)
            done = bootstrap(lake)
        unsupported = [setting for setting, outcome in done.items() if outcome.startswith("not supported")]
        if unsupported:
            self.log.warning("%s: this endpoint does not support %s", lake.url, ", ".join(unsupported))
        self.log.info("%s: %s", lake.url, ", ".join(f"{setting} {outcome}" for setting, outcome in done.items()))
        return done
