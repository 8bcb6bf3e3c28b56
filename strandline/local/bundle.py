"""The DAG files and their configuration as a Git repository, from which every component and worker takes a copy of its own."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

from strandline.local.processes import ProcessError

FOLDERS = ("config", "dags")
BRANCH = "main"
NAME = "strandline"
CONNECTION = "strandline_git"
REFRESH = 30
"""Seconds between two looks for a newer commit."""


def publish(root: Path, repository: Path) -> str:
    """The commit on `BRANCH` of the bare `repository` that holds `config/` and `dags/` as they are in `root`; made when they
    have changed since the last one. Neither the user's Git settings nor a repository in `root` play a part.
    """
    git = _Git(root, repository)
    if not (repository / "HEAD").exists():
        repository.mkdir(parents=True, exist_ok=True)
        git("init", "--quiet", "--bare", "--template=", f"--initial-branch={BRANCH}")
    git("add", "--all", "--force", "--", *FOLDERS, ":(exclude,glob)**/__pycache__/**")
    tree = git("write-tree")
    head = git("rev-parse", "--quiet", "--verify", f"refs/heads/{BRANCH}", check=False)
    if head and git("rev-parse", f"{head}^{{tree}}") == tree:
        return head
    commit = git("commit-tree", tree, *(("-p", head) if head else ()), "-m", "config and dags as deployed")
    git("update-ref", f"refs/heads/{BRANCH}", commit)
    return commit


def settings(repository: Path) -> dict[str, str]:
    """The environment variables that tell Airflow of the one bundle, and by a connection where its repository is."""
    classpath = "airflow.providers.git.bundles.git.GitDagBundle"
    kwargs = {"git_conn_id": CONNECTION, "tracking_ref": BRANCH, "subdir": "dags", "refresh_interval": REFRESH}
    bundles = [{"name": NAME, "classpath": classpath, "kwargs": kwargs}]
    return {
        "AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST": json.dumps(bundles),
        f"AIRFLOW_CONN_{CONNECTION.upper()}": json.dumps({"conn_type": "git", "host": str(repository)}),
    }


class _Git:
    """Calls `git` on the one repository, with `root` as its work tree."""

    def __init__(self, root: Path, repository: Path) -> None:
        self._root = root
        self._environment = {
            "PATH": os.environ.get("PATH", os.defpath),
            "GIT_DIR": str(repository),
            "GIT_WORK_TREE": str(root),
            "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_CONFIG_NOSYSTEM": "1",
            **{f"GIT_{who}_{what}": "strandline" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")},
        }

    def __call__(self, *arguments: str, check: bool = True) -> str:
        given = self._environment if arguments[0] != "init" else self._without_tree()
        done = subprocess.run(["git", *arguments], cwd=self._root, env=given, capture_output=True, text=True, check=False)
        if check and done.returncode:
            raise ProcessError(f"git {arguments[0]} failed: {done.stderr[-1000:]}")
        return done.stdout.strip() if not done.returncode else ""

    def _without_tree(self) -> dict[str, str]:
        return {name: value for name, value in self._environment.items() if name != "GIT_WORK_TREE"}
