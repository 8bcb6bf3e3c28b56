"""Runs DAGs of a live Airflow over its REST API and waits for them; a call of the `airflow` command takes five seconds."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import httpx

from strandline.errors import DataError, StrandlineError, TransientError, UsageError

_FINAL = frozenset({"success", "failed"})
_LOG_LINE = 300
_TRIES = 6
_COMPONENTS = ("metadatabase", "scheduler", "dag_processor")


class AirflowApiError(StrandlineError):
    """Airflow refused a request with the HTTP status `status`; the message holds its answer."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True, slots=True)
class DagRun:
    """One run of a DAG: its state (`queued`, `running`, `success`, `failed`) and how it came to be (`manual`, `scheduled`)."""

    dag_id: str
    run_id: str
    state: str
    kind: str

    @property
    def is_final(self) -> bool:
        """Whether the run is over."""
        return self.state in _FINAL


@dataclass(frozen=True, slots=True)
class TaskTry:
    """One try of a task, `number` from 1: its state (`none` when it has not been looked at yet) and the `host` it ran on, empty
    until it began.
    """

    task_id: str
    number: int
    state: str
    host: str


class AirflowApi:
    """A client of `/api/v2`, logged in as one user; the token is renewed when it has expired."""

    def __init__(self, url: str, user: str, password: str) -> None:
        self._user = user
        self._password = password
        self._http = httpx.Client(base_url=url, timeout=60.0, trust_env=False)
        self._token = ""

    @staticmethod
    def missing_components(url: str) -> list[str]:
        """What does not run yet, of API, database, scheduler and DAG processor; empty when all do. Needs no login."""
        try:
            answer = httpx.get(f"{url}/api/v2/monitor/health", timeout=5.0, trust_env=False)
            health = answer.raise_for_status().json()
        except (httpx.HTTPError, ValueError):
            return ["api"]
        return [name for name in _COMPONENTS if (health.get(name) or {}).get("status") != "healthy"]

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def __enter__(self) -> AirflowApi:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def dags(self) -> dict[str, bool]:
        """Every DAG that Airflow has parsed, and whether it is paused."""
        return {dag["dag_id"]: bool(dag["is_paused"]) for dag in self._call("GET", "/dags?limit=100")["dags"]}

    def import_errors(self) -> list[str]:
        """What Airflow could not import: one text a file, with the path first."""
        return [f"{e['filename']}: {e['stack_trace']}" for e in self._call("GET", "/importErrors?limit=100")["import_errors"]]

    def wait_for_dags(self, wanted: Sequence[str], timeout: float = 600.0) -> None:
        """Return when all the DAGs are there. Raises `UsageError` with Airflow's import errors when they are not in time."""
        deadline = time.monotonic() + timeout
        while missing := sorted(set(wanted) - self.dags().keys()):
            if time.monotonic() > deadline:
                errors = "\n".join(self.import_errors()) or "Airflow reports no import error"
                raise UsageError(f"Airflow does not show these DAGs: {', '.join(missing)}.\n{errors}")
            time.sleep(1.0)

    def set_paused(self, dag_id: str, paused: bool) -> None:
        """Pause the DAG or let its schedule run."""
        self._call("PATCH", f"/dags/{dag_id}?update_mask=is_paused", {"is_paused": paused})

    def trigger(self, dag_id: str) -> DagRun:
        """Start a run by hand, with the schedule's latest interval as the DAG sees it."""
        # The run gets its id from us, so that asking again after a lost answer starts no second one.
        run_id = f"manual__{datetime.now(UTC):%Y-%m-%dT%H:%M:%S}_{secrets.token_hex(4)}"
        try:
            return _run(self._call("POST", f"/dags/{dag_id}/dagRuns", {"logical_date": None, "dag_run_id": run_id}))
        except AirflowApiError as error:
            if error.status != httpx.codes.CONFLICT:
                raise
            return self.run(dag_id, run_id)

    def runs(self, dag_id: str, limit: int = 10) -> list[DagRun]:
        """The newest runs of the DAG, newest first."""
        answer = self._call("GET", f"/dags/{dag_id}/dagRuns?limit={limit}&order_by=-run_after")
        return [_run(run) for run in answer["dag_runs"]]

    def run(self, dag_id: str, run_id: str) -> DagRun:
        """The run as it stands now."""
        return _run(self._call("GET", f"/dags/{dag_id}/dagRuns/{_quote(run_id)}"))

    def task_states(self, run: DagRun) -> dict[str, str]:
        """The state of each task of the run, by task id; `none` when it has not been looked at yet."""
        return {task["task_id"]: task["state"] or "none" for task in self._tasks(run)}

    def latest_tries(self, run: DagRun) -> list[TaskTry]:
        """The newest try of each task of the run."""
        return [_try(task) for task in self._tasks(run)]

    def tries(self, run: DagRun, task_id: str) -> list[TaskTry]:
        """Every try of a task, the first one first."""
        answer = self._call("GET", f"/dags/{run.dag_id}/dagRuns/{_quote(run.run_id)}/taskInstances/{task_id}/tries")
        return sorted((_try(task) for task in answer["task_instances"]), key=lambda each: each.number)

    def wait(
        self, run: DagRun, *, timeout: float = 3600.0, progress: Callable[[dict[str, str]], None] = lambda states: None
    ) -> DagRun:
        """The run once it has succeeded; `progress` is told the states of its tasks about once a second.

        Raises `DataError` with the end of each failed task's log when it failed, `TransientError` after `timeout` seconds.
        """
        deadline = time.monotonic() + timeout
        while True:
            now = self.run(run.dag_id, run.run_id)
            progress(self.task_states(now))
            if now.state == "success":
                return now
            if now.state == "failed":
                raise DataError(self.failure(now))
            if time.monotonic() > deadline:
                states = ", ".join(f"{task} {state}" for task, state in self.task_states(now).items())
                raise TransientError(f"the run {run.run_id} of {run.dag_id} was not over after {timeout:.0f} s: {states}")
            time.sleep(1.0)

    def failure(self, run: DagRun, lines: int = 15) -> str:
        """Which tasks of a failed run failed, with the last lines of each one's log."""
        parts = [f"the run {run.run_id} of {run.dag_id} failed"]
        for task in self._tasks(run):
            if task["state"] == "failed":
                shown = dict.fromkeys(line[:_LOG_LINE] for line in self._log(run, task))  # an error is often told twice
                excerpt = "\n".join(f"  {line}" for line in list(shown)[-lines:])
                parts.append(f"task {task['task_id']} failed at try {task['try_number']}; the end of its log:\n{excerpt}")
        return "\n".join(parts)

    def _tasks(self, run: DagRun) -> list[dict[str, Any]]:
        answer = self._call("GET", f"/dags/{run.dag_id}/dagRuns/{_quote(run.run_id)}/taskInstances?limit=100")
        tasks: list[dict[str, Any]] = answer["task_instances"]
        return tasks

    def _log(self, run: DagRun, task: dict[str, Any]) -> list[str]:
        path = f"/dags/{run.dag_id}/dagRuns/{_quote(run.run_id)}/taskInstances/{task['task_id']}/logs/{task['try_number']}"
        try:
            content = self._call("GET", f"{path}?full_content=true")["content"]
        except AirflowApiError as error:
            return [f"(no log: {error})"]
        return [line for entry in content for line in _log_lines(entry)]

    def _call(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        answer = self._send(method, path, body)
        if answer.status_code == httpx.codes.UNAUTHORIZED:
            self._token = ""
            answer = self._send(method, path, body)
        if answer.is_error:
            told = f"{method} {path} answered {answer.status_code}: {answer.text[:500]}"
            raise AirflowApiError(told, answer.status_code)
        content: dict[str, Any] = answer.json()
        return content

    def _send(self, method: str, path: str, body: dict[str, Any] | None) -> httpx.Response:
        # On a busy machine SQLite makes the API slow for a moment now and then. Every request is made to be safe to repeat.
        for attempt in range(1, _TRIES + 1):
            try:
                if not self._token:
                    self._token = self._login()
                headers = {"Authorization": f"Bearer {self._token}", "Accept": "application/json"}
                answer = self._http.request(method, f"/api/v2{path}", json=body, headers=headers)
                if not answer.is_server_error or attempt == _TRIES:
                    return answer
            except httpx.TransportError as error:
                if attempt == _TRIES:
                    raise TransientError(f"Airflow does not answer: {error}") from error
            time.sleep(attempt)
        raise TransientError("Airflow does not answer")

    def _login(self) -> str:
        answer = self._http.post("/auth/token", json={"username": self._user, "password": self._password})
        if answer.is_error:
            raise AirflowApiError(f"the login was refused with {answer.status_code}", answer.status_code)
        return str(answer.json()["access_token"])


def _run(content: dict[str, Any]) -> DagRun:
    return DagRun(content["dag_id"], content["dag_run_id"], content["state"], content["run_type"])


def _try(content: dict[str, Any]) -> TaskTry:
    return TaskTry(content["task_id"], content["try_number"], content["state"] or "none", content["hostname"] or "")


def _quote(run_id: str) -> str:
    from urllib.parse import quote

    return quote(run_id, safe="")


def _log_lines(entry: Any) -> list[str]:
    """The lines of one log entry, its exceptions last."""
    if not isinstance(entry, dict):
        return str(entry).splitlines()
    event = str(entry.get("event", ""))
    lines = [] if event.startswith(("::group::", "::endgroup::")) else event.splitlines()
    for error in entry.get("error_detail") or ():
        lines += f"{error.get('exc_type', '')}: {error.get('exc_value', '')}".splitlines()
    return lines
