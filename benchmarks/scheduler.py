"""Airflow with 1,000 streams: what parsing, scheduling and starting tasks cost, and what gives first.

`python -m benchmarks.scheduler [--streams 1000] [--starts 300] [--database sqlite|postgresql] [--minutes 10]` prints JSON; the
last line is all of it. A real `airflow standalone` (LocalExecutor) with a home of its own and a lake in a folder:

1. it starts with copies of the five example streams (`benchmarks.validate`) and parses: until every DAG is serialised;
2. so many ingest DAGs are unpaused that they start `--starts` tasks, all due at once, as at every full five minutes;
3. the one serving DAG with a group for each stream runs for a while: how long a loop takes over a run of that many tasks.

With `postgresql` a server is started from the Debian package; its drivers (psycopg2, asyncpg) must be on PYTHONPATH.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, create_engine, text

from benchmarks import validate
from benchmarks.components import DAG_PROCESSOR, LOOPS, SCHEDULER, Loops, Used, middle_and_most, used
from benchmarks.events import ROOT
from benchmarks.measure import machine
from strandline.local import processes
from strandline.local.airflow import Airflow
from strandline.local.credentials import Credentials
from strandline.local.postgres import METADATA, Postgres

SERVING = "4-serving_layer_merge"
OTHERS = 3
"""DAGs besides the ingest DAGs."""


@dataclass(frozen=True, slots=True)
class Bench:
    """The running Airflow, its database, and until when (monotonic seconds) there is time."""

    airflow: Airflow
    database: Engine
    servers: tuple[processes.Handle, ...]
    loops: Loops
    until: float

    def used(self) -> Used:
        """CPU seconds by component so far."""
        handle = processes.recall(self.airflow.home / "standalone.pid")
        assert handle is not None, "Airflow runs"
        return used(handle, self.servers)

    def rows(self, query: str, **given: Any) -> list[Any]:
        """The rows of a query; with a statement that changes something, none."""
        with self.database.begin() as session:
            found = session.execute(text(query), given)
            return list(found) if found.returns_rows else []

    def one(self, query: str, **given: Any) -> Any:
        """The first value of the first row."""
        return self.rows(query, **given)[0][0]

    @property
    def has_time(self) -> bool:
        """Whether there is any left."""
        return time.monotonic() < self.until


@contextmanager
def running(folder: Path, arguments: argparse.Namespace) -> Iterator[tuple[Bench, float]]:
    """Airflow over `arguments.streams` streams, and the moment (monotonic) at which it was told to start."""
    config = folder / "config"
    validate.write_streams(config / "streams", arguments.streams)
    shutil.copytree(ROOT / "config" / "dags", config / "dags")
    shutil.copy(ROOT / "config" / "defaults.yaml", config)
    more = {
        **LOOPS,
        "STRANDLINE_CONFIG": str(config),
        "PYTHONPATH": os.pathsep.join((str(ROOT), os.environ.get("PYTHONPATH", ""))).strip(os.pathsep),
        "AIRFLOW__CORE__PARALLELISM": str(arguments.parallelism),
        "AIRFLOW__CORE__DAGBAG_IMPORT_TIMEOUT": "600",
        "AIRFLOW__DAG_PROCESSOR__DAG_FILE_PROCESSOR_TIMEOUT": "900",
        "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": str(arguments.parse_every),
    }
    with _database(folder, arguments.database) as (url, servers):
        airflow = Airflow(
            ROOT, lake=str(folder / "lake"), s3_endpoint="http://127.0.0.1:9", secrets=Credentials.generate(), port=0,
            home=folder / "airflow", extra=more | {"AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": url},
        )  # fmt: skip
        began = time.monotonic()
        with airflow:
            until = began + 60 * arguments.minutes
            yield Bench(airflow, create_engine(url), servers, Loops(airflow.log), until), began


@contextmanager
def _database(folder: Path, kind: str) -> Iterator[tuple[str, tuple[processes.Handle, ...]]]:
    if kind == "sqlite":
        yield f"sqlite:///{folder / 'airflow' / 'airflow.db'}?timeout=60", ()
        return
    server = Postgres(folder / "postgres", Credentials.generate()).start()
    try:
        handle = processes.recall(server.service.pid_file)
        yield server.url(METADATA), (handle,) if handle else ()
    finally:
        server.stop()


def parsed(bench: Bench, began: float, streams: int) -> dict[str, Any]:
    """The wall and CPU seconds until all DAGs are serialised, their sizes, and what parsing again and again costs then."""
    while bench.one("select count(distinct dag_id) from serialized_dag") < streams + OTHERS:
        if not bench.has_time:
            raise TimeoutError(f"{bench.one('select count(*) from serialized_dag')} DAGs were serialised in time")
        time.sleep(1)
    all_there, spent = time.monotonic() - began, bench.used()
    sizes = dict(bench.rows("select dag_id, length(cast(data as text)) from serialized_dag"))
    bench.loops.since()
    again = _parsed_again(bench)
    loops = bench.loops.since()
    return {
        "until_serialised_s": round(all_there, 1),
        "cpu_s": {name: round(value, 1) for name, value in spent.cpu.items()},
        "dags": len(sizes),
        "tasks": 9 * streams + 1,
        "serialised_mb": round(sum(sizes.values()) / 1e6, 2),
        "largest_kb": {name: round(sizes[name] / 1e3) for name in sorted(sizes, key=lambda each: -sizes[each])[:3]},
        "parse_s": round(bench.one("select max(last_parse_duration) from dag"), 1),
        **again,
        "idle_loop_ms": middle_and_most(loops),
    }


def _parsed_again(bench: Bench) -> dict[str, Any]:
    """What one parse more costs the DAG processor, from the end of one to the end of the next, and the cores busy meanwhile."""
    moments: list[tuple[float, Used]] = []
    last = bench.one("select max(last_parsed_time) from dag")
    while len(moments) < 2 and bench.until - time.monotonic() > 360:  # leaves time for the tasks
        time.sleep(0.5)
        if (now := bench.one("select max(last_parsed_time) from dag")) != last:
            last = now
            moments.append((time.monotonic(), bench.used()))
    if len(moments) < 2:
        return {"parsed_again_cpu_s": None}
    (began, before), (ended, after) = moments
    spent = after.spent(before)[DAG_PROCESSOR]
    return {"parsed_again_cpu_s": spent, "parsed_again_every_s": round(ended - began, 1), "idle_cores": after.share(before)}


def started(bench: Bench, dags: list[str], starts: int, seconds: float) -> dict[str, Any]:
    """What happens when these DAGs are unpaused, until so many tasks have started and ended, or so many seconds are over."""
    bench.loops.since()
    names = {f"d{n}": dag for n, dag in enumerate(dags)}
    chosen = f"dag_id in ({', '.join(f':{key}' for key in names)})"
    before = bench.used()
    bench.rows(f"update dag set is_paused = {_bool(bench, False)} where {chosen}", **names)
    end = min(bench.until, time.monotonic() + seconds)
    while time.monotonic() < end:
        time.sleep(1)
        if bench.one(f"select count(end_date) from task_instance where {chosen}", **names) >= starts:
            break
    after = bench.used()
    bench.rows(f"update dag set is_paused = {_bool(bench, True)} where {chosen}", **names)
    rows = bench.rows(
        f"select scheduled_dttm, queued_dttm, start_date, end_date, state from task_instance where {chosen} and "
        "start_date is not null order by start_date",
        **names,
    )
    return _told(bench, before, after, [tuple(map(_moment, row[:4])) for row in rows], [row[4] for row in rows])


def _told(bench: Bench, before: Used, after: Used, moments: list[Any], states: list[str]) -> dict[str, Any]:
    begun = [start for _, _, start, _ in moments]
    span = (begun[-1] - begun[0]).total_seconds() if len(begun) > 1 else 0.0
    ran = [(end - start).total_seconds() for _, _, start, end in moments if end]
    cpu, loops = after.spent(before), bench.loops.since()
    return {
        "started": len(begun),
        "ended": len(ran),
        "failed": sum(state in ("failed", "up_for_retry") for state in states),
        "starts_a_minute": round(60 * (len(begun) - 1) / span, 1) if span else None,
        "scheduled_to_queued_s": _delays([(a, b) for a, b, _, _ in moments]),
        "queued_to_started_s": _delays([(b, c) for _, b, c, _ in moments]),
        "ran_s": middle_and_most(ran),
        "cores": after.share(before),
        "cpu_s_a_start": {name: round(value / len(begun), 3) for name, value in cpu.items()} if begun else {},
        "loops": len(loops),
        "loop_ms": middle_and_most(loops),
        "loop_cpu_ms": round(1000 * cpu[SCHEDULER] / len(loops), 1) if loops else None,
    }


def _delays(pairs: list[tuple[datetime | None, datetime | None]]) -> dict[str, Any]:
    return middle_and_most((late - early).total_seconds() for early, late in pairs if early and late)


def _moment(value: Any) -> datetime | None:
    """SQLite hands texts."""
    found = datetime.fromisoformat(value) if isinstance(value, str) else value
    return found.replace(tzinfo=None) if found else None


def _bool(bench: Bench, value: bool) -> str:
    return str(value).lower() if bench.database.dialect.name == "postgresql" else str(int(value))


def main() -> int:
    """0 when everything could be measured."""
    arguments = _arguments()
    with tempfile.TemporaryDirectory(prefix="strandline-scheduler-") as name:
        folder = Path(name)
        folder.chmod(0o755)  # the database's user looks in
        with running(folder, arguments) as (bench, began):
            given = {key: getattr(arguments, key) for key in ("streams", "database", "parallelism", "parse_every")}
            found: dict[str, Any] = {"given": given, "machine": machine()}
            _print(found, "parse", parsed(bench, began, arguments.streams))
            ingests = bench.rows("select dag_id from dag where dag_id like '2-%' order by dag_id")
            chosen = [row[0] for row in ingests[:: max(1, len(ingests) * 2 // arguments.starts)]][: arguments.starts // 2]
            _print(found, "ingest", started(bench, chosen, arguments.starts, 240))
            _print(found, "serving", started(bench, [SERVING], 2 * arguments.streams, 120))
            found["load_after"] = os.getloadavg()
    print(json.dumps(found))
    return 0


def _print(found: dict[str, Any], name: str, part: dict[str, Any]) -> None:
    found[name] = part
    print(f"{name}: {json.dumps(part, indent=1)}", flush=True)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scheduler", description=__doc__)
    parser.add_argument("--streams", type=int, default=1000)
    parser.add_argument("--starts", type=int, default=300, help="tasks of ingest DAGs to start (two a DAG)")
    parser.add_argument("--database", choices=("sqlite", "postgresql"), default="sqlite")
    parser.add_argument("--parallelism", type=int, default=4, help="tasks at once")
    parser.add_argument("--parse-every", type=int, default=30, help="Airflow's min_file_process_interval, seconds")
    parser.add_argument("--minutes", type=float, default=10, help="give up after that")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
