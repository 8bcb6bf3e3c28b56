"""Judging landed lines in an engine session: what silver and merge share."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as pads

from strandline.at_once import in_order
from strandline.engines.datasets import in_pieces
from strandline.engines.port import Relation
from strandline.errors import DataError
from strandline.lake.snapshot import DataFile, Snapshot, reading
from strandline.plan.dialect import Dialect
from strandline.plan.judge import BYTES, TOLD, Judgement, judge, key_of, ranked
from strandline.spec.model import Budget, Stream
from strandline.stages.again import landed_lines
from strandline.stages.places import Places, whole

if TYPE_CHECKING:
    from strandline.engines.port import Engine, Session
    from strandline.lake.parquet import PartitionedWriter

JUDGED = "judged"
_READ, _READ_ROWS = 32 << 20, 4_096  # bytes of row groups and rows of whole lines, read at once
_READERS = 2
_TOGETHER = 8 << 20  # bytes of whole lines, given to the engine at once
_REFUSED = "refused_lines"


@dataclass(frozen=True, slots=True)
class Counts:
    """What judging a set of lines gave: `reasons` counts refusals by code, `warnings` good rows by warn rule."""

    lines: int = 0
    quarantined: int = 0
    unknown_fields: int = 0
    reasons: Mapping[str, int] = field(default_factory=dict)
    warnings: Mapping[str, int] = field(default_factory=dict)

    def and_(self, more: Counts) -> Counts:
        """Those of both sets of lines."""
        reasons, warnings = (Counter(a) + Counter(b) for a, b in ((self.reasons, more.reasons), (self.warnings, more.warnings)))
        return Counts(
            self.lines + more.lines,
            self.quarantined + more.quarantined,
            self.unknown_fields + more.unknown_fields,
            dict(sorted(reasons.items())),
            dict(sorted(warnings.items())),
        )


@dataclass(frozen=True, slots=True)
class Judged:
    """The relation `judged` of a session: one row a line. `dates` are the event dates of its good rows.

    `apart`: the lines in storage, where their raw bytes and digests were left.
    """

    judgement: Judgement
    counts: Counts
    dates: tuple[date, ...]
    apart: pads.FileSystemDataset | None = None


def judge_files(
    engine: Engine,
    session: Session,
    stream: Stream,
    snapshot: Snapshot,
    files: Sequence[DataFile],
    *,
    anew: bool = False,
) -> Judged:
    """Judge the lines of some files into the session's relation `judged`; with `anew` each is parsed from its raw bytes.

    Raises `DataError` when a line breaks a `fail` rule.
    """
    judged = judge_lines(engine, session, stream, landed_lines(stream, snapshot, files, anew=anew))
    check_fail_rules(stream, session, judged.judgement)
    return judged


def judge_lines(engine: Engine, session: Session, stream: Stream, lines: Relation) -> Judged:
    """Judge landed lines (the realtime schema) into the session's relation `judged`; `fail` rules refuse like others.

    The raw bytes of a data set are left where they are where lines of megabytes would not fit into the engine's memory.
    """
    session.register("lines", lines)
    apart = lines if engine.keeps_bytes_apart and isinstance(lines, pads.FileSystemDataset) else None
    judgement = judge(stream, engine.dialect, raw=apart is None)
    session.materialise(JUDGED, judgement.sql)
    counts = counts_of(session, judgement)
    return Judged(judgement, counts, dates_of(session, JUDGED), apart)


def dates_of(session: Session, relation: str, *, good: bool = True) -> tuple[date, ...]:
    """The event dates of a relation of judged lines, of its good ones or of all."""
    where = "_verdict IS NULL" if good else "event_date IS NOT NULL"
    rows = session.rows(f"SELECT DISTINCT event_date FROM {relation} WHERE {where} ORDER BY 1")
    return tuple(row["event_date"] for row in rows)


def counts_of(session: Session, judgement: Judgement, relation: str = JUDGED) -> Counts:
    """What became of the lines of a relation of judged ones."""
    reasons: dict[str, int] = {}
    lines = refused = unknown = 0
    grouped = session.rows(
        f"SELECT _verdict, CASE WHEN _verdict = 0 THEN _reason END AS parser, COUNT(*) AS n, "
        f"CAST(SUM(_unknown_fields) AS BIGINT) AS unknown FROM {relation} GROUP BY 1, 2"
    )
    for row in grouped:
        lines += row["n"]
        unknown += row["unknown"] or 0
        if row["_verdict"] is not None:
            reason = row["parser"] or judgement.verdicts[row["_verdict"]].reason
            reasons[reason] = reasons.get(reason, 0) + row["n"]
            refused += row["n"]
    warnings: dict[str, int] = {}
    warned = (
        f"SELECT _warnings, COUNT(*) AS n FROM {relation} WHERE _verdict IS NULL AND _warnings IS NOT NULL "
        "GROUP BY 1 ORDER BY 1"
    )
    for row in session.rows(warned):
        for name in row["_warnings"].split(","):
            warnings[name] = warnings.get(name, 0) + row["n"]
    return Counts(lines, refused, unknown, dict(sorted(reasons.items())), warnings)


def check_fail_rules(stream: Stream, session: Session, judgement: Judgement) -> None:
    """Raises `DataError`, naming the rules and a line each, when a line of `judged` breaks a `fail` rule."""
    if not judgement.failing:
        return
    numbers = ", ".join(str(n) for n in judgement.failing)
    broken = session.rows(
        f"SELECT _verdict, COUNT(*) AS n, MIN(_source) AS source, MIN(_source_line) AS line FROM {JUDGED} "
        f"WHERE _verdict IN ({numbers}) GROUP BY 1 ORDER BY 1"
    )
    if broken:
        told = "; ".join(
            f"{judgement.verdicts[row['_verdict']].rule or judgement.verdicts[row['_verdict']].reason}: {row['n']} line(s), "
            f"for example {row['source']} line {row['line']}"
            for row in broken
        )
        raise DataError(f"{stream.name}: stopped by a `fail` rule before anything was published: {told}")


def refused_rows(judgement: Judgement, *, apart: bool = False) -> str:
    """The SQL of the refused lines of `judged` in the quarantine schema, in line order.

    With `apart` the lines stand in the relation `refused_lines` and the raw bytes in `refused_bytes`, and come in no order: to
    sort them would be to hold them all.
    """

    def cases(values: Sequence[str | None]) -> str:
        whens = "".join(f" WHEN {n} THEN {_text(v)}" for n, v in enumerate(values) if n and v is not None)
        return f"CASE _verdict{whens} END" if whens else "CAST(NULL AS STRING)"

    verdicts = judgement.verdicts
    source, last = JUDGED, " ORDER BY landing_date, _landing_start, _line"
    if apart:
        same = "b._landing_start = a._landing_start AND b._line = a._line"
        source, last = f"(SELECT a.*, b._raw, b._digest FROM refused_bytes AS b JOIN {_REFUSED} AS a ON {same}) AS r", ""
    return (
        f"SELECT CAST(_landing_start AS DATE) AS landing_date, COALESCE(CASE WHEN _verdict = 0 THEN _reason END, "
        f"{cases([v.reason for v in verdicts])}) AS _reason, "
        f"COALESCE(CASE WHEN _verdict = 0 THEN _reason_field END, {cases([v.field for v in verdicts])}) AS _field, "
        f"{cases([v.rule for v in verdicts])} AS _rule, "
        f"COALESCE(CASE WHEN _verdict = 0 THEN _reason_detail END, {cases([v.detail for v in verdicts])}) AS _detail, "
        "_raw, _digest, _sealed, _header, _landing_start, _landing_end, _line, _source, _source_line, _contract_version "
        f"FROM {source} WHERE _verdict IS NOT NULL{last}"
    )


def repeats(stream: Stream, dialect: Dialect, relation: str, told: Sequence[str] = ("_held",)) -> str:
    """The SQL of the rows of a relation that another row of the same event outranks (see `deduplicate`), by place and what is
    `told` of them (quoted columns; where the same line may stand twice, also which of them it is).

    Only keys whose hash comes twice are ranked, so that next to nothing is sorted.
    """
    key = key_of(stream, dialect)
    hashed = dialect.hash(key)
    twice = hashes_that_come_twice(dialect, key, relation)
    place = ["_landing_start", "_line", *told]
    columns = list(dict.fromkeys([*key, *(dialect.quote(name) for name in stream.sequence_by), *place]))
    some = f"(SELECT {', '.join(columns)} FROM {relation} AS r WHERE {hashed} IN ({twice})) AS r"
    return f"SELECT {', '.join(place)} FROM {ranked(stream, dialect, some, columns)} WHERE _rank > 1"


def hashes_that_come_twice(dialect: Dialect, key: Sequence[str], relation: str) -> str:
    """The SQL of the hashes `h` of (quoted) columns that more than one row of a relation has."""
    return f"SELECT {dialect.hash(key)} AS h FROM {relation} AS r GROUP BY 1 HAVING COUNT(*) > 1"


def without_repeats(session: Session, stream: Stream, relation: str, names: str) -> tuple[str, int]:
    """The SQL of the rows of a relation (a subquery with `_held`) that count, in the columns `names`, and how many do not.

    Uses the relation `repeats` of the session.
    """
    session.materialise("repeats", repeats(stream, session.dialect, relation))
    outranked = session.rows("SELECT COUNT(*) AS n FROM repeats")[0]["n"]
    sql = f"SELECT {names} FROM {relation} AS r"
    if outranked:
        same = "p._landing_start = r._landing_start AND p._line = r._line AND p._held = r._held"
        sql += f" WHERE NOT EXISTS (SELECT 1 FROM repeats AS p WHERE {same})"
    return sql, outranked


def write_refused(session: Session, judged: Judged, writer: PartitionedWriter, rows: int) -> None:
    """Write the rows of `refused_rows`, `rows` at once where one process holds them."""
    if judged.apart is None:
        session.write(refused_rows(judged.judgement), writer, rows)
        return
    refused = f"FROM {JUDGED} WHERE _verdict IS NOT NULL"
    session.materialise(_REFUSED, f"SELECT _verdict, {', '.join(TOLD)} {refused}")
    places = Places.of(session.table(f"SELECT _landing_start, _line FROM {_REFUSED}"))
    sql = refused_rows(judged.judgement, apart=True)
    for some in together(bytes_at(judged.apart, places), _TOGETHER):
        session.register("refused_bytes", some)
        session.write(sql, writer, rows)


def bytes_at(lines: pads.FileSystemDataset, places: Places) -> Iterator[pa.RecordBatch]:
    """The places and bytes of the landed lines at some places, in their order; what goes wrong while they are read is told as
    ours, as the engine tells it.
    """
    columns = ["_landing_start", "_line", *BYTES]

    def picked(piece: pads.Fragment) -> list[pa.RecordBatch]:
        read = piece.scanner(schema=lines.schema, columns=columns, batch_size=_READ_ROWS, use_threads=False)
        return list(places.here(read.to_reader()))

    with reading("the bytes of refused lines"):
        for some in in_order(picked, in_pieces(lines, _READ).get_fragments(), _READERS):
            yield from some


def together(batches: Iterable[pa.RecordBatch], size: int) -> Iterator[pa.Table]:
    """Lines (`_raw`), in their order, in tables of at most `size` bytes and one line: what an engine joins, it may hold."""
    some: list[pa.RecordBatch] = []
    total = 0
    for batch in batches:
        ends = total + np.cumsum(whole(pc.binary_length(batch["_raw"])))
        first_of_next = np.flatnonzero(np.diff(ends // size, prepend=total // size))
        for piece, (begin, end) in enumerate(pairwise((0, *first_of_next, len(ends)))):
            if piece and some:
                yield pa.Table.from_batches(some)
                some = []
            some.append(batch.slice(begin, end - begin))
        total = int(ends[-1])
    if some:
        yield pa.Table.from_batches(some)


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"


def check_budgets(engine: Engine, session: Session, stream: Stream, counts: Counts, duplicates: int) -> list[str]:
    """The names of `warn` budgets that this run broke. Raises `DataError` for a broken `fail` budget."""
    broken = broken_budgets(engine, session, stream, counts, duplicates)
    for budget in broken:
        if budget.action == "fail":
            told = ", ".join(f"{name} {value:.4g}" for name, value in budget_values(counts, duplicates).items())
            raise DataError(f"{stream.name}: the run breaks the budget {budget.name} ({budget.expect}): {told}")
    return [budget.name for budget in broken]


def broken_budgets(engine: Engine, session: Session, stream: Stream, counts: Counts, duplicates: int) -> list[Budget]:
    """The budgets that a run with these counts breaks, `warn` and `fail`; none for a run without lines."""
    if not counts.lines:
        return []
    values = budget_values(counts, duplicates)
    return [budget for budget in stream.budgets if not _holds(engine, session, budget, values)]


def budget_values(counts: Counts, duplicates: int) -> dict[str, Any]:
    """What a budget's condition may name, of a run with at least one line."""
    return {
        "lines": counts.lines,
        "good": counts.lines - counts.quarantined - duplicates,
        "rejected": counts.quarantined,
        "duplicates": duplicates,
        "rejected_ratio": counts.quarantined / counts.lines,
        "duplicate_ratio": duplicates / counts.lines,
    }


def _holds(engine: Engine, session: Session, budget: Budget, values: Mapping[str, Any]) -> bool:
    from strandline.plan.judge import budget_expression

    relation = ", ".join(f"{value!r} AS {engine.dialect.quote(name)}" for name, value in values.items())
    return bool(
        session.rows(f"SELECT {budget_expression(engine.dialect, budget.expect)} AS holds FROM (SELECT {relation}) AS v")[0][
            "holds"
        ]
    )
