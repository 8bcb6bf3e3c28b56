"""The port between the stages and an engine: what every engine can be asked, on DuckDB in process as on a Spark cluster.

A stage says what it wants in SQL of the engine's dialect over named relations; the engine decides where the rows are. Only
small results come to the worker: whole tables are written from within the session.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

import pyarrow as pa
import pyarrow.dataset as pads

from strandline.plan.dialect import Dialect

if TYPE_CHECKING:
    from strandline.lake.parquet import PartitionedWriter

BATCH_ROWS = 32_768
"""Rows that a writer is given at once, so that row groups are as large whoever writes them."""
Through: TypeAlias = Callable[[Iterable[pa.RecordBatch]], Iterator[pa.RecordBatch]]


@dataclass(frozen=True, slots=True)
class Scan:
    """Rows of stored files on their way into a session.

    `columns`: the columns to read (None: all of `data`). `where`: a condition; the rows that do not meet it need not come, and
    without `through` they may. `through` turns the batches that were read, without the rows that do not meet `where`, into
    batches of `schema`; it can be pickled, for it may run elsewhere. `with_file`: the relation also has `_file`, the path of
    each row's file below this folder of the data's filesystem.
    """

    data: pads.FileSystemDataset
    columns: Sequence[str] | None = None
    where: pads.Expression | None = None
    through: Through | None = None
    schema: pa.Schema | None = None
    with_file: str | None = None


Relation: TypeAlias = pa.Table | pads.FileSystemDataset | Scan | Sequence[Scan]
"""What can be registered: a small table in memory, the files of a dataset, or scans whose rows are put together."""


class Session(Protocol):
    """One session of an engine: what it makes is temporary, and gone at its end. Timestamps are UTC."""

    @property
    def dialect(self) -> Dialect:
        """The engine's SQL."""
        ...

    @property
    def rows_at_once(self) -> int | None:
        """How many whole rows it is best asked to order at once; None where it spreads any number itself."""
        ...

    def register(self, name: str, data: Relation) -> None:
        """Make rows readable as `name`."""
        ...

    def materialise(self, name: str, sql: str) -> None:
        """Keep the rows of a query as the relation `name`, however many; an older one of that name is replaced."""
        ...

    def rows(self, sql: str) -> list[dict[str, Any]]:
        """A small result as dictionaries; moments are without a zone."""
        ...

    def table(self, sql: str) -> pa.Table:
        """A result in memory of the worker: for small ones."""
        ...

    def write(self, sql: str, writer: PartitionedWriter, rows: int | None = None) -> None:
        """Write all rows of a query, in its order, as files of the writer's table; at most `rows` at once through one process's
        memory, where they may be long.
        """
        ...


class Engine(Protocol):
    """Where the plan runs."""

    @property
    def dialect(self) -> Dialect:
        """The engine's SQL."""
        ...

    @property
    def keeps_bytes_apart(self) -> bool:
        """Whether raw lines are better left in storage while they are judged, since the engine's memory is one process's."""
        ...

    def session(self) -> AbstractContextManager[Session]:
        """A session of its own."""
        ...
