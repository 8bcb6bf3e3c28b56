"""Where points are tried: lakes that are put back to any step of an undisturbed run, and children that run through a proxy."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import tempfile
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from strandline.local.seaweed import Seaweed
from tests.chaos import steps
from tests.chaos.faults import Kind, Schedule, quiet
from tests.chaos.proxy import FaultProxy, Record
from tests.chaos.steps import BUCKET, SCENARIO, Step

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

ROOT = Path(__file__).parents[2]
LONGEST = 180
"""Seconds after which an attempt counts as hung."""
_ENVIRONMENT = {
    "OPENBLAS_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
    "ARROW_DEFAULT_MEMORY_POOL": "system",
    "JE_ARROW_MALLOC_CONF": "background_thread:false",
    "_RJEM_MALLOC_CONF": "background_thread:false",
    "PYTHONPATH": str(ROOT),
    "AWS_EC2_METADATA_DISABLED": "true",
}


@dataclass(frozen=True, slots=True)
class Told:
    """What came of an attempt: `ended` is how the process ended (0: by itself), the rest is what it told; `ours` is False when
    the error was not one of our tree.
    """

    ended: int
    error: str = ""
    ours: bool = True
    faults: tuple[str, ...] = ()
    state: dict[str, list[str]] = field(default_factory=dict)

    @property
    def raised(self) -> bool:
        """Whether the attempt said that it failed."""
        return bool(self.error) or self.ended != 0


class Store:
    """The bucket, seen from outside: copies of lakes, made and put back object by object where they differ."""

    def __init__(self, server: Seaweed) -> None:
        self._client: S3Client = server.client()
        self._pool = ThreadPoolExecutor(8)
        self._kept: dict[str, dict[str, str]] = {}

    def deliver(self) -> None:
        """Put the objects of the source."""
        for name, data in steps.inbox().items():
            self._client.put_object(Bucket=BUCKET, Key=f"{steps.INBOX}/{name}", Body=data)

    def keep(self, lake: str, name: str) -> None:
        """Keep a copy of the lake under `kept/name`."""
        self._kept[name] = self._listed(f"{lake}/")
        self._copy((f"{lake}/{key}", f"kept/{name}/{key}") for key in self._kept[name])

    def restore(self, name: str, lake: str) -> None:
        """Make the lake equal to what was kept under that name."""
        wanted, there = self._kept[name], self._listed(f"{lake}/")
        extra = [key for key in there if key not in wanted]
        for first in range(0, len(extra), 1000):
            objects: Any = [{"Key": f"{lake}/{key}"} for key in extra[first : first + 1000]]
            self._client.delete_objects(Bucket=BUCKET, Delete={"Objects": objects, "Quiet": True})
        self._copy((f"kept/{name}/{key}", f"{lake}/{key}") for key, tag in wanted.items() if there.get(key) != tag)

    def _copy(self, pairs: Iterable[tuple[str, str]]) -> None:
        def copy(pair: tuple[str, str]) -> None:
            self._client.copy_object(Bucket=BUCKET, Key=pair[1], CopySource={"Bucket": BUCKET, "Key": pair[0]})

        list(self._pool.map(copy, pairs))

    def _listed(self, prefix: str) -> dict[str, str]:
        pages = self._client.get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix=prefix)
        return {e["Key"].removeprefix(prefix): e["ETag"] for page in pages for e in page.get("Contents", [])}


class Bench:
    """One lake of its own, with a proxy before it and a zygote whose children run on it; `async with` runs both."""

    def __init__(self, server: Seaweed, store: Store, name: str) -> None:
        self._server, self.store, self.lake = server, store, f"work/{name}"
        self._folder = Path(tempfile.mkdtemp(prefix="strandline-chaos-"))
        self.proxy = FaultProxy(server.endpoint_url)
        self._zygote: asyncio.subprocess.Process | None = None
        self._orders = 0

    async def __aenter__(self) -> Bench:
        await self.proxy.__aenter__()
        kept = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
        self._zygote = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "tests.chaos.zygote",
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            env={**kept, **_ENVIRONMENT},
            cwd=ROOT,
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._zygote is not None
        assert self._zygote.stdin is not None
        self._zygote.stdin.close()
        await self._zygote.wait()
        await self.proxy.__aexit__()
        for left in sorted(self._folder.rglob("*"), reverse=True):
            left.rmdir() if left.is_dir() else left.unlink()
        self._folder.rmdir()

    @property
    def told(self) -> Path:
        """The file of the notifications since the last `restore`."""
        return self._folder / "told"

    async def restore(self, position: int) -> None:
        """Put the lake back to before step `position` of the scenario."""
        self.told.unlink(missing_ok=True)
        await asyncio.to_thread(self.store.restore, f"{position:02d}", self.lake)

    async def attempt(self, step: Step, schedule: Schedule, seed: int = 0) -> tuple[Told, Record]:
        """Run the step in a fresh process through the proxy under the schedule."""
        found: list[Record] = []

        def arm(pid: int) -> None:
            found.append(self.proxy.arm(schedule, pid, seed))

        told = await self._order(step, arm, endpoint=self.proxy.endpoint, run=True, verify=False, impatient=True)
        self.proxy.arm(quiet)
        return told, found[0]

    async def finish(self, step: Step, *, run: bool) -> Told:
        """Run the step once more (or not) without the proxy, audit the lake and tell what it holds."""
        return await self._order(step, None, endpoint=self._server.endpoint_url, run=run, verify=True, impatient=False)

    async def _order(self, step: Step, arm: Any, **order: Any) -> Told:
        assert self._zygote is not None
        assert self._zygote.stdout is not None
        self._orders += 1
        out = self._folder / f"{self._orders}.json"
        order |= {
            "step": step.name,
            "day": step.day,
            "out": str(out),
            "told": str(self.told),
            "folder": str(self._folder / "cwd"),
        }
        order |= {"lake": f"s3://{BUCKET}/{self.lake}", "key": self._server.credentials.access_key_id}
        order |= {"secret": self._server.credentials.secret_access_key}
        pid = (await self._say(json.dumps(order)))["pid"]
        if arm:
            arm(pid)
        ended = await self._until_it_ends(pid)
        if not out.exists():
            return Told(ended or 1)
        found = json.loads(out.read_text())
        out.unlink()
        return Told(ended, found["error"], found["ours"], tuple(found["faults"]), found["state"])

    async def _until_it_ends(self, pid: int) -> int:
        waiting = asyncio.create_task(self._say("go"))
        done, _ = await asyncio.wait([waiting], timeout=LONGEST)
        if not done:
            os.kill(pid, 9)
            await waiting
            return -1
        return waiting.result()["status"]

    async def _say(self, line: str) -> dict[str, int]:
        assert self._zygote is not None
        assert self._zygote.stdin is not None
        assert self._zygote.stdout is not None
        self._zygote.stdin.write(line.encode() + b"\n")
        await self._zygote.stdin.drain()
        answer: dict[str, int] = json.loads(await self._zygote.stdout.readline())
        return answer


@dataclass(frozen=True, slots=True)
class Twin:
    """The undisturbed run: after each step its `state`, what it told, and how many requests the step made."""

    states: tuple[dict[str, list[str]], ...]
    notified: tuple[frozenset[str], ...]
    requests: tuple[tuple[str, ...], ...]


async def undisturbed(bench: Bench) -> Twin:
    """Run the whole scenario once without faults, keeping the lake before and after every step. Raises when anything fails."""
    states, notified, requests = [], [], []
    bench.store.deliver()
    bench.store.keep(bench.lake, "00")
    for position, step in enumerate(SCENARIO):
        bench.told.unlink(missing_ok=True)
        told, record = await bench.attempt(step, quiet)
        bench.store.keep(bench.lake, f"{position + 1:02d}")
        seen = await bench.finish(step, run=False)
        bench.store.restore(f"{position + 1:02d}", bench.lake)
        if told.raised or seen.raised or seen.faults:
            raise RuntimeError(f"the undisturbed run failed at {step}: {told.error} {seen.error} {seen.faults}")
        states.append(seen.state)
        notified.append(lines_of(bench.told))
        requests.append(tuple(request.method for request in record.requests))
    return Twin(tuple(states), tuple(notified), tuple(requests))


def lines_of(path: Path) -> frozenset[str]:
    """The lines of a file; none when it is not there."""
    return frozenset(path.read_text().splitlines()) if path.exists() else frozenset()


def ends_silently(kind: Kind) -> bool:
    """Whether the fault may leave work undone without an error, for the next run: a listing that lags shows no news."""
    return kind == "stale listing"
