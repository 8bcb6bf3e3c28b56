"""`strandline status`: every landed line is accounted for, on both sides of the line, or it says which number does not fit."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pytest

from strandline.lake import paths
from strandline.lake.lake import Lake
from strandline.lake.snapshot import Snapshot
from strandline.lake.tables import Commit
from strandline.plan import schemas
from strandline.runtime import Runtime
from strandline.spec.load import load_stream
from strandline.spec.model import Stream
from strandline.status import Account, Size, balance, layout, standing
from tests.cli.conftest import FIVE, ORDERS, Project


def opened(project: Project) -> tuple[Runtime, Stream]:
    return Runtime(Lake.open(str(project.lake))), load_stream(project.config / "streams/orders.yaml")


def drop_rows(project: Project, path: str) -> None:
    """Take every file out of a table, without moving any of its positions."""
    table = Lake.open(str(project.lake)).table(path)

    def decide(snapshot: Snapshot) -> Commit | None:
        return Commit(remove=snapshot.files) if snapshot.files else None

    found = table.snapshot()
    assert found is not None
    table.commit(found.schema, decide, found.partition_by)


def test_before_any_batch_the_speed_side_is_judged_on_the_fly(traded: Project) -> None:
    found = balance(*opened(traded))
    assert found.landed == 8
    assert found.batch == Account()
    assert found.speed == Account(8, 5, 1, 2, {"not_json": 1, "rule": 1})
    assert found.holds
    assert found.notes == ("8 line(s) landed since the last merge",)


def test_an_event_of_which_batch_has_a_line_already_is_a_duplicate_of_the_speed_side(traded: Project) -> None:
    traded.run("run", "batch", "--to", traded.ago(0))
    traded.run("run", "merge")
    traded.deliver("3.ndjson", [traded.order(4), traded.order(7), traded.order(7), "{}"])
    runtime, stream = opened(traded)
    from strandline.intervals import interval_at
    from strandline.stages.land import ingest

    ingest(runtime, stream, interval_at(traded.now, FIVE))
    found = balance(runtime, stream)
    assert (found.batch.lines, found.batch.good) == (8, 5)
    assert found.speed == Account(4, 1, 2, 1, {"missing": 1})
    assert (found.landed, found.total.good, found.holds) == (12, 6, True)
    traded.run("run", "merge")
    merged = balance(runtime, stream)
    assert (merged.holds, merged.notes) == (True, ())
    assert standing(runtime, stream).final + standing(runtime, stream).provisional == 6


def test_a_balanced_lake_exits_0_and_shows_the_numbers(traded: Project) -> None:
    traded.run("run", "all", "--to", traded.ago(0))
    result = traded.run("status")
    assert result.exit_code == 0, result.output
    account = next(line for line in result.stdout.partition("Lines:")[2].splitlines() if line.strip().startswith("orders"))
    assert account.split()[:6] == ["orders", "8", "5", "1", "2", "✓"]
    assert "not_json 1, rule 1" in account
    assert "Open alerts: 1" in result.stdout
    assert "city=Kiel" in result.stdout


def test_for_machines_it_is_json(traded: Project) -> None:
    traded.run("run", "all", "--to", traded.ago(0))
    told = traded.json("status", "--json")["streams"]["orders"]
    assert told["balance"]["holds"] is True
    assert told["balance"]["total"]["reasons"] == {"not_json": 1, "rule": 1}
    assert told["unified"] == {"final": 5, "provisional": 0}
    assert (told["watermark"], told["landed_until"]) == (traded.ago(0), traded.ago(0))
    assert told["open_alerts"][0]["key"] == {"city": "Kiel"}
    assert told["layers"]["silver"]["rows"] == 5


@pytest.mark.parametrize(
    ("path", "said"),
    [
        (paths.unified("orders"), "unified has 0 rows where 5 are good"),
        (paths.silver("orders"), "silver has 0 rows, the ledger 5 good lines"),
        (paths.quarantine("orders"), "quarantine has 0 rows, the ledger 2 refused lines"),
        (paths.bronze("orders"), "the micro-batches landed 0 lines, but 8 are accounted for"),
        (paths.LEDGER, "the micro-batches landed 8 lines, but 0 are accounted for"),
    ],
)
def test_rows_that_vanish_from_a_table_are_missed(traded: Project, path: str, said: str) -> None:
    traded.run("run", "all", "--to", traded.ago(0))
    drop_rows(traded, path)
    result = traded.run("status")
    assert result.exit_code == 1
    assert "✗" in result.stdout
    assert said in result.stderr
    assert traded.run("status", "--json").exit_code == 1


def test_a_ledger_row_too_many_is_found(traded: Project) -> None:
    traded.run("run", "all", "--to", traded.ago(0))
    table = Lake.open(str(traded.lake)).table(paths.LEDGER)
    forged = dict.fromkeys(schemas.LEDGER.names, None) | {"stream": "orders", "batch": 9, "lines": 3, "good": 1}
    forged |= {"duplicates": 0, "quarantined": 0, "reasons": "{}", "recorded_at": datetime.now(UTC)}

    def decide(snapshot: Snapshot) -> Commit | None:
        if snapshot.rows > 1:
            return None
        writer = table.writer(snapshot, schemas.LEDGER)
        writer.write(pa.Table.from_pylist([forged], schema=schemas.LEDGER))
        return Commit(add=writer.close())

    table.commit(schemas.LEDGER, decide)
    assert "11 lines are not 6 good + 1 duplicates + 2 quarantined" in balance(*opened(traded)).faults


def test_a_line_that_breaks_a_fail_rule_does_not_balance_and_says_why(traded: Project) -> None:
    traded.declare("orders", ORDERS.replace("expect: amount < 1000", "expect: amount < 1000, action: fail"))
    result = traded.run("status")
    assert result.exit_code == 1
    assert "affordable: 1 line(s)" in result.stderr


def test_an_empty_lake_balances(project: Project) -> None:
    project.lake.mkdir()
    result = project.run("status")
    assert result.exit_code == 0, result.output
    assert project.json("status", "--json")["streams"]["orders"]["landed_until"] is None


def test_the_layout_counts_lines_and_the_bytes_that_stand_there(traded: Project) -> None:
    traded.run("run", "all", "--to", traded.ago(0))
    runtime, stream = opened(traded)
    found = layout(runtime, [stream])["orders"]
    rows = {layer: size.rows for layer, size in found.items()}
    assert rows == {
        "realtime": 8, "bronze": 8, "silver": 5, "quarantine": 2, "gold": 3, "unified": 5, "analytics": 3, "alerts": 2,
    }  # fmt: skip
    landed = sum(path.stat().st_size for path in Path(traded.lake, "realtime/orders").rglob("*.parquet"))
    assert found["realtime"].bytes == landed
    assert Size(1, 2) + Size(3, 4) == Size(4, 6)
