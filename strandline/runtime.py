"""What every step runs with: the lake, the protection keys, the engine's limits and where progress is told."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache, cached_property
from typing import TYPE_CHECKING, Protocol

from strandline.errors import UsageError
from strandline.lake.lake import Lake
from strandline.lake.objects import Objects, S3Credentials, open_objects
from strandline.lines.keys import KeyRing
from strandline.units import ENGINE_MEMORY

if TYPE_CHECKING:
    from strandline.engines.duckdb import DuckEngine
    from strandline.engines.port import Engine
    from strandline.spec.model import Stream


class Progress(Protocol):
    """Told while long work runs: what is being done, how many of how many (None: unknown) units."""

    def __call__(self, what: str, done: int, total: int | None) -> None:
        """Take note; called often, so it must be cheap."""
        ...


def silent(what: str, done: int, total: int | None) -> None:
    """Progress that nobody watches."""


def spark_remote(connection: str) -> str:
    """The address in `SPARK_REMOTE`, whatever the connection is called; raises `UsageError` when there is none."""
    address = os.environ.get("SPARK_REMOTE")
    if not address:
        raise UsageError(f"engine: spark ({connection}) needs a cluster: set SPARK_REMOTE=sc://host:15002, or a master URL")
    return address


@dataclass(frozen=True)
class Runtime:
    """One place to run steps in. `memory_limit` and `threads` bound the embedded engine, `threads` also how many micro-batches
    land at once; `source_credentials` and
    `source_headers` resolve a source's `connection:`, `cluster` the address of a cluster by the connection of `engine:`.
    """

    lake: Lake
    keys: KeyRing = field(default_factory=KeyRing.from_environment)
    progress: Progress = silent
    memory_limit: str = ENGINE_MEMORY
    threads: int = 2
    source_credentials: Callable[[str], S3Credentials] | None = None
    source_headers: Callable[[str | None], Mapping[str, str]] = lambda connection: {}
    cluster: Callable[[str], str] = spark_remote

    def engine_of(self, stream: Stream) -> Engine:
        """The engine that computes a stream's tables, as it declares."""
        return self.engine if stream.engine.type == "duckdb" else self._clusters(stream.engine.connection)

    @cached_property
    def engine(self) -> DuckEngine:
        """The embedded engine: what it is asked stays in this process."""
        from strandline.engines.duckdb import DuckEngine

        return DuckEngine(self.memory_limit, self.threads)

    @cached_property
    def _clusters(self) -> Callable[[str], Engine]:
        """The engine of the cluster that a connection names; one a connection."""

        @cache
        def engine(connection: str) -> Engine:
            from strandline.engines.spark import SparkEngine

            return SparkEngine(self.cluster(connection), self.lake.credentials)

        return engine

    def source_objects(self, location: str, connection: str | None) -> Objects:
        """The objects of a `files` source."""
        given = self.source_credentials(connection) if connection and self.source_credentials else None
        return open_objects(location, given or self.lake.credentials)
