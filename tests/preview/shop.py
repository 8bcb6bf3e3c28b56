"""A small shop: a stream with everything a preview shows, its lines, and an engine to rehearse them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from strandline.engines.duckdb import DuckEngine, DuckSession
from strandline.spec.load import load_stream
from strandline.spec.model import Stream

SHOP = """\
stream: shop
version: 1.0.0
description: {purpose: Orders of a small shop}
team: {name: shop, owner: shop@example.com}
source: {type: files, location: LOCATION, pattern: "*"}
schema:
  primary_key: [id]
  event_time: at
  allowed_lateness: 2d
  fields:
    - {name: id,     type: string,    required: true}
    - {name: at,     type: timestamp, required: true}
    - {name: amount, type: decimal,   scale: 2, minimum: 0, unit: EUR}
    - {name: paid,   type: boolean}
    - {name: buyer,  type: string, from: buyerName, classification: pii, protect: hash}
quality:
  - {name: affordable, expect: amount < 1000}
  - {name: round_sum, expect: amount <> 0, action: warn}
silver:
  derive:
    is_large: amount > 100
gold:
  hourly:
    grain: hour
    dimensions: [buyer]
    metrics:
      orders: count
      large: {count: is_large}
      turnover: {sum: amount, unit: EUR}
      large_rate: {ratio: [large, orders]}
  minutes:
    grain: 5 minutes
    metrics: {orders: count}
dashboard:
  - {title: Orders, stat: minutes.orders}
  - {title: Orders by time, line: minutes.orders}
  - {title: Turnover, bar: hourly.turnover, by: buyer}
  - {title: Best hours, table: hourly, sort: -turnover}
alerts:
  - {name: rush, on: minutes, when: orders >= 2, for: 2, severity: high}
  - {name: big_order, on: rows, when: amount > 500, key: [buyer]}
"""


def shop(folder: Path, text: str = SHOP, **changes: str) -> Stream:
    """The stream, its file written to `folder`; each change replaces a text of it."""
    for old, new in changes.items():
        text = text.replace(old, new)
    path = folder / "shop.yaml"
    path.write_text(text.replace("LOCATION", str(folder / "inbox")), encoding="utf-8")
    return load_stream(path)


def order(number: int, minute: int = 0, **values: Any) -> dict[str, Any]:
    """One order of 2 March 2026, so many minutes after nine."""
    return {
        "id": f"o{number}",
        "at": f"2026-03-02T09:{minute:02}:00Z",
        "amount": 10.5,
        "paid": True,
        "buyerName": "ada",
    } | values


def lines(*given: dict[str, Any] | str) -> bytes:
    """NDJSON of the orders; texts go in as they are."""
    texts: Sequence[str] = [line if isinstance(line, str) else json.dumps(line) for line in given]
    return "".join(f"{text}\n" for text in texts).encode()


@contextmanager
def opened() -> Iterator[tuple[DuckEngine, DuckSession]]:
    """An engine and a session of it."""
    engine = DuckEngine("512MB", 1)
    with engine.session() as session:
        yield engine, session
