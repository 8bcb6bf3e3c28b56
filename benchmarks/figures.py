"""Turns what `benchmarks.step_costs` printed into lines for `strandline/sizing/figures.yaml`.

`python -m benchmarks.figures COSTS REQUESTS`: files with two JSON objects each, of two days and of two numbers of
micro-batches. What a run costs and what an event costs are the line through the two.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.events import FILES
from strandline.sizing.figures import BY_MICRO_BATCH

MERGES = FILES // 2
BY_LAYER = ("realtime", "bronze")
BY_DAY = ("gold", "analytics")
OPENED = {"audit": "that the lake keeps", "maintain": "that realtime keeps"}
KINDS = ("put", "list", "get", "head")
_Line = tuple[float, float]


def line(x1: float, y1: float, x2: float, y2: float) -> _Line:
    """Where the line through two points begins (at 0), and its slope; neither below 0."""
    slope = max(0.0, (y2 - y1) / (x2 - x1))
    return max(0.0, y1 - slope * x1), slope


def cpu(small: dict[str, Any], large: dict[str, Any]) -> Iterator[tuple[str, float, str]]:
    """CPU seconds of a run, and of a million events."""
    found = {}
    for step in small["cpu_s"]:
        per = FILES if step in ("generate", "land") else 1
        found[step] = line(small["events"] / per, small["cpu_s"][step], large["events"] / per, large["cpu_s"][step])
    of_new = found["silver"][1]
    for step, (run, event) in found.items():
        by_files = step in BY_MICRO_BATCH
        yield f"cpu.{step}.run", 0.0 if by_files else run, "CPU s a run"
        yield f"cpu.{step}.million", 1e6 * (of_new if step == "merge" else event), "CPU s a million events"
        if by_files:
            yield f"cpu.{step}.micro_batch", run / FILES, f"CPU s a micro-batch {OPENED.get(step, 'of the day')}"
    of_day = max(0.0, found["merge"][1] - of_new / MERGES)
    yield "cpu.merge.million_of_day", 1e6 * of_day, "CPU s a merge and million events of the stream's day"


def sizes(small: dict[str, Any], large: dict[str, Any]) -> Iterator[tuple[str, float, str]]:
    """Bytes an event by layer, and GB of memory."""
    yield "bytes.event", large["event_bytes"], "raw bytes of the events measured"
    for layer, size in large["bytes_an_event"].items():
        both = [(day["events"], day["bytes_an_event"][layer] * day["events"]) for day in (small, large)]
        a_day, an_event = line(*both[0], *both[1])
        fitted = layer in (*BY_LAYER, *BY_DAY)
        if layer != "alerts":
            yield f"bytes.{layer}.event", an_event if fitted else size, "bytes an event"
        if layer in BY_LAYER:
            yield f"bytes.{layer}.micro_batch", a_day / FILES, "bytes a micro-batch"
        if layer in BY_DAY:
            yield f"bytes.{layer}.day", a_day, "bytes a stream and day"
    peaks = [max(day["peak_mb"].values()) / 1000 for day in (small, large)]
    fixed, event = line(small["events"], peaks[0], large["events"], peaks[1])
    yield "memory.task.fixed", fixed, "GB of a task, libraries included"
    yield "memory.task.million_of_day", 1e6 * event, "GB of the largest step a million events of the stream's day"


def asked(few: dict[str, Any], many: dict[str, Any]) -> tuple[list[tuple[str, float, str]], dict[str, dict[str, float]]]:
    """GETs a micro-batch, and the requests of one run without them."""
    by_step = {step: {kind: float(kinds[kind]) for kind in KINDS} for step, kinds in many["requests"].items()}
    found = []
    for step in BY_MICRO_BATCH:
        gets = [each["requests"][step]["get"] for each in (few, many)]
        fixed, each = line(few["micro_batches"], gets[0], many["micro_batches"], gets[1])
        by_step[step]["get"] = fixed
        found.append((f"requests.{step}.micro_batch", each, f"GETs a micro-batch {OPENED.get(step, 'of the day')}"))
    return found, by_step


def _read(path: str) -> list[dict[str, Any]]:
    return [json.loads(text) for text in Path(path).read_text(encoding="utf-8").splitlines() if text.startswith("{")]


def _number(value: float) -> str:
    """Three digits that count, never in a form that YAML reads as a text."""
    return f"{value:.6f}".rstrip("0").rstrip(".") if value < 1 else f"{value:.4g}" if value < 1000 else f"{value:.0f}"


def main(costs: str, requests: str) -> None:
    """Prints the lines."""
    (small, large), (few, many) = _read(costs), _read(requests)
    for name, value, unit in sorted([*cpu(small, large), *sizes(small, large)]):
        print(f'  {name}: {{value: {_number(value)}, unit: "{unit}", source: steps}}')
    more, by_step = asked(few, many)
    for name, value, unit in more:
        print(f'  {name}: {{value: {_number(value)}, unit: "{unit}", source: requests}}')
    print("\nrequests: # of one run\n  source: requests")
    for step, kinds in by_step.items():
        print(f"  {step}: {{{', '.join(f'{kind}: {_number(count)}' for kind, count in kinds.items())}}}")


if __name__ == "__main__":
    main(*sys.argv[1:])
