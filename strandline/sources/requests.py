"""GET with retries: what a server answers in the end, bounded in size and time, without a secret in any message."""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from types import TracebackType
from urllib.parse import urlsplit

import httpx

from strandline.errors import SourceError, TransientError

logging.getLogger("httpx").setLevel(logging.WARNING)  # at INFO it logs every URL with its query, secrets included

MAX_RESPONSE = 64 * 1024 * 1024
"""Bytes of the largest response that is read, decompressed."""

_REDIRECTS = 5
_RETRIED = frozenset({408, 425, 429, *range(500, 600)}) - {501, 505}


@dataclass(frozen=True, slots=True)
class Backoff:
    """How often and how patiently a request is repeated; seconds. Waits double from `first`, with jitter, up to `longest`.

    A server's Retry-After is honoured as the least wait, up to `obeyed`.
    """

    attempts: int = 6
    first: float = 0.5
    longest: float = 30.0
    obeyed: float = 120.0

    def wait(self, attempt: int, retry_after: float | None) -> float:
        """Seconds before the attempt after `attempt` (1-based)."""
        jittered = random.uniform(0.5, 1.0) * min(self.longest, self.first * 2.0 ** (attempt - 1))
        return jittered if retry_after is None else max(jittered, min(retry_after, self.obeyed))


def shown(url: str) -> str:
    """The URL as it may be shown: no user, no password, no query, no fragment."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    host = f"[{host}]" if ":" in host else host
    return f"{parts.scheme}://{host}{f':{parts.port}' if parts.port else ''}{parts.path}"


class Client:
    """GET requests to one URL with the same headers. Headers go to that host alone: a redirect elsewhere is refused."""

    def __init__(self, url: str, headers: Mapping[str, str], timeout: timedelta, backoff: Backoff) -> None:
        self._url = _address(url)
        self._shown = shown(url)
        self._backoff = backoff
        self._timeout = timeout.total_seconds()
        self._client = httpx.Client(headers={"accept": "application/json", **headers}, timeout=self._timeout)

    def __enter__(self) -> Client:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._client.close()

    def get(self, params: Mapping[str, str], *, missing_ends: bool = False) -> bytes | None:
        """The body of a successful answer; None for 404 and 410 when `missing_ends`.

        Raises SourceError for any other refusal, TransientError when every attempt met an unwell server or network.
        """
        trouble = ""
        for attempt in range(1, self._backoff.attempts + 1):
            retry_after: float | None = None
            try:
                answer = self._follow(params)
            except httpx.TransportError as error:
                if isinstance(error, httpx.LocalProtocolError):
                    raise SourceError(f"{self._shown}: the request cannot be sent, a header is not valid") from None
                trouble = type(error).__name__
            else:
                if isinstance(answer, bytes):
                    return answer
                if missing_ends and answer.status_code in (404, 410):
                    return None
                if answer.status_code not in _RETRIED:
                    raise SourceError(f"{self._shown}: the server answered {answer.status_code} {answer.reason_phrase}")
                trouble = f"status {answer.status_code}"
                retry_after = _seconds(answer.headers.get("retry-after"))
            if attempt < self._backoff.attempts:
                time.sleep(self._backoff.wait(attempt, retry_after))
        raise TransientError(f"{self._shown}: no answer in {self._backoff.attempts} attempts, last {trouble}")

    def _follow(self, params: Mapping[str, str]) -> bytes | httpx.Response:
        url = self._url.copy_merge_params(dict(params)) if params else self._url
        for _ in range(_REDIRECTS + 1):
            with self._client.stream("GET", url) as answer:
                if answer.is_success:
                    return self._body(answer)
                if not answer.has_redirect_location:
                    return answer
                target = _address(str(url.join(answer.headers["location"])))
            if (target.host, target.port, target.scheme) != (url.host, url.port, url.scheme):
                raise SourceError(f"{self._shown}: redirects to another host, {shown(str(target))}; declare that address")
            url = target
        raise SourceError(f"{self._shown}: more than {_REDIRECTS} redirects")

    def _body(self, answer: httpx.Response) -> bytes:
        body = bytearray()
        deadline = time.monotonic() + 20 * self._timeout  # a server that drips a byte at a time never times out by itself
        try:
            for chunk in answer.iter_bytes():
                body += chunk
                if len(body) > MAX_RESPONSE:
                    raise SourceError(f"{self._shown}: a response of more than {MAX_RESPONSE} bytes")
                if time.monotonic() > deadline:
                    raise httpx.ReadTimeout("the response did not end")
        except httpx.DecodingError:
            raise SourceError(f"{self._shown}: the response's compression is damaged") from None
        return bytes(body)


def _address(url: str) -> httpx.URL:
    """The URL, checked; raises SourceError without showing it, for it may hold a secret."""
    try:
        parsed = httpx.URL(url)
        valid = parsed.scheme in ("http", "https") and bool(parsed.host) and urlsplit(url).port != 0
    except (httpx.InvalidURL, ValueError):
        valid = False
    if not valid:
        raise SourceError("the url of the source, or what it redirects to, is not an http or https address")
    return parsed


def _seconds(retry_after: str | None) -> float | None:
    """Seconds from now that a Retry-After header asks for; None when it says nothing readable. Source: RFC 9110, 10.2.3."""
    if retry_after is None:
        return None
    if retry_after.strip().isdecimal():
        return float(retry_after)
    try:
        moment = parsedate_to_datetime(retry_after)
    except ValueError:
        return None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return max(0.0, (moment - datetime.now(UTC)).total_seconds())
