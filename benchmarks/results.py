"""What a goal found: a line for people, and figures for tables and plots. Kept as JSON, so that goals can be run one by one.

Those of the full size are part of the tree, like the page that is made from them: a goal takes up to an hour, and can be
measured again anywhere without the others.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from benchmarks.events import HOME

Size = Literal["small", "full"]
MEASURED = Path(__file__).parent / "measured"


@dataclass(frozen=True, slots=True)
class Verdict:
    """One line of the end: the `figure`, the `goal`, whether it is met (None: no goal, or not measured) and what is in
    the way.
    """

    goal: str
    what: str
    figure: str
    aim: str
    met: bool | None
    why: str = ""

    def line(self) -> str:
        """The line for people."""
        mark = {True: "met", False: "NOT MET", None: "-"}[self.met]
        return f"{self.goal:>2}  {self.what}: {self.figure} (goal: {self.aim}): {mark}" + (f"; {self.why}" if self.why else "")


@dataclass(frozen=True, slots=True)
class Found:
    """What one goal's measurement gave: its verdicts, tables by title (rows as mappings), and the machine it ran on."""

    number: int
    size: Size
    verdicts: list[Verdict]
    tables: dict[str, list[dict[str, Any]]]
    machine: dict[str, Any]
    at: str = field(default_factory=lambda: datetime.now(UTC).strftime("%Y-%m-%d %H:%MZ"))


def _path(size: Size, number: int) -> Path:
    return (MEASURED if size == "full" else HOME / "results") / f"{number}.json"


def keep(found: Found) -> None:
    """Write it down, in place of what was measured before."""
    path = _path(found.size, found.number)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(asdict(found), indent=1, default=str) + "\n", encoding="utf-8")


def kept(size: Size, numbers: Iterable[int]) -> list[Found]:
    """What was written down, by number; a goal that was never measured is left out."""
    found = []
    for number in sorted(numbers):
        if (path := _path(size, number)).exists():
            data = json.loads(path.read_text(encoding="utf-8"))
            data["verdicts"] = [Verdict(**each) for each in data["verdicts"]]
            found.append(Found(**data))
    return found
