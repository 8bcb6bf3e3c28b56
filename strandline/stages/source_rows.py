"""The rows that aggregates are computed from. Those of windows that changed since are read once for all aggregates of a stream,
where one process may hold them: windows of different grains hold each other.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from itertools import chain
from typing import TYPE_CHECKING, TypeAlias

import pyarrow as pa
import pyarrow.dataset as pads

from strandline.engines.datasets import a_few_at_a_time, up_to
from strandline.intervals import GRAINS
from strandline.lake.snapshot import DataFile, Snapshot, reading
from strandline.plan import schemas
from strandline.plan.aggregate import columns_read
from strandline.spec.model import Grain, Stream
from strandline.stages.again import with_columns

if TYPE_CHECKING:
    from strandline.engines.port import Session

_ROWS, _HELD = 250_000, 64 << 20  # rows that are read, and bytes that are kept of them
Span: TypeAlias = tuple[datetime, datetime]
"""A half-open span of time, UTC."""


@dataclass(slots=True)
class SourceRows:
    """Of `snapshot`: silver, or with `served` unified. Aggregates of coarse grain should ask first."""

    stream: Stream
    snapshot: Snapshot
    served: bool
    _kept: tuple[Sequence[Span], pa.Table] | None = field(default=None, init=False)

    @property
    def schema(self) -> pa.Schema:
        """What the rows look like under the contract of today."""
        return schemas.unified(self.stream) if self.served else schemas.silver(self.stream)

    def of_files(self, files: Iterable[DataFile]) -> pads.FileSystemDataset:
        """The rows of some files."""
        return with_columns(self.snapshot.dataset(files=files), self.schema)

    def of_windows(
        self, session: Session, windows: Mapping[date, Collection[datetime]], grain: Grain
    ) -> pa.Table | pads.FileSystemDataset | None:
        """At least the rows of some windows, by the day they start on; None where there is none."""
        spans = _spans_of(chain.from_iterable(windows.values()), grain)
        if self._kept and all(any(low <= start and end <= high for low, high in self._kept[0]) for start, end in spans):
            return self._kept[1]
        files = [file for file in self.snapshot.files_of(windows) if self._may_hold(file, spans)]
        if not files:
            return None
        within = _within(self.stream.event_time, spans)
        rows = with_columns(self.snapshot.dataset(files=files, may_hold=within), self.schema)
        groups = [group for fragment in rows.get_fragments() for group in fragment.row_groups]
        if session.rows_at_once is None or sum(group.num_rows for group in groups) > _ROWS:
            return rows
        names = {name for table in self.stream.gold for name in columns_read(self.stream, table, served=self.served)}
        schema = pa.schema([column for column in rows.schema if column.name in names])
        with reading(self.snapshot.path):
            read, size = up_to(a_few_at_a_time(rows, columns=schema.names, filter=within), _HELD)
        if size > _HELD:
            return rows
        self._kept = spans, pa.Table.from_batches(read, schema)
        return self._kept[1]

    def _may_hold(self, file: DataFile, spans: Iterable[Span]) -> bool:
        low, high = file.minimum.get(self.stream.event_time), file.maximum.get(self.stream.event_time)
        return low is None or high is None or any(low < end and high >= start for start, end in spans)


def _spans_of(windows: Iterable[datetime], grain: Grain) -> list[Span]:
    """Windows, by their start, as spans; neighbours are joined."""
    spans: list[Span] = []
    for start in sorted(windows):
        end = start + GRAINS[grain]
        if spans and spans[-1][1] >= start:
            spans[-1] = (spans[-1][0], end)
        else:
            spans.append((start, end))
    return spans


def _within(column: str, spans: Iterable[Span]) -> pads.Expression:
    found = None
    for start, end in spans:
        span = (pads.field(column) >= pa.scalar(start, schemas.MOMENT)) & (pads.field(column) < pa.scalar(end, schemas.MOMENT))
        found = span if found is None else found | span
    return found
