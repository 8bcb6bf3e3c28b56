"""A lake whose next writes can end the run, or let another one go by, before they take effect or after: what a kill of the
process leaves behind, and what an overlap does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import IO, Any, BinaryIO

from strandline.lake.lake import Lake
from strandline.lake.objects import ObjectInfo, Objects
from strandline.lake.tables import Table


class Crash(BaseException):
    """The end of the process, as far as the core can tell: nothing catches it."""


class Fuse:
    """Counts the moments before and after each write; at the one that was set it crashes, or lets another run go by, once."""

    def __init__(self) -> None:
        self._left = 0
        self._spark: Callable[[], object] = _crash

    def burns(self, run: Callable[[], object], moments: int) -> bool:
        """Whether the run crashed at moment number `moments` (from 1); it may end before."""
        self._left, self._spark = moments, _crash
        try:
            run()
        except Crash:
            return True
        finally:
            self._left = 0
        return False

    def overtakes(self, run: Callable[[], object], moments: int, other: Callable[[], object]) -> None:
        """Run, and let `other` run at moment number `moments`, between what was read and what is written; the run may end
        before.
        """
        self._left, self._spark = moments, other
        try:
            run()
        finally:
            self._left = 0

    def around(self, write: Callable[[], Any]) -> Any:
        """What the write gives."""
        self._pass()
        found = write()
        self._pass()
        return found

    def _pass(self) -> None:
        if self._left:
            self._left -= 1
            if not self._left:
                self._spark()


def _crash() -> None:
    raise Crash


class CrashingObjects:
    """Objects of which writes and deletions burn the fuse."""

    def __init__(self, objects: Objects, fuse: Fuse) -> None:
        self._objects, self._fuse = objects, fuse
        self.url = objects.url

    def put(
        self,
        key: str,
        data: bytes | IO[bytes],
        *,
        if_absent: bool = False,
        if_tag: str | None = None,
        content_type: str = "application/octet-stream",
    ) -> bool:
        """As the objects below."""
        options: dict[str, Any] = {"if_absent": if_absent, "if_tag": if_tag, "content_type": content_type}
        written: bool = self._fuse.around(lambda: self._objects.put(key, data, **options))
        return written

    def get(self, key: str) -> bytes:
        """As the objects below."""
        return self._objects.get(key)

    def exists(self, key: str) -> bool:
        """As the objects below."""
        return self._objects.exists(key)

    def tag(self, key: str) -> str | None:
        """As the objects below."""
        return self._objects.tag(key)

    def list(self, prefix: str = "") -> Iterator[ObjectInfo]:
        """As the objects below."""
        return self._objects.list(prefix)

    def open(self, key: str) -> BinaryIO:
        """As the objects below."""
        return self._objects.open(key)

    def delete(self, keys: Iterable[str]) -> int:
        """As the objects below."""
        gone: int = self._fuse.around(lambda: self._objects.delete(keys))
        return gone


class CrashingTable(Table):
    """A table of which what the library writes by itself burns the fuse too; commits are writes of objects."""

    fuse: Fuse

    def vacuum(self, *arguments: Any) -> int:
        """As the table below."""
        gone: int = self.fuse.around(lambda: super(CrashingTable, self).vacuum(*arguments))
        return gone


class CrashingLake(Lake):
    """A lake with a fuse; as long as it is not set, a lake like any other."""

    def __init__(self, lake: Lake) -> None:
        self.fuse = Fuse()
        super().__init__(CrashingObjects(lake.objects, self.fuse), lake.credentials)

    def table(self, path: str) -> Table:
        """As the lake below."""
        table = CrashingTable(self, path)
        table.fuse = self.fuse
        return table
