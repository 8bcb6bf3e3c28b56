"""What a task needs to call the core, made from Airflow: the lake with its credentials, the keys, progress as log lines.

The one place that knows how Airflow says these things:

* the lake's URL: the environment variable `STRANDLINE_LAKE`, else `lake` in the extra of the S3 connection;
* S3 credentials, region and endpoint (`endpoint_url` in the extra): the S3 connection, `aws_default` unless told otherwise;
* the Spark cluster of a stream with `engine: spark`: the connection it names (`spark_default`), else `SPARK_REMOTE`;
* keys of protected fields: the connection `strandline_keys` (password, or one key a stream in its extra), else the environment.
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from airflow.configuration import AIRFLOW_HOME
from airflow.sdk import BaseHook
from airflow.sdk.exceptions import AirflowNotFoundException

from strandline.errors import UsageError
from strandline.units import ENGINE_MEMORY, pace

if TYPE_CHECKING:
    from logging import Logger

    from airflow.sdk import Connection

    from strandline.lake.lake import Lake
    from strandline.lake.objects import S3Credentials
    from strandline.lines.keys import KeyRing
    from strandline.runtime import Runtime
    from strandline.spec.model import Stream

S3_CONNECTION = "aws_default"
KEYS_CONNECTION = "strandline_keys"
LAKE_VARIABLE = "STRANDLINE_LAKE"
_SECONDS_BETWEEN_LINES = 10.0


def find_connection(conn_id: str) -> Connection | None:
    """The Airflow connection, or None when there is none of that id."""
    try:
        return BaseHook.get_connection(conn_id)
    except AirflowNotFoundException:
        return None


def lake_url(given: str | None, conn_id: str) -> str:
    """Where the lake is: what the task was given, else `STRANDLINE_LAKE`, else the connection's extra; raises `UsageError`."""
    url = given or os.environ.get(LAKE_VARIABLE)
    if url:
        return url
    connection = find_connection(conn_id)
    url = connection.extra_dejson.get("lake") if connection else None
    if not isinstance(url, str) or not url:
        raise UsageError(f"no lake: set {LAKE_VARIABLE}=s3://bucket[/prefix], or `lake` in the extra of {conn_id}")
    return url


def s3_credentials(conn_id: str) -> S3Credentials:
    """What the Airflow connection says about S3: keys (roles are assumed, profiles followed), region and endpoint."""
    from airflow.providers.amazon.aws.hooks.s3 import S3Hook

    from strandline.lake.objects import S3Credentials

    hook = S3Hook(aws_conn_id=conn_id)
    session = hook.get_session()
    credentials = session.get_credentials()
    if credentials is None:
        raise UsageError(f"no S3 credentials: the connection {conn_id} has none, and neither has the environment")
    frozen = credentials.get_frozen_credentials()
    return S3Credentials(
        access_key_id=frozen.access_key,
        secret_access_key=frozen.secret_key,
        session_token=frozen.token,
        region=session.region_name or "us-east-1",
        endpoint_url=hook.conn_config.get_service_endpoint_url("s3"),
    )


def checked_streams() -> Path:
    """The file that remembers which streams were found good (see `strandline.checked`): in Airflow's home, one a user."""
    return Path(AIRFLOW_HOME) / "strandline" / f"checked-{os.geteuid()}.json"


def open_lake(given: str | None, conn_id: str) -> Lake:
    """The lake the task works on; an S3 lake with the connection's credentials."""
    from strandline.lake.lake import Lake

    url = lake_url(given, conn_id)
    return Lake.open(url, s3_credentials(conn_id) if url.startswith("s3") else None)


def key_ring(conn_id: str) -> KeyRing:
    """The keys of protected fields: those of the Airflow connection, else those of the environment.

    The connection's password is the key of every stream; `STRANDLINE_KEY_<STREAM>` in its extra is the key of one.
    """
    from strandline.lines.keys import KeyRing

    connection = find_connection(conn_id)
    if connection is None:
        return KeyRing.from_environment()
    values = {name: str(value) for name, value in connection.extra_dejson.items()}
    if connection.password:
        values.setdefault("STRANDLINE_KEY", connection.password)
    return KeyRing(values, named=f"the Airflow connection {conn_id}")


def request_headers(conn_id: str | None) -> dict[str, str]:
    """What an `http` source sends: the headers in the connection's extra, its password as bearer token; raises `UsageError`."""
    if conn_id is None:
        return {}
    connection = find_connection(conn_id)
    if connection is None:
        raise UsageError(f"the source names the Airflow connection {conn_id}, and there is none")
    headers = {name: str(value) for name, value in connection.extra_dejson.items()}
    if connection.password:
        headers.setdefault("Authorization", f"Bearer {connection.password}")
    return headers


def cluster_address(conn_id: str) -> str:
    """The address of a Spark cluster: `sc://host:port/;token=…` of a `spark_connect` connection, the master URL of another one,
    else the environment's `SPARK_REMOTE`; raises `UsageError` when there is neither.
    """
    connection = find_connection(conn_id)
    if connection is None:
        from strandline.runtime import spark_remote

        return spark_remote(conn_id)
    host, port = connection.host or "", f":{connection.port}" if connection.port else ""
    if connection.conn_type != "spark_connect":
        return f"{host}{port}"
    given = {"token": connection.password, "user_id": connection.login, **connection.extra_dejson}
    told = {name: str(value).lower() if isinstance(value, bool) else str(value) for name, value in given.items() if value}
    settings = "".join(f";{name}={quote(value)}" for name, value in told.items())
    return f"sc://{host.removeprefix('sc://')}{port}" + (f"/{settings}" if settings else "")


def open_runtime(lake: str | None, conn_id: str, keys_conn_id: str, log: Logger) -> Runtime:
    """What a step of the core runs with; memory and threads are `STRANDLINE_MEMORY` (500MB) and `STRANDLINE_THREADS` (2)."""
    from strandline.runtime import Runtime

    return Runtime(
        lake=open_lake(lake, conn_id),
        keys=key_ring(keys_conn_id),
        progress=LoggedProgress(log),
        memory_limit=os.environ.get("STRANDLINE_MEMORY", ENGINE_MEMORY),
        threads=_threads(os.environ.get("STRANDLINE_THREADS", "2")),
        source_credentials=s3_credentials,
        source_headers=request_headers,
        cluster=cluster_address,
    )


def _threads(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise UsageError(f"STRANDLINE_THREADS is a whole number of at least 1 (saw {text!r})")
    return int(text)


class LoggedProgress:
    """Progress of long work as log lines, ten seconds apart at least: how much of how much, at what pace, how long yet."""

    def __init__(self, log: Logger) -> None:
        self._log = log
        self._told = self._begun = time.monotonic()
        self._what = ""

    def __call__(self, what: str, done: int, total: int | None) -> None:
        """Logs a line if the last one is long enough ago."""
        now = time.monotonic()
        if what != self._what:
            self._what, self._begun = what, now
        if now - self._told >= _SECONDS_BETWEEN_LINES:
            self._told = now
            self._log.info("%s", f"{what} … {pace(done, total, now - self._begun)}".rstrip())


def find_stream(config: str, name: str, engine: str | dict[str, str] | None = None) -> Stream:
    """The stream `name` as its file declares it, with another `engine` where one is given.

    Raises `ConfigError` when the file has problems and `UsageError` when there is none. No other file is read.
    """
    from dataclasses import replace

    from strandline.spec.load import engine_of, load_stream, stream_files

    folder = Path(config) / "streams"
    path = folder / f"{name}.yaml"
    if not path.is_file():
        there = ", ".join(file.stem for file in stream_files(folder)) if folder.is_dir() else "none"
        raise UsageError(f"no stream {name} in {folder} (there are: {there})")
    stream = load_stream(path)
    return replace(stream, engine=engine_of(engine)) if engine else stream
