"""Which TCP ports of the loopback interface are free, and who has the others."""

from __future__ import annotations

import random
import socket
from collections.abc import Sequence

import psutil

from strandline.errors import UsageError

LOOPBACK = "127.0.0.1"


def is_free(port: int) -> bool:
    """Whether a server could listen on the port of the loopback interface now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
            probe.listen(1)
        except OSError:
            return False
    return True


def owner(port: int) -> str:
    """Who listens on the port, as `name (pid 12)`; `another program` when the system does not tell."""
    try:
        connections = psutil.net_connections(kind="tcp")
    except psutil.AccessDenied:
        return "another program"
    for connection in connections:
        if connection.status == psutil.CONN_LISTEN and connection.laddr and connection.laddr.port == port and connection.pid:
            try:
                return f"{psutil.Process(connection.pid).name()} (pid {connection.pid})"
            except psutil.NoSuchProcess:
                break
    return "another program"


def choose(wanted: int | None, default: int, *, offsets: Sequence[int] = (0,), setting: str) -> int:
    """A port for which `port + offset` is free for every offset.

    With `wanted`, that port or a `UsageError` that names who has it and the `setting` to change. Without, `default` or the next
    free one above it, in steps of ten.
    """
    if wanted is not None:
        for offset in offsets:
            if not is_free(wanted + offset):
                raise UsageError(
                    f"port {wanted + offset} is in use by {owner(wanted + offset)}, and {setting}={wanted} needs it. "
                    f"Stop that program, set {setting} to another port, or leave it out to have a free one chosen."
                )
        return wanted
    for base in range(default, default + 2000, 10):
        if all(is_free(base + offset) for offset in offsets):
            return base
    raise UsageError(f"no free port was found from {default} to {default + 2000}; choose one with {setting}=…")


def scattered(*, offsets: Sequence[int] = (0,)) -> int:
    """A free port from 20000 on, picked at random, so that servers started side by side seldom ask for the same."""
    for _ in range(200):
        base = random.randrange(2000, 3200) * 10
        if all(is_free(base + offset) for offset in offsets):
            return base
    raise UsageError("no free port was found between 20000 and 32000")
