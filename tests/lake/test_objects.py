"""Objects: the same promises in a local folder and on S3."""

from __future__ import annotations

import io
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from strandline.errors import StorageError, TransientError, UsageError
from strandline.lake.objects import ObjectMissing, Objects, S3Credentials, open_objects
from strandline.lake.s3 import classified
from tests.conftest import S3Lake


@pytest.fixture(params=["local", "s3"])
def objects(request: pytest.FixtureRequest, tmp_path: Path) -> Objects:
    if request.param == "local":
        return open_objects(str(tmp_path / "objects"))
    lake: S3Lake = request.getfixturevalue("s3_lake")
    return open_objects(lake.url, lake.credentials)


def test_what_was_put_is_got_back(objects: Objects) -> None:
    assert objects.put("a/b.bin", b"\x00\xff")
    assert objects.get("a/b.bin") == b"\x00\xff"
    assert objects.exists("a/b.bin")


def test_a_stream_is_put_whole(objects: Objects) -> None:
    objects.put("big", io.BytesIO(b"x" * 3_000_000))
    with objects.open("big") as stream:
        assert sum(len(chunk) for chunk in iter(lambda: stream.read(100_000), b"")) == 3_000_000


def test_put_if_absent_keeps_the_first(objects: Objects) -> None:
    assert objects.put("once", b"first", if_absent=True)
    assert not objects.put("once", b"second", if_absent=True)
    assert objects.get("once") == b"first"


def test_a_put_on_a_tag_replaces_that_very_content_alone(objects: Objects) -> None:
    assert objects.tag("pointer") is None
    objects.put("pointer", b"first")
    first = objects.tag("pointer")
    assert first is not None
    assert objects.put("pointer", b"second", if_tag=first)
    assert not objects.put("pointer", b"third", if_tag=first)
    assert objects.get("pointer") == b"second"
    assert objects.tag("pointer") != first
    objects.delete(["pointer"])
    assert not objects.put("pointer", b"fourth", if_tag=first)
    assert not objects.exists("pointer")


def test_of_many_puts_on_one_tag_one_wins(objects: Objects) -> None:
    objects.put("pointer", b"start")
    tag = objects.tag("pointer")
    with ThreadPoolExecutor(8) as pool:
        won = list(pool.map(lambda n: objects.put("pointer", b"%d" % n, if_tag=tag), range(8)))
    assert sum(won) == 1
    assert objects.get("pointer") == b"%d" % won.index(True)


def test_a_missing_object_has_an_error_of_its_own(objects: Objects) -> None:
    assert not objects.exists("nowhere")
    with pytest.raises(ObjectMissing, match="nowhere"):
        objects.get("nowhere")
    with pytest.raises(ObjectMissing, match="nowhere"):
        objects.open("nowhere")


def test_listing_finds_what_starts_with_the_prefix(objects: Objects) -> None:
    for key in ("p/b", "p/a/z", "p/a.txt", "p/ä", "q/x"):
        objects.put(key, b"")
    assert sorted(info.key for info in objects.list("p/")) == ["p/a.txt", "p/a/z", "p/b", "p/ä"]


def test_a_folder_lists_by_the_bytes_of_the_whole_key(tmp_path: Path) -> None:
    objects = open_objects(str(tmp_path))
    for key in ("b", "a/z", "a.txt"):
        objects.put(key, b"")
    assert [info.key for info in objects.list()] == ["a.txt", "a/z", "b"]


def test_a_listing_tells_when_an_object_came(objects: Objects) -> None:
    before = datetime.now(UTC) - timedelta(seconds=2)
    objects.put("now", b"")
    [info] = objects.list()
    assert before < info.modified < datetime.now(UTC) + timedelta(seconds=2)


def test_deleting_what_is_not_there_is_no_error(objects: Objects) -> None:
    objects.put("gone", b"1")
    assert objects.delete(["gone", "never"]) == 2
    assert not objects.exists("gone")


def test_a_key_may_not_leave_the_folder(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="leaves the folder"):
        open_objects(str(tmp_path)).get("../../etc/passwd")


def test_a_url_of_another_kind_is_refused() -> None:
    with pytest.raises(UsageError, match=r"s3://bucket"):
        open_objects("gs://bucket/x")


def test_a_wrong_secret_is_refused_and_not_retried(s3_lake: S3Lake) -> None:
    wrong = replace(s3_lake.credentials, secret_access_key="not-the-secret")
    with pytest.raises(StorageError, match=r"SignatureDoesNotMatch|AccessDenied|403"):
        open_objects(s3_lake.url, wrong).put("x", b"1")


def test_a_session_that_has_run_out_is_worth_another_try_since_that_begins_a_new_one() -> None:
    answer: Any = {"Error": {"Code": "ExpiredToken", "Message": "The provided token has expired."}}
    assert isinstance(classified(ClientError(answer, "PutObject"), "write x"), TransientError)


def test_secrets_do_not_show() -> None:
    assert "topsecret" not in repr(S3Credentials("key", "topsecret"))
