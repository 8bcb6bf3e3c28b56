"""Alerts to people: each notification to the Airflow connections its alert names, and always to the task's log.

The connection's type chooses the notifier: `slackwebhook`, `slack` (to `channel` in its extra), `smtp` (to `to` in its extra)
and `http` (a JSON POST). A connection that is missing, of another type, or without its provider installed is logged as a
warning and fails nothing. A notifier that cannot deliver raises, so that the task is retried and nobody goes untold.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from operators.runtime import find_connection

if TYPE_CHECKING:
    from logging import Logger

    from airflow.sdk import BaseNotifier, Connection, Context
    from structlog.typing import FilteringBoundLogger

    from strandline.publish.alerts import Notification

_TEXT = "{{ notification.text }}"
_SLACK_TEXT = "{{ notification.text | replace('&', '&amp;') | replace('<', '&lt;') | replace('>', '&gt;') }}"
"""Notifiers render templates; what came from the data is handed over as a value, so that it is never read as one."""
_FIELDS = ("text", "stream", "alert", "event", "severity", "episode", "description")
_TIMES = ("started_at", "last_fired_at", "resolved_at")


class Notify:
    """Called with each notification by the publish step."""

    def __init__(self, context: Context, log: Logger | FilteringBoundLogger) -> None:
        self._context = context
        self._log = log

    def __call__(self, notification: Notification) -> None:
        """Tells the log and every channel of the notification."""
        self._log.warning("alert: %s", notification.text)
        for channel in notification.channels:
            notifier = self._notifier(channel)
            if notifier is not None:
                notifier({**self._context, "notification": values(notification)})

    def _notifier(self, channel: str) -> BaseNotifier | None:
        connection = find_connection(channel)
        if connection is None:
            self._log.warning("alert not sent to %s: there is no such Airflow connection", channel)
            return None
        make = NOTIFIERS.get(connection.conn_type)
        if make is None:
            known = ", ".join(NOTIFIERS)
            self._log.warning("alert not sent to %s: no notifier for %r (there are: %s)", channel, connection.conn_type, known)
            return None
        try:
            return make(connection)
        except ImportError as error:
            self._log.warning("alert not sent to %s: its Airflow provider is not installed (%s)", channel, error)
            return None


def values(notification: Notification) -> dict[str, str]:
    """The notification as plain texts, times in ISO 8601; what a template or a JSON receiver sees."""
    texts = {name: str(getattr(notification, name)) for name in _FIELDS}
    moments = {name: getattr(notification, name) for name in _TIMES}
    return (
        texts
        | {name: moment.isoformat() if moment else "" for name, moment in moments.items()}
        | {"firings": str(notification.firings)}
    )


def _slack_webhook(connection: Connection) -> BaseNotifier:
    from airflow.providers.slack.notifications.slack_webhook import SlackWebhookNotifier

    return SlackWebhookNotifier(slack_webhook_conn_id=connection.conn_id, text=_SLACK_TEXT)


def _slack(connection: Connection) -> BaseNotifier:
    from airflow.providers.slack.notifications.slack import SlackNotifier

    channel = connection.extra_dejson.get("channel", "#general")
    return SlackNotifier(slack_conn_id=connection.conn_id, text=_SLACK_TEXT, channel=channel)


def _smtp(connection: Connection) -> BaseNotifier:
    from airflow.providers.smtp.notifications.smtp import SmtpNotifier

    return SmtpNotifier(
        smtp_conn_id=connection.conn_id,
        to=connection.extra_dejson.get("to") or connection.login,
        subject="[{{ notification.severity }}] {{ notification.stream }} {{ notification.alert }} {{ notification.event }}",
        html_content="<p>{{ notification.text | e }}</p><p>{{ notification.description | e }}</p>",
    )


def _http(connection: Connection) -> BaseNotifier:
    from airflow.providers.http.notifications.http import HttpNotifier

    body = {name: f"{{{{ notification.{name} }}}}" for name in (*_FIELDS, *_TIMES, "firings")}
    return HttpNotifier(http_conn_id=connection.conn_id, json=body)


NOTIFIERS: Mapping[str, Callable[[Any], Any]] = {"slackwebhook": _slack_webhook, "slack": _slack, "smtp": _smtp, "http": _http}
