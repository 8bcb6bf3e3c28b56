"""One attempt at a step in a process of its own: what a forked child does, and how it tells what came of it.

The tellings are JSON: `error` is empty or what was raised, `state` what the lake holds, `faults` what the audit says.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from botocore.config import Config

from strandline.audit.audit import audit
from strandline.errors import StrandlineError
from strandline.lake import s3
from strandline.lake.lake import Lake
from strandline.lake.objects import S3Credentials
from strandline.lines.keys import KeyRing
from strandline.publish.alerts import Notification
from strandline.runtime import Runtime
from tests.chaos import steps
from tests.chaos.steps import Step

PATIENCE = 2
"""Seconds after which the clients of a child give a request up, instead of a minute."""


def perform(order: Mapping[str, Any]) -> None:
    """Do what the order says and write the telling to its `out`: `runs` attempts at the step (each only if the one before
    raised nothing), then with `verify` an audit and the state. An error that is not of our tree is told as such.
    """
    told: dict[str, Any] = {"error": "", "ours": True, "faults": [], "state": {}}
    try:
        runtime = _runtime(order)
        declared = steps.stream()
        step = Step(order["step"], order["day"])
        if order["run"]:
            steps.run(step, runtime, declared, _notifier(order["told"]))
        if order["verify"]:
            told["state"] = steps.state(runtime, declared)
            found = audit(runtime, declared)
            told["faults"] = [*found.faults, *map(str, found.differences)]
    except StrandlineError as error:
        told["error"] = f"{type(error).__name__}: {error}"
    except Exception as error:  # noqa: BLE001 - whatever it is, it is to be told
        told.update(error=f"{type(error).__name__}: {error}", ours=False)
    Path(order["out"]).write_text(json.dumps(told))


def _runtime(order: Mapping[str, Any]) -> Runtime:
    credentials = S3Credentials(order["key"], order["secret"], None, "us-east-1", order["endpoint"])
    if order["impatient"]:
        setattr(s3, "Config", lambda **settings: Config(**{**settings, "read_timeout": PATIENCE}))  # noqa: B010
    lake = Lake.open(order["lake"], credentials)
    if order["impatient"]:
        import pyarrow.fs as pafs

        assert lake.storage_options is not None
        lake.storage_options["timeout"] = f"{PATIENCE}s"
        lake.__dict__["filesystem"] = pafs.S3FileSystem(
            access_key=credentials.access_key_id,
            secret_key=credentials.secret_access_key,
            region=credentials.region,
            endpoint_override=order["endpoint"].removeprefix("http://"),
            scheme="http",
            connect_timeout=PATIENCE,
            request_timeout=PATIENCE,
            retry_strategy=pafs.AwsStandardS3RetryStrategy(max_attempts=6),
        )
    return Runtime(lake, KeyRing({}), memory_limit="200MB", threads=1)


def _notifier(path: str) -> Callable[[Notification], None]:
    """Keeps what was told in a file, whole lines at a time, so that a kill loses none."""

    def notify(notification: Notification) -> None:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.write(descriptor, f"{notification.episode} {notification.event}\n".encode())
        os.close(descriptor)

    return notify
