"""Every error of Strandline, in one tree.

Only `TransientError` is worth a retry; everything else says the same thing again when tried again.
No message ever holds a secret.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path


class StrandlineError(Exception):
    """The root of the tree; catch it to catch everything Strandline raises on purpose."""


class TransientError(StrandlineError):
    """The network, throttling or a lost commit race: the same call may succeed later."""


class DataError(StrandlineError):
    """The data broke a promise: a `fail` rule, a missing landing interval, a ledger that does not balance."""


class StorageError(StrandlineError):
    """The lake answered something that a retry cannot mend: refused, damaged, not there."""


class SourceError(StrandlineError):
    """A source cannot be read and a retry would not help (wrong path, refused, not of the declared format)."""


class UsageError(StrandlineError):
    """The caller asked for what does not exist: an unknown stream, an interval off the schedule, a bad URL."""


def tells_of_the_network(text: str) -> bool:
    """Whether Arrow, by which the engine reads too, says that the storage did not answer as it should."""
    return any(sign in text for sign in ("AWS Error", "curlCode", "Connection", "timed out", "Timeout"))


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """One thing wrong with the configuration, at one place.

    `line` and `column` are 1-based; `field` is the dotted path inside the document (`gold.api_hourly.grain`, `` for the whole
    file); `saw` and `allowed` complete the sentence; `hint` says what to do. `code` is stable (`SL101`); `level` is `error`,
    or `note` for what is odd but legal.
    """

    path: Path
    line: int
    column: int
    code: str
    field: str
    message: str
    hint: str = ""
    level: str = "error"

    def __str__(self) -> str:
        where = f"{self.path}:{self.line}:{self.column}"
        field = f"{self.field}: " if self.field else ""
        text = f"{where}: {field}{self.message} [{self.code}]"
        return f"{text}\n  hint: {self.hint}" if self.hint else text


class ConfigError(StrandlineError):
    """The configuration is wrong; `problems` holds all that was found, in file order."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(sorted(problems))
        super().__init__("\n".join(str(problem) for problem in self.problems))
