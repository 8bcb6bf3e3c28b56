"""What `make celery-up` tells whom; what it starts that needs neither Airflow nor Celery is started."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from strandline.local import bundle, credentials, debian, hostname, ports, redis
from strandline.local.airflow_api import TaskTry
from strandline.local.celery_report import fate
from strandline.local.celery_up import CeleryTour
from strandline.local.cluster import LOGS, Cluster, services_in
from strandline.local.postgres import METADATA, RESULTS, Postgres
from strandline.local.redis import Redis
from strandline.local.seaweed import Seaweed
from strandline.local.settings import Settings
from strandline.local.worker import EMPTY, Worker

_ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def cluster(tmp_path: Path) -> Cluster:
    """A cluster of which nothing runs."""
    server = Seaweed(tmp_path)
    (tmp_path / "seaweedfs.port").write_text("8333", encoding="ascii")
    return Cluster(_ROOT, tmp_path, lake="s3://lake", server=server)


def test_a_worker_is_told_nothing_that_only_the_servers_need(cluster: Cluster) -> None:
    told = json.dumps(cluster.worker_settings)
    secrets = cluster.secrets
    assert cluster.postgres.url(METADATA) not in told
    for secret in (secrets.fernet_key, secrets.signing_key, secrets.admin_password):
        assert secret not in told
        assert secret in json.dumps(cluster.server_settings) or secret == secrets.admin_password


def test_a_worker_is_told_the_broker_the_results_the_bundle_and_the_lake(cluster: Cluster) -> None:
    told = cluster.worker_settings
    assert told["AIRFLOW__CORE__EXECUTOR"] == "CeleryExecutor"
    assert told["AIRFLOW__CELERY__BROKER_URL"] == cluster.redis.url
    assert told["AIRFLOW__CELERY__RESULT_BACKEND"] == f"db+{cluster.postgres.url(RESULTS)}"
    assert told["STRANDLINE_LAKE"] == "s3://lake"
    assert json.loads(told["AIRFLOW_CONN_AWS_DEFAULT"])["extra"]["endpoint_url"] == "http://127.0.0.1:8333"
    (only,) = json.loads(told["AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST"])
    repository = json.loads(told[f"AIRFLOW_CONN_{only['kwargs']['git_conn_id'].upper()}"])["host"]
    assert repository == str(cluster.repository)


def test_logs_of_tasks_go_to_s3_for_workers_and_api_alike(cluster: Cluster) -> None:
    for told in (cluster.worker_settings, cluster.server_settings):
        assert told["AIRFLOW__LOGGING__REMOTE_LOGGING"] == "True"
        assert told["AIRFLOW__LOGGING__REMOTE_BASE_LOG_FOLDER"] == f"s3://{LOGS}"


def test_every_address_is_on_the_loopback_interface(cluster: Cluster) -> None:
    urls = [
        value for value in cluster.server_settings.values() if "://" in value and value[:1] not in "{[" and value[:5] != "s3://"
    ]
    assert len(urls) >= 4
    assert {urlsplit(url.removeprefix("db+")).hostname for url in urls} == {ports.LOOPBACK}


def test_workers_share_no_folder(cluster: Cluster, tmp_path: Path) -> None:
    one, two = (Worker(name, tmp_path / "workers" / name, cluster.worker_settings) for name in ("one", "two"))
    differ = {name: value for name, value in one.environment.items() if two.environment[name] != value}
    assert differ.keys() == {
        "HOME", "TMPDIR", "AIRFLOW_HOME", "AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_STORAGE_PATH", hostname.VARIABLE,
    }  # fmt: skip
    assert all(value.startswith(str(one.folder)) for name, value in differ.items() if name != hostname.VARIABLE)


def test_what_a_task_leaves_in_a_folder_of_its_worker_is_found(tmp_path: Path) -> None:
    worker = Worker("one", tmp_path, {})
    own = ("airflow.cfg", "airflow.db-wal", "bundles/strandline/bare/HEAD", "logs/dag_id=x/attempt=1.log")
    for path in (*EMPTY, *(f"airflow/{name}" for name in own)):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).mkdir() if path in EMPTY else (tmp_path / path).touch()
    assert worker.left() == []
    for path in ("home/.cache", "tmp/spill.parquet", "work/rows.csv", "airflow/cursor.json"):
        (tmp_path / path).touch()
    assert worker.left() == ["airflow/cursor.json", "home/.cache", "tmp/spill.parquet", "work/rows.csv"]


def test_a_worker_goes_by_its_own_name(monkeypatch: pytest.MonkeyPatch) -> None:
    assert hostname.name() == socket.gethostname()
    monkeypatch.setenv(hostname.VARIABLE, "worker-7")
    assert hostname.name() == "worker-7"


def test_what_is_stopped_last_is_what_the_others_need(tmp_path: Path) -> None:
    (tmp_path / "workers").mkdir()
    (tmp_path / "workers" / "worker-1.pid").touch()
    names = [service.name for service in services_in(tmp_path)]
    assert names[0] == "The worker worker-1"
    assert names[-2:] == ["Redis", "PostgreSQL"]


def test_a_worker_is_killed_unless_it_is_said_not_to(tmp_path: Path) -> None:
    for said, kills in (("", True), ("1", True), ("0", False), ("no", False)):
        assert Settings.read(tmp_path, {"KILL": said}, CeleryTour.TARGET).kill is kills


@pytest.mark.parametrize(
    ("later", "saved"),
    [
        ([], False),
        ([TaskTry("silver", 2, "success", "worker-2")], True),
        ([TaskTry("silver", 2, "failed", "worker-2"), TaskTry("silver", 3, "success", "worker-3")], True),
        ([TaskTry("silver", 2, "failed", "worker-2")], False),
        ([TaskTry("silver", 2, "success", "worker-1")], False),
        ([TaskTry("silver", 2, "up_for_retry", "")], False),
    ],
)
def test_a_task_of_a_killed_worker_is_saved_when_another_one_has_done_it(later: list[TaskTry], saved: bool) -> None:
    lost = TaskTry("silver", 1, "running", "worker-1")
    told, found = fate(lost, [lost, *later])
    assert found is saved
    assert all(f"try {each.number} " in told for each in later)


def test_its_data_lie_apart_from_those_of_the_plain_demo(tmp_path: Path) -> None:
    settings = Settings.read(tmp_path, {}, CeleryTour.TARGET)
    assert settings.local == tmp_path / ".local" / "celery"
    assert all(service.pid_file.is_relative_to(settings.local) for service in CeleryTour.services_of(settings))


def test_the_bundle_is_the_configuration_and_the_dag_files_as_they_are(tmp_path: Path) -> None:
    root, repository = tmp_path / "root", tmp_path / "bundle.git"
    for name, text in (("config/streams/a.yaml", "stream: a"), ("dags/pipelines.py", "1"), ("dags/__pycache__/x.pyc", "")):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text, encoding="utf-8")

    def git(*arguments: str) -> list[str]:
        call = ["git", "--git-dir", str(repository), *arguments]
        return subprocess.run(call, capture_output=True, text=True, check=True).stdout.split()

    first = bundle.publish(root, repository)
    assert git("ls-tree", "-r", "--name-only", bundle.BRANCH) == ["config/streams/a.yaml", "dags/pipelines.py"]
    assert bundle.publish(root, repository) == first
    (root / "config/streams/a.yaml").rename(root / "config/streams/b.yaml")
    second = bundle.publish(root, repository)
    assert git("ls-tree", "-r", "--name-only", bundle.BRANCH) == ["config/streams/b.yaml", "dags/pipelines.py"]
    assert git("rev-list", bundle.BRANCH) == [second, first]


@pytest.mark.skipif(debian.find("redis-server") is None, reason="redis-server is not installed")
def test_redis_answers_only_who_has_the_password(tmp_path: Path) -> None:
    server = Redis(tmp_path, credentials.keep(tmp_path / "secret.json")).start()
    try:
        with socket.create_connection((ports.LOOPBACK, server.port), timeout=5) as connection:
            connection.sendall(b"PING\r\n")
            assert connection.recv(100).startswith(b"-NOAUTH")
    finally:
        server.stop()
    assert not server.service.is_running()


@pytest.mark.skipif(debian.find("redis-server") is None, reason="redis-server is not installed")
def test_what_a_killed_demo_left_running_is_stopped_by_the_other_target(tmp_path: Path) -> None:
    folder = tmp_path / ".local" / "celery" / "redis"
    service = redis.service_in(folder)
    start = f"""
from pathlib import Path
from strandline.local import credentials, redis
redis.Redis(Path({str(folder)!r}), credentials.keep(Path({str(tmp_path / "secret.json")!r}))).start()
"""
    try:
        subprocess.run([sys.executable, "-c", start], env=os.environ | {"PYTHONPATH": str(_ROOT)}, check=True)
        assert service.is_running()
        down = [sys.executable, "-m", "strandline.local.celery_up", "--down"]
        done = subprocess.run(
            down, cwd=tmp_path, env={**os.environ, "COLUMNS": "200"}, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        assert "Stop Redis" in done.stdout
        assert not service.is_running()
    finally:
        service.stop()


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that another user may enter, as pytest's own are not: the server runs as `postgres` where root starts it."""
    with tempfile.TemporaryDirectory(prefix="strandline-") as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


@pytest.mark.slow
@pytest.mark.skipif(debian.find("initdb") is None, reason="postgresql is not installed")
def test_postgres_has_both_databases_after_each_start_and_asks_for_the_password(open_folder: Path) -> None:
    server = Postgres(open_folder / "postgres", credentials.keep(open_folder / "secret.json"))
    try:
        for _ in range(2):
            server.start()
            assert {METADATA, RESULTS} <= set(_psql(server, urlsplit(server.url(METADATA)).password or "").stdout.split())
            assert "password authentication failed" in _psql(server, "wrong").stderr
            server.stop()
    finally:
        server.stop()


def _psql(server: Postgres, password: str) -> subprocess.CompletedProcess[str]:
    url = server.url(METADATA).replace("postgresql+psycopg2", "postgresql")
    parts = urlsplit(url)
    call = [str(debian.program("psql")), "-At", "-h", ports.LOOPBACK, "-p", str(parts.port), "-U", str(parts.username)]
    env = {"PATH": os.environ["PATH"], "PGPASSWORD": password}
    ask = [*call, "-d", METADATA, "-c", "SELECT datname FROM pg_database"]
    return subprocess.run(ask, env=env, cwd="/", capture_output=True, text=True, check=False)
