"""Whole lines under a stream's key: what cannot be read in parts is encrypted whole.

A sealed line is `magic | key id (8) | digest (16) | AES-256-GCM ciphertext`. The digest is a keyed one of the clear bytes; it
selects both the key and the nonce of this one encryption, so that equal bytes give equal sealed bytes and a nonce never meets
two texts. Source: the synthetic IV of RFC 5297 (SIV), with GCM as the cipher.
"""

from __future__ import annotations

import hmac

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from strandline.errors import DataError

_MAGIC = b"\x00strandline-sealed-1\x00"
_HEAD = len(_MAGIC)


def derived(key: bytes, purpose: str) -> bytes:
    """A 32-byte key for one purpose alone."""
    return hmac.digest(key, f"strandline/{purpose}".encode(), "sha256")


def key_id(key: bytes) -> str:
    """Eight hex digits that tell keys apart and reveal nothing of them."""
    return derived(key, "key-id").hex()[:8]


class Seal:
    """Seals and unseals the lines of one stream; `context` (the stream's name) is authenticated with each."""

    def __init__(self, key: bytes, context: str) -> None:
        self._digest_key = derived(key, "seal-digest")
        self._cipher_key = derived(key, "seal-cipher")
        self._id = key_id(key).encode()
        self._context = context.encode()

    def seal(self, clear: bytes) -> bytes:
        """The sealed bytes of `clear`: always the same for the same bytes, stream and key."""
        digest = hmac.digest(self._digest_key, self._context + b"\0" + clear, "sha256")[:16]
        return _MAGIC + self._id + digest + self._cipher(digest).encrypt(digest[:12], clear, self._context)

    def unseal(self, sealed: bytes) -> bytes:
        """The exact bytes that were sealed; raises DataError when they are not ours, damaged, or under another key."""
        if not sealed.startswith(_MAGIC) or len(sealed) < _HEAD + 24 + 16:
            raise DataError("this is no sealed line")
        their_id, digest, body = sealed[_HEAD : _HEAD + 8], sealed[_HEAD + 8 : _HEAD + 24], sealed[_HEAD + 24 :]
        if their_id != self._id:
            raise DataError(
                f"the line was sealed under key {their_id.decode('ascii', 'replace')}, the stream's key is {self._id.decode()}"
            )
        try:
            return self._cipher(digest).decrypt(digest[:12], body, self._context)
        except InvalidTag:
            raise DataError("the sealed line is damaged or belongs to another stream") from None

    def _cipher(self, digest: bytes) -> AESGCM:
        return AESGCM(hmac.digest(self._cipher_key, digest, "sha256"))
