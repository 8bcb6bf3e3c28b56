"""Real HTTP servers in a thread, answering from a function of the request."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from urllib.parse import parse_qsl, urlsplit


@dataclass
class Answer:
    """What a server says; `cut` closes the connection after that many bytes of the body."""

    body: bytes = b"[]"
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    cut: int | None = None


@dataclass
class Request:
    """What a server was asked."""

    path: str
    params: dict[str, str]
    headers: dict[str, str]


@dataclass
class Server:
    """A running server; `asked` holds every request in order."""

    url: str
    asked: list[Request] = field(default_factory=list)


@contextmanager
def serving(answer: Callable[[Request], Answer | None]) -> Iterator[Server]:
    """A server on a free port of 127.0.0.1; where `answer` gives None it closes the connection without a word."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            request = Request(
                parts.path, dict(parse_qsl(parts.query)), {key.lower(): value for key, value in self.headers.items()}
            )
            server.asked.append(request)
            found = answer(request)
            self.close_connection = True
            if found is None:
                return
            self.send_response(found.status)
            for key, value in found.headers.items():
                self.send_header(key, value)
            self.send_header("Content-Length", str(len(found.body)))
            self.end_headers()
            self.wfile.write(found.body[: found.cut])

        def log_message(self, *args: object) -> None:
            """Nothing: the tests look at `asked`."""

    listening = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    listening.daemon_threads = True
    server = Server(f"http://127.0.0.1:{listening.server_address[1]}")
    thread = Thread(target=listening.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        listening.shutdown()
        listening.server_close()
        thread.join()
