"""Bronze: batch takes over every landing interval below the line, and draws the line with the same commit.

Positions of the table: `watermark` (the line W, epoch seconds) and `realtime` (the realtime commit seen when it was drawn).
An interval is in bronze exactly when it starts before W and landed with a realtime commit up to that one; so a backfill
below the line is taken by the next batch, and what is above the line is known from the logs alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import accumulate

from strandline.errors import DataError, TransientError
from strandline.intervals import floor, intervals_between
from strandline.lake.copies import copy_files
from strandline.lake.landings import STATISTICS, Landings
from strandline.lake.parquet import PartitionedWriter
from strandline.lake.paths import bronze as bronze_path
from strandline.lake.paths import realtime as realtime_path
from strandline.lake.snapshot import DataFile, Snapshot
from strandline.lake.tables import Commit
from strandline.plan import schemas
from strandline.runtime import Runtime
from strandline.spec.model import Stream

_SHOWN = 5


class NotLandedYetError(TransientError):
    """The intervals just below the line have not landed yet: ingest and batch start together where their schedules meet."""


@dataclass(frozen=True, slots=True)
class Line:
    """Where batch ends and speed begins: `watermark` W (UTC, None before the first batch) and the realtime commit it has
    seen.
    """

    watermark: datetime | None
    realtime: int

    @classmethod
    def of(cls, snapshot: Snapshot | None) -> Line:
        """The line as a bronze or silver table has it."""
        seconds = snapshot.position("watermark") if snapshot else 0
        return cls(datetime.fromtimestamp(seconds, UTC) if seconds else None, snapshot.position("realtime") if snapshot else 0)

    def is_above(self, file: DataFile) -> bool:
        """Whether a realtime file is still on the speed side."""
        below = self.watermark is not None and file.minimum["_landing_start"] < self.watermark and file.ordinal <= self.realtime
        return not below


def bronze(runtime: Runtime, stream: Stream, until: datetime) -> dict[str, int | str]:
    """Counts of this batch: `intervals`, `lines`, and the `watermark`; a second call with the same `until` changes nothing.

    Takes every landed interval that starts before `until` (UTC, rounded down to the schedule) and is not in bronze yet;
    nothing, when none ever landed. Raises `NotLandedYetError` (worth a retry) while the last intervals are still on their
    way, `DataError` when an earlier one never landed.
    """
    lake = runtime.lake
    source = lake.table(realtime_path(stream.name)).snapshot()
    if source is None:
        return {"intervals": 0, "lines": 0, "watermark": ""}
    last, wanted = Landings(source).last_end, floor(until, stream.interval)
    if last is not None and last < wanted:
        seen, due = f"{last:%Y-%m-%dT%H:%MZ}", f"{wanted:%Y-%m-%dT%H:%MZ}"
        raise NotLandedYetError(f"{stream.name} has landed up to {seen}, not yet up to {due}")
    table = lake.table(bronze_path(stream.name))
    schema = schemas.realtime(stream)
    counts: dict[str, int | str] = {"intervals": 0, "lines": 0}

    def decide(snapshot: Snapshot) -> Commit | None:
        line = Line.of(snapshot)
        drawn = max(wanted, line.watermark or datetime.min.replace(tzinfo=UTC))
        taken = [f for f in source.files if line.is_above(f) and f.minimum["_landing_start"] < drawn]
        if not taken and line.watermark in (drawn, None):  # the first line is not drawn before the first landed interval
            return None
        _check_complete(stream, Landings(source), line, drawn)
        writer = table.writer(snapshot, schema, STATISTICS)
        _copy(runtime, stream, source, taken, writer)
        intervals = len({f.minimum["_landing_start"] for f in taken})
        counts.update(intervals=intervals, lines=sum(f.rows for f in taken) - intervals)  # each has a row of its own
        seen = max(line.realtime, source.ordinal)
        return Commit(add=writer.close(), positions={"watermark": int(drawn.timestamp()), "realtime": seen})

    if not table.commit(schema, decide, schemas.LANDING_DATE):
        counts = {"intervals": 0, "lines": 0}
    line = Line.of(table.snapshot())
    return {**counts, "watermark": line.watermark.isoformat() if line.watermark else ""}


def _copy(runtime: Runtime, stream: Stream, source: Snapshot, files: Sequence[DataFile], writer: PartitionedWriter) -> None:
    """The files' rows as they are, by day and landing interval. Progress is told in lines."""
    ordered = sorted(files, key=lambda f: (f.partition, f.minimum["_landing_start"]))
    lines = list(accumulate(f.rows for f in ordered))

    def told(done: int) -> None:
        runtime.progress(f"bronze {stream.name}, lines", lines[done - 1], lines[-1])

    copy_files(source, ordered, writer, told)


def _check_complete(stream: Stream, landed: Landings, line: Line, drawn: datetime) -> None:
    """Raises `DataError` naming the intervals below the new line that never landed."""
    starts = landed.starts
    if not starts:
        return
    first = line.watermark or min(starts)
    missing = [each for each in intervals_between(first, drawn, stream.interval) if each.start not in starts]
    if missing:
        shown = ", ".join(str(each) for each in missing[:_SHOWN]) + (", …" if len(missing) > _SHOWN else "")
        raise DataError(
            f"{stream.name}: {len(missing)} landing interval(s) below {drawn:%Y-%m-%dT%H:%MZ} never landed: {shown}. Land them "
            f"(`strandline run ingest --stream {stream.name} --from {missing[0].start:%Y-%m-%dT%H:%M} --to "
            f"{missing[-1].end:%Y-%m-%dT%H:%M}`, or clear the failed Airflow runs), then run the batch again"
        )
