"""A PostgreSQL server of our own: data, port and password are ours, the system's service is left alone."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from strandline.errors import UsageError
from strandline.local import credentials, debian, ports, processes
from strandline.local.credentials import Credentials
from strandline.local.service import Service

DEFAULT_PORT = 5433
USER = "airflow"
METADATA = "airflow"
RESULTS = "celery"
"""Two databases, so that workers, which report to the second, need no way to the first."""
_ACCOUNT = "postgres"
"""The system's user that the Debian package makes; the server refuses to run as root."""
_READY = 0


class Postgres:
    """A server with its data in `folder/data`, which answers on the loopback interface alone, with a password."""

    def __init__(self, folder: Path, secrets: Credentials) -> None:
        self.folder = folder.resolve()
        self.service = service_in(self.folder)
        self.port = 0
        self._password = secrets.derived("postgres")

    def url(self, database: str) -> str:
        """What SQLAlchemy takes: the database over psycopg2."""
        return f"postgresql+psycopg2://{USER}:{self._password}@{ports.LOOPBACK}:{self.port}/{database}"

    def start(self, timeout: float = 60.0) -> Postgres:
        """Start it, with both databases in it; what an earlier process left is stopped first.

        Raises `UsageError` when the programs are missing or the folder is closed to the server, `ProcessError` when it is not
        ready in time.
        """
        self.service.stop()
        self.port = ports.choose(None, DEFAULT_PORT, setting="the port of PostgreSQL")
        data = self.folder / "data"
        if not data.exists():
            self._create(data)
        command = [*_as_account(), str(debian.program("postgres")), "-D", str(data)]
        settings = {
            "listen_addresses": ports.LOOPBACK,
            "port": str(self.port),
            "unix_socket_directories": "",
            "synchronous_commit": "off",  # a crash may forget the last moments; it damages nothing
            "max_connections": "60",
        }
        for name, value in settings.items():
            command += ["-c", f"{name}={value}"]
        self.service.launch(command, env=self._environment(), cwd=self.folder)
        self.service.wait(self._missing, timeout)
        there = self._psql("SELECT datname FROM pg_database").split()
        for name in (METADATA, RESULTS):
            if name not in there:
                self._psql(f"CREATE DATABASE {name}")
        return self

    def stop(self) -> None:
        """Stop it. The data stay."""
        self.service.stop()

    def _create(self, data: Path) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        draft, password = self.folder / "data.new", self.folder / "password"
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir(mode=0o700)
        credentials.write_private(password, self._password + "\n")
        if os.geteuid() == 0:
            for path in (draft, password):
                os.chown(path, _account().pw_uid, _account().pw_gid)
        options = ["--auth=scram-sha-256", f"--pwfile={password}", "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync"]
        command = [*_as_account(), str(debian.program("initdb")), "-D", str(draft), f"--username={USER}", *options]
        done = subprocess.run(command, env=self._environment(), cwd="/", capture_output=True, text=True, check=False)
        password.unlink()
        if done.returncode:
            told = f"PostgreSQL could not make {draft}, perhaps since its user may not enter a folder above it"
            raise processes.ProcessError(f"{told}:\n{done.stderr[-2000:]}")
        draft.rename(data)

    def _missing(self) -> str:
        asked = [str(debian.program("pg_isready")), "-q", "-t", "1", "-h", ports.LOOPBACK, "-p", str(self.port)]
        done = subprocess.run(asked, env=self._environment(), cwd="/", check=False)
        return "" if done.returncode == _READY else "it did not answer"

    def _psql(self, statement: str) -> str:
        where = ["-h", ports.LOOPBACK, "-p", str(self.port), "-U", USER, "-d", "postgres"]
        command = [str(debian.program("psql")), "-X", "-q", "-A", "-t", *where, "-c", statement]
        env = self._environment() | {"PGPASSWORD": self._password}
        done = subprocess.run(command, env=env, cwd="/", capture_output=True, text=True, check=False)
        if done.returncode:
            raise processes.ProcessError(f"PostgreSQL refused {statement!r}: {done.stderr[-2000:]}")
        return done.stdout

    def _environment(self) -> dict[str, str]:
        return {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C.UTF-8"}


def service_in(folder: Path) -> Service:
    """The server of that folder, whoever started it."""
    return Service("PostgreSQL", log=folder / "postgres.log", pid_file=folder / "postgres.pid")


def _as_account() -> Sequence[str]:
    """What a command of the server begins with: for root a change of user."""
    if os.geteuid() != 0:
        return ()
    return ("setpriv", f"--reuid={_account().pw_uid}", f"--regid={_account().pw_gid}", "--clear-groups", "--")


def _account() -> pwd.struct_passwd:
    try:
        return pwd.getpwnam(_ACCOUNT)
    except KeyError:
        raise UsageError(f"there is no user {_ACCOUNT}, as the package postgresql makes one") from None
