"""Samples made by hand for the tests of `strandline new`, and the streams made from them."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from strandline.scaffold.scaffold import Scaffold, scaffold
from strandline.spec.load import check_text
from strandline.spec.model import Field, Stream

START = datetime(2026, 3, 2, 8, tzinfo=UTC)
Row = dict[str, Any]


def rows_of(count: int, more: Callable[[int, random.Random], Row], *, seed: int = 1) -> list[Row]:
    """Rows with a key and a time, one every twenty seconds, and what `more` gives for each."""
    chance = random.Random(seed)
    return [
        {"event_id": f"{number:08x}", "at": (START + timedelta(seconds=20 * number)).isoformat(), **more(number, chance)}
        for number in range(count)
    ]


def written(path: Path, rows: Iterable[Row | str]) -> Path:
    """A file of these lines; texts go in as they are."""
    lines = [row if isinstance(row, str) else json.dumps(row, ensure_ascii=False) for row in rows]
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return path


def made(folder: Path, rows: Iterable[Row | str], *, generator: bool = False) -> Scaffold:
    """What is made of a sample of these rows."""
    return scaffold("made", written(folder / "sample.ndjson", rows), generator=generator)


def loaded(text: str) -> Stream:
    """The stream of a text, which must be valid."""
    stream, problems = check_text(text, Path("made.yaml"))
    assert stream is not None, problems
    return stream


def stream_of(folder: Path, rows: Iterable[Row | str]) -> Stream:
    """The stream made of a sample of these rows."""
    return loaded(made(folder, rows).text)


def field_of(folder: Path, values: Iterable[Any], name: str = "x") -> Field:
    """The field made of a column of these values beside a key and a time."""
    column = list(values)
    stream = stream_of(folder, rows_of(len(column), lambda number, _: {name: column[number]}))
    return next(field for field in stream.fields if field.source_name == name)
