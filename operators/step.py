"""What all steps share: where they work, and which errors are worth a retry."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, ClassVar

from airflow.sdk import BaseOperator
from airflow.sdk.exceptions import AirflowFailException

from operators.runtime import KEYS_CONNECTION, S3_CONNECTION, find_stream, open_runtime
from strandline.errors import StrandlineError, TransientError
from strandline.units import per_second

if TYPE_CHECKING:
    from airflow.sdk import Context

    from strandline.runtime import Runtime
    from strandline.spec.model import Stream


@contextmanager
def only_transient_errors_retried() -> Iterator[None]:
    """Lets a `TransientError` through for Airflow to retry; any other error of the core fails the task at once.

    What is no error of the core (a process killed, a library's surprise) is left to Airflow, which retries it.
    """
    try:
        yield
    except TransientError:
        raise
    except StrandlineError as error:
        raise AirflowFailException(f"{type(error).__name__}: {error}") from error


class StreamOperator(BaseOperator):
    """One step of one stream: `execute` makes one call into the core, logs one line of counts and returns them.

    Running it again, or twice at once, changes nothing. `stream` is the stream's name and `config` the folder that declares it;
    `lake`, `conn_id` and `keys_conn_id` say where it works (see `operators.runtime`), `engine` what computes in place of the
    stream's own. The constructor does no I/O.
    """

    template_fields: Sequence[str] = ("stream", "lake")
    ui_color: ClassVar[str] = "#e8f1f8"

    def __init__(
        self,
        *,
        stream: str,
        config: str,
        lake: str | None = None,
        conn_id: str = S3_CONNECTION,
        keys_conn_id: str = KEYS_CONNECTION,
        engine: str | dict[str, str] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.stream = stream
        self.config = config
        self.lake = lake
        self.conn_id = conn_id
        self.keys_conn_id = keys_conn_id
        self.engine = engine

    def execute(self, context: Context) -> dict[str, Any]:
        """What the step counted; raises `TransientError` (retried) or `AirflowFailException` (not)."""
        began = time.monotonic()
        with only_transient_errors_retried():
            stream = find_stream(self.config, self.stream, self.engine)
            runtime = open_runtime(self.lake, self.conn_id, self.keys_conn_id, self.log)
            counts = self.step(runtime, stream, context)
        told = ", ".join(f"{name}={count}" for name, count in counts.items()) or "nothing to do"
        seconds, lines = time.monotonic() - began, counts.get("lines")
        rate = f", {per_second(lines, seconds)} lines a second" if isinstance(lines, int) and lines else ""
        self.log.info("%s: %s (%.1f s%s)", self.stream, told, seconds, rate)
        return counts

    def step(self, runtime: Runtime, stream: Stream, context: Context) -> dict[str, Any]:
        """The one call into the core."""
        raise NotImplementedError
