"""`source`: where the lines come from, as a frozen value."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from strandline.spec.draft import Draft
from strandline.spec.model import FilesSource, GeneratorSource, HttpSource, Source

_SECRET = re.compile(
    r"authorization|cookie|password|secret|api[-_]?key|^(x[-_])?(access[-_]|auth[-_]|api[-_])?(token|auth|key)$", re.IGNORECASE
)
_USER = re.compile(r"https?://[^/?#]*@")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def duration(text: str) -> timedelta:
    """The length a duration text means: `5m` is five minutes."""
    return timedelta(seconds=int(text[:-1]) * _SECONDS[text[-1]])


def read_source(draft: Draft) -> Source | None:
    """The source, or None when its shape is wrong."""
    item = draft.get("source")
    if not isinstance(item, dict) or not draft.is_clean(("source",)):
        return None
    options: Mapping[str, Any] = {key: value for key, value in item.items() if key != "type"}
    if item["type"] == "generator":
        return GeneratorSource(options)
    if item["type"] == "files":
        return _files(draft, options)
    _check_secrets(draft, options)
    known = {**options, "timeout": duration(options.get("timeout", "30s"))}
    if options.get("paging", "none") == "none":
        for key in ("cursor_param", "cursor_path", "page_param", "first_page", "max_pages"):
            if key in options:
                draft.report(
                    "SL317", ("source", key), "has no meaning without paging", "add paging: cursor or paging: page", key=True
                )
    return HttpSource(**known)


def _check_secrets(draft: Draft, options: Mapping[str, Any]) -> None:
    """Reports what looks like a secret; the message never shows it."""
    hint = "put it into the connection, and name that with connection:"
    for key in ("headers", "params"):
        for name in options.get(key, ()):
            if _SECRET.search(name):
                draft.report(
                    "SL320", ("source", key, name), "looks like a secret, which does not belong into a file", hint, key=True
                )
    if _USER.match(options["url"]):
        draft.report("SL320", ("source", "url"), "holds a user name or password, which does not belong into a file", hint)


def _files(draft: Draft, options: Mapping[str, Any]) -> FilesSource:
    if "delimiter" in options and options.get("format", "ndjson") != "csv":
        draft.report("SL317", ("source", "delimiter"), "has no meaning for ndjson", "add format: csv, or remove it", key=True)
    return FilesSource(**options)
