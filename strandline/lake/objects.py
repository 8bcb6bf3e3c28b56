"""Plain objects of the lake: put, get, list, open and delete on S3 or in a local folder, behind one port.

Every call retries what is transient (throttling, 5xx, resets, a body that breaks off) and raises `TransientError` when that
does not help, `StorageError` for what a retry cannot mend.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import IO, BinaryIO, Protocol
from urllib.parse import urlsplit

from strandline.errors import StorageError, UsageError


class ObjectMissing(StorageError):
    """There is no object of that key."""


@dataclass(frozen=True, slots=True)
class S3Credentials:
    """How to reach an S3 endpoint; the secrets never show in `repr`. `endpoint_url` None means AWS itself."""

    access_key_id: str | None = field(default=None, repr=False)
    secret_access_key: str | None = field(default=None, repr=False)
    session_token: str | None = field(default=None, repr=False)
    region: str = "us-east-1"
    endpoint_url: str | None = None


@dataclass(frozen=True, slots=True)
class ObjectInfo:
    """One entry of a listing; `size` in bytes, `modified` in UTC (where a folder tells it, also the time it was moved
    there).
    """

    key: str
    size: int
    etag: str
    modified: datetime


class Objects(Protocol):
    """Objects below one root; keys are relative to it and use `/`."""

    url: str

    def put(
        self,
        key: str,
        data: bytes | IO[bytes],
        *,
        if_absent: bool = False,
        if_tag: str | None = None,
        content_type: str = "application/octet-stream",
    ) -> bool:
        """True when written whole; False when `if_absent` and the key was there already, or when the object is no longer the
        one of which `tag` gave `if_tag`.
        """
        ...

    def get(self, key: str) -> bytes:
        """The whole object; raises `ObjectMissing`."""
        ...

    def exists(self, key: str) -> bool:
        """Whether there is an object of that key."""
        ...

    def tag(self, key: str) -> str | None:
        """What tells this content of the key from any other, for `put`; None when there is no such object."""
        ...

    def list(self, prefix: str = "") -> Iterator[ObjectInfo]:
        """The objects whose key starts with `prefix`, in the endpoint's order.

        S3 and folders list by the bytes of the whole key; some S3-compatible servers list folder by folder.
        """
        ...

    def open(self, key: str) -> BinaryIO:
        """A stream over the object in bounded memory, continued where it broke off on a transient error."""
        ...

    def delete(self, keys: Iterable[str]) -> int:
        """How many keys were asked to go; a key that is not there is no error."""
        ...


def open_objects(url: str, credentials: S3Credentials | None = None) -> Objects:
    """The objects below `url`: `s3://bucket[/prefix]` or a local folder. Raises `UsageError` for any other scheme."""
    parts = urlsplit(url)
    if parts.scheme in ("s3", "s3a"):
        from strandline.lake.s3 import S3Objects

        if not parts.netloc:
            raise UsageError(f"an S3 URL names a bucket: s3://bucket[/prefix] (saw {url})")
        return S3Objects(parts.netloc, parts.path.strip("/"), credentials)
    if parts.scheme in ("", "file"):
        from strandline.lake.local import LocalObjects

        return LocalObjects(parts.path or url)
    raise UsageError(f"a lake or location is s3://bucket[/prefix] or a local folder (saw {url})")
