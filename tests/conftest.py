"""Fixtures that start real servers, once a session (once a worker under xdist) and only when a test asks for one."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

from strandline.local.seaweed import REGION, Seaweed

if TYPE_CHECKING:
    from strandline.lake.objects import S3Credentials

_BUCKET = "tests"

settings.register_profile("repeatable", derandomize=True)  # chance is for `make laws`
settings.load_profile("repeatable")


@dataclass(frozen=True)
class S3Lake:
    """An empty prefix on the running S3 server: `url` is `s3://bucket/prefix`, `credentials` open it."""

    url: str
    bucket: str
    prefix: str
    credentials: S3Credentials


def s3_credentials(server: Seaweed) -> S3Credentials:
    """The credentials of the server as the lake takes them."""
    from strandline.lake.objects import S3Credentials

    return S3Credentials(
        access_key_id=server.credentials.access_key_id,
        secret_access_key=server.credentials.secret_access_key,
        session_token=None,
        region=REGION,
        endpoint_url=server.endpoint_url,
    )


@pytest.fixture(scope="session")
def seaweed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Seaweed]:
    """A running SeaweedFS on a free port, with its data in a temporary folder."""
    with Seaweed(tmp_path_factory.mktemp("seaweed"), port=0) as server:
        server.create_bucket(_BUCKET)
        yield server


@pytest.fixture
def s3_environment(seaweed: Seaweed, monkeypatch: pytest.MonkeyPatch) -> Seaweed:
    """The server, with the standard AWS environment variables set to it for the length of the test."""
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    for name, value in seaweed.environment.items():
        monkeypatch.setenv(name, value)
    return seaweed


@pytest.fixture
def s3_lake(s3_environment: Seaweed) -> S3Lake:
    """A fresh, empty prefix in an existing bucket, and the environment set."""
    prefix = f"lake-{uuid.uuid4().hex[:12]}"
    return S3Lake(f"s3://{_BUCKET}/{prefix}", _BUCKET, prefix, s3_credentials(s3_environment))


@pytest.fixture
def s3_new_bucket(s3_environment: Seaweed) -> S3Lake:
    """A bucket that does not exist yet, and the environment set: for what creates buckets itself."""
    bucket = f"new-{uuid.uuid4().hex[:12]}"
    return S3Lake(f"s3://{bucket}", bucket, "", s3_credentials(s3_environment))
