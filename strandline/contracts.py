"""Deployed contracts: what a stream's YAML meant at each run, kept in the lake beside what it judged.

`batch/contracts/<stream>/<version>-<digest8>.json` is written once, by the first batch that judges under it, and never again.
Equal digests are equal contracts, whatever the layout of the YAML; `tests:` and the file's place do not count.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, fields, is_dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import PurePath
from typing import Any

from strandline.errors import StorageError
from strandline.lake.objects import Objects
from strandline.spec.model import Stream

_LEFT_OUT = {"path", "tests", "engine"}  # what judges no line otherwise


@dataclass(frozen=True, slots=True)
class Deployed:
    """A contract as the lake names it: `path` of its object; `reused` says that another contract has the same version."""

    path: str
    digest: str
    reused: bool


def canonical(stream: Stream) -> dict[str, Any]:
    """The resolved stream as plain JSON values, defaults included; durations are seconds."""
    return {f.name: _plain(getattr(stream, f.name)) for f in fields(stream) if f.name not in _LEFT_OUT}


def _plain(value: Any) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        return {f.name: _plain(getattr(value, f.name)) for f in fields(value)}
    if isinstance(value, Mapping):
        return {str(key): _plain(each) for key, each in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        items = [_plain(each) for each in value]
        return sorted(items, key=repr) if isinstance(value, (set, frozenset)) else items
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, (datetime, date)):
        return value.isoformat()
    if isinstance(value, PurePath):
        return value.as_posix()
    return value if value is None or isinstance(value, (str, int, float, bool)) else str(value)


def digest(stream: Stream) -> str:
    """The SHA-256 of the canonical contract, in hex."""
    return hashlib.sha256(json.dumps(canonical(stream), sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def digest_number(stream: Stream) -> int:
    """The digest as a positive number of 48 bits, as a table position can hold it."""
    return int(digest(stream)[:12], 16) + 1


def contracts_of(stream: str) -> str:
    """The folder of a stream's deployed contracts."""
    return f"batch/contracts/{stream}/"


def contract_path(stream: Stream) -> str:
    """Where the contract stands in the lake once it is deployed."""
    return f"{contracts_of(stream.name)}{stream.version}-{digest(stream)[:8]}.json"


def is_reused(objects: Objects, stream: Stream) -> bool:
    """Whether a different contract was deployed under the stream's version: lines landed under it must be parsed again."""
    own = contract_path(stream)
    return any(info.key != own for info in objects.list(f"{contracts_of(stream.name)}{stream.version}-"))


def deploy(objects: Objects, stream: Stream) -> Deployed:
    """The contract as deployed; it is stored now unless it was before."""
    own = contract_path(stream)
    held = [info.key for info in objects.list(f"{contracts_of(stream.name)}{stream.version}-")]
    if own not in held:
        document = {
            "digest": digest(stream),
            "deployed_at": datetime.now(UTC).isoformat(timespec="seconds"),
            "contract": canonical(stream),
        }
        data = json.dumps(document, indent=1, sort_keys=True, ensure_ascii=False).encode()
        objects.put(own, data, if_absent=True, content_type="application/json")
    return Deployed(own, digest(stream), any(key != own for key in held))


def deployed_as(objects: Objects, stream: str, number: int) -> tuple[str, str]:
    """Path and version of the deployed contract whose digest has that number. Raises `StorageError` when there is none."""
    end = f"-{number - 1:012x}"[:9] + ".json"
    for info in objects.list(contracts_of(stream)):
        if info.key.endswith(end):
            return info.key, info.key.rpartition("/")[2].removesuffix(end)
    raise StorageError(f"{contracts_of(stream)} holds no contract whose name ends with {end}")


def contracts_under(objects: Objects, stream: str, version: str) -> list[dict[str, Any]]:
    """Every contract that was deployed under a version, canonical; none for versions from before contracts were kept."""
    return [read_contract(objects, info.key) for info in objects.list(f"{contracts_of(stream)}{version}-")]


def identity(contract: Mapping[str, Any]) -> Any:
    """What makes two lines the same event, and on which day it is, by a canonical contract."""
    moment = contract["event_time"]
    declared = [
        {name: field.get(name) for name in ("type", "source_name", "null_values")}
        for field in contract["fields"]
        if field["name"] == moment
    ]
    return [contract["primary_key"], moment, contract["deduplicate_within"], declared]


def read_contract(objects: Objects, path: str) -> dict[str, Any]:
    """The canonical contract stored at `path`. Raises `ObjectMissing`, or `StorageError` for what is no contract."""
    try:
        contract: dict[str, Any] = json.loads(objects.get(path))["contract"]
        return contract
    except (ValueError, KeyError, TypeError) as error:
        raise StorageError(f"{path} is not a contract: {error}") from error
