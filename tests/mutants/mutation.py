"""A deliberate mistake in the core, and the names that the lists of them use."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Mutation:
    """One mistake: `old` in `file` becomes `new`, which breaks the law that `why` tells; `tests` are tried before the others.

    `equivalent` says why a mistake that no test can see is none.
    """

    name: str
    file: str
    old: str
    new: str
    why: str
    tests: tuple[str, ...] = ()
    equivalent: str = ""


LAWS = ("tests/laws/test_histories.py",)
POSITIONS = ("tests/laws/test_positions.py",)
REPETITION = ("tests/stages/test_repetition.py",)
HALF_STEP = ("tests/stages/test_half_step.py",)
QUARANTINE = ("tests/stages/test_quarantine.py",)
TABLES = ("tests/lake/test_tables.py",)
OBJECTS = ("tests/lake/test_objects.py",)
AGGREGATES = ("tests/plan/test_aggregates.py",)
AUDIT = ("tests/test_audit_new.py",)
PIECES = ("tests/stages/test_pieces.py",)
BACKFILL = ("tests/stages/test_backfill.py", "tests/test_at_once.py")
TABLES_PY, SNAPSHOT, LOG = (f"strandline/lake/{name}.py" for name in ("tables", "snapshot", "log"))
LAND, BRONZE, SILVER, MERGE = (f"strandline/stages/{name}.py" for name in ("land", "bronze", "silver", "merge"))
GENERATE, MAINTAIN, GOLD, ROWS = (f"strandline/stages/{name}.py" for name in ("generate", "maintain", "gold", "rows"))
JUDGE, AGGREGATE, DUCKDB = "strandline/plan/judge.py", "strandline/plan/aggregate.py", "strandline/engines/duckdb.py"
UNIFIED, SLICES = "strandline/stages/unified.py", "strandline/stages/slices.py"
LANDINGS, LOCAL, PARQUET = (f"strandline/lake/{name}.py" for name in ("landings", "local", "parquet"))
