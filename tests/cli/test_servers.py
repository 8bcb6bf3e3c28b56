"""The command line against a real S3 server, and as a process that is interrupted."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from tests.cli.conftest import VISITS, Project
from tests.conftest import S3Lake

STRANDLINE = str(Path(sys.executable).with_name("strandline"))


@pytest.mark.slow
def test_a_new_bucket_is_made_filled_and_read_by_the_aws_environment_alone(project: Project, s3_new_bucket: S3Lake) -> None:
    lake = ("--lake", s3_new_bucket.url)
    project.deliver("1.ndjson", [project.order(1), project.order(2), project.order(1), "no json"])
    assert "bucket: made" in project.run("run", "bootstrap", *lake).stdout
    done = project.run("run", "all", "--from", project.ago(2), "--to", project.ago(0), *lake)
    assert done.exit_code == 0, done.output
    status = project.json("status", "--json", *lake)["streams"]["orders"]
    assert status["balance"]["holds"] is True
    assert status["balance"]["landed"] == 4
    assert project.run("query", "SELECT count(*) AS n FROM unified.orders", "-f", "csv", *lake).stdout == "n\n2\n"


def test_a_bucket_that_is_not_there_is_an_error_and_no_traceback(project: Project, s3_new_bucket: S3Lake) -> None:
    result = project.run("run", "ingest", "--from", project.ago(1), "--lake", s3_new_bucket.url)
    assert result.exit_code == 1
    assert s3_new_bucket.bucket in result.stderr


@pytest.mark.slow
@pytest.mark.parametrize("jobs", ["1", "2"])
def test_ctrl_c_ends_everything_with_130_and_the_same_command_goes_on_from_there(project: Project, jobs: str) -> None:
    project.declare("visits", VISITS.replace("mean: 20", "mean: 400"))
    project.declare("calls", VISITS.replace("mean: 20", "mean: 400").replace("stream: visits", "stream: calls"))
    command = [STRANDLINE, "run", "ingest", "--from", project.ago(200), "--to", project.ago(0), "--jobs", jobs]
    command += ["--stream", "visits", "--stream", "calls"]
    environment = {**os.environ, **project.environment}
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as run:
        deadline = time.monotonic() + 60
        while not list(project.lake.glob("realtime/*/_staging/*.arrow")) and time.monotonic() < deadline:
            time.sleep(0.05)
        children = psutil.Process(run.pid).children(recursive=True)
        run.send_signal(signal.SIGINT)
        output, told = run.communicate(timeout=30)
    assert run.returncode == 130, told
    assert "Interrupted." in told
    assert "Traceback" not in told
    assert output == ""
    assert psutil.wait_procs(children, timeout=5)[1] == []
    again = subprocess.run([*command, "--json"], env=environment, capture_output=True, text=True, check=True)
    counted = json.loads(again.stdout)
    assert {name: stream["ok"] for name, stream in counted.items()} == {"visits": True, "calls": True}
    rows = project.run("query", "SELECT count(DISTINCT _landing_start) AS n FROM realtime.visits", "-f", "csv")
    assert rows.stdout == "n\n200\n"
