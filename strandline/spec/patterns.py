"""Which regular expressions are accepted: those that RE2 (DuckDB), Java (Spark) and Python read alike."""

from __future__ import annotations

import re
import warnings

MAX_LENGTH = 500
_MOST_REPEATS = 1000
_LEFT_OUT = (
    (re.compile(r"\(\?(?!:|[ims]+\))"), "look-around, named and special groups are not available"),
    (re.compile(r"\\[1-9]|\\[gk]"), "back-references are not available"),
    (re.compile(r"[*+?}]\+"), "possessive repeats are not available"),
    (re.compile(r"\\[ZzGhHRXKuUN]"), "this escape means different things to different engines"),
    (re.compile(r"(?<!\\)\[[^\]]*\\b"), "a backspace is not available"),
    (re.compile(r"(?<!\\)\{,"), "a repeat without a least number is not available: write {0,n}"),
    (re.compile(r"\[\[:|\[[^\]]*(&&|\[)"), "nested character classes are not available"),
)
_FOLDING = re.compile(r"(?:\(\?[ims]+\))*\(\?[ms]*i")
_BEYOND_ASCII = re.compile(r"[^\x00-\x7f]|\\x[89a-fA-F]")
_REPEAT = re.compile(r"\{(\d+)(?:,(\d*))?\}")


def refused_pattern(pattern: str) -> str | None:
    """Why `pattern` is not accepted, as one sentence; None when it is."""
    if len(pattern) > MAX_LENGTH:
        return f"the pattern is too long (saw {len(pattern)} characters, allowed {MAX_LENGTH})"
    bare = re.sub(r"\\\\", "", pattern)
    for shape, why in _LEFT_OUT:
        found = shape.search(bare)
        if found:
            return f"{why} in a pattern (saw {bare[found.start() : found.start() + 4]})"
    foreign = _BEYOND_ASCII.search(bare) if _FOLDING.match(bare) else None
    if foreign:
        return f"with (?i) a pattern holds ASCII alone: engines fold other letters differently (saw {foreign.group()})"
    for match in _REPEAT.finditer(bare):
        if max(int(number) for number in match.groups() if number) > _MOST_REPEATS:
            return f"a pattern repeats at most {_MOST_REPEATS} times (saw {match.group()})"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            re.compile(pattern)
    except (re.error, RecursionError, OverflowError, FutureWarning, DeprecationWarning) as error:
        return f"the pattern is not a regular expression: {error}"
    return None
