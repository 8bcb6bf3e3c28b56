"""Protected values leave a line before it is first written.

In a stream without protected fields lines pass unchanged. In one with them, the value's token is replaced inside the raw bytes
and every other byte stays; a line that the strict parser refuses is sealed whole, since what is in it is unknown.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import NamedTuple

from strandline.lines.keys import KeyRing
from strandline.lines.members import members
from strandline.lines.parse import LineParser, parser_of
from strandline.lines.records import Header, cell_spans
from strandline.lines.seal import Seal, derived, key_id
from strandline.lines.shape import MAX_FAST, Shapes
from strandline.lines.strict import Refusal, decode, parse_object, row, text_of
from strandline.sources.source import RawLine
from strandline.spec.model import Stream

__all__ = ["KeyRing", "ProtectedLine", "Protector"]

_LONG = 128  # characters of the longest value whose token is remembered


class ProtectedLine(NamedTuple):
    """A line as it may be written. `digest`, in a protected stream, is the keyed SHA-256 (HMAC) of the original bytes, 64 hex
    digits; None in others, where `raw` is the original.

    For a sealed line `reason`, `reason_field` and `reason_detail` say why the original was refused; otherwise they are None.
    """

    raw: bytes
    digest: str | None
    sealed: bool
    reason: str | None = None
    reason_field: str | None = None
    reason_detail: str | None = None


class Protector:
    """Protects the lines of one stream; raises UsageError at once when the stream has protected fields and no key."""

    def __init__(self, stream: Stream, keyring: KeyRing) -> None:
        ordered = sorted(stream.protected, key=lambda declared: declared.protect == "drop")
        self._fields = {declared.source_name: declared for declared in ordered}  # of two on one key, the one that drops wins
        self._parser: LineParser = parser_of(stream)
        self._shapes = Shapes(self._parser.wanted, self._fields)
        self._known_token = lru_cache(maxsize=1 << 15)(self._new_token)  # the same people come back
        if self._fields:
            key = keyring.key(stream.name)
            self._key = key
            self._key_id = key_id(key)
            self._digest_key = derived(key, "digest")
            self._seal = Seal(key, stream.name)

    def protect(self, line: RawLine) -> ProtectedLine:
        """The line as it may be written. The same line always gives the same result."""
        if not self._fields:
            return ProtectedLine(line.raw, None, False)
        digest = hmac.digest(self._digest_key, line.raw, "sha256").hex()
        found = self._json(line.raw) if line.header is None else self._csv(line.raw, line.header)
        if isinstance(found, Refusal):
            return ProtectedLine(self._seal.seal(line.raw), digest, True, *found)
        return ProtectedLine(found, digest, False)

    def protect_many(self, lines: Iterable[RawLine]) -> list[ProtectedLine]:
        """`protect` for each line, in order."""
        return [self.protect(line) for line in lines]

    def unseal(self, raw: bytes) -> bytes:
        """The exact bytes of a sealed line; raises DataError when it is damaged or was sealed under another key."""
        return self._seal.unseal(raw)

    def _json(self, raw: bytes) -> bytes | Refusal:
        found = self._known_shape(raw)
        if found is not None:
            return found
        text = decode(raw)
        if isinstance(text, Refusal):
            return text
        tree = parse_object(self._parser.wanted, text)
        if isinstance(tree, Refusal):
            return tree
        judged = row(self._parser.wanted, tree)
        if isinstance(judged, Refusal):
            return judged
        self._shapes.learn(tuple(tree), text)
        spans = members(text)
        if spans is None or len(spans) != len(tree):
            return Refusal("not_json", None, "its members cannot be told apart")
        edits = []
        for member in spans:
            if member.key in self._fields:
                token = self._token(member.key, text_of(tree[member.key]))
                if token is not None:
                    edits.append((member.start, member.end, token))
        return _edited(raw, text, edits)

    def _known_shape(self, raw: bytes) -> bytes | None:
        if len(raw) > MAX_FAST:
            return None
        try:
            text = raw.decode()
        except UnicodeDecodeError:
            return None
        found = self._shapes.find(text)
        if found is None:
            return None
        shape, match = found
        edits = []
        for key, group in shape.groups.items():
            start, end = match.span(group)
            if start >= 0:
                token = self._token(key, text[start:end])
                start, end = start - 1, end + 1
            else:
                start, end = match.span(group + 1)
                if start < 0 or text[start:end] == "null":
                    continue
                token = self._token(key, text[start:end])
            if token is not None:
                edits.append((start, end, token))
        return _edited(raw, text, edits)

    def _csv(self, raw: bytes, record: str) -> bytes | Refusal:
        header = self._parser.header(record)
        if isinstance(header, Refusal):
            return header
        judged = header.row(raw)
        if isinstance(judged, Refusal):
            return judged
        text = decode(raw, "")
        assert isinstance(text, str)
        return _edited(raw, text, self._cell_edits(header, text))

    def _cell_edits(self, header: Header, text: str) -> list[tuple[int, int, str]]:
        edits = []
        for name, (start, end, cell) in zip(header.cells, cell_spans(text, header.delimiter), strict=True):
            declared = self._fields.get(name)
            if declared is None or not cell:
                continue
            token = self._token(name, cell)
            if token is not None:
                hashed = declared.protect == "hash"
                token = token.strip('"') if hashed else ""
                edits.append((start, end, f'"{token}"' if hashed and header.delimiter in token else token))
        return edits

    def _token(self, key: str, text: str | None) -> str | None:
        """The JSON token that replaces a value of the member `key`; None where the value is NULL and stays as it is."""
        if text is not None and len(text) > _LONG:
            return self._new_token(key, text)
        return self._known_token(key, text)

    def _new_token(self, key: str, text: str | None) -> str | None:
        declared = self._fields[key]
        if text is None or text in declared.null_values:
            return None
        if declared.protect == "drop":
            return "null"
        message = f"{declared.name}\x1f{self._key_id}\x1f{text}".encode()
        return f'"h:{self._key_id}:{hmac.digest(self._key, message, "sha256").hex()[:32]}"'


def _edited(raw: bytes, text: str, edits: Sequence[tuple[int, int, str]]) -> bytes:
    """`raw`, whose body is `text`, with the spans replaced; what stands before and after the body stays."""
    if not edits:
        return raw
    parts = []
    position = 0
    for start, end, token in edits:
        parts.append(text[position:start])
        parts.append(token)
        position = end
    parts.append(text[position:])
    around = len(raw) - len(text.encode())  # `decode` may have taken a byte order mark (3) and a CR (1)
    lead, tail = (3, around - 3) if around >= 3 else (0, around)
    return raw[:lead] + "".join(parts).encode() + raw[len(raw) - tail :]
