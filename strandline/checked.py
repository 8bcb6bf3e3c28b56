"""What checking a stream gave, remembered in one file, so that an unchanged stream is not checked again at every parse.

What is remembered counts only for the same bytes of the stream's file and of the defaults, the same path, and the same code
that checked them; anything else is checked anew. Only good streams are remembered (their texts and notes, as JSON): a stream
with an error is checked, and its errors are told, every time; so are all while the defaults have a problem.

The file belongs to the user and to nobody else, is put in place whole, carries a digest, and holds no more than the streams
there are. One that is damaged, foreign or open to others is as none.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import stat
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema_rs
import yaml

from strandline.errors import Problem
from strandline.placeholders import STREAM_NAMES, StreamTexts, Values, stream_texts
from strandline.spec.defaults import FILE
from strandline.spec.document import MAX_BYTES
from strandline.spec.load import check_streams, stream_files

MAX_REMEMBERED = 64_000_000
"""Bytes that the file may have; with more streams than that, all are checked every time."""

_HERE = Path(__file__).parent
_SCHEMAS = (_HERE / "schemas", _HERE.parent / "schemas")
_NAMES = tuple(f"stream.{name}" for name in STREAM_NAMES)
_logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Good:
    """A stream without errors, and what is odd about it."""

    texts: StreamTexts
    notes: tuple[Problem, ...]


def check_texts(config: Path, memory: Path | None = None) -> tuple[list[StreamTexts], tuple[Problem, ...]]:
    """What DAGs say of each good stream, in name order, and every problem, as `check_streams` gives them.

    `memory` is the file that remembers; it and its folder are made when there are none. Without it everything is checked. When
    it cannot be written, a warning is logged.
    """
    if memory is None:
        streams, problems = check_streams(config)
        return [stream_texts(stream) for stream in streams.values()], problems
    before = _keys(config)
    remembered = _read(memory)
    known = {path: remembered[key] for path, key in before.items() if key in remembered}
    streams, problems = check_streams(config, known.keys())
    wrong = {problem.path for problem in problems if problem.level == "error"}
    found = {path: good for path, good in known.items() if path not in wrong}
    new = {stream.path: _good(stream_texts(stream), stream.path, problems) for stream in streams.values()}
    if (new or len(remembered) != len(known)) and config / FILE not in {problem.path for problem in problems}:
        after = _keys(config)  # a file that was written to meanwhile is not remembered
        _write(memory, {before[path]: good for path, good in (known | new).items() if before.get(path) == after.get(path, "")})
    notes = (note for good in found.values() for note in good.notes)
    texts = sorted((good.texts for good in (found | new).values()), key=lambda text: text.name)
    return texts, tuple(sorted({*problems, *notes}))


def _good(texts: StreamTexts, path: Path, problems: tuple[Problem, ...]) -> _Good:
    return _Good(texts, tuple(problem for problem in problems if problem.path == path))


def _keys(config: Path) -> dict[Path, str]:
    """By file: the digest of all that decides what checking it gives; a file that cannot be read has none."""
    folder = config / "streams"
    if not folder.is_dir():
        return {}
    common = hashlib.sha256(_code().encode())
    if (config / FILE).is_file():
        common.update(_bytes(config / FILE) or os.urandom(16))
    keys = {}
    for path in stream_files(folder):
        data = _bytes(path) if path.suffix == ".yaml" else None
        if data is not None:
            own = common.copy()
            own.update(f"\0{path}\0".encode("utf-8", "surrogateescape"))
            own.update(data)
            keys[path] = own.hexdigest()
    return keys


def _bytes(path: Path) -> bytes | None:
    """What is in the file, None when it cannot be read or is too large."""
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError:
        return None
    return data if len(data) <= MAX_BYTES else None


@cache
def _code() -> str:
    """Which code checks: the size and time of each of its files, the schemas and the libraries among them."""
    files = [*_HERE.glob("*.py"), *(_HERE / "spec").rglob("*.py"), *(file for root in _SCHEMAS for file in root.glob("*.json"))]
    files += [Path(module.__file__) for module in (yaml, jsonschema_rs) if module.__file__]
    facts = [(str(file), (status := file.stat()).st_size, status.st_mtime_ns) for file in sorted(files)]
    return repr((sys.version, facts))


def _read(memory: Path) -> dict[str, _Good]:
    """What is remembered, by key; nothing when the file is not there, not whole, not ours alone, or of another form."""
    try:
        with open(os.open(memory, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode) or not _is_ours(status) or status.st_size > MAX_REMEMBERED:
                return {}
            digest, _, body = file.read(MAX_REMEMBERED).partition(b"\n")
    except OSError:
        return {}
    if digest != hashlib.sha256(body).hexdigest().encode():
        return {}
    try:
        return {key: _decoded(entry) for key, entry in json.loads(body).items()}
    except (AttributeError, KeyError, TypeError, ValueError):
        return {}


def _is_ours(status: os.stat_result) -> bool:
    return status.st_uid == os.geteuid() and not status.st_mode & 0o077


def _write(memory: Path, good: Mapping[str, _Good]) -> None:
    """Puts the whole file in place of the one before, or leaves that."""
    body = json.dumps({key: _encoded(each) for key, each in good.items()}).encode()
    try:
        memory.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not _is_ours(memory.parent.lstat()):
            _logger.warning("%s is open to other users, so that all streams are checked at every parse", memory.parent)
        elif len(body) + 65 > MAX_REMEMBERED:
            _logger.warning("%s would be too large, so that all streams are checked at every parse", memory)
        else:
            _replace(memory, hashlib.sha256(body).hexdigest().encode() + b"\n" + body)
    except OSError as error:
        _logger.warning("%s cannot be written (%s), so that all streams are checked at every parse", memory, error.strerror)


def _replace(memory: Path, data: bytes) -> None:
    number, name = tempfile.mkstemp(dir=memory.parent, prefix=f".{memory.name}.")  # for its owner only
    try:
        with open(number, "wb") as file:
            file.write(data)
        os.replace(name, memory)
    except BaseException:
        with suppress(FileNotFoundError):
            os.unlink(name)
        raise


def _encoded(good: _Good) -> list[Any]:
    values = [good.texts.values[name] for name in _NAMES]
    return [good.texts.name, values, good.texts.row, [[str(note.path), *_facts(note)] for note in good.notes]]


def _facts(note: Problem) -> Iterator[Any]:
    yield from (note.line, note.column, note.code, note.field, note.message, note.hint, note.level)


def _decoded(entry: Any) -> _Good:
    name, values, row, notes = entry
    named: Values = {key: value if isinstance(value, str) else tuple(value) for key, value in zip(_NAMES, values, strict=True)}
    texts = StreamTexts(name, named, tuple(row))
    return _Good(texts, tuple(Problem(Path(path), *facts) for path, *facts in notes))
