"""`docs/tutorial.md`, followed word by word in an empty folder: every command works, and what the page shows is what comes."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import uuid
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from strandline.intervals import floor
from strandline.lake import paths
from strandline.lake.lake import Lake
from strandline.local.seaweed import REGION, Seaweed
from strandline.spec.load import load_streams
from tests.airflow.environment import airflow_environment, aws_connection, run_python
from tests.conftest import s3_credentials

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "tutorial.md").read_text(encoding="utf-8")
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```", re.DOTALL | re.MULTILINE)
MARK = "@@ block "
WHERE = "/tmp/bikes"


def blocks() -> list[tuple[str, str]]:
    """(language, text) of every block of the page, in order."""
    return BLOCK.findall(PAGE)


def follow(folder: Path) -> list[str]:
    """What each block of commands printed, in order; the commands share one shell, and the first that fails ends it."""
    texts = [text for language, text in blocks() if language == "console"]
    assert texts[0] == ". .venv/bin/activate\n", "the environment is that of this test"
    script = "".join(f"echo '{MARK}'\n{text}" for text in texts[1:]).replace(WHERE, str(folder / "bikes"))
    environment = {name: value for name, value in os.environ.items() if not name.startswith("STRANDLINE_")}
    environment["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{environment['PATH']}"
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
    return done.stdout.replace(str(folder / "bikes"), WHERE).split(f"{MARK}\n")[1:]


def told(text: str) -> list[str]:
    """The lines of a text without their spaces, which depend on how wide things are."""
    return [" ".join(line.split()) for line in text.splitlines() if line.strip(" #…")]


@pytest.mark.slow
def test_every_command_works_and_shows_what_the_page_shows(tmp_path: Path) -> None:
    for name in ("config", "schemas"):
        shutil.copytree(ROOT / name, tmp_path / name)
    printed = follow(tmp_path)
    at = -2
    for language, text in blocks():
        if language == "console":
            at += 1
        elif language == "text":
            missing = [line for line in told(text) if line not in told(printed[at])]
            assert not missing, printed[at]
    stream = load_streams(tmp_path / "config")["bike_rides"]
    made = stream.path.read_text(encoding="utf-8").replace(str(tmp_path / "bikes"), WHERE)
    (shown,) = [text for language, text in blocks() if language == "yaml"]
    assert not [line for line in told(shown) if line not in told(made)]
    assert (stream.team.name, stream.team.owner) == ("bikes", "bikes@example.com")
    assert {"bike_rides.odcs.yaml", "bike_rides.schema.json", "bike_rides.md"} <= {
        p.name for p in (tmp_path / "bikes").iterdir()
    }


@pytest.mark.airflow
@pytest.mark.slow
def test_the_stream_of_the_page_runs_in_airflow_to_its_dashboard(tmp_path: Path, seaweed: Seaweed) -> None:
    for name in ("config", "schemas"):
        shutil.copytree(ROOT / name, tmp_path / name)
    follow(tmp_path)
    keys, url = seaweed.credentials, f"s3://tutorial-{uuid.uuid4().hex[:12]}/lake"
    connection = aws_connection(
        access_key_id=keys.access_key_id,
        secret_access_key=keys.secret_access_key,
        region=REGION,
        endpoint_url=seaweed.endpoint_url,
    )
    (tmp_path / "home").mkdir()
    environment = airflow_environment(
        tmp_path / "home",
        tmp_path / "config",
        AIRFLOW_CONN_AWS_DEFAULT=connection,
        AIRFLOW_CONN_STRANDLINE_KEYS=json.dumps({"conn_type": "generic", "password": "5e" * 32}),
        STRANDLINE_LAKE=url,
    )
    run_python(environment, "-m", "airflow", "db", "migrate")
    moment = floor(datetime.now(UTC), timedelta(minutes=5))
    wanted = [
        "1-infra_s3_bootstrap@",
        "2-bike_rides_realtime_ingest@",
        "3-batch_etl_all_streams@bike_rides",
        "4-serving_layer_merge@bike_rides",
    ]
    orders = [f"{dag}@{moment}@{stream}".rstrip("@") for dag, _, stream in (each.partition("@") for each in wanted)]
    printed = run_python(environment, "tests/airflow/run_dags.py", *orders, timeout=600)
    runs = {r["dag"]: r for r in (json.loads(li[4:]) for li in printed.splitlines() if li.startswith("RUN "))}
    assert {run["state"] for run in runs.values()} == {"success"}
    assert runs["2-bike_rides_realtime_ingest"]["returned"]["land"]["lines"] == 4010
    silver = runs["3-batch_etl_all_streams"]["returned"]["bike_rides.silver_bike_rides"]
    assert (silver["good"], silver["duplicates"], silver["quarantined"]) == (3996, 10, 4)
    lake = Lake.open(url, s3_credentials(seaweed))
    served = lake.table(paths.unified("bike_rides")).snapshot(
        json.loads(lake.objects.get(paths.published("bike_rides")))["unified"]
    )
    assert served is not None
    assert served.rows == 3996
    assert b"vega" in lake.objects.get(paths.dashboard("bike_rides", "index.html"))


def test_it_touches_one_yaml_file_and_no_python() -> None:
    commands = "".join(text for language, text in blocks() if language == "console")
    assert "python" not in commands
    assert set(re.findall(r"config/streams/[\w.]+", commands)) <= {
        "config/streams/bike_rides.yaml", "config/streams/bike_rides.yaml.bak"
    }  # fmt: skip
