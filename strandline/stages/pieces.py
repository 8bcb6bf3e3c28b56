"""A step's lines, judged piece by piece: what no other line can be a copy of is written with its piece, so that an engine of
one process holds a piece, and not a day.

Which of an event's lines counts is known when all are judged. But the keys of all lines are read soon, and most come once: the
row of such a line is silver's whatever the others say. The lines whose key comes twice wait for the end of the step, and the
refused ones: they are what is left in the relation `judged`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import date
from itertools import accumulate
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.dataset as pads

from strandline.at_once import in_order
from strandline.engines.datasets import pieces_of
from strandline.engines.port import BATCH_ROWS
from strandline.lake.snapshot import DataFile, Snapshot
from strandline.plan import schemas
from strandline.plan.judge import judge
from strandline.spec.model import Stream
from strandline.stages.again import landed_lines, with_columns
from strandline.stages.rows import JUDGED, Counts, Judged, check_fail_rules, counts_of, dates_of, hashes_that_come_twice

if TYPE_CHECKING:
    from strandline.engines.port import Engine, Session
    from strandline.lake.parquet import PartitionedWriter

_PIECE, _WAITING, _REPEATED = "piece", "waiting", "repeated_keys"


def judge_in_pieces(
    engine: Engine,
    session: Session,
    stream: Stream,
    bronze: Snapshot,
    files: Sequence[DataFile],
    silver: Snapshot,
    writer: PartitionedWriter,
    told: Callable[[int, int], None],
) -> Judged | None:
    """As `judge_files`, but that the good rows whose key comes once, in these lines and in `silver`, are in the files of
    `writer`, piece after piece by event date and time, and not in `judged`. `told` hears how many rows are done, of how many.

    None, with nothing done, where there is but one piece, the engine spreads any number itself, or lines must be parsed again
    (they can be read once). Raises `DataError` when a line breaks a `fail` rule.
    """
    most = session.rows_at_once
    rows = sum(f.rows for f in files)
    if most is None or rows <= most:
        return None
    lines = landed_lines(stream, bronze, files)
    if not isinstance(lines, pads.FileSystemDataset):
        return None
    pieces = pieces_of(lines, most)
    names = ", ".join(engine.dialect.quote(name) for name in schemas.silver(stream).names)
    judgement = judge(stream, engine.dialect, raw=False)
    session.register("lines", lines)
    key = [session.dialect.quote(name) for name in stream.primary_key]
    _find_repeated(session, stream, key, judgement.sql, silver)
    time = session.dialect.quote(stream.event_time)
    comes_once = f"_verdict IS NULL AND {session.dialect.hash(key)} NOT IN (SELECT h FROM {_REPEATED})"
    counts, dates = Counts(), set[date]()

    def lone_rows() -> Iterator[pa.Table]:
        nonlocal counts
        for number, (piece, done) in enumerate(zip(pieces, accumulate(p.count_rows() for p in pieces), strict=True)):
            session.register("lines", piece)
            session.materialise(_PIECE, f"SELECT *, {comes_once} AS _lone FROM ({judgement.sql}) AS r")
            counts = counts.and_(counts_of(session, judgement, _PIECE))
            told(done, rows)
            dates.update(dates_of(session, _PIECE))
            session.materialise(f"{_WAITING}_{number}", f"SELECT * FROM {_PIECE} WHERE NOT _lone")
            yield session.table(f"SELECT {names} FROM {_PIECE} WHERE _lone ORDER BY event_date, {time}")

    for _ in in_order(lambda lone: writer.write_all(lone.to_batches(BATCH_ROWS)), lone_rows(), 1):
        pass
    session.materialise(JUDGED, " UNION ALL ".join(f"SELECT * FROM {_WAITING}_{n}" for n in range(len(pieces))))
    judged = Judged(judgement, counts, tuple(sorted(dates)), lines)
    check_fail_rules(stream, session, judgement)
    return judged


def _find_repeated(session: Session, stream: Stream, key: Sequence[str], judged: str, silver: Snapshot) -> None:
    """The hashes of keys that come twice, in the relation `repeated_keys`: of the lines (judged by that SQL; refused ones are
    counted too, so that nothing but the keys need be read), and of silver where it may hold a copy.
    """
    columns = ", ".join(key)
    relation = f"SELECT {columns} FROM ({judged}) AS r"
    if silver.files:
        held = silver.files
        if stream.deduplicate_within == "event_date":
            held = silver.files_of(dates_of(session, f"({judged}) AS r", good=False))
        if held:
            session.register("held", with_columns(silver.dataset(files=held), schemas.silver(stream)))
            relation += f" UNION ALL SELECT {columns} FROM held"
    session.materialise(_REPEATED, hashes_that_come_twice(session.dialect, key, f"({relation})"))
