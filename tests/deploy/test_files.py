"""What is in `deploy/` fits the code: versions, names, permissions, settings."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path
from typing import Any

import pytest
import yaml

from strandline.local import bundle

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
PAGE = (ROOT / "docs" / "deploying.md").read_text(encoding="utf-8")
VERSION = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
REQUESTS = {
    "put_object": "s3:PutObject",
    "get_object": "s3:GetObject",
    "head_object": "s3:GetObject",
    "list_objects_v2": "s3:ListBucket",
    "delete_objects": "s3:DeleteObject",
}
"""What AWS asks for by the request of boto3."""
BUCKET_REQUESTS = {
    "head_bucket": "s3:ListBucket",
    "create_bucket": "s3:CreateBucket",
    "put_public_access_block": "s3:PutBucketPublicAccessBlock",
    "put_bucket_encryption": "s3:PutEncryptionConfiguration",
    "put_bucket_ownership_controls": "s3:PutBucketOwnershipControls",
    "put_bucket_lifecycle_configuration": "s3:PutLifecycleConfiguration",
    "put_bucket_policy": "s3:PutBucketPolicy",
}


def allowed(policy: str) -> set[str]:
    statements = json.loads((DEPLOY / "iam" / policy).read_text(encoding="utf-8"))["Statement"]
    listed = (s["Action"] if isinstance(s["Action"], list) else [s["Action"]] for s in statements)
    return {action for actions in listed for action in actions}


def requests_in(module: str) -> set[str]:
    text = (ROOT / module).read_text(encoding="utf-8")
    return set(re.findall(r"client\.(?!get_paginator)(\w+)\(", text)) | set(re.findall(r"get_paginator\(\"(\w+)\"", text))


def values(name: str) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((DEPLOY / "helm" / name).read_text(encoding="utf-8"))
    return found


def test_tasks_may_make_every_request_they_make_and_no_other() -> None:
    asked = {REQUESTS[request] for request in requests_in("strandline/lake/s3.py")}
    assert allowed("lake.json") == asked | {"s3:AbortMultipartUpload"}


def test_bootstrap_may_make_every_request_it_makes_and_no_other() -> None:
    assert allowed("bootstrap.json") == {BUCKET_REQUESTS[request] for request in requests_in("strandline/stages/bootstrap.py")}


def test_every_variable_that_the_code_reads_is_documented() -> None:
    read: set[str] = set()
    for folder in ("strandline", "operators", "dags", "plugins"):
        for path in (ROOT / folder).rglob("*.py"):
            read |= set(re.findall(r"[\"'](STRANDLINE_[A-Z_]*[A-Z]|SPARK_REMOTE)[\"'_]", path.read_text(encoding="utf-8")))
    assert {"STRANDLINE_LAKE", "STRANDLINE_CONFIG", "STRANDLINE_KEY"} <= read
    assert not {name for name in read if f"`{name}`" not in PAGE}


def test_every_connection_that_the_code_looks_up_by_itself_is_documented() -> None:
    runtime = (ROOT / "operators" / "runtime.py").read_text(encoding="utf-8")
    names = re.findall(r"^\w+_CONNECTION = \"(\w+)\"", runtime, re.MULTILINE)
    assert len(names) >= 2
    assert not [name for name in names if f"`{name}`" not in PAGE]


def test_the_git_bundle_is_the_same_in_the_file_in_the_chart_and_in_the_local_cluster(tmp_path: Path) -> None:
    told = json.loads((DEPLOY / "git-bundle" / "dag_bundle_config_list.json").read_text(encoding="utf-8"))
    assert values("values.yaml")["dagProcessor"]["dagBundleConfigList"] == told
    local = json.loads(bundle.settings(tmp_path)["AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST"])
    for each in (*told, *local):
        del each["kwargs"]["refresh_interval"]
    assert told == local


def test_the_version_is_the_same_everywhere() -> None:
    assert values("values.yaml")["images"]["airflow"]["tag"] == VERSION
    assert f"strandline=={VERSION}\n" in (DEPLOY / "mwaa" / "requirements.txt").read_text(encoding="utf-8")
    lock = tomllib.loads((ROOT / "uv.lock").read_text(encoding="utf-8"))
    (airflow,) = {package["version"] for package in lock["package"] if package["name"] == "apache-airflow"}
    assert values("values.yaml")["airflowVersion"] == airflow
    assert json.loads((DEPLOY / "mwaa" / "environment.json").read_text(encoding="utf-8"))["AirflowVersion"] == airflow


@pytest.mark.parametrize("name", ["values.yaml", "celery.yaml"])
def test_the_page_says_how_to_make_every_secret_that_the_chart_is_told_of(name: str) -> None:
    text = (DEPLOY / "helm" / name).read_text(encoding="utf-8")
    secrets = re.findall(r"SecretName: ([\w-]+)", text) + re.findall(r"secretRef:\n +name: ([\w-]+)", text)
    assert secrets
    assert not [secret for secret in secrets if f"create secret generic {secret} " not in PAGE]


def test_the_image_is_built_from_files_that_exist_and_are_let_through() -> None:
    text = (DEPLOY / "Containerfile").read_text(encoding="utf-8")
    copied = [path for line in re.findall(r"^COPY (?!--from)(.+)$", text, re.MULTILINE) for path in line.split()[:-1]]
    let_through = {line[1:] for line in (ROOT / ".containerignore").read_text(encoding="utf-8").splitlines() if line[:1] == "!"}
    assert set(copied) == let_through
    assert all((ROOT / path).exists() for path in copied)


def test_the_package_for_mwaa_has_the_wheel_the_plugin_and_the_whole_configuration(tmp_path: Path) -> None:
    for folder in ("config", "dags", "deploy", "plugins"):
        (tmp_path / folder).symlink_to(ROOT / folder)
    (tmp_path / "dist").mkdir()
    with zipfile.ZipFile(tmp_path / "dist" / f"strandline-{VERSION}-py3-none-any.whl", "w") as archive:
        archive.writestr("strandline/__init__.py", "")
    script = (DEPLOY / "mwaa" / "package").read_text(encoding="utf-8").replace("uv export", "echo")
    (tmp_path / "deploy.sh").write_text(script.replace('$(dirname "$0")/../..', str(tmp_path)), encoding="utf-8")
    done = subprocess.run(
        ["bash", str(tmp_path / "deploy.sh")], env={"PATH": "/usr/bin:/bin", "PYTHON": sys.executable},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    made = tmp_path / "dist" / "mwaa"
    assert (made / "dags" / "constraints.txt").exists()
    bundled = {path.relative_to(made / "dags" / "config") for path in (made / "dags" / "config").rglob("*.y*ml")}
    assert bundled == {path.relative_to(ROOT / "config") for path in (ROOT / "config").rglob("*.y*ml")}
    with zipfile.ZipFile(made / "plugins.zip") as archive:
        assert set(archive.namelist()) == {f"strandline-{VERSION}-py3-none-any.whl", "strandline_preload.py"}
