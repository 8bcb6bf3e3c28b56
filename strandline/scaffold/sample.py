"""A sample of events: the first rows of a file or of each file of a folder, in bounded memory, column by column."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal
from itertools import islice
from pathlib import Path
from typing import Any, Literal

from strandline.errors import UsageError
from strandline.lines.records import cells_of
from strandline.lines.strict import Number, Refusal, Wanted, decode, parse_object, text_of
from strandline.sources.compressed import Limits, plain_chunks
from strandline.sources.records import csv_records, lines

MOST_ROWS = 50_000
MOST_BYTES = 64 * 1024**2
MOST_KEYS = 500
"""Rows, plain bytes and different keys that a sample holds at most; what comes after is not read."""

Format = Literal["ndjson", "csv", "parquet"]
FORMATS: dict[str, Format] = {
    ".ndjson": "ndjson", ".jsonl": "ndjson", ".json": "ndjson", ".csv": "csv", ".tsv": "csv", ".parquet": "parquet",
}  # fmt: skip
_NOBODY = Wanted(())


@dataclass(slots=True)
class Column:
    """One key of the events: its text in each row (None: absent or null), and how many values were of which JSON kind
    (`string number boolean nested`; everything in a CSV is a string)."""

    key: str
    texts: list[str | None]
    kinds: Counter[str] = field(default_factory=Counter)


@dataclass(slots=True)
class Sample:
    """What was read: `columns` by key in order of appearance, `rows` of them, `repeats` lines that are another's copy to the
    byte, `bad` lines by reason, and whether there was more (`cut`)."""

    path: Path
    format: Format
    delimiter: str = ","
    columns: dict[str, Column] = field(default_factory=dict)
    rows: int = 0
    lines: int = 0
    repeats: int = 0
    bad: Counter[str] = field(default_factory=Counter)
    cut: bool = False
    files: int = 1

    def add(self, values: dict[str, tuple[str, str] | None]) -> None:
        """One more row; a value is its kind and text."""
        for key, value in values.items():
            column = self.columns.get(key)
            if column is None:
                if len(self.columns) >= MOST_KEYS:
                    continue
                column = self.columns[key] = Column(key, [])
            if value is not None:
                column.texts.extend([None] * (self.rows - len(column.texts)))
                column.texts.append(value[1])
                column.kinds[value[0]] += 1
        self.rows += 1

    def close(self) -> Sample:
        """The sample with every column as long as there are rows."""
        for column in self.columns.values():
            column.texts.extend([None] * (self.rows - len(column.texts)))
        return self


def read_sample(path: Path, most: int = MOST_ROWS) -> Sample:
    """The first `most` rows of a file; of a folder, about equal parts of every file of its most frequent format, in name order.

    Bad lines are counted, never an error. Raises UsageError when there is no such file, its name says no format that is read,
    or not one row in it can be understood; SourceError when a compressed file is damaged.
    """
    files = sample_files(path)
    sample = Sample(path, _format_of(files[0]), files=len(files))
    seen: set[bytes] = set()
    for number, file in enumerate(files):
        if sample.lines >= most:
            sample.cut = True
            break
        each = -(-(most - sample.lines) // (len(files) - number))
        if sample.format == "parquet":
            _read_parquet(sample, file, each)
        else:
            _read_lines(sample, file, each, seen)
    if not sample.rows:
        why = ", ".join(f"{count} {reason}" for reason, count in sample.bad.most_common(3)) or "it is empty"
        raise UsageError(f"{path}: not one row of {sample.format} can be read ({why})")
    return sample.close()


def sample_files(path: Path) -> list[Path]:
    """The file itself, or the files of a folder that are of its most frequent format. Raises UsageError when there is none."""
    if path.is_file():
        _format_of(path)
        return [path]
    if not path.is_dir():
        raise UsageError(f"there is no sample {path}: give a file (or a folder of them) of ndjson, csv or parquet")
    found = [file for file in sorted(path.iterdir()) if file.is_file() and file.name[0] not in "._" and _named(file)]
    if not found:
        raise UsageError(f"{path} holds no sample: no file is called *.ndjson, *.csv or *.parquet (or those with .gz or .zst)")
    wanted = Counter(_named(file) for file in found).most_common(1)[0][0]
    return [file for file in found if _named(file) == wanted]


def plain_name(path: Path) -> str:
    """The file's name without `.gz` or `.zst`, in lower case."""
    return path.name.lower().removesuffix(".gz").removesuffix(".zst")


def _named(path: Path) -> Format | None:
    return FORMATS.get(Path(plain_name(path)).suffix)


def _format_of(path: Path) -> Format:
    found = _named(path)
    if found is None:
        raise UsageError(f"{path}: its name says no format that is read: *.ndjson, *.csv or *.parquet, also with .gz or .zst")
    return found


def _read_lines(sample: Sample, path: Path, most: int, seen: set[bytes]) -> None:
    with path.open("rb") as file:
        physical = lines(_bounded(sample, plain_chunks(file, str(path), Limits())), str(path))
        if sample.format == "csv":
            _read_csv(sample, physical, most, seen)
            return
        for raw in islice(physical, most):
            if _is_new(sample, raw, seen):
                _take(sample, _json_row(raw))
        sample.cut |= next(physical, None) is not None


def _bounded(sample: Sample, chunks: Iterator[bytes]) -> Iterator[bytes]:
    taken = 0
    for chunk in chunks:
        taken += len(chunk)
        if taken > MOST_BYTES // sample.files + len(chunk):
            sample.cut = True
            end = chunk.rfind(b"\n")
            yield chunk[: end + 1] if end >= 0 else b""
            return
        yield chunk


def _is_new(sample: Sample, raw: bytes, seen: set[bytes]) -> bool:
    """Whether the line is no copy of an earlier one; long lines are remembered by what they begin and end with."""
    sample.lines += 1
    mark = raw if len(raw) < 200 else raw[:100] + raw[-100:] + hash(raw).to_bytes(8, "big", signed=True)
    if mark in seen:
        sample.repeats += 1
        return False
    seen.add(mark)
    return True


def _take(sample: Sample, row: dict[str, tuple[str, str] | None] | Refusal) -> None:
    if isinstance(row, Refusal):
        sample.bad[row.reason] += 1
    elif not row:
        sample.bad["empty_object"] += 1
    else:
        sample.add(row)


def _json_row(raw: bytes) -> dict[str, tuple[str, str] | None] | Refusal:
    text = decode(raw)
    if isinstance(text, Refusal):
        return text
    tree = parse_object(_NOBODY, text)
    return tree if isinstance(tree, Refusal) else {key: _value(value) for key, value in tree.items()}


def _value(value: Any) -> tuple[str, str] | None:
    text = text_of(value)
    if text is None:
        return None
    if isinstance(value, Number):
        return "number", text
    if isinstance(value, bool):
        return "boolean", text
    return ("nested" if isinstance(value, (dict, list)) else "string"), text


def _read_csv(sample: Sample, physical: Iterator[bytes], most: int, seen: set[bytes]) -> None:
    first = next(physical, b"")
    head = first.removeprefix(b"\xef\xbb\xbf").decode("utf-8", "replace").removesuffix("\r")
    sample.delimiter = max(",;\t|", key=head.count)

    def again() -> Iterator[bytes]:
        yield first
        yield from physical

    records = csv_records(again(), sample.delimiter)
    _, record = next(records, (0, b""))
    names = cells_of(record.removeprefix(b"\xef\xbb\xbf"), sample.delimiter)
    if isinstance(names, Refusal) or len(set(names)) != len(names) or not all(names):
        raise UsageError(f"{sample.path}: its first record is no header: every column needs a name of its own")
    for _, raw in islice(records, most):
        if not _is_new(sample, raw, seen):
            continue
        cells = cells_of(raw, sample.delimiter)
        if not isinstance(cells, Refusal) and len(cells) != len(names):
            cells = Refusal("ragged_row", None, "another number of cells")
        if isinstance(cells, Refusal):
            sample.bad[cells.reason] += 1
        else:
            sample.add({name: ("string", cell) if cell else None for name, cell in zip(names, cells, strict=True)})
    sample.cut |= next(records, None) is not None


def _read_parquet(sample: Sample, path: Path, most: int) -> None:
    import pyarrow as pa
    from pyarrow import parquet

    try:
        file = parquet.ParquetFile(path)
    except pa.ArrowException as error:
        raise UsageError(f"{path} is no Parquet file: {error}") from error
    left = most
    for batch in file.iter_batches(batch_size=min(4096, most)):
        for row in batch.slice(0, left).to_pylist():
            sample.lines += 1
            sample.add({key: _parquet_value(value) for key, value in row.items()})
        left -= len(batch)
        if left <= 0 or batch.nbytes * (sample.lines // max(1, len(batch))) > MOST_BYTES:
            sample.cut |= sample.lines < file.metadata.num_rows
            return


def _parquet_value(value: Any) -> tuple[str, str] | None:
    if value is None or value != value:  # NaN is no value
        return None
    if isinstance(value, datetime):
        moment = value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=UTC)
        return "string", moment.isoformat().replace("+00:00", "Z")
    if isinstance(value, bool):
        return "boolean", "true" if value else "false"
    if isinstance(value, (int, float, Decimal)):
        return "number", str(value)
    if isinstance(value, bytes):
        return "string", value.decode("utf-8", "replace")
    if isinstance(value, (dict, list)):
        return "nested", json.dumps(value, default=str, ensure_ascii=False)
    return "string", value.isoformat() if isinstance(value, date) else str(value)
