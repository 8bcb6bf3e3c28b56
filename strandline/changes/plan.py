"""The plan of a change: the contract at hand against another one, and what bringing the lake in line with it would do."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow.dataset as pads

from strandline.changes.difference import Bump, Change, bump, changes
from strandline.changes.measure import Measured, measure
from strandline.contracts import canonical, contract_path, read_contract
from strandline.errors import ConfigError, DataError, UsageError
from strandline.lake import paths
from strandline.runtime import Runtime
from strandline.spec.load import check_text
from strandline.spec.model import Stream

DEPLOYED = "deployed"
_GIT = "git:"


@dataclass(frozen=True, slots=True)
class Plan:
    """What a change of one stream would do. `against` names the other contract (None: there is none yet); `measured` is None
    where no batch has judged anything; `blocked` says why a rebuild would stop.
    """

    stream: str
    against: str | None
    changes: tuple[Change, ...]
    bump: Bump
    measured: Measured | None
    blocked: str = ""

    @property
    def needs_rebuild(self) -> bool:
        """Whether stored rows or windows would come out otherwise."""
        return bool(self.blocked) or (self.measured is not None and self.measured.needs_rebuild)

    def as_dict(self) -> dict[str, Any]:
        """The plan as JSON values."""
        found: dict[str, Any] = json.loads(json.dumps(asdict(self), default=_plain))
        found["needs_rebuild"] = self.needs_rebuild
        if found["measured"]:
            scope = found["measured"].pop("scope")
            found["measured"]["from"] = scope["start"]
        return found


def _plain(value: Any) -> Any:
    if isinstance(value, (datetime, date)):
        return value.isoformat()
    if isinstance(value, (frozenset, set)):
        return sorted(value)
    return float(value) if isinstance(value, Decimal) else str(value)


def plan(runtime: Runtime, stream: Stream, against: str = DEPLOYED, days: int | None = None, shown: int = 20) -> Plan:
    """The plan of a stream's YAML. `against` is `deployed` (the contract of the last ledger row) or `git:REV`; `days` bounds
    what is measured to the newest event dates. Changes nothing.
    """
    source, other = _deployed(runtime, stream) if against == DEPLOYED else _committed(stream, against)
    now = canonical(stream)
    found = changes(other, now)
    measured, blocked = None, ""
    try:
        measured = measure(runtime, stream, _first_day(runtime, stream, days), shown)
    except DataError as error:
        blocked = str(error)
    return Plan(stream.name, source, found, bump(other, now, found), measured, blocked)


def _first_day(runtime: Runtime, stream: Stream, days: int | None) -> date | None:
    """The first of the newest `days` event dates that are not after the watermark's."""
    silver = runtime.lake.table(paths.silver(stream.name)).snapshot()
    if days is None or silver is None:
        return None
    newest = max((f.partition for f in silver.files if f.partition and f.rows), default=None)
    return newest - timedelta(days=days - 1) if newest else None


def _deployed(runtime: Runtime, stream: Stream) -> tuple[str | None, Mapping[str, Any] | None]:
    ledger = runtime.lake.table(paths.LEDGER).snapshot()
    if ledger is None or not ledger.files or "contract" not in ledger.schema.names:
        return None, None
    rows = ledger.arrow(["contract", "recorded_at"], pads.field("stream") == stream.name).to_pylist()
    named = sorted((row for row in rows if row["contract"]), key=lambda row: row["recorded_at"])
    if not named:
        return None, None
    path = str(named[-1]["contract"])
    contract = canonical(stream) if path == contract_path(stream) else read_contract(runtime.lake.objects, path)
    return path, contract


def _committed(stream: Stream, against: str) -> tuple[str | None, Mapping[str, Any] | None]:
    """The contract of a git revision; None when the file was not there."""
    revision = against.removeprefix(_GIT)
    if not against.startswith(_GIT) or not revision or revision.startswith("-"):
        raise UsageError(f"--against is `deployed` or `git:REV`, as git:main (saw {against})")
    folder, name = stream.path.resolve().parent, stream.path.name
    _git(folder, "rev-parse", "--verify", "--quiet", f"{revision}^{{commit}}", wrong=f"no such revision: {revision}")
    listed = _git(folder, "ls-tree", "--name-only", revision, "--", name)
    if not listed.strip():
        return None, None
    then, problems = check_text(_git(folder, "show", f"{revision}:./{name}"), Path(f"{against}/{name}"))
    if then is None:
        raise ConfigError(problems)
    return against, canonical(then)


def _git(folder: Path, *arguments: str, wrong: str = "") -> str:
    try:
        done = subprocess.run(["git", "-C", str(folder), *arguments], capture_output=True, text=True, check=False, timeout=60)
    except FileNotFoundError as error:
        raise UsageError("git is not installed; use --against deployed") from error
    if done.returncode:
        raise UsageError(wrong or f"git {arguments[0]}: {done.stderr.strip()}")
    return done.stdout
