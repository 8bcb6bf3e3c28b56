"""A project in a temporary folder: a configuration, a lake, an inbox, and the command line run on them for real."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from strandline.cli import app
from strandline.intervals import floor

FIVE = timedelta(minutes=5)
Line = str | dict[str, Any]

ORDERS = """\
stream: orders
version: 1.0.0
description: {purpose: Orders of a small shop}
team: {name: shop, owner: shop@example.com}
source: {type: files, location: INBOX, pattern: "*.ndjson", max_files: 1}
schema:
  primary_key: [id]
  event_time: at
  fields:
    - {name: id,     type: string,    required: true}
    - {name: at,     type: timestamp, required: true}
    - {name: amount, type: decimal,   scale: 2, minimum: 0}
    - {name: city,   type: string}
quality:
  - {name: affordable, expect: amount < 1000}
gold:
  hourly:
    grain: hour
    dimensions: [city]
    metrics:
      n: count
      turnover: {sum: amount}
alerts:
  - {name: big_order, on: rows, when: amount > 500, key: [city], severity: high}
"""

VISITS = """\
stream: visits
version: 2.0.0
description: {purpose: Simulated visits}
team: {name: web, owner: web@example.com}
source: {type: generator, rows: {mean: 20}}
schema:
  primary_key: [id]
  event_time: at
  fields:
    - {name: id,   type: string,    required: true, generate: uuid}
    - {name: at,   type: timestamp, required: true, generate: event_time}
    - {name: page, type: string,    generate: {choice: [home, shop]}}
gold:
  hourly:
    grain: hour
    dimensions: [page]
    metrics: {n: count}
"""


@dataclass(frozen=True)
class Project:
    """The folder, and `strandline` run in it; `now` is the end of the last complete interval of five minutes."""

    folder: Path
    now: datetime

    @property
    def config(self) -> Path:
        return self.folder / "config"

    @property
    def lake(self) -> Path:
        return self.folder / "lake"

    @property
    def environment(self) -> dict[str, str]:
        return {"STRANDLINE_CONFIG": str(self.config), "STRANDLINE_LAKE": str(self.lake), "COLUMNS": "200"}

    def run(self, *arguments: str, given: str | bytes | None = None, **environment: str) -> Result:
        """The command's result; anything but its own exit is raised here."""
        result = CliRunner().invoke(app, list(arguments), input=given, env={**self.environment, **environment})
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result

    def json(self, *arguments: str) -> Any:
        """What a command that succeeds prints as JSON."""
        result = self.run(*arguments)
        assert result.exit_code == 0, result.output
        return json.loads(result.stdout)

    def declare(self, name: str, text: str) -> Path:
        """The file of a stream, written."""
        path = self.config / "streams" / f"{name}.yaml"
        path.write_text(text.replace("INBOX", str(self.folder / "inbox")), encoding="utf-8")
        return path

    def deliver(self, name: str, lines: Sequence[Line]) -> None:
        """An object in the inbox; texts go in as they are."""
        texts = [line if isinstance(line, str) else json.dumps(line) for line in lines]
        (self.folder / "inbox" / name).write_text("".join(f"{text}\n" for text in texts), encoding="utf-8")

    def order(self, number: int, **values: Any) -> dict[str, Any]:
        """One good order, ten minutes old."""
        at = (self.now - 2 * FIVE).isoformat()
        return {"id": f"o{number}", "at": at, "amount": "10.50", "city": "Kiel"} | values

    def ago(self, intervals: int) -> str:
        """The moment so many intervals of five minutes before the last complete one ends."""
        return (self.now - intervals * FIVE).isoformat()


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    """A project with the stream `orders`."""
    for name in ("STRANDLINE_CONFIG", "STRANDLINE_LAKE", "STRANDLINE_MEMORY", "STRANDLINE_THREADS", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)
    for name in ("config/streams", "inbox"):
        (tmp_path / name).mkdir(parents=True)
    made = Project(tmp_path, floor(datetime.now(UTC), FIVE))
    made.declare("orders", ORDERS)
    return made


@pytest.fixture
def traded(project: Project) -> Project:
    """Two landed intervals, nothing batched: 8 lines = 5 good + 1 duplicate + 2 quarantined."""
    first: list[Line] = [
        project.order(1),
        project.order(2, amount="600.00"),
        project.order(1),
        "no json",
        project.order(3, amount="2000"),
    ]
    project.deliver("1.ndjson", first)
    project.deliver("2.ndjson", [project.order(4), project.order(5, city="Bonn"), project.order(6, city=None)])
    result = project.run("run", "ingest", "--from", project.ago(2), "--to", project.ago(0))
    assert result.exit_code == 0, result.output
    return project
