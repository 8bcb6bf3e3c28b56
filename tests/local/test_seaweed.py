"""The local S3 server: real processes, real requests."""

from __future__ import annotations

import os
import signal
import socket
import stat
from pathlib import Path

import boto3
import psutil
import pytest
from botocore.exceptions import ClientError

from strandline.errors import UsageError
from strandline.local import credentials, ports, processes
from strandline.local.seaweed import PORT_OFFSETS, REGION, Seaweed


def test_an_object_written_reads_back(seaweed: Seaweed) -> None:
    seaweed.create_bucket("roundtrip")
    client = seaweed.client()
    client.put_object(Bucket="roundtrip", Key="a/b", Body=b"\x00tide")
    assert client.get_object(Bucket="roundtrip", Key="a/b")["Body"].read() == b"\x00tide"


def test_a_wrong_secret_is_refused(seaweed: Seaweed) -> None:
    client = boto3.client(
        "s3",
        endpoint_url=seaweed.endpoint_url,
        aws_access_key_id=seaweed.credentials.access_key_id,
        aws_secret_access_key="wrong",
        region_name=REGION,
    )
    with pytest.raises(ClientError, match="SignatureDoesNotMatch"):
        client.list_buckets()


def test_an_unsigned_request_is_refused(seaweed: Seaweed) -> None:
    seaweed.create_bucket("closed")
    seaweed.client().put_object(Bucket="closed", Key="a", Body=b"x")
    for port, path in ((seaweed.port, "/closed/a"), (seaweed.port + 3, "/buckets/closed/a")):
        assert b" 200 " not in _get(port, path).split(b"\r\n")[0]


def test_only_one_writer_wins_a_conditional_put(seaweed: Seaweed) -> None:
    seaweed.create_bucket("races")
    seaweed.client().put_object(Bucket="races", Key="a", Body=b"1", IfNoneMatch="*")
    with pytest.raises(ClientError, match="PreconditionFailed"):
        seaweed.client().put_object(Bucket="races", Key="a", Body=b"2", IfNoneMatch="*")


def test_a_bucket_is_not_created_by_writing_to_it(seaweed: Seaweed) -> None:
    with pytest.raises(ClientError, match="NoSuchBucket"):
        seaweed.client().put_object(Bucket="never-made", Key="a", Body=b"1")


def test_nothing_listens_beyond_the_loopback_interface(seaweed: Seaweed) -> None:
    handle = processes.recall(seaweed.folder / "seaweedfs.pid")
    assert handle is not None
    listening = [c.laddr.ip for c in psutil.Process(handle.pid).net_connections("inet") if c.status == psutil.CONN_LISTEN]
    assert len(listening) >= 8
    assert set(listening) == {"127.0.0.1"}


def test_the_secret_is_private_and_stays_the_same(tmp_path: Path) -> None:
    first = credentials.keep(tmp_path / "secret.json")
    assert stat.S_IMODE((tmp_path / "secret.json").stat().st_mode) == 0o600
    assert credentials.keep(tmp_path / "secret.json") == first
    assert first.secret_access_key not in repr(first)
    assert credentials.keep(tmp_path / "other.json") != first


def test_a_damaged_secret_is_never_replaced(tmp_path: Path) -> None:
    (tmp_path / "secret.json").write_text("{", encoding="utf-8")
    with pytest.raises(UsageError, match="damaged"):
        credentials.keep(tmp_path / "secret.json")


def test_objects_survive_kill_9_and_another_port(tmp_path: Path) -> None:
    server = Seaweed(tmp_path, port=0).start()
    server.create_bucket("kept")
    for number in range(50):
        server.client().put_object(Bucket="kept", Key=f"{number:03}", Body=str(number).encode())
    handle = processes.recall(tmp_path / "seaweedfs.pid")
    assert handle is not None
    os.kill(handle.pid, signal.SIGKILL)
    psutil.wait_procs([psutil.Process(handle.pid)], timeout=10)
    assert not server.is_running()
    with Seaweed(tmp_path, port=0) as again:
        client = again.client()
        for number in range(50):
            assert client.get_object(Bucket="kept", Key=f"{number:03}")["Body"].read() == str(number).encode()
    assert not again.is_running()
    server.stop()


def test_a_second_start_finds_the_running_server(tmp_path: Path) -> None:
    with Seaweed(tmp_path, port=0) as server:
        pid = processes.recall(tmp_path / "seaweedfs.pid")
        again = Seaweed(tmp_path).start()
        assert again.port == server.port
        assert processes.recall(tmp_path / "seaweedfs.pid") == pid
        again.stop()
        assert not server.is_running()


def test_a_wanted_port_in_use_is_named_with_its_owner(tmp_path: Path) -> None:
    port = ports.scattered(offsets=PORT_OFFSETS)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", port))
        taken.listen()
        with pytest.raises(UsageError, match=rf"port {port} is in use by .*pid {os.getpid()}.*S3_PORT"):
            Seaweed(tmp_path, port=port).start()


def _get(port: int, path: str) -> bytes:
    with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
        connection.sendall(f"GET {path} HTTP/1.0\r\nHost: 127.0.0.1\r\n\r\n".encode())
        return connection.recv(4096)
