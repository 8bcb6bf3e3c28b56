"""A Redis server of our own, as the broker: it keeps messages in memory alone, and the system's service is left alone."""

from __future__ import annotations

import os
import socket
from pathlib import Path

from strandline.local import credentials, debian, ports
from strandline.local.credentials import Credentials
from strandline.local.service import Service

DEFAULT_PORT = 6380
_SETTINGS = """bind {host}
port {port}
requirepass {password}
dir "{folder}"
save ""
appendonly no
daemonize no
"""


class Redis:
    """A server that answers on the loopback interface alone, with a password."""

    def __init__(self, folder: Path, secrets: Credentials) -> None:
        self.folder = folder.resolve()
        self.service = service_in(self.folder)
        self.port = 0
        self._password = secrets.derived("redis")

    @property
    def url(self) -> str:
        """What Celery takes."""
        return f"redis://:{self._password}@{ports.LOOPBACK}:{self.port}/0"

    def start(self, timeout: float = 30.0) -> Redis:
        """Start it, empty; what an earlier process left is stopped first.

        Raises `UsageError` when the program is missing, `ProcessError` when it is not ready in time.
        """
        self.service.stop()
        self.port = ports.choose(None, DEFAULT_PORT, setting="the port of Redis")
        self.folder.mkdir(parents=True, exist_ok=True)
        settings = self.folder / "redis.conf"
        content = {"host": ports.LOOPBACK, "port": self.port, "password": self._password, "folder": self.folder}
        credentials.write_private(settings, _SETTINGS.format_map(content))
        env = {"PATH": os.environ.get("PATH", os.defpath)}
        self.service.launch([str(debian.program("redis-server")), str(settings)], env=env, cwd=self.folder)
        self.service.wait(self._missing, timeout)
        return self

    def stop(self) -> None:
        """Stop it; the messages in it are gone."""
        self.service.stop()

    def _missing(self) -> str:
        try:
            with socket.create_connection((ports.LOOPBACK, self.port), timeout=2) as connection:
                connection.sendall(f"AUTH {self._password}\r\nPING\r\n".encode("ascii"))
                answer = b""
                while answer.count(b"\n") < 2 and (part := connection.recv(200)):
                    answer += part
        except OSError as error:
            return str(error)
        return "" if answer == b"+OK\r\n+PONG\r\n" else f"it answered {answer!r}"


def service_in(folder: Path) -> Service:
    """The server of that folder, whoever started it."""
    return Service("Redis", log=folder / "redis.log", pid_file=folder / "redis.pid")
