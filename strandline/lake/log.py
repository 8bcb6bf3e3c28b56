"""The Delta log of one table: read, followed and continued in few storage requests.

A log only ever grows by the next number, and no entry of it ever changes. So what a version holds can be kept: in this process
(`State`), and for the next one in the object `_head` beside the log, which repeats the last checkpoint, unless it is large, and
the entries since.
Whoever knows version N asks for entry N+1; where there is none yet, N is the newest. `_head` is a shortcut and no more: it is
written after the entry, may lag behind or be missing, and never decides. What decides is the conditional put of entry N+1.

Entries and checkpoints are those of the Delta protocol, for any reader. Ours carry a checksum of their actions, so that damage
on the way is seen.

Source: Delta Lake transaction log protocol, "Delta Log Entries", "Checkpoints", "Action Reconciliation".
"""

from __future__ import annotations

import logging
import time
import uuid
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib.metadata import version as version_of
from typing import Any
from urllib.parse import unquote

import orjson
import pyarrow as pa

from strandline.errors import StorageError, TransientError
from strandline.lake.checkpoints import Checkpoint, decode_checkpoint, encode_checkpoint, tombstones
from strandline.lake.objects import ObjectMissing, Objects

Action = Mapping[str, Any]
HEAD = "_head"
PARTS = "parts"
"""What of `State.kept` belongs to single actions, and so to the next versions too while the metadata is the same."""
TRUSTED_SECONDS = 86_400
"""How long a known version may be followed entry by entry; entries are kept for days, so none can be missing in between."""
_CHECKPOINT_ENTRIES = 20
_REPEATED = 512 << 10
"""Bytes of a checkpoint up to which `_head` repeats it: sent with each commit, they save a request of every look."""
_CRC = 9
_WRITER_FEATURES = {"appendOnly", "invariants"}
_ENGINE = f"strandline/{version_of('strandline')}"
_logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class State:
    """What a table holds at `version`: its `protocol` and `metadata`, the `transactions` (application → version) and the live
    `adds` (path → action).

    `entries` are the log's entries after the checkpoint `base` (-1: from the first), which `checkpoint` is, where it is small
    (else empty); `seen` is when this was last known to be the newest (epoch seconds).
    """

    version: int
    protocol: Action
    metadata: Action
    transactions: Mapping[str, int]
    adds: Mapping[str, Action]
    base: int
    tombstones: pa.Array | None
    checkpoint: bytes = field(repr=False)
    entries: tuple[bytes, ...] = field(repr=False)
    seen: float
    kept: dict[str, Any] = field(default_factory=dict, repr=False, compare=False)
    """What readers derive from this version; the next one begins with what they derived from its parts."""


class Log:
    """The log of the table at `path`, relative to `objects`."""

    def __init__(self, objects: Objects, path: str) -> None:
        self._objects, self._path = objects, path

    def newest(self, known: State | None = None) -> State | None:
        """The newest version, from what is known on; None when there is no table.

        Raises `StorageError` for a damaged log or a table that needs features unknown here.
        """
        if known is None or time.time() - known.seen > TRUSTED_SECONDS:
            known = self._from_head()
            if known is None and next(iter(self._objects.list(f"{self._path}/_delta_log/")), None) is None:
                return None
            known = known or self._from_last_checkpoint()
        return self._followed(known)

    def at(self, version: int, known: State | None = None) -> State:
        """That very version, from what is known on. Raises `StorageError` when the log does not reach it (any more)."""
        known = known or self._from_head()
        if known is not None and known.base <= version < known.version:
            state = self._from_checkpoint(known.base) if known.base >= 0 else None
            for entry in known.entries[: version - known.base]:
                state = self._applied(state, entry)
        elif known is not None and known.version <= version:
            state = known
        else:
            base = self._newest_checkpoint_until(version)
            state = self._from_checkpoint(base) if base >= 0 else None
        while state is None or state.version < version:
            following = self._entry(state.version + 1 if state else 0)
            if following is None:
                raise StorageError(f"{self._path} has no version {version} (any more)")
            state = self._applied(state, following)
        return state

    def append(self, state: State | None, actions: Sequence[Action], note: Mapping[str, str]) -> State | None:
        """The version after `state` (None: the first) that holds `actions`; None when another writer has made it."""
        entry = _encoded(actions, note)
        key = self._key(state.version + 1 if state else 0)
        if not self._objects.put(key, entry, if_absent=True) and self._objects.get(key) != entry:
            return None  # an answer that got lost makes the second try find its own entry
        after = replace(self._applied(state, entry), seen=time.time())
        try:
            after = self._checkpointed(after)
            self._objects.put(f"{self._path}/{HEAD}", _head(after))
        except (StorageError, TransientError) as error:  # the version stands; the next writer will do it
            _logger.warning("the shortcut of %s is not up to date: %s", self._path, error)
        return after

    def _followed(self, state: State | None) -> State | None:
        while (entry := self._entry(state.version + 1 if state else 0)) is not None:
            state = self._applied(state, entry)
        if state is None and self._newest_checkpoint_until(1 << 62) >= 0:
            raise StorageError(f"the log of {self._path} has lost its beginning and says no checkpoint")
        return replace(state, seen=time.time()) if state else None

    def _key(self, version: int) -> str:
        return f"{self._path}/_delta_log/{version:020d}.json"

    def _entry(self, version: int) -> bytes | None:
        try:
            return self._objects.get(self._key(version))
        except ObjectMissing:
            return None

    def _from_head(self) -> State | None:
        """What the shortcut says; None when it is not there, damaged, or too old to be trusted."""
        try:
            head = self._objects.get(f"{self._path}/{HEAD}")
            if not head.startswith(b"%08x\n" % zlib.crc32(head[_CRC:])):
                return None
            header, _, body = head[_CRC:].partition(b"\n")
            told = orjson.loads(header)
            if time.time() - told["at"] > TRUSTED_SECONDS:
                return None
            start = told["checkpoint"]
            state = self._from_checkpoint(told["base"], body[:start]) if told["base"] >= 0 else None
            for size in told["sizes"]:
                state = self._applied(state, body[start : start + size])
                start += size
        except ObjectMissing:
            return None
        return state

    def _from_last_checkpoint(self) -> State | None:
        try:
            told = orjson.loads(self._objects.get(f"{self._path}/_delta_log/_last_checkpoint"))
            return self._from_checkpoint(int(told["version"]), parts=told.get("parts"))
        except ObjectMissing:
            return None
        except (orjson.JSONDecodeError, KeyError, TypeError, ValueError) as error:
            raise StorageError(f"{self._path}/_delta_log/_last_checkpoint is damaged: {error}") from error

    def _newest_checkpoint_until(self, version: int) -> int:
        names = (info.key.rpartition("/")[2] for info in self._objects.list(f"{self._path}/_delta_log/"))
        found = (int(name[:20]) for name in names if name.endswith(".checkpoint.parquet") and name[:20].isdigit())
        return max((each for each in found if each <= version), default=-1)

    def _from_checkpoint(self, version: int, known: bytes = b"", parts: int | None = None) -> State:
        stem = f"{self._path}/_delta_log/{version:020d}.checkpoint"
        names = [f"{stem}.{n:010d}.{parts:010d}.parquet" for n in range(1, parts + 1)] if parts else [f"{stem}.parquet"]
        files = [known] if known else [self._objects.get(name) for name in names]
        held = decode_checkpoint(files, names[0])
        self._check_protocol(held.protocol)
        adds = {unquote(add["path"]): add for add in held.adds}
        repeated = files[0] if len(files) == 1 and len(files[0]) <= _REPEATED else b""
        told = (held.protocol, held.metadata, held.transactions, adds, version, held.removes)
        return State(version, *told, repeated, (), time.time())

    def _applied(self, state: State | None, entry: bytes) -> State:
        """The version after `state` by the log's next entry."""
        version = state.version + 1 if state else 0
        protocol, metadata = (state.protocol, state.metadata) if state else (None, None)
        transactions = dict(state.transactions) if state else {}
        adds = dict(state.adds) if state else {}
        for action in self._decoded(version, entry):
            for kind, told in action.items():
                if kind == "add":
                    if told.get("deletionVector"):
                        raise StorageError(f"{self._path}: version {version} has deletion vectors, which are not read here")
                    adds[unquote(told["path"])] = told
                elif kind == "remove":
                    adds.pop(unquote(told["path"]), None)
                elif kind == "txn":
                    transactions[told["appId"]] = told["version"]
                elif kind == "metaData":
                    metadata = told
                elif kind == "protocol":
                    self._check_protocol(told)
                    protocol = told
        if metadata is None or protocol is None:
            raise StorageError(f"the log of {self._path} begins without metadata")
        if state is None:
            return State(version, protocol, metadata, transactions, adds, -1, None, b"", (entry,), 0.0)
        parts = {PARTS: state.kept[PARTS]} if PARTS in state.kept and metadata is state.metadata else {}
        told = {"protocol": protocol, "metadata": metadata, "transactions": transactions, "adds": adds, "kept": parts}
        return replace(state, version=version, entries=(*state.entries, entry), **told)

    def _decoded(self, version: int, entry: bytes) -> list[dict[str, Any]]:
        try:
            actions = _actions(entry)
        except orjson.JSONDecodeError as error:
            raise StorageError(f"{self._key(version)} is damaged: {error}") from error
        info: Action = next((action["commitInfo"] for action in actions if "commitInfo" in action), {})
        if "crc32" in info and info["crc32"] != zlib.crc32(entry.partition(b"\n")[2]):
            raise StorageError(f"{self._key(version)} is damaged: its checksum differs")
        return actions

    def _check_protocol(self, protocol: Action) -> None:
        features = {*(protocol.get("readerFeatures") or ()), *(protocol.get("writerFeatures") or ())} - _WRITER_FEATURES
        reader, writer = protocol["minReaderVersion"], protocol["minWriterVersion"]
        if reader not in (1, 3) or writer not in (1, 2, 7):
            raise StorageError(f"{self._path} asks for Delta protocol {reader}, {writer}; 1, 2 is spoken here")
        if features:
            raise StorageError(f"{self._path} asks for Delta features that are not known here: {', '.join(sorted(features))}")

    def _checkpointed(self, state: State) -> State:
        """The state on a checkpoint of its own, when enough entries have gathered since the last."""
        if len(state.entries) < _CHECKPOINT_ENTRIES:
            return state
        removed = [action["remove"] for entry in state.entries for action in _actions(entry) if "remove" in action]
        gone, adds = tombstones(removed, state.tombstones), list(state.adds.values())
        held = Checkpoint(state.protocol, state.metadata, state.transactions, adds, gone)
        data, rows = encode_checkpoint(held)
        self._objects.put(f"{self._path}/_delta_log/{state.version:020d}.checkpoint.parquet", data)
        told = {"version": state.version, "size": rows, "sizeInBytes": len(data), "numOfAddFiles": len(state.adds)}
        self._objects.put(f"{self._path}/_delta_log/_last_checkpoint", orjson.dumps(told))
        repeated = data if len(data) <= _REPEATED else b""
        return replace(state, base=state.version, entries=(), tombstones=held.removes, checkpoint=repeated)


def _actions(entry: bytes) -> list[dict[str, Any]]:
    return [orjson.loads(line) for line in entry.splitlines() if line.strip()]


def _encoded(actions: Sequence[Action], note: Mapping[str, str]) -> bytes:
    body = b"\n".join(orjson.dumps(action) for action in actions)
    info = {
        "timestamp": int(time.time() * 1000),
        "operation": "WRITE",
        "operationParameters": {},
        "engineInfo": _ENGINE,
        "txnId": str(uuid.uuid4()),
        "crc32": zlib.crc32(body),
        **note,
    }
    return orjson.dumps({"commitInfo": info}) + b"\n" + body


def _head(state: State) -> bytes:
    """The shortcut to a version: its checksum, what follows, the checkpoint unless it is large, the entries since."""
    sizes = [len(entry) for entry in state.entries]
    told = {"base": state.base, "checkpoint": len(state.checkpoint), "at": state.seen, "sizes": sizes}
    rest = b"".join((orjson.dumps(told), b"\n", state.checkpoint, *state.entries))
    return b"%08x\n" % zlib.crc32(rest) + rest
