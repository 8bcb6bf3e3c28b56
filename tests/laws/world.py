"""The system under test, and what is known of it: the files that were delivered, the lines that landed, by which contracts."""

from __future__ import annotations

import os
import random
import shutil
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from functools import cache
from pathlib import Path

from strandline.errors import DataError, TransientError, UsageError
from strandline.intervals import Interval, intervals_between
from strandline.lake import paths
from strandline.lake.lake import Lake
from strandline.lake.log import State
from strandline.lines.keys import KeyRing
from strandline.publish.alerts import Notification
from strandline.publish.publish import publish
from strandline.runtime import Runtime
from strandline.spec.load import load_streams
from strandline.spec.model import Stream
from strandline.stages.bronze import Line, NotLandedYetError, bronze
from strandline.stages.gold import gold
from strandline.stages.land import ingest, ingest_intervals
from strandline.stages.maintain import maintain
from strandline.stages.merge import merge
from strandline.stages.rebuild import rebuild
from strandline.stages.replay import replay
from strandline.stages.silver import silver
from tests.laws.checks import KEPT, Checks
from tests.laws.crashes import CrashingLake
from tests.laws.memory import MemoryObjects, MemoryRuntime
from tests.laws.oracle import Contract

CONFIG = Path(__file__).parent / "config" / "streams" / "orders.yaml"
SLOT = timedelta(hours=6)
START = datetime(2026, 3, 1, 18, 0, tzinfo=UTC)
CHANNELS = Contract().channels
CONTRACTS: tuple[tuple[Contract, str, tuple[tuple[str, str], ...]], ...] = (
    (Contract(), "1.0.0", ()),
    (Contract(below=500, least=100), "1.1.0", (("amount < 1000", "amount < 500"), ("minimum: 0}", "minimum: 100}"))),
    (
        Contract(channels=CHANNELS | {"fax"}, late=timedelta(days=2)),
        "1.2.0",
        (("phone]", "phone, fax]"), ("event_time: placed_at", "event_time: placed_at\n  allowed_lateness: 2d")),
    ),
    (
        Contract(least=-5, early=timedelta(hours=6)),
        "2.0.0",
        (("minimum: 0}", "minimum: -5}"), ("event_time: placed_at", "event_time: placed_at\n  future_skew: 6h")),
    ),
    (Contract(channels=frozenset({"web", "fax"})), "1.0.0", (("[web, shop, phone]", "[web, fax]"),)),
)
"""What is good, the version, and the edits of the YAML that say so; the last one reuses a version."""


@cache
def declared(tables: tuple[str, ...]) -> tuple[Stream, ...]:
    """The stream under each of the contracts, with some of its gold tables."""
    found = []
    with tempfile.TemporaryDirectory() as name:
        for number, (_, version, edits) in enumerate(CONTRACTS):
            text = CONFIG.read_text().replace("version: 1.0.0", f"version: {version}")
            for old, new in edits:
                assert text.count(old) == 1, old
                text = text.replace(old, new)
            path = Path(name) / str(number) / "streams" / CONFIG.name
            path.parent.mkdir(parents=True)
            path.write_text(text)
            stream = load_streams(path.parents[1])["orders"]
            alerts = tuple(alert for alert in stream.alerts if alert.on in tables)
            found.append(replace(stream, gold=tuple(t for t in stream.gold if t.name in tables), alerts=alerts))
    return tuple(found)


class World:
    """A lake, the stream `orders` under the contract of today, and the truth about both. A `plain` one does as production
    does: it opens an engine for every session.
    """

    def __init__(self, tables: tuple[str, ...], *, plain: bool) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="strandline-laws-", dir="/dev/shm" if Path("/dev/shm").is_dir() else None))
        (self.folder / "inbox").mkdir()
        self._before = Path.cwd()
        os.chdir(self.folder)
        self.lake = CrashingLake(Lake(MemoryObjects(self.folder / "lake"), None))
        self.runtime = (Runtime if plain else MemoryRuntime)(self.lake, KeyRing({}), threads=1)
        self._declared = declared(tables)
        self.stream, self.contract = self._declared[0], CONTRACTS[0][0]
        self.next, self.was_refused = START, False
        self.delivered: dict[str, list[bytes]] = {}
        self.checks = Checks(self.lake, SLOT, tables)
        self.checks.under(self.contract)
        self.rebuilt = True
        names = [paths.realtime, paths.bronze, paths.silver, paths.quarantine, paths.unified]
        self._paths = [paths.LEDGER, *(name("orders") for name in names)]
        self._paths += [place("orders", table) for place in (paths.gold, paths.analytics) for table in tables]
        self._paths += [paths.firings("orders"), paths.episodes("orders")]
        self._others: dict[str, State] = {}
        self.told: list[Notification] = []

    def versions(self) -> dict[str, int]:
        """The newest version of every table, -1 where there is none."""
        found = {path: self.lake.table(path).snapshot() for path in self._paths}
        return {path: snapshot.version if snapshot else -1 for path, snapshot in found.items()}

    def elsewhere(self, step: Callable[[], None]) -> None:
        """Run a step in another process: it remembers of the tables what it saw itself."""
        self.lake.states, self._others = self._others, self.lake.states
        try:
            step()
        finally:
            self.lake.states, self._others = self._others, self.lake.states

    def close(self) -> None:
        """Remove everything."""
        os.chdir(self._before)
        shutil.rmtree(self.folder)

    def deliver(self, lines: list[bytes]) -> None:
        """One file for the source; without lines, none."""
        if lines:
            name = f"{len(self.delivered):06d}.ndjson"
            (self.folder / "inbox" / name).write_bytes(b"".join(line + b"\n" for line in lines))
            self.delivered[name] = lines
            self.checks.delivered[name] = lines

    @property
    def starts(self) -> set[datetime]:
        """The starts of the intervals that landed."""
        return self.checks.starts

    def holes(self) -> list[datetime]:
        """The intervals between the first and the last landed one that never landed, and two before the first."""
        if not self.starts:
            return []
        first = min(self.starts) - 2 * SLOT
        return [each.start for each in intervals_between(first, max(self.starts), SLOT) if each.start not in self.starts]

    def undisturbed(self, step: Callable[[], None]) -> None:
        """Run a step; run again, it changes nothing."""
        step()
        self.checks.look()
        before, pointer = self.versions(), self.checks.pointer_bytes()
        step()
        assert self.versions() == before, "a step run again wrote a new version"
        assert self.checks.pointer_bytes() == pointer

    def run(self, step: Callable[[], None], crash: int = 0, other: Callable[[], None] | None = None) -> bool:
        """Whether the step ended without being disturbed: it crashes at the moment number `crash`, or lets `other` go by
        there; one that was overtaken and gave up is run again.
        """
        if not crash:
            self.undisturbed(step)
            return True
        if other is None:
            burnt = self.lake.fuse.burns(step, crash)
            if burnt:
                self.lake.states.clear()  # what the process knew is gone with it
        else:
            burnt = True
            try:
                self.lake.fuse.overtakes(step, crash, lambda: self.elsewhere(other))
            except TransientError:
                self.undisturbed(step)
                burnt = False
        self.checks.look()
        return not burnt

    def ingest(self, start: datetime) -> None:
        """Land an interval, and what was missed before it when it is the newest."""
        ingest(self.runtime, self.stream, Interval(start, start + SLOT))

    def ingest_alone(self, start: datetime) -> None:
        """Land an interval only."""
        ingest_intervals(self.runtime, self.stream, [Interval(start, start + SLOT)])

    def line(self) -> Line:
        """The line as bronze has it."""
        return Line.of(self.lake.table(paths.bronze("orders")).snapshot())

    def batch(self, until: datetime) -> None:
        """Bronze, silver and gold; nothing when bronze says rightly that intervals are missing (then `was_refused`)."""
        self.was_refused = True
        self.checks.judging_silver(self.contract)
        before = self.line().watermark
        try:
            bronze(self.runtime, self.stream, until)
        except NotLandedYetError:
            self.checks.look()
            assert max(self.starts) + SLOT < until, "bronze waits though everything has landed"
            return
        except DataError:
            self.checks.look()
            wanted = {each.start for each in intervals_between(before or min(self.starts), max(until, before or until), SLOT)}
            assert not wanted <= self.starts, "bronze refused though nothing was missing"
            return
        silver(self.runtime, self.stream)
        gold(self.runtime, self.stream)
        self.was_refused = False

    def merge(self) -> None:
        """Serve what landed. While every line was judged by one contract only, nothing drifts."""
        exact = self.checks.is_exact(self.contract)
        self.checks.judging_served(self.contract)
        counts = merge(self.runtime, self.stream)
        assert not exact or counts["drift"] == 0, counts

    def maintain(self) -> None:
        """Retention and the files that nothing names."""
        maintain(self.runtime, self.stream)
        line = self.line().watermark
        self.checks.expired = max(self.checks.expired, (line - KEPT).date()) if line else self.checks.expired

    def publish(self) -> None:
        """Alerts and pages of what is served; nobody is told anything twice."""
        publish(self.runtime, self.stream, self.told.append)
        ids = [(each.episode, each.event) for each in self.told]
        assert len(ids) == len(set(ids)), "somebody was told twice"

    def rebuild(self, days: tuple[date | None, date | None]) -> None:
        """Everything, or a range, judged again under the contract of today."""
        self.checks.judging_silver(self.contract)
        try:
            rebuild(self.runtime, self.stream, *days)
        except UsageError as error:
            if not any(days) or "let go of" not in str(error):
                raise

    def replay(self, reasons: Iterable[str]) -> None:
        """Quarantined lines judged again."""
        self.checks.judging_silver(self.contract)
        replay(self.runtime, self.stream, tuple(reasons))

    def change_contract(self, number: int) -> None:
        """From now on the stream is declared otherwise."""
        self.stream, self.contract = self._declared[number], CONTRACTS[number][0]
        self.rebuilt = False

    def after_rebuild_of_everything(self) -> None:
        """Silver is the last contract's alone; served is with the next merge."""
        self.checks.silver_by = {self.contract}
        self.rebuilt = True
        self.checks.look(again=True)

    def after_merge(self) -> None:
        """What is served knows all that landed."""
        if self.rebuilt:
            self.checks.served_by = {self.contract} | self.checks.silver_by
        self.checks.look(again=True)
        self.checks.served_is_fresh()

    def settle(self) -> None:
        """Land what is left, batch, rebuild and serve it; nothing delivered is missing then."""
        holes = self.holes()
        random.Random(len(holes)).shuffle(holes)
        for start in holes:
            if start > min(self.starts):
                self.ingest(start)
        while self.checks.waiting() or not self.starts:
            self.ingest(self.next)
            self.next += SLOT
            self.checks.look()
        self.next = max(self.next, max(self.starts) + SLOT)
        self.ingest(self.next - SLOT)
        self.batch(self.next)
        wanting = not self.rebuilt or len(self.checks.silver_by) > 1 or self.checks.half_restated
        if wanting and len(self.delivered) % 3 == 0:
            self.rebuild((None, None))
            self.checks.half_restated = False
            self.after_rebuild_of_everything()
        self.merge()
        self.after_merge()
        self.checks.ledger()
        assert self.line().watermark == self.next, (self.line().watermark, self.next, self.holes())
