"""Notifications reach the channels an alert names; one that is not there is said, and what came from data is never run."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest
from requests.exceptions import ConnectionError as Unreachable

from operators.notify import Notify
from strandline.publish.alerts import Notification

LOG = logging.getLogger("strandline.test")
FIRED = Notification(
    stream="api_logs",
    alert="error_spike",
    event="opened",
    severity="high",
    episode="e1",
    key={"endpoint": "/login"},
    started_at=datetime(2026, 11, 25, 5, tzinfo=UTC),
    last_fired_at=datetime(2026, 11, 25, 5, tzinfo=UTC),
    resolved_at=None,
    firings=2,
    peaks={"error_rate": 0.4},
    channels=("ops_hook",),
)


@contextmanager
def receiver(status: int = 200) -> Iterator[tuple[str, list[Any]]]:
    """The address of an HTTP server, and the JSON bodies it was sent."""
    bodies: list[Any] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            bodies.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(status)
            self.end_headers()

        def log_message(self, *args: Any) -> None:
            """Silent."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", bodies
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def connect(monkeypatch: pytest.MonkeyPatch, name: str, kind: str, host: str) -> None:
    """An Airflow connection for the length of the test."""
    monkeypatch.setenv(f"AIRFLOW_CONN_{name.upper()}", json.dumps({"conn_type": kind, "host": host}))


def test_an_http_connection_is_sent_the_notification_as_json(monkeypatch: pytest.MonkeyPatch) -> None:
    with receiver() as (url, bodies):
        connect(monkeypatch, "ops_hook", "http", url)
        Notify({}, LOG)(FIRED)
    (body,) = bodies
    assert body["text"] == FIRED.text
    assert (body["stream"], body["alert"], body["event"], body["severity"]) == ("api_logs", "error_spike", "opened", "high")
    assert (body["started_at"], body["resolved_at"], body["firings"]) == ("2026-11-25T05:00:00+00:00", "", "2")


def test_what_came_from_the_data_is_text_and_never_a_template(monkeypatch: pytest.MonkeyPatch) -> None:
    with receiver() as (url, bodies):
        connect(monkeypatch, "ops_hook", "http", url)
        Notify({}, LOG)(replace(FIRED, key={"endpoint": "{{ 6 * 7 }}"}, description="{% raw %}{{ conn.aws_default.password }}"))
    assert "endpoint={{ 6 * 7 }}" in bodies[0]["text"]
    assert bodies[0]["description"] == "{% raw %}{{ conn.aws_default.password }}"


def test_a_missing_connection_is_logged_and_the_next_channel_is_told(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with receiver() as (url, bodies):
        connect(monkeypatch, "ops_hook", "http", url)
        Notify({}, LOG)(replace(FIRED, channels=("nowhere", "ops_hook")))
    assert "alert not sent to nowhere: there is no such Airflow connection" in caplog.text
    assert len(bodies) == 1


def test_a_connection_of_another_kind_is_logged(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    connect(monkeypatch, "ops_hook", "ftp", "example.com")
    Notify({}, LOG)(FIRED)
    assert "no notifier for 'ftp' (there are: slackwebhook, slack, smtp, http)" in caplog.text


def test_a_missing_provider_is_logged(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    connect(monkeypatch, "ops_hook", "slackwebhook", "https://hooks.example.com")
    monkeypatch.setitem(__import__("sys").modules, "airflow.providers.slack", None)
    Notify({}, LOG)(FIRED)
    assert "its Airflow provider is not installed" in caplog.text


def test_an_alert_without_channels_is_told_to_the_log(caplog: pytest.LogCaptureFixture) -> None:
    Notify({}, LOG)(replace(FIRED, channels=()))
    assert f"alert: {FIRED.text}" in caplog.text


def test_a_channel_that_cannot_be_reached_fails_the_task_so_that_it_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    connect(monkeypatch, "ops_hook", "http", "http://127.0.0.1:9")
    with pytest.raises(Unreachable, match="refused"):
        Notify({}, LOG)(FIRED)
