"""The command line against a real S3 server, and as a process that is interrupted."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
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
    assert "bucket does not exist; `strandline run bootstrap` makes it" in result.stderr
    assert s3_new_bucket.bucket in result.stderr
    assert "<?xml" not in result.stderr


def test_wrong_credentials_are_said_without_the_secret(
    project: Project, s3_lake: S3Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "not-the-right-secret")
    result = project.run("status", "--lake", s3_lake.url)
    assert result.exit_code == 1
    assert "refuses the credentials" in result.stderr
    assert "not-the-right-secret" not in result.output


def test_an_aws_environment_that_cannot_be_used_is_a_usage_error(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("AWS_ENDPOINT_URL", ""), ("AWS_ENDPOINT_URL", "localhost:9000"), ("AWS_PROFILE", "no-such-profile")):
        with monkeypatch.context() as patched:
            patched.setenv(name, value)
            result = project.run("status", "--lake", "s3://nowhere")
        assert result.exit_code == 2
        assert (value or name) in result.stderr


def test_without_credentials_it_says_how_to_give_them(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE", "AWS_ENDPOINT_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(project.folder / "none"))
    result = project.run("status", "--lake", "s3://nowhere")
    assert result.exit_code == 2
    assert "no S3 credentials" in result.stderr


def test_a_server_that_does_not_answer_is_named(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "x")
    for command in ("ingest", "bootstrap"):
        result = project.run("run", command, "--lake", "s3://nowhere")
        assert result.exit_code == 1
        assert "http://127.0.0.1:9 does not answer" in result.stderr


@contextmanager
def ingesting(project: Project, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """`run ingest` of two simulated streams in a process of its own, far enough that lines are being landed."""
    project.declare("visits", VISITS.replace("mean: 20", "mean: 1500"))
    project.declare("calls", VISITS.replace("mean: 20", "mean: 1500").replace("stream: visits", "stream: calls"))
    environment = {**os.environ, **project.environment}
    with subprocess.Popen(
        [*ingest(project), *arguments], env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as run:
        deadline = time.monotonic() + 60
        while not list(project.lake.glob("realtime/*/*/*.parquet")) and time.monotonic() < deadline:
            time.sleep(0.05)
        yield run


def ingest(project: Project) -> list[str]:
    streams = ["--stream", "visits", "--stream", "calls"]
    return [STRANDLINE, "run", "ingest", "--from", project.ago(200), "--to", project.ago(0), *streams]


def workers(run: subprocess.Popen[str]) -> list[psutil.Process]:
    """The processes that work for the run."""
    return [child for child in psutil.Process(run.pid).children(recursive=True) if "spawn_main" in " ".join(child.cmdline())]


@pytest.mark.slow
@pytest.mark.parametrize("jobs", ["1", "2"])
def test_ctrl_c_ends_everything_with_130_and_the_same_command_goes_on_from_there(project: Project, jobs: str) -> None:
    with ingesting(project, "--jobs", jobs) as run:
        children = workers(run)
        run.send_signal(signal.SIGINT)
        output, told = run.communicate(timeout=30)
    assert run.returncode == 130, told
    assert "Interrupted." in told
    assert "Traceback" not in told
    assert output == ""
    assert len(children) == (0 if jobs == "1" else 2)
    assert psutil.wait_procs(children, timeout=5)[1] == []
    environment = {**os.environ, **project.environment}
    again = subprocess.run([*ingest(project), "--json"], env=environment, capture_output=True, text=True, check=True)
    assert {name: stream["ok"] for name, stream in json.loads(again.stdout).items()} == {"visits": True, "calls": True}
    rows = project.run("query", "SELECT count(DISTINCT _landing_start) AS n FROM realtime.visits", "-f", "csv")
    assert rows.stdout == "n\n200\n"


@pytest.mark.slow
def test_a_process_that_is_killed_fails_its_stream_and_no_other(project: Project) -> None:
    with ingesting(project, "--jobs", "2", "--json") as run:
        workers(run)[0].kill()
        output, told = run.communicate(timeout=120)
    assert run.returncode == 1, told
    assert "was killed by signal 9" in told
    assert sorted(stream["ok"] for stream in json.loads(output).values()) == [False, True]


@pytest.mark.slow
def test_processes_do_not_outlive_the_command(project: Project) -> None:
    with ingesting(project, "--jobs", "2") as run:
        children = workers(run)
        run.kill()
        run.communicate(timeout=30)
    assert len(children) == 2
    assert psutil.wait_procs(children, timeout=10)[1] == []
