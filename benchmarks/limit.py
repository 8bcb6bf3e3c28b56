"""The limit: the steps that nobody can leave out, each alone with all cores: decompress, parse once, write Parquet once.

`python -m benchmarks.limit FOLDER OUT` prints the wall seconds of each step. Parsing is by the fastest parser at hand that
gives columns (Polars' NDJSON or pyarrow's, tried on the first files; DuckDB's is slower), on lines that are known to be
readable; the lines that are not are taken out between the clocks. Columns, compression and level are those of silver.

Beside them, and no part of the limit, stand the seconds of what nobody can leave out who promises more than gold: the exact
bytes of every line kept in Parquet, a file an interval, each of them synced to disk, and read once by a later step; and a
Python process that has the libraries for it.
"""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import time
import zlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.json as pj
import pyarrow.parquet as pq

GROUP = 24


def main(folder: Path, out: Path) -> None:
    """Print the seconds of each step."""
    paths = sorted(folder.glob("*.ndjson.gz"))
    spent = dict.fromkeys(("decompress", "parse", "write"), 0.0)
    promised = dict.fromkeys(("keep", "sync", "read", "start"), 0.0)
    parse: Callable[[bytes], pa.Table] | None = None
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for start in range(0, len(paths), GROUP):
            packed = [path.read_bytes() for path in paths[start : start + GROUP]]
            clock = time.perf_counter()
            plain = list(pool.map(lambda data: zlib.decompress(data, 31), packed))
            spent["decompress"] += time.perf_counter() - clock
            readable = b"".join(_readable(data) for data in plain)
            parse = parse or _fastest(readable)
            clock = time.perf_counter()
            table = parse(readable)
            spent["parse"] += time.perf_counter() - clock
            half = -(-table.num_rows // (os.cpu_count() or 1))
            parts = [table.slice(first, half) for first in range(0, table.num_rows, half)]
            clock = time.perf_counter()
            list(pool.map(_write, [(part, out / f"{start}-{n}.parquet") for n, part in enumerate(parts)]))
            spent["write"] += time.perf_counter() - clock
            lines = [data.split(b"\n") for data in plain]
            kept = [pa.table({"raw": pa.array(several, pa.binary())}) for several in lines]
            places = [out / f"{start}-{n}-raw.parquet" for n in range(len(kept))]
            clock = time.perf_counter()
            list(pool.map(_write, zip(kept, places, strict=True)))
            promised["keep"] += time.perf_counter() - clock
            clock = time.perf_counter()
            list(pool.map(_sync, places))
            promised["sync"] += time.perf_counter() - clock
            clock = time.perf_counter()
            list(pool.map(pq.read_table, places))
            promised["read"] += time.perf_counter() - clock
    clock = time.perf_counter()
    subprocess.run([sys.executable, "-c", "import duckdb, pyarrow.parquet"], check=True)
    promised["start"] = time.perf_counter() - clock
    assert parse is not None
    steps = {name: round(value, 3) for name, value in {**spent, **promised}.items()}
    print(json.dumps({"steps": steps, "parser": parse.__name__}))


def _readable(plain: bytes) -> bytes:
    """The lines that every parser reads with the same types."""
    kept = (line for line in plain.split(b"\n") if line.startswith(b'{"event_id"') and line.endswith(b"}"))
    return b"".join(line + b"\n" for line in kept if b'"a dozen"' not in line)


def _polars(data: bytes) -> pa.Table:
    return pl.read_ndjson(io.BytesIO(data)).to_arrow()


def _pyarrow(data: bytes) -> pa.Table:
    return pj.read_json(io.BytesIO(data), pj.ReadOptions(block_size=4 << 20))


def _fastest(data: bytes) -> Callable[[bytes], pa.Table]:
    seconds = {}
    for parse in (_polars, _pyarrow):
        for _ in range(2):
            clock = time.perf_counter()
            parse(data)
            seconds[parse] = time.perf_counter() - clock
    return min(seconds, key=lambda parse: seconds[parse])


def _write(given: tuple[pa.Table, Path]) -> None:
    table, path = given
    pq.write_table(table, path, compression="zstd", compression_level=1, write_page_checksum=True, store_schema=False)


def _sync(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
