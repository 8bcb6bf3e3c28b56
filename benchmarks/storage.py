"""A real S3 server of its own, and a proxy before it that counts: which requests a step makes, and how many bytes."""

from __future__ import annotations

import asyncio
import contextlib
import tempfile
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from strandline.lake.lake import Lake
from strandline.lake.objects import S3Credentials
from strandline.local.seaweed import REGION, Seaweed
from strandline.runtime import Runtime
from tests.chaos.faults import Request, quiet
from tests.chaos.proxy import FaultProxy

BUCKET = "bench"


@dataclass(frozen=True, slots=True)
class Asked:
    """Requests by what S3 bills them as, and the MB of bodies sent."""

    put: int
    list: int
    get: int
    head: int
    delete: int
    sent_mb: float

    @property
    def all(self) -> int:
        """All of them."""
        return self.put + self.list + self.get + self.head + self.delete

    @classmethod
    def of(cls, requests: Sequence[Request]) -> Asked:
        """The requests counted."""
        listings = sum(each.is_listing for each in requests)
        deletes = [each for each in requests if each.method == "DELETE" or (each.method == "POST" and "delete" in each.target)]
        return cls(
            put=sum(each.method in ("PUT", "POST") for each in requests) - sum(each.method == "POST" for each in deletes),
            list=listings,
            get=sum(each.method == "GET" for each in requests) - listings,
            head=sum(each.method == "HEAD" for each in requests),
            delete=len(deletes),
            sent_mb=sum(each.size for each in requests) / 1e6,
        )


class Storage:
    """The server; `runtime` reaches it directly or through the proxy that counts."""

    def __init__(self, server: Seaweed, proxy: FaultProxy) -> None:
        self.server, self._proxy = server, proxy
        self._record = proxy.arm(quiet)

    def runtime(self, lake: str, *, counted: bool) -> Runtime:
        """A runtime as a task makes it: a new lake, new connections."""
        given = self.server.credentials
        endpoint = self._proxy.endpoint if counted else self.server.endpoint_url
        credentials = S3Credentials(given.access_key_id, given.secret_access_key, None, REGION, endpoint)
        return Runtime(Lake.open(f"s3://{BUCKET}/{lake}", credentials))

    def count(self) -> Asked:
        """What came through the proxy since the last look."""
        found = Asked.of(list(self._record.requests))
        self._record = self._proxy.arm(quiet)
        return found

    def size(self, prefix: str) -> int:
        """The bytes of the objects below a prefix of the bucket."""
        pages: Any = self.server.client().get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix=prefix)
        return sum(entry["Size"] for page in pages for entry in page.get("Contents", ()))


@contextlib.contextmanager
def storage() -> Iterator[Storage]:
    """A server in a temporary folder with an empty bucket, and the proxy in a thread."""
    with tempfile.TemporaryDirectory(prefix="strandline-bench-s3-") as folder, Seaweed(Path(folder), port=0) as server:
        server.create_bucket(BUCKET)
        loop = asyncio.new_event_loop()
        thread = threading.Thread(target=loop.run_forever, daemon=True)
        thread.start()
        proxy = FaultProxy(server.endpoint_url)
        try:
            asyncio.run_coroutine_threadsafe(proxy.__aenter__(), loop).result(10)
            yield Storage(server, proxy)
            asyncio.run_coroutine_threadsafe(proxy.__aexit__(None), loop).result(10)
        finally:
            loop.call_soon_threadsafe(loop.stop)
            thread.join(10)
