"""What must hold after every step. Tables are looked at when they changed, by their files, and held against the oracle: at
whatever position a table says it stands, it is the lines up to there.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pyarrow.parquet as pq

from strandline.lake import paths
from strandline.lake.lake import Lake
from strandline.lake.snapshot import DataFile, Snapshot
from tests.laws import oracle
from tests.laws.oracle import Contract, Event, Landed

SHOWN = ("order_id", "placed_at", "revision", "amount", "channel", "_landing_start", "_line")
KEPT = timedelta(days=2)
"""How long quarantine keeps lines."""
HOURLY = ("orders", "revenue", "average", "middle", "buyers", "newest")


class Checks:
    """Follows a lake; raises `AssertionError` where a law does not hold.

    `silver_by` and `served_by` are the contracts that may have judged a line of silver, or of what is served. `expired` is
    the landing date before which retention may have let refused lines go.
    """

    def __init__(self, lake: Lake, slot: timedelta, tables: Sequence[str]) -> None:
        self.lake, self._slot = lake, slot
        self._gold = [(name, _GOLD[name]) for name in tables]
        self.delivered: dict[str, list[bytes]] = {}
        self.landed: list[tuple[int, Landed]] = []
        self.starts: set[datetime] = set()
        self.silver_by: set[Contract] = set()
        self.served_by: set[Contract] = set()
        self.expired = date.min
        self.half_restated = False
        self._taken: set[str] = set()
        self._seen = 0
        self._looked: dict[str, Any] = {}
        self._rows: dict[str, list[dict[str, Any]]] = {}
        self._watermark = datetime.min.replace(tzinfo=UTC)

    def under(self, contract: Contract) -> None:
        """The contract that everything is judged by at first."""
        self.silver_by, self.served_by = {contract}, {contract}

    def judging_silver(self, contract: Contract) -> None:
        """From now on lines of silver may have been judged by it, and so what is served of them."""
        self.silver_by.add(contract)
        self.served_by.add(contract)

    def judging_served(self, contract: Contract) -> None:
        """From now on lines served may have been judged by it."""
        self.served_by |= {contract} | self.silver_by

    def is_exact(self, contract: Contract) -> bool:
        """Whether only this contract has judged anything."""
        return self.served_by == self.silver_by == {contract}

    def waiting(self) -> set[str]:
        """The delivered files that no interval has landed."""
        return set(self.delivered) - self._taken

    def look(self, *, again: bool = False) -> None:
        """All laws, for every table that changed; with `again` for those too that did not."""
        if again:
            self._looked.clear()
        self._look_at_landings()
        batch, quarantine = self._table(paths.silver("orders")), self._table(paths.quarantine("orders"))
        if batch is not None and batch.ordinal and self._is_new(batch):
            self._equal(batch, self._below(batch), self.silver_by)
        if quarantine is not None and quarantine.ordinal and self._is_new(quarantine):
            self._look_at_refused(quarantine)
        for name, check in self._gold:
            gold = self._table(paths.gold("orders", name))
            if gold is not None and batch is not None and gold.position("silver") == batch.ordinal and self._is_new(gold):
                check(self.rows(gold), self._events(batch))
        self._look_at_served()
        self._never_back(self._table(paths.bronze("orders")))

    def _table(self, path: str, version: int | None = None) -> Snapshot | None:
        return self.lake.table(path).snapshot(version)

    def _is_new(self, snapshot: Snapshot) -> bool:
        if self._looked.get(snapshot.path) == snapshot.version:
            return False
        self._looked[snapshot.path] = snapshot.version
        return True

    def _never_back(self, bronze: Snapshot | None) -> None:
        seconds = bronze.position("watermark") if bronze else 0
        if seconds:
            watermark = datetime.fromtimestamp(seconds, UTC)
            assert watermark >= self._watermark, "the line went back"
            self._watermark = watermark

    def rows(self, snapshot: Snapshot) -> list[dict[str, Any]]:
        """The rows of a version, straight from its files."""
        return [row for file in snapshot.files for row in self._rows_of(snapshot.path, file)]

    def _rows_of(self, path: str, file: DataFile) -> list[dict[str, Any]]:
        place = f"{self.lake.url}/{path}/{file.path}"
        if place not in self._rows:
            with pq.ParquetFile(place) as stored:
                self._rows[place] = stored.read(use_threads=False).to_pylist()
        return self._rows[place]

    def _look_at_landings(self) -> None:
        """Every interval has landed a whole file or nothing, no file twice, no interval twice."""
        table = self._table(paths.realtime("orders"))
        if table is None or table.ordinal == self._seen:
            return
        for file in table.files_since(self._seen):
            rows = self._rows_of(table.path, file)
            start = rows[0]["_landing_start"]
            assert start not in self.starts, f"{start} landed twice"
            assert {row["_landing_start"] for row in rows} == {start}
            self.starts.add(start)
            lines = sorted((row for row in rows if row["_line"]), key=lambda row: row["_line"])
            assert [row["_line"] for row in lines] == list(range(1, len(lines) + 1))
            for name in {row["_source"] for row in lines}:
                assert [row["_raw"] for row in lines] == self.delivered[name], "the bytes are not those that were delivered"
                assert name not in self._taken, f"{name} landed twice"
                self._taken.add(name)
            self.landed += [(file.ordinal, Landed(r["_raw"], start, start + self._slot, r["_line"])) for r in lines]
        self._seen = table.ordinal

    def _lines(self, wanted: Callable[[int, Landed], bool]) -> list[Landed]:
        """The chosen lines in another order than that in which they came."""
        chosen = [line for ordinal, line in self.landed if wanted(ordinal, line)]
        random.Random(len(chosen)).shuffle(chosen)
        return chosen

    def _below(self, table: Snapshot) -> list[Landed]:
        """The lines below the line that a table of batch has taken."""
        watermark, seen = datetime.fromtimestamp(table.position("watermark"), UTC), table.position("realtime")
        return self._lines(lambda ordinal, line: line.start < watermark and ordinal <= seen)

    def _equal(self, table: Snapshot, lines: Iterable[Landed], contracts: set[Contract]) -> None:
        """The rows are those of a recompute, each event once."""
        found = {event.key: event.row for event in self._events(table)}
        assert len(found) == table.rows, f"{table.path} holds an event twice"
        truth = oracle.possible(lines, contracts)
        wrong = {key for key, rows in truth.items() if found.get(key) not in rows}
        assert not wrong, (table.path, [(found.get(key), truth[key]) for key in wrong])
        assert found.keys() <= truth.keys(), (table.path, found.keys() - truth.keys())

    def _events(self, table: Snapshot) -> list[Event]:
        return [Event(*(row[name] for name in SHOWN)) for row in self.rows(table)]

    def _look_at_refused(self, table: Snapshot) -> None:
        """Every refused line once; of those that retention let go, none that is younger."""
        rows = self.rows(table)
        found = {Landed(r["_raw"], r["_landing_start"], r["_landing_end"], r["_line"]) for r in rows}
        assert len(found) == len(rows), "a line is in quarantine twice"
        must, may = oracle.refused(self._below(table), self.silver_by)
        kept = (datetime.fromtimestamp(table.position("watermark"), UTC) - KEPT).date()
        assert not (wrong := {line for line in found - may if line.start.date() >= kept}), wrong
        gone = {line for line in must - found if line.start.date() >= max(kept, self.expired)}
        assert not gone, gone

    def pointer_bytes(self) -> bytes | None:
        """The published pointer as it is stored."""
        name = paths.published("orders")
        return self.lake.objects.get(name) if self.lake.objects.exists(name) else None

    def _look_at_served(self) -> None:
        """What is published is the lines it says it has taken; its tables belong together."""
        stored = self.pointer_bytes()
        if stored is None or self._looked.get("pointer") == stored:
            return
        self._looked["pointer"] = stored
        pointer = json.loads(stored)
        unified = self._table(paths.unified("orders"), pointer["unified"])
        assert unified is not None
        self._equal(unified, self._lines(lambda ordinal, line: ordinal <= pointer["realtime"]), self.served_by)
        events = self._events(unified)
        for name, check in self._gold:
            table = self._table(paths.analytics("orders", name), pointer["analytics"][name])
            assert table is not None
            check(self.rows(table), events)
        if pointer["watermark"]:
            line = datetime.fromisoformat(pointer["watermark"])
            assert line >= self._looked.get("served", line), "what is served went back"
            self._looked["served"] = line

    def alerts(self) -> None:
        """After publishing: an alert fires on exactly the windows that are served and meet its condition."""
        stored, firings = self.pointer_bytes(), self._table(paths.firings("orders"))
        if stored is None or "hourly" not in dict(self._gold):
            return
        served = self._table(paths.analytics("orders", "hourly"), json.loads(stored)["analytics"]["hourly"])
        assert served is not None
        busy = sorted(row["window_start"] for row in self.rows(served) if row["orders"] >= 2)
        found = sorted(row["at"] for row in self.rows(firings)) if firings else []
        assert found == busy, (found, busy)

    def served_is_fresh(self) -> None:
        """After a merge: everything that landed, and all that batch has."""
        stored = self.pointer_bytes()
        realtime, batch = self._table(paths.realtime("orders")), self._table(paths.silver("orders"))
        if realtime is not None and realtime.ordinal:
            assert stored is not None
            pointer = json.loads(stored)
            assert pointer["realtime"] == realtime.ordinal
            assert pointer["silver"] == (batch.ordinal if batch else 0)

    def ledger(self) -> None:
        """After a batch, rebuild or replay that ended: the ledger says what became of every line."""
        batch, book = self._table(paths.silver("orders")), self._table(paths.LEDGER)
        quarantine = self._table(paths.quarantine("orders"))
        if batch is None or book is None or quarantine is None or not batch.ordinal or self.half_restated:
            return
        rows = self.rows(book)
        lines, good, duplicates, refused = (
            sum(row[name] for row in rows) for name in ("lines", "good", "duplicates", "quarantined")
        )
        taken = self._below(batch)
        assert lines == len(taken), (lines, len(taken))
        assert lines == good + duplicates + refused
        assert good == batch.rows, (good, batch.rows)
        if len(self.silver_by) == 1:
            must, _ = oracle.refused(taken, self.silver_by)
            assert refused == len(must), (refused, len(must))


def _check_hourly(rows: list[dict[str, Any]], events: list[Event]) -> None:
    found = {(row["window_start"], row["channel"]): tuple(row[name] for name in HOURLY) for row in rows}
    truth = oracle.hourly(events)
    assert len(found) == len(rows)
    assert found.keys() == truth.keys()
    for key, row in truth.items():
        assert _close(found[key], row), (key, found[key], row)


def _check_quarters(rows: list[dict[str, Any]], events: list[Event]) -> None:
    found = {row["window_start"]: (row["orders"], row["revenue"], row["newest"]) for row in rows}
    assert len(found) == len(rows)
    assert found == oracle.quarters(events)


def _check_weekly(rows: list[dict[str, Any]], events: list[Event]) -> None:
    assert {row["window_start"]: (row["orders"], row["revenue"]) for row in rows} == oracle.weekly(events)


_GOLD = {"hourly": _check_hourly, "quarters": _check_quarters, "weekly": _check_weekly}


def _close(found: tuple[Any, ...], expected: tuple[Any, ...]) -> bool:
    """Equal, and floats equal to twelve digits."""
    return all(
        a == b if not isinstance(b, float) else abs(a - b) <= 1e-12 * abs(b) for a, b in zip(found, expected, strict=True)
    )
