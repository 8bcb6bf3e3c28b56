"""Keys of the data as names of fields, and names as expressions write them."""

from __future__ import annotations

import re
from collections.abc import Iterable

from strandline.spec.draft import RESERVED
from strandline.spec.expressions.parser import KEYWORDS

NAME = re.compile(r"[a-z][a-z0-9_]{0,62}")
_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")


def field_names(keys: Iterable[str]) -> dict[str, str]:
    """A valid name for each key, no two alike: the key itself where it is one, else in lower case with underscores."""
    wanted = list(keys)
    found = {key: key for key in wanted if NAME.fullmatch(key) and key not in RESERVED}
    taken = set(found.values())
    for key in wanted:
        if key not in found:
            found[key] = free_name(name_of(key), taken)
    return {key: found[key] for key in wanted}


def name_of(text: str) -> str:
    """The text as a name: `Read at` and `readAt` are `read_at`, `@timestamp` is `timestamp`, `2xx` is `n_2xx`."""
    words = re.sub(r"[^a-z0-9]+", "_", _HUMP.sub("_", text).lower()).strip("_") or "field"
    return (words if words[0].isalpha() else f"n_{words}")[:60].rstrip("_")


def free_name(name: str, taken: set[str]) -> str:
    """The name, or with `_2`, `_3` … behind it when it is taken or reserved; it is taken from then on."""
    found, number = name, 1
    while found in taken or found in RESERVED:
        number += 1
        found = f"{name}_{number}" if name not in RESERVED or number > 2 else f"{name}_"
    taken.add(found)
    return found


def column(name: str) -> str:
    """The name as an expression writes it: in double quotes where it is a word of the language."""
    return f'"{name}"' if name in KEYWORDS else name


def words(name: str) -> list[str]:
    """The words of a name: `client_ip` is client and ip."""
    return [word for word in name.lower().split("_") if word]
