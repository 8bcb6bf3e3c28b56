"""Objects on S3 through boto3: conditional puts, streams that survive a reset, errors told apart by whether a retry helps."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import IO, TYPE_CHECKING, Any, BinaryIO

import boto3
from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    FlexibleChecksumError,
    IncompleteReadError,
    ReadTimeoutError,
    ResponseStreamingError,
)
from tenacity import Retrying, retry_if_exception_type, stop_after_attempt, wait_random_exponential
from urllib3.exceptions import HTTPError

from strandline.errors import StorageError, StrandlineError, TransientError
from strandline.lake.objects import ObjectInfo, ObjectMissing, S3Credentials

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_TRANSIENT_CODES = {
    "SlowDown", "InternalError", "ServiceUnavailable", "RequestTimeout", "Throttling", "ThrottlingException",
    "RequestTimeTooSkewed", "ConditionalRequestConflict", "OperationAborted", "BadDigest", "500", "502", "503", "504",
    "ExpiredToken", "TokenRefreshRequired",  # a task keeps the session it began with; its next try begins a new one
}  # fmt: skip
_MISSING_CODES = {"NoSuchKey", "404", "NotFound"}
_CHUNK = 1 << 20
_BROKEN_BODY = (IncompleteReadError, ReadTimeoutError, ResponseStreamingError, HTTPError, ConnectionError)


def s3_client(credentials: S3Credentials | None = None) -> S3Client:
    """A boto3 client for the credentials, or for the standard AWS environment when None."""
    given = credentials or S3Credentials(region="")
    config = Config(
        retries={"mode": "standard", "total_max_attempts": 6},
        connect_timeout=5,
        read_timeout=60,
        max_pool_connections=16,
        s3={"addressing_style": "path"} if given.endpoint_url else {},
    )
    session = boto3.Session(
        aws_access_key_id=given.access_key_id,
        aws_secret_access_key=given.secret_access_key,
        aws_session_token=given.session_token,
        region_name=given.region or None,
    )
    return session.client("s3", endpoint_url=given.endpoint_url, config=config)


def classified(error: ClientError | BotoCoreError | OSError | HTTPError, doing: str) -> StrandlineError:
    """The error of our tree for one of boto3's: transient, missing, or final."""
    if not isinstance(error, ClientError):
        return TransientError(f"{doing}: {type(error).__name__}: {error}")
    code = error.response.get("Error", {}).get("Code", "")
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    message = error.response.get("Error", {}).get("Message", "")
    text = f"{doing}: {code or status} {message}".rstrip()
    if code in _TRANSIENT_CODES or status >= 500 or status in (408, 429):
        return TransientError(text)
    return ObjectMissing(text) if code in _MISSING_CODES else StorageError(text)


class S3Objects:
    """Objects below `s3://bucket/prefix`."""

    def __init__(self, bucket: str, prefix: str = "", credentials: S3Credentials | None = None) -> None:
        self.bucket = bucket
        self.prefix = f"{prefix}/" if prefix else ""
        self.url = f"s3://{bucket}/{prefix}".rstrip("/")
        self._client = s3_client(credentials)

    def _retrying(self) -> Retrying:
        return Retrying(
            retry=retry_if_exception_type(TransientError),
            stop=stop_after_attempt(4),
            wait=wait_random_exponential(multiplier=0.1, max=5),
            reraise=True,
        )

    def put(
        self,
        key: str,
        data: bytes | IO[bytes],
        *,
        if_absent: bool = False,
        if_tag: str | None = None,
        content_type: str = "application/octet-stream",
    ) -> bool:
        """True when written whole; False when `if_absent` and the key was there already, or when the object is no longer the
        one of which `tag` gave `if_tag`.
        """
        condition: dict[str, Any] = {"IfNoneMatch": "*"} if if_absent else {"IfMatch": if_tag} if if_tag else {}
        for attempt in self._retrying():
            with attempt:
                if not isinstance(data, bytes):
                    data.seek(0)
                try:
                    self._client.put_object(
                        Bucket=self.bucket, Key=self.prefix + key, Body=data, ContentType=content_type, **condition
                    )
                except ClientError as error:
                    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode")
                    if condition and (status == 412 or (if_tag and status == 404)):
                        return False
                    raise classified(error, f"put {self.url}/{key}") from error
                except (BotoCoreError, HTTPError) as error:
                    raise classified(error, f"put {self.url}/{key}") from error
        return True

    def get(self, key: str) -> bytes:
        """The whole object; raises `ObjectMissing`. Request and body are retried together."""
        for attempt in self._retrying():
            with attempt:
                return self._get(key)
        raise AssertionError("the retry loop returns or raises")

    def _get(self, key: str) -> bytes:
        try:
            return self._client.get_object(Bucket=self.bucket, Key=self.prefix + key)["Body"].read()
        except (ClientError, BotoCoreError, HTTPError, ConnectionError) as error:
            raise classified(error, f"get {self.url}/{key}") from error

    def exists(self, key: str) -> bool:
        """Whether there is an object of that key."""
        return self.tag(key) is not None

    def tag(self, key: str) -> str | None:
        """The ETag; None when there is no such object."""
        try:
            return self._client.head_object(Bucket=self.bucket, Key=self.prefix + key)["ETag"]
        except ClientError as error:
            found = classified(error, f"head {self.url}/{key}")
            if isinstance(found, ObjectMissing):
                return None
            raise found from error
        except BotoCoreError as error:
            raise classified(error, f"head {self.url}/{key}") from error

    def list(self, prefix: str = "") -> Iterator[ObjectInfo]:
        """The objects whose key starts with `prefix`, in the endpoint's order (AWS: by bytes)."""
        paginator = self._client.get_paginator("list_objects_v2")
        try:
            for page in paginator.paginate(Bucket=self.bucket, Prefix=self.prefix + prefix):
                for entry in page.get("Contents", []):
                    key = entry["Key"].removeprefix(self.prefix)
                    yield ObjectInfo(key, entry["Size"], entry["ETag"].strip('"'), entry["LastModified"])
        except (ClientError, BotoCoreError) as error:
            raise classified(error, f"list {self.url}/{prefix}") from error

    def open(self, key: str) -> BinaryIO:
        """A stream over the object in bounded memory, continued where it broke off on a transient error."""
        return io.BufferedReader(_S3Stream(self._client, self.bucket, self.prefix + key), _CHUNK)

    def delete(self, keys: Iterable[str]) -> int:
        """How many keys were asked to go; a key that is not there is no error."""
        count = 0
        remaining = iter(keys)
        while chunk := list(islice(remaining, 1000)):
            objects: Any = [{"Key": self.prefix + key} for key in chunk]
            try:
                answer = self._client.delete_objects(Bucket=self.bucket, Delete={"Objects": objects, "Quiet": True})
            except (ClientError, BotoCoreError) as error:
                raise classified(error, f"delete in {self.url}") from error
            if refused := answer.get("Errors"):
                raise StorageError(f"delete in {self.url}: {len(refused)} refused, the first {refused[0].get('Code')}")
            count += len(chunk)
        return count


class _S3Stream(io.RawIOBase):
    """The body of one object; on a broken connection the rest is asked for again, of the same ETag."""

    def __init__(self, client: S3Client, bucket: str, key: str) -> None:
        self._client, self._bucket, self._key = client, bucket, key
        self._offset = 0
        self._etag = ""
        self._body = self._request()

    def _request(self) -> Any:
        same: dict[str, Any] = {"IfMatch": self._etag} if self._etag else {}
        span: dict[str, Any] = {"Range": f"bytes={self._offset}-"} if self._offset else {}
        try:
            answer = self._client.get_object(Bucket=self._bucket, Key=self._key, **same, **span)
        except (ClientError, BotoCoreError) as error:
            raise classified(error, f"open s3://{self._bucket}/{self._key}") from error
        self._etag = answer["ETag"]
        self._size = self._offset + answer["ContentLength"]
        return answer["Body"]

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        for left in (3, 2, 1, 0):
            try:
                data = self._body.read(len(buffer))  # at the end too: only then is the checksum looked at
                if data:
                    buffer[: len(data)] = data
                    self._offset += len(data)
                    return len(data)
                if self._offset >= self._size:
                    return 0
                raise ConnectionError("the body ended early")
            except FlexibleChecksumError as error:  # what was handed out cannot be taken back
                raise classified(error, f"read s3://{self._bucket}/{self._key}") from error
            except _BROKEN_BODY as error:
                if not left:
                    raise classified(error, f"read s3://{self._bucket}/{self._key}") from error
                self._body = self._request()
        raise AssertionError("the loop returns or raises")

    def close(self) -> None:
        self._body.close()
        super().close()
