"""A long result in slices of event time, so that an engine of one process holds one of them and not a day.

To order a day, or to keep every value of its windows for exact quantiles and distinct counts, takes memory or spilled bytes
that grow with the day; slice by slice they do not. Each slice reads the relation again, but for the row groups that its times
leave out: it should stand in about this order already, as lines land and as silver's files are.
"""

from __future__ import annotations

import itertools
from datetime import datetime
from typing import TYPE_CHECKING

from strandline.plan.judge import event_moment, moment_literal
from strandline.spec.model import Grain, Stream

if TYPE_CHECKING:
    from strandline.engines.port import Session
    from strandline.lake.parquet import PartitionedWriter


def slices(
    session: Session, stream: Stream, relation: str, rows: int, most: int | None, grain: Grain = "5 minutes"
) -> list[str]:
    """Conditions that part the rows of a relation (at most `rows`) by event time, earliest first; each row meets one of them.

    A slice is as many whole windows of the grain as hold at most `most` rows (None: all of them), or one window. Rows without
    an event time (the contract took another field for it, and they are older) come last.
    """
    if most is None or rows <= most:
        return ["TRUE"]
    moment = event_moment(stream, session.dialect)
    window = session.dialect.window_start(moment, grain)
    counted = session.rows(
        f"SELECT {window} AS window_start, COUNT(*) AS n FROM {relation} AS r WHERE {moment} IS NOT NULL GROUP BY 1 ORDER BY 1"
    )
    bounds: list[datetime] = []
    held = 0
    for each in counted:
        if held and held + each["n"] > most:
            bounds.append(each["window_start"])
            held = 0
        held += each["n"]
    times = [moment_literal(bound) for bound in bounds]
    within = [f"{moment} >= {low} AND {moment} < {high}" for low, high in itertools.pairwise(times)]
    return [f"{moment} < {times[0]}", *within, f"({moment} >= {times[-1]} OR {moment} IS NULL)"] if times else ["TRUE"]


def write_by_time(session: Session, stream: Stream, relation: str, rows: int, writer: PartitionedWriter) -> None:
    """Write the rows of a relation (at most `rows`; a subquery or a name), ordered by event date and time."""
    time = session.dialect.quote(stream.event_time)
    for chosen in slices(session, stream, relation, rows, session.rows_at_once):
        session.write(f"SELECT * FROM {relation} AS r WHERE {chosen} ORDER BY event_date, {time}", writer)
