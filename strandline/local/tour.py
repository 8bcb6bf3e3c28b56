"""The steps of a demo: start the servers, land a day of history, run every DAG once, say what was produced."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, ClassVar, Protocol

from strandline.errors import ConfigError, DataError, UsageError
from strandline.local import airflow, credentials, history, prerequisites, seaweed
from strandline.local.airflow import Airflow
from strandline.local.airflow_api import AirflowApi, DagRun
from strandline.local.airflow_settings import USER
from strandline.local.credentials import Credentials
from strandline.local.narration import Narrator
from strandline.local.seaweed import Seaweed
from strandline.local.service import Service
from strandline.local.settings import DEMO, Settings, Target

if TYPE_CHECKING:
    from strandline.spec.model import Stream

BUCKET = "strandline"
LAKE = f"s3://{BUCKET}"
HISTORY = timedelta(hours=26)
"""More than a day, so that the nightly batch has a full evening behind it and speed a morning before it."""


class RunningAirflow(Protocol):
    """What a tour needs of an Airflow that runs, wherever its tasks run."""

    secrets: Credentials

    @property
    def url(self) -> str:
        """The address of the UI."""
        ...

    @property
    def services(self) -> Sequence[Service]:
        """What must run while this Airflow does."""
        ...

    def api(self) -> AirflowApi:
        """A logged-in client."""
        ...


class Tour:
    """One demo; the servers it starts are stopped when the `ExitStack` it was given closes."""

    TARGET: ClassVar[Target] = DEMO

    def __init__(self, settings: Settings, narrator: Narrator, stack: ExitStack) -> None:
        self.settings = settings
        self.narrator = narrator
        self.stack = stack
        self.streams: dict[str, Stream] = {}
        self.runs: list[DagRun] = []
        self.has_started = False

    def run(self) -> None:
        """Everything from the checks to the summary, and then, unless `once`, waiting for Ctrl-C."""
        self.check()
        server = self._start_s3()
        was_there = self._bucket_exists(server)
        if was_there:
            self._land_missed()
        airflow = self.start_airflow(server)
        with airflow.api() as api:
            ids = self._wait_for_dags(api)
            self.run_dags(api, "Bootstrap the bucket", [i for i in ids if i.startswith("1-")])
            if not was_there:
                self._land_missed()
            self.run_dags(api, "Ingest", [i for i in ids if i.startswith("2-")])
            self.run_batch(api, [i for i in ids if i.startswith("3-")])
            self.run_dags(api, "Serving: merge, publish", [i for i in ids if i.startswith("4-")])
        self._summarise(airflow)
        self.judge()
        if not self.settings.once:
            self._stay_up(server, airflow)

    @classmethod
    def services_of(cls, settings: Settings) -> list[Service]:
        """What a tour of this kind starts, whether it runs or not, in the order in which to stop it."""
        return [airflow.service_in(settings.root / ".airflow"), seaweed.service_in(settings.local)]

    def check(self) -> None:
        """The step that looks whether this machine and the configuration are fit; reads the streams."""
        from strandline.spec.load import check_streams

        with self.narrator.step("Check this machine and the configuration") as step:
            found = prerequisites.check(self.settings.root)
            self.streams, problems = check_streams(self.settings.config)
            errors = [problem for problem in problems if problem.level == "error"]
            if not self.streams:
                raise ConfigError(errors) if errors else UsageError(f"no stream is declared in {self.settings.config}/streams")
            step.result = f"{found}, {len(self.streams)} streams"
        if errors:
            told = "\n".join(str(error) for error in errors)
            self.narrator.warn(f"These streams are left out, and Airflow shows why as an import error:\n{told}")

    def _start_s3(self) -> Seaweed:
        with self.narrator.step("Start the S3 server (SeaweedFS)") as step:
            server = Seaweed(self.settings.local, self.settings.s3_port)
            server.stop()  # what a killed demo left running
            self.stack.callback(server.stop)
            self.has_started = True
            server.start()
            step.result = server.endpoint_url
        secrets = server.credentials
        own = server.environment | {"STRANDLINE_LAKE": LAKE, "STRANDLINE_KEY": secrets.protection_key}
        os.environ.update(own)
        lines = "".join(f"export {name}={value}\n" for name, value in own.items())
        credentials.write_private(self.settings.local / "env", lines)
        return server

    def _bucket_exists(self, server: Seaweed) -> bool:
        return BUCKET in {bucket["Name"] for bucket in server.client().list_buckets()["Buckets"]}

    def start_airflow(self, server: Seaweed) -> RunningAirflow:
        """The step that starts Airflow over the lake in `server`; it is stopped with the tour."""
        with self.narrator.step("Start Airflow (takes about half a minute)") as step:
            airflow = Airflow(
                self.settings.root,
                lake=LAKE,
                s3_endpoint=server.endpoint_url,
                secrets=server.credentials,
                port=self.settings.airflow_port,
            )
            self.stack.callback(airflow.stop)
            airflow.start(waiting=lambda missing: step.update(f"waiting for {missing}"))
            step.result = airflow.url
        return airflow

    def run_batch(self, api: AirflowApi, ids: Sequence[str]) -> None:
        """The step that runs the batch DAG."""
        self.run_dags(api, "Batch: bronze, silver, gold", ids)

    def judge(self) -> None:
        """What is looked at after the summary; raises `DataError` when it is not as it must be."""

    def _wait_for_dags(self, api: AirflowApi) -> list[str]:
        from strandline.render import check

        wanted = sorted(check(self.settings.config).dags)
        with self.narrator.step("Wait for the DAGs") as step:
            api.wait_for_dags(wanted)
            step.result = f"{len(wanted)} DAGs"
        return wanted

    def _land_missed(self) -> None:
        now = datetime.now(UTC)
        with self.narrator.step("Land the intervals missed so far") as step:
            step.update("looking at what has landed")
            missed = history.missed(LAKE, self.streams, now, HISTORY)
            if not any(missed.values()):
                step.result = "none"
                return
            landed = history.land(
                self.settings.config, LAKE, missed, lambda done, total: step.bar(done, total, "micro-batches")
            )
            first = min(intervals[0].start for intervals in missed.values() if intervals)
            step.result = f"{landed.lines:,} lines in {landed.intervals:,} micro-batches since {first:%Y-%m-%d %H:%M} UTC"

    def run_dags(self, api: AirflowApi, title: str, ids: Sequence[str]) -> list[DagRun]:
        """One run of each DAG, all started together, once all have succeeded; raises `DataError` when one fails."""
        with self.narrator.step(f"{title} ({len(ids)} DAG{'s' * (len(ids) > 1)})") as step:
            step.update("unpausing")
            runs = [start_run(api, dag_id) for dag_id in ids]
            for number, run in enumerate(runs, 1):
                prefix = f"{number} of {len(runs)}, " if len(runs) > 1 else ""
                api.wait(run, progress=lambda states, prefix=prefix: step.update(prefix + task_counts(states)))  # type: ignore[misc]
            kinds = sorted({run.kind for run in runs})
            step.result = f"{len(runs)} succeeded ({', '.join(kinds)})"
        self.runs += runs
        return runs

    def _summarise(self, airflow: RunningAirflow) -> None:
        from strandline import status
        from strandline.lake.lake import Lake
        from strandline.local import summary
        from strandline.runtime import Runtime

        lake = Lake.open(LAKE)
        runtime = Runtime(lake)
        streams = list(self.streams.values())
        console = self.narrator.console
        with self.narrator.step("Read what was produced"):
            measured = status.layout(runtime, streams)
            balances = {stream.name: status.balance(runtime, stream) for stream in streams}
            alerts = summary.alerts_table(lake, streams)
            page = summary.export_dashboards(lake, self.settings.local / "dashboards")
        for table in (summary.layout_table(measured), summary.ledger_table(balances), alerts):
            console.print()
            console.print(table)
        console.print()
        console.print(f"Dashboards  {page}", soft_wrap=True, highlight=False)
        if not self.settings.once:
            login = f"user {USER}, password {airflow.secrets.admin_password}"
            console.print(f"Airflow     {airflow.url}   {login}", soft_wrap=True, highlight=False, markup=False)
        console.print(
            f"The lake    {LAKE}   to query it: source {self.settings.local / 'env'}", soft_wrap=True, highlight=False
        )
        faults = [f"{name}: {fault}" for name, balance in balances.items() for fault in balance.faults]
        if faults:
            raise DataError("not every line is accounted for: " + "; ".join(faults))

    def _stay_up(self, server: Seaweed, airflow: RunningAirflow) -> None:
        again = f"`make {self.settings.target.up}` goes on from here"
        self.narrator.console.print(f"\nThe schedules are live. Ctrl-C stops everything; {again}.\n")
        while True:
            time.sleep(1.0)
            for service in (server.service, *airflow.services):
                if not service.is_running():
                    raise service.failure("ended by itself")


def start_run(api: AirflowApi, dag_id: str, patience: float = 20.0) -> DagRun:
    """A run of the DAG that is not over yet: the one that unpausing creates, else one started by hand.

    A DAG without a schedule, or one that was live already, is started by hand at once.
    """
    before = {run.run_id for run in api.runs(dag_id)}
    was_paused = api.dags()[dag_id]
    api.set_paused(dag_id, False)
    deadline = time.monotonic() + (patience if was_paused and not dag_id.startswith("1-") else 0.0)
    while True:
        newest = next(iter(api.runs(dag_id, limit=1)), None)
        if newest is not None and (newest.run_id not in before or not newest.is_final):
            return newest
        if time.monotonic() >= deadline:
            return api.trigger(dag_id)
        time.sleep(0.5)


def task_counts(states: Mapping[str, str]) -> str:
    """`3 of 15 tasks done, 2 running` and, while one waits for its next try, which."""
    done = sum(state in {"success", "skipped"} for state in states.values())
    running = sum(state == "running" for state in states.values())
    waiting = sorted(task for task, state in states.items() if state == "up_for_retry")
    text = f"{done} of {len(states)} tasks done, {running} running"
    return f"{text}, waiting to retry {', '.join(waiting)}" if waiting else text
