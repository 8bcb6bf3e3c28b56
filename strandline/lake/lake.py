"""A lake: one root, on S3 or in a local folder, with its objects and its tables."""

from __future__ import annotations

from functools import cached_property
from typing import Any
from urllib.parse import urlsplit

from strandline.lake.log import State
from strandline.lake.objects import Objects, S3Credentials, open_objects
from strandline.lake.tables import Table


class Lake:
    """The root of everything that is stored; `url` is `s3://bucket[/prefix]` or an absolute local path."""

    def __init__(self, objects: Objects, credentials: S3Credentials | None) -> None:
        self.objects = objects
        self.url = objects.url
        self.credentials = credentials
        self.states: dict[str, State] = {}
        """The newest version known of each table, by path; a table is followed from there."""

    @classmethod
    def open(cls, url: str, credentials: S3Credentials | None = None) -> Lake:
        """The lake at `url`; without credentials the standard AWS environment speaks. Nothing is read or written yet."""
        if url.startswith("s3"):
            credentials = credentials or _from_environment()
        return cls(open_objects(url, credentials), credentials)

    def table(self, path: str) -> Table:
        """The table at `path` relative to the root; it need not exist."""
        return Table(self, path)

    @property
    def root(self) -> str:
        """Where the lake stands in `filesystem`: `bucket/prefix`, or the local path."""
        parts = urlsplit(self.url)
        return f"{parts.netloc}{parts.path}".rstrip("/") if parts.scheme == "s3" else self.url

    @cached_property
    def storage_options(self) -> dict[str, str] | None:
        """The options under which delta-rs reaches the lake; None for a local one."""
        if not self.credentials or not self.url.startswith("s3"):
            return None
        given = self.credentials
        options = {
            "aws_access_key_id": given.access_key_id,
            "aws_secret_access_key": given.secret_access_key,
            "aws_session_token": given.session_token,
            "aws_region": given.region,
            "aws_endpoint_url": given.endpoint_url,
            "aws_allow_http": "true" if (given.endpoint_url or "").startswith("http://") else None,
            "timeout": "60s",
            "aws_checksum_algorithm": "sha256",  # a commit that was damaged on its way is refused, not stored
        }
        return {key: value for key, value in options.items() if value}

    @cached_property
    def filesystem(self) -> Any:
        """The Arrow filesystem through which table files are read."""
        import pyarrow.fs as pafs

        if not self.credentials or not self.url.startswith("s3"):
            return pafs.LocalFileSystem()
        given = self.credentials
        endpoint = urlsplit(given.endpoint_url or "")
        return pafs.S3FileSystem(
            access_key=given.access_key_id,
            secret_key=given.secret_access_key,
            session_token=given.session_token,
            region=given.region,
            endpoint_override=endpoint.netloc or None,
            scheme=endpoint.scheme or "https",
            connect_timeout=5,
            request_timeout=60,
            retry_strategy=pafs.AwsStandardS3RetryStrategy(max_attempts=6),
        )


def _from_environment() -> S3Credentials:
    """What boto3 finds (environment, profile, role), as plain values that the other clients understand."""
    import os

    import boto3

    session = boto3.Session()
    found = session.get_credentials()
    frozen = found.get_frozen_credentials() if found else None
    return S3Credentials(
        access_key_id=frozen.access_key if frozen else None,
        secret_access_key=frozen.secret_key if frozen else None,
        session_token=frozen.token if frozen else None,
        region=session.region_name or "us-east-1",
        endpoint_url=os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL"),
    )
