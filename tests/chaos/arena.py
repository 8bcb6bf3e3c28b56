"""One lake on which rounds are played: who runs in each, and the counts and audits after it."""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from strandline.audit.audit import audit
from strandline.errors import TransientError
from strandline.lake import paths
from strandline.local.seaweed import Seaweed
from strandline.runtime import Runtime
from strandline.spec.model import Stream
from tests.chaos import landed
from tests.chaos.crew import Crew
from tests.chaos.duties import declared, opened
from tests.chaos.handed_in import FIRST, HOUR, START, Inbox, served

if TYPE_CHECKING:
    from tests.chaos.overlap import Tally


class _Course:
    """How far one stream has come: the numbers of its next live and its next older interval, and its contract."""

    def __init__(self) -> None:
        self.live, self.old = FIRST, FIRST - 1
        self.change = 0
        self.has_batch = False
        self.handed_in: set[int] = set()


class Arena:
    """A fresh lake with a reader at work on it; a context manager, which judges the lake at its end.

    `is_short` saves time: fewer reads, and one audit at the end instead of one after each round.
    """

    def __init__(
        self,
        server: Seaweed,
        crew: Crew,
        lake: str,
        folder: Path,
        streams: Sequence[str],
        rng: random.Random,
        tally: Tally,
        *,
        is_short: bool = False,
    ) -> None:
        self._server, self._crew, self._lake, self._folder = server, crew, lake, folder
        self._streams, self._rng, self._tally = streams, rng, tally
        self._courses = {name: _Course() for name in streams}
        self._inbox = Inbox(rng)
        self._orders = 0
        self._is_short, self._pause = is_short, 0.4 if is_short else 0.05
        self._until = folder / f"{lake.rpartition('/')[2]}.ends"
        self._told = folder / f"{lake.rpartition('/')[2]}.told"

    def __enter__(self) -> Arena:
        how = {"until": str(self._until), "streams": list(self._streams), "pause": self._pause}
        reading = self._order("read", self._streams[0], FIRST, **how)
        self._reading = reading["out"]
        self._reader = self._crew.start([reading])
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if kind is None:
            for name in self._streams:
                self._settle(name)
        self._until.touch()
        ended = self._crew.wait(self._reader)
        told = _telling(self._reading, ended[0])
        if told["error"]:
            self._tally.wrong.append(f"the reader: {told['error']}")
        found = told.get("read", {})
        for name in ("reads", "queries", "pointers", "torn", "back"):
            setattr(self._tally, name, getattr(self._tally, name) + found.get(name, 0))
        self._tally.wrong += found.get("told", [])
        if self._told.exists():
            self._tally.told_twice += sum(n - 1 for n in Counter(self._told.read_text().splitlines()).values())

    def play(self, kind: str, name: str) -> None:
        """One round of that kind on the stream; what came of it is added to the tally."""
        course, rng = self._courses[name], self._rng
        if kind in ("night", "contract") and not course.has_batch:
            kind = "all steps"
        if kind == "contract":
            course.change += 1
        live, old = course.live, course.old
        until = rng.choice((live - 1, live)) if kind != "night" else live - 1
        duties: dict[str, list[tuple[str, int]]] = {
            "one interval": [("ingest", live)] * 4,
            "all steps": [("batch", until), ("ingest", live), ("merge", live), ("ingest", old)],
            "serving": [("merge", live), ("merge", live), ("publish", live), ("publish", live)],
            "night": [("batch", until), ("batch", until), ("maintain", live), ("merge", live), ("ingest", old)],
            "contract": [("rebuild", live), ("replay", live), ("ingest", live), ("merge", live)],
        }
        self._hand_in(name, live)
        if kind == "serving":
            self._run(kind, name, [("ingest", live)], alone=True)
        self._run(kind, name, duties[kind])
        self._tally.rounds[kind] += 1
        course.has_batch |= kind == "all steps"
        if kind in ("one interval", "all steps", "serving", "contract"):
            course.live += 1
            course.handed_in.add(live)
        if kind in ("all steps", "night"):
            course.old -= 1
            course.handed_in.add(old)
        self._count(name)
        if not self._is_short:
            self._audit(name)

    def _hand_in(self, name: str, hour: int) -> None:
        if name == "parcels":
            key, data = self._inbox.next_object(hour)
            bucket, prefix = urlsplit(self._lake).netloc, urlsplit(f"{self._lake}-inbox").path.strip("/")
            self._server.client().put_object(Bucket=bucket, Key=f"{prefix}/{key}", Body=data)

    def _run(self, kind: str, name: str, duties: Sequence[tuple[str, int]], *, alone: bool = False) -> None:
        """Let all run at once (at random offsets); who gave up is run once more by itself."""
        spread = 0.0 if alone else self._rng.choice((0.0, 0.05, 0.4))
        orders = [self._order(do, name, hour, delay=self._rng.uniform(0, spread)) for do, hour in duties]
        ended = self._crew.wait(self._crew.start(orders))
        told = [_telling(order["out"], status) for order, status in zip(orders, ended, strict=True)]
        tally = self._tally
        tally.conflicts[kind] += sum(each["lost"] for each in told)
        if not alone:
            tally.together[kind] += max(each["began"] for each in told) < min(each["ended"] for each in told)
        for order, each in zip(orders, told, strict=True):
            if not each["error"]:
                continue
            tally.gave_up[kind] += 1
            tally.reasons[f"{order['do']}: {each['error'][:160]}"] += 1
            if not each["ours"]:
                tally.wrong.append(f"{order['do']} met what is no error of ours: {each['error']}")
            again = self._order(order["do"], name, duties[orders.index(order)][1])
            retried = _telling(again["out"], self._crew.wait(self._crew.start([again]))[0])
            if retried["error"]:
                tally.stuck += 1
                tally.wrong.append(f"{order['do']} is stuck: {each['error']} → {retried['error']}")

    def _count(self, name: str) -> None:
        """Every line handed in has landed, once."""
        course, runtime, stream = self._courses[name], self._runtime(), self._stream(name)
        snapshot = landed.realtime(runtime, stream)
        if name == "parcels":
            found = landed.lines_by_object(snapshot)
            keys = {source: source.rpartition("/")[2] for source, _ in found}
            held = Counter({(keys[source], line): n for (source, line), n in found.items()})
            wanted = Counter((key, n) for key, lines in self._inbox.objects.items() for n in range(1, len(lines) + 1))
        else:
            held = Counter({(f"{start}", 0): n for start, n in landed.lines_by_interval(snapshot).items()})
            starts = [START + HOUR * hour for hour in course.handed_in]
            wanted = Counter({(f"{start}", 0): landed.given(runtime, stream, start) for start in starts})
        twice, lost = held - wanted, wanted - held
        self._tally.duplicates += twice.total()
        self._tally.lost += lost.total()
        if twice or lost:
            self._tally.wrong.append(f"{name}: twice {dict(twice.most_common(3))}, lost {dict(lost.most_common(3))}")

    def _audit(self, name: str) -> None:
        runtime, stream = self._runtime(), self._stream(name)
        try:
            found = audit(runtime, stream)
        except TransientError:  # served does not follow the last rebuild yet
            self._run("contract", name, [("merge", FIRST)], alone=True)
            found = audit(runtime, stream)
        self._tally.audits += 1
        self._tally.wrong += [f"audit: {fault}" for fault in (*found.faults, *found.differences)]

    def _settle(self, name: str) -> None:
        """Everything once more without a race; then the events served of `parcels` are those computed from what was handed
        in.
        """
        course = self._courses[name]
        if not course.handed_in:
            return
        last = max(course.handed_in)
        for duty in ("batch", "rebuild", "merge", "publish"):
            self._run("settle", name, [(duty, last)], alone=True)
        self._count(name)
        self._audit(name)
        if name == "parcels":
            snapshot = self._runtime().lake.table(paths.unified(name)).snapshot()
            assert snapshot is not None, "a merge has run"
            rows, wanted = served(snapshot.arrow().to_pylist()), self._inbox.expected(course.change % 2 * 20)
            if rows != wanted:
                differing = [key for key in {*rows, *wanted} if rows.get(key) != wanted.get(key)]
                self._tally.wrong.append(f"{len(differing)} served events are wrong, such as {differing[0]}")

    def _stream(self, name: str) -> Stream:
        return declared(name, self._lake, self._courses[name].change)

    def _runtime(self) -> Runtime:
        return opened(self._access())

    def _access(self) -> dict[str, Any]:
        secrets = self._server.credentials
        access = {"endpoint": self._server.endpoint_url, "key": secrets.access_key_id, "secret": secrets.secret_access_key}
        return {"lake": self._lake, **access}

    def _order(self, do: str, name: str, hour: int, **more: Any) -> dict[str, Any]:
        self._orders += 1
        start = START + HOUR * hour
        order = {"do": do, "stream": name, "start": start.isoformat(), "end": (start + HOUR).isoformat(), "delay": 0.0}
        order |= {"change": self._courses[name].change, "told": str(self._told), "folder": str(self._folder / "cwd")}
        return order | self._access() | {"out": str(self._folder / f"out-{self._orders}")} | more


def _telling(out: str, status: int) -> Mapping[str, Any]:
    path = Path(out)
    if not path.exists():
        return {"error": f"the process ended with {status} and told nothing", "ours": False, "lost": 0, "began": 0, "ended": 0}
    told: dict[str, Any] = json.loads(path.read_text())
    path.unlink()
    return told
