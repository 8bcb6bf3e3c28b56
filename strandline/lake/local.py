"""Objects in a local folder: whole files appear at once, or not at all."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import uuid
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, BinaryIO

from strandline.errors import StorageError, UsageError
from strandline.lake.objects import ObjectInfo, ObjectMissing


class LocalObjects:
    """Objects below a folder. A file is written beside its place and then linked or renamed into it."""

    def __init__(self, root: str | Path) -> None:
        self.root = Path(root).resolve()
        self.url = str(self.root)

    def _path(self, key: str) -> Path:
        path = (self.root / key).resolve()
        if path != self.root and self.root not in path.parents:
            raise UsageError(f"the key {key!r} leaves the folder {self.root}")
        return path

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
        path = self._path(key)
        beside = path.with_name(f".{path.name}.{uuid.uuid4().hex}.tmp")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with beside.open("wb") as file:
                if isinstance(data, bytes):
                    file.write(data)
                else:
                    shutil.copyfileobj(data, file, 1 << 20)
                file.flush()
                os.fsync(file.fileno())
            if if_absent:
                os.link(beside, path)
            elif if_tag is not None:
                return self._replace_same(beside, path, key, if_tag)
            else:
                beside.replace(path)
        except FileExistsError:
            return False
        except OSError as error:
            raise StorageError(f"cannot write {path}: {error.strerror}") from error
        finally:
            beside.unlink(missing_ok=True)
        return True

    def _replace_same(self, beside: Path, path: Path, key: str, tag: str) -> bool:
        """Whether the object was still the one of the tag, and is replaced: one process at a time looks and replaces."""
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            fcntl.flock(folder, fcntl.LOCK_EX)
            if self.tag(key) != tag:
                return False
            beside.replace(path)
            return True
        finally:
            os.close(folder)

    def get(self, key: str) -> bytes:
        """The whole object; raises `ObjectMissing`."""
        try:
            return self._path(key).read_bytes()
        except (FileNotFoundError, IsADirectoryError, NotADirectoryError) as error:
            raise ObjectMissing(f"no object {key} in {self.url}") from error

    def exists(self, key: str) -> bool:
        """Whether there is an object of that key."""
        return self._path(key).is_file()

    def tag(self, key: str) -> str | None:
        """A digest of the content; None when there is no such object."""
        try:
            return hashlib.sha256(self.get(key)).hexdigest()
        except ObjectMissing:
            return None

    def list(self, prefix: str = "") -> Iterator[ObjectInfo]:
        """The objects whose key starts with `prefix`, in byte order of their keys."""
        base = self._path(prefix.rpartition("/")[0])
        found = []
        for folder, _, names in os.walk(base):
            relative = Path(folder).relative_to(self.root).as_posix()
            for name in names:
                key = name if relative == "." else f"{relative}/{name}"
                if key.startswith(prefix) and not _is_partial(name):
                    found.append(key)
        for key in sorted(found, key=str.encode):
            try:
                status = os.stat(f"{self.url}/{key}")  # a listing may be long: no Path for each
            except FileNotFoundError:
                continue
            tag = hashlib.sha256(f"{status.st_mtime_ns}:{status.st_size}".encode()).hexdigest()[:16]
            modified = datetime.fromtimestamp(max(status.st_mtime, status.st_ctime), UTC)
            yield ObjectInfo(key, status.st_size, tag, modified)

    def open(self, key: str) -> BinaryIO:
        """A stream over the object in bounded memory."""
        try:
            return self._path(key).open("rb")
        except (FileNotFoundError, IsADirectoryError) as error:
            raise ObjectMissing(f"no object {key} in {self.url}") from error

    def delete(self, keys: Iterable[str]) -> int:
        """How many keys were asked to go; a key that is not there is no error."""
        count = 0
        for key in keys:
            self._path(key).unlink(missing_ok=True)
            count += 1
        return count


def _is_partial(name: str) -> bool:
    """Whether the file is one that `put` is still writing."""
    return name.startswith(".") and name.endswith(".tmp")
