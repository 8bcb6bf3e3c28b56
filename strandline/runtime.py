"""What every step runs with: the lake, the protection keys, the engine's limits and where progress is told."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Protocol

from strandline.lake.lake import Lake
from strandline.lake.objects import Objects, S3Credentials, open_objects
from strandline.lines.keys import KeyRing

if TYPE_CHECKING:
    from strandline.engines.duckdb import DuckEngine


class Progress(Protocol):
    """Told while long work runs: what is being done, how many of how many (None: unknown) units."""

    def __call__(self, what: str, done: int, total: int | None) -> None:
        """Take note; called often, so it must be cheap."""
        ...


def silent(what: str, done: int, total: int | None) -> None:
    """Progress that nobody watches."""


@dataclass(frozen=True)
class Runtime:
    """One place to run steps in. `memory_limit` and `threads` bound the engine; `connections` resolve a source's
    `connection:`.
    """

    lake: Lake
    keys: KeyRing = field(default_factory=KeyRing.from_environment)
    progress: Progress = silent
    memory_limit: str = "1GB"
    threads: int = 2
    source_credentials: Callable[[str], S3Credentials] | None = None
    source_headers: Callable[[str | None], Mapping[str, str]] = lambda connection: {}

    @cached_property
    def engine(self) -> DuckEngine:
        """The engine that runs the plan."""
        from strandline.engines.duckdb import DuckEngine

        return DuckEngine(self.memory_limit, self.threads)

    def source_objects(self, location: str, connection: str | None) -> Objects:
        """The objects of a `files` source."""
        given = self.source_credentials(connection) if connection and self.source_credentials else None
        return open_objects(location, given or self.lake.credentials)
