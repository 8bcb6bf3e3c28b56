"""Errors of libraries and servers, put so that a person can act on them."""

from __future__ import annotations

import os
import re

from strandline.cli.console import shown

_COLOURS = re.compile(r"\x1b\[[0-9;]*m")
_CAUSES = re.compile(r"\s*\n\s*↳\s*")
_S3_ANSWER = re.compile(r"<\?xml.*?<Code>(.*?)</Code>(?:.*?<Message>(.*?)</Message>)?.*?</Error>", re.DOTALL)


def paragraph(text: str) -> str:
    """The error as one paragraph for a terminal: what to do first where that is known, then the words of whoever raised it."""
    plain = _S3_ANSWER.sub(_answer, _CAUSES.sub(": ", _COLOURS.sub("", text))).strip()
    advice = _advice(plain)
    return shown(f"{advice}\n{plain}" if advice else plain)


def _answer(found: re.Match[str]) -> str:
    return f"{found[1]}: {found[2]}" if found[2] else found[1]


def _advice(text: str) -> str:
    if "NoSuchBucket" in text:
        return "The lake's bucket does not exist; `strandline run bootstrap` makes it."
    if _names_any(text, "SignatureDoesNotMatch", "InvalidAccessKeyId", "AccessDenied", "403 Forbidden"):
        return "The S3 endpoint refuses the credentials; look at AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY (or AWS_PROFILE)."
    if _names_any(text, "Connection refused", "dns error", "EndpointConnectionError", "Could not connect to the endpoint"):
        endpoint = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL")
        return f"The server at {endpoint} does not answer (AWS_ENDPOINT_URL)." if endpoint else "The server cannot be reached."
    if "No space left on device" in text:
        return "The disk is full."
    return ""


def _names_any(text: str, *signs: str) -> bool:
    return any(sign in text for sign in signs)
