"""A folder and an engine that stay open: thousands of small histories in one process."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import duckdb

from strandline.engines.duckdb import DuckEngine, DuckSession
from strandline.lake.local import LocalObjects
from strandline.runtime import Runtime


@cache
def _engine() -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect(config={"threads": "1"})
    for name, value in (("TimeZone", "UTC"), ("preserve_insertion_order", "false"), ("python_enable_replacements", "false")):
        connection.execute(f"SET GLOBAL {name} = '{value}'")
    return connection


class MemorySession(DuckSession):
    """A session that orders even the few rows of a law in slices."""

    rows_at_once = 2


class MemoryEngine(DuckEngine):
    """An engine whose sessions are connections to one database; what a session makes is temporary, so it is gone with it."""

    @contextlib.contextmanager
    def session(self) -> Iterator[DuckSession]:
        """As the engine's own. For a handful of rows it costs more to improve a query than to run it."""
        connection = _engine().cursor()
        connection.execute("PRAGMA disable_optimizer")
        try:
            yield MemorySession(connection)
        finally:
            connection.close()


class MemoryObjects(LocalObjects):
    """Objects of a folder of our own, in which no key leads elsewhere."""

    def _path(self, key: str) -> Path:
        return self.root / key


class MemoryRuntime(Runtime):
    """A runtime with that engine."""

    @property
    def engine(self) -> DuckEngine:
        """As the runtime's own."""
        return MemoryEngine()
