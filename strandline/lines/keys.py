"""The keys of streams with protected fields."""

from __future__ import annotations

import base64
import binascii
import os
import re
from collections.abc import Mapping

from strandline.errors import UsageError

_HEX = re.compile(r"[0-9a-fA-F]*")


class KeyRing:
    """Keys by stream: `STRANDLINE_KEY_<STREAM>` where it is set, else `STRANDLINE_KEY`.

    A key is base64 or hex of 32 bytes or more. No message and no repr holds one.
    """

    def __init__(self, values: Mapping[str, str], *, named: str = "the environment") -> None:
        """`values` holds texts by those names (for example the extra of an Airflow connection); `named` says where, in
        messages."""
        self._values = {name.upper(): value for name, value in values.items() if name.upper().startswith("STRANDLINE_KEY")}
        self._named = named

    @classmethod
    def from_environment(cls) -> KeyRing:
        """The keys of this process' environment, as it is now."""
        return cls(os.environ)

    def key(self, stream: str) -> bytes:
        """The stream's key, 32 bytes or more; raises UsageError when there is none or it is not a key."""
        own = f"STRANDLINE_KEY_{stream.upper()}"
        name = own if self._values.get(own) else "STRANDLINE_KEY"
        value = self._values.get(name)
        if not value:
            raise UsageError(
                f"stream {stream} has protected fields and no key: set {own} or STRANDLINE_KEY in {self._named} "
                "to base64 or hex of 32 random bytes (openssl rand -base64 32)"
            )
        key = _decoded(value.strip())
        if len(key) < 32:
            raise UsageError(f"{name} in {self._named} is no key: it must be base64 or hex of at least 32 bytes")
        return key

    def __repr__(self) -> str:
        return f"KeyRing({', '.join(sorted(self._values)) or 'empty'})"

    def __reduce__(self) -> str:
        raise TypeError("a KeyRing is not pickled: keys do not travel")


def _decoded(value: str) -> bytes:
    if _HEX.fullmatch(value):
        return bytes.fromhex(value) if len(value) % 2 == 0 else b""
    try:
        return base64.b64decode(value.replace("-", "+").replace("_", "/") + "=" * (-len(value) % 4), validate=True)
    except (binascii.Error, ValueError):
        return b""
