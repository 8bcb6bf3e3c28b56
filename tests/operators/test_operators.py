"""The operators: constructors that do nothing, one call into the core, and a retry only where it can help."""

from __future__ import annotations

import inspect
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowFailException

from operators.bootstrap import BootstrapOperator
from operators.bronze import BronzeOperator
from operators.step import StreamOperator, only_transient_errors_retried
from strandline.errors import ConfigError, DataError, SourceError, StorageError, StrandlineError, TransientError, UsageError
from strandline.layer_checks import OPERATORS

ROOT = Path(__file__).resolve().parents[2]

CONSTRUCT_ALL = """
import json, sys
from airflow.sdk.module_loading import import_string
from strandline.layer_checks import OPERATORS
classes = {kind: (import_string(o.path), o.needs_stream) for kind, o in OPERATORS.items()}
from airflow.sdk import BaseOperator
BaseOperator(task_id="warm_up")
seen = []
sys.addaudithook(lambda event, args: seen.append(event) if event in ("open", "socket.connect", "import") else None)
for kind, (cls, needs_stream) in classes.items():
    cls(task_id=kind, **({"stream": "no_such_stream", "config": "/no/such/folder"} if needs_stream else {}))
print(json.dumps(seen))
"""


def test_constructors_open_no_file_no_connection_and_import_nothing() -> None:
    done = subprocess.run(
        [sys.executable, "-c", CONSTRUCT_ALL],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1]) == []


@pytest.mark.parametrize("kind", [ConfigError, DataError, SourceError, StorageError, UsageError])
def test_an_error_that_a_retry_cannot_mend_fails_the_task_at_once(kind: type[StrandlineError]) -> None:
    error = kind([]) if kind is ConfigError else kind("the lake is a swamp")
    with pytest.raises(AirflowFailException, match=kind.__name__), only_transient_errors_retried():
        raise error


def test_a_transient_error_is_left_to_airflow_to_retry() -> None:
    with pytest.raises(TransientError, match="throttled"), only_transient_errors_retried():
        raise TransientError("throttled")


def test_a_task_of_an_unknown_stream_fails_at_once_and_says_which_there_are() -> None:
    operator = BronzeOperator(task_id="bronze", stream="api_log", config=str(ROOT / "config"), lake="/nowhere")
    with pytest.raises(AirflowFailException, match=r"no stream api_log in .* \(there are: api_logs, "):
        operator.execute(context())


def test_a_task_without_a_lake_fails_at_once_and_says_what_to_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("STRANDLINE_LAKE", raising=False)
    with pytest.raises(AirflowFailException, match="no lake: set STRANDLINE_LAKE"):
        BootstrapOperator(task_id="bootstrap").execute(context())


@pytest.mark.parametrize("kind", list(OPERATORS))
def test_operators_are_thin(kind: str) -> None:
    from airflow.sdk.module_loading import import_string

    lines = [line for line in inspect.getsource(import_string(OPERATORS[kind].path)).splitlines() if line.strip()]
    assert len(lines) <= 40


def context() -> Any:
    """No task context: these tasks fail before they look at it."""
    return {}


def test_a_step_is_run_on_the_lake_given_with_the_limits_of_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STRANDLINE_MEMORY", "300MB")
    monkeypatch.setenv("STRANDLINE_LAKE", "/not/this/one")
    seen: list[Any] = []

    class Watching(StreamOperator):
        def step(self, runtime: Any, stream: Any, context: Any) -> dict[str, Any]:
            seen.extend((runtime.lake.url, runtime.memory_limit, stream.name))
            return {"lines": 3}

    operator = Watching(task_id="watching", stream="api_logs", config=str(ROOT / "config"), lake=str(tmp_path))
    assert operator.execute(context()) == {"lines": 3}
    assert seen == [str(tmp_path), "300MB", "api_logs"]
