"""A day of shop events as 288 gzip NDJSON files, one a five-minute interval, and how many of the lines are what.

Seeded: the same number of lines gives the same bytes. 20 columns, about 500 bytes a line; of 10,000 lines 200 are bad (ten
kinds, each alike often) and 100 are exact copies of a good line in the same file; 2 % of the good come up to 50 minutes late.
The files stand under `.local/bench/events-<lines>/` and are made once.
"""

from __future__ import annotations

import gzip
import json
import os
import shutil
import sys
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

ROOT = Path(__file__).resolve().parents[1]
HOME = Path(os.environ.get("STRANDLINE_BENCH") or ROOT / ".local" / "bench")
FILES = 288
DAY = np.datetime64("2026-03-02T00:00:00.000", "ms")
BAD, COPIES = 0.02, 0.01
KINDS = (
    "truncated", "not_json", "not_object", "missing", "null", "type", "time", "range", "choice", "rule",
)  # fmt: skip
_SEED = 20260302
_Text: TypeAlias = Any
"""An Arrow array of strings."""
_Whole = npt.NDArray[Any]


@dataclass(frozen=True, slots=True)
class Day:
    """The files of a day and what they hold."""

    folder: str
    lines: int
    good: int
    bad: int
    copies: int
    plain_bytes: int
    gzip_bytes: int


def day(lines: int) -> Day:
    """The day of `lines` lines; made if it is not there yet."""
    home = HOME / f"events-{lines}"
    about = home / "about.json"
    if not about.exists():
        shutil.rmtree(home, ignore_errors=True)
        files = home / "files"
        files.mkdir(parents=True)
        counts = [lines // FILES + (index < lines % FILES) for index in range(FILES)]
        with ProcessPoolExecutor(max_workers=os.cpu_count()) as pool:
            made = list(pool.map(partial(_write, files), range(FILES), counts))
        good, bad, copies, plain, packed = (sum(each) for each in zip(*made, strict=True))
        about.write_text(json.dumps(asdict(Day(str(files), lines, good, bad, copies, plain, packed))), encoding="utf-8")
    return Day(**json.loads(about.read_text(encoding="utf-8")))


def micro_batch(lines: int) -> bytes:
    """The plain bytes of one interval with so many lines (the one at noon)."""
    return b"".join(_interval(FILES // 2, lines)[0])


def _write(folder: Path, index: int, count: int) -> tuple[int, int, int, int, int]:
    parts, good, bad, copies = _interval(index, count)
    plain = b"".join(parts)
    packed = gzip.compress(plain, 6, mtime=0)
    (folder / f"{index:03}.ndjson.gz").write_bytes(packed)
    return good, bad, copies, len(plain), len(packed)


def _interval(index: int, count: int) -> tuple[list[bytes], int, int, int]:
    """The lines of one file, shuffled, and how many are good, bad and copies."""
    random = np.random.default_rng([_SEED, index, count])
    bad, copies = round(count * BAD), round(count * COPIES)
    good = count - bad - copies
    lines = _good_lines(random, index, good + bad)
    worse = [_spoiled(line, KINDS[(n + index) % len(KINDS)], n) for n, line in enumerate(lines[good:])]
    again = [lines[n] for n in random.integers(0, good, copies)]
    every = [*lines[:good], *worse, *again]
    return [every[n] for n in random.permutation(count)], good, bad, copies


def _good_lines(random: np.random.Generator, index: int, n: int) -> list[bytes]:
    pick = partial(_picked, random, n)
    late = np.where(random.random(n) < 0.02, random.integers(0, 50 * 60_000, n), 0)
    moment = DAY + (index * 300_000 + random.integers(0, 300_000, n) - late).astype("timedelta64[ms]")
    status = random.choice(np.array([200, 201, 304, 404, 500, 503]), n, p=[0.80, 0.08, 0.05, 0.04, 0.02, 0.01])
    columns: list[tuple[str, Any, bool]] = [
        ("event_id", _hex(random, n, 32), True),
        ("event_time", pc.binary_join_element_wise(np.datetime_as_string(moment, "ms"), "Z", ""), True),
        ("event_type", pick(EVENT_TYPES), True),
        ("user_id", _numbered(random, n, "u-", 200_000), True),
        ("session_id", _hex(random, n, 16), True),
        ("country", pick(COUNTRIES), True),
        ("device", pick(("phone", "tablet", "desktop", "tv")), True),
        ("os", pick(("Android 16", "iOS 19.1", "Windows 11", "macOS 15.2", "Linux")), True),
        ("browser", pick(("Chrome 143.0.7499.40", "Safari 19.1", "Firefox 146.0", "Edge 143.0.3650.66")), True),
        ("app_version", pick(("8.4.0", "8.4.1", "8.5.0", "9.0.0-rc1")), True),
        ("client_ip", _address(random, n), True),
        ("page", _numbered(random, n, "/catalogue/products/item-", 50_000), True),
        ("referrer", pick(tuple(f"https://www.example.com/campaign/spring/{n:03}" for n in range(80))), True),
        ("status_code", _text(status), False),
        ("duration_ms", _decimals(np.exp(random.normal(4.6, 1.0, n)).clip(0.1, 29_000), 1), False),
        ("quantity", _text(random.integers(1, 20, n)), False),
        ("amount", _decimals(random.gamma(2.0, 30.0, n) + 0.01, 2), False),
        ("latitude", _decimals(random.uniform(-60, 60, n), 6), False),
        ("longitude", _decimals(random.uniform(-180, 180, n), 6), False),
        ("is_new", pick(("true", "false")), False),
    ]
    parts: list[Any] = []
    for position, (name, values, quoted) in enumerate(columns):
        before = ("{" if not position else '",' if columns[position - 1][2] else ",") + f'"{name}":' + ('"' if quoted else "")
        parts += [before, values]
    joined = pc.binary_join_element_wise(*parts, "}\n", "")
    return [line.encode() for line in joined.to_pylist()]


EVENT_TYPES = ("view", "search", "add_to_cart", "checkout", "purchase", "refund")
COUNTRIES = ("DE", "FR", "IT", "ES", "PL", "NL", "SE", "US", "BR", "IN", "JP", "KR")


def _spoiled(line: bytes, kind: str, n: int) -> bytes:
    """A line that is bad in one way; the number keeps bad lines apart."""
    if kind == "truncated":
        return line[: len(line) // 2] + b"\n"
    if kind == "not_json":
        return b"upstream connect error or disconnect/reset before headers, attempt %d\n" % n
    if kind == "not_object":
        return b'["event",%d]\n' % n
    if kind == "missing":
        return b"{" + line[line.index(b'"event_time"') :]
    whole: dict[str, Any] = json.loads(line)
    changed: dict[str, Any] = {
        "null": {"event_time": None},
        "type": {"quantity": "a dozen"},
        "time": {"event_time": "yesterday"},
        "range": {"duration_ms": -5.0},
        "choice": {"event_type": "teleport"},
        "rule": {"event_type": "purchase", "amount": 0},
    }
    return json.dumps({**whole, **changed[kind]}, separators=(",", ":")).encode() + b"\n"


def _text(values: _Whole) -> _Text:
    return pa.array(values).cast(pa.string())


def _decimals(values: _Whole, places: int) -> _Text:
    """Decimals with at most so many places, as JSON writes them."""
    return pa.array(np.char.mod(f"%.{places}f", values))


def _picked(random: np.random.Generator, n: int, values: tuple[str, ...]) -> _Text:
    skew = 1 / np.arange(1, len(values) + 1) ** 0.7
    return pa.array(values).take(pa.array(random.choice(len(values), n, p=skew / skew.sum())))


def _hex(random: np.random.Generator, n: int, digits: int) -> _Text:
    data = random.bytes(n * digits // 2).hex().encode()
    offsets = np.arange(0, n * digits + 1, digits, dtype=np.int32)
    return pa.StringArray.from_buffers(n, pa.py_buffer(offsets), pa.py_buffer(data))


def _numbered(random: np.random.Generator, n: int, prefix: str, most: int) -> _Text:
    return pc.binary_join_element_wise(prefix, _text((random.random(n) ** 2 * most).astype(int) + 100_000), "")


def _address(random: np.random.Generator, n: int) -> _Text:
    a, b, c = (_text(random.integers(1, 255, n)) for _ in range(3))
    return pc.binary_join_element_wise("10", a, b, c, ".")


if __name__ == "__main__":
    print(day(int(sys.argv[1])))
