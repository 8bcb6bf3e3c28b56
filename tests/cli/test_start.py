"""Starting, helping, and the ways to be called wrongly."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import Project

ROOT = Path(__file__).parents[2]
HEAVY = ("duckdb", "deltalake", "pandas", "pyarrow", "numpy", "boto3", "airflow")
COMMANDS = [
    ["validate"],
    ["render"],
    ["query"],
    ["status"],
    ["audit"],
    ["preview"],
    ["test"],
    ["new"],
    ["export"],
    ["plan"],
    ["replay"],
    *(["run", step] for step in ("ingest", "batch", "merge", "publish", "all", "bootstrap")),
]


@pytest.mark.parametrize("arguments", [["--help"], ["run", "ingest", "--help"], ["validate"], ["render"]], ids=" ".join)
def test_what_needs_no_engine_loads_none(arguments: list[str]) -> None:
    code = (
        "import sys\nfrom strandline.cli import app\n"
        f"try:\n    app({arguments!r})\nexcept SystemExit as end:\n    code = end.code\n"
        f"print('loaded', [m for m in {HEAVY!r} if m in sys.modules], 'code', code, file=sys.stderr)"
    )
    environment = {**os.environ, "STRANDLINE_CONFIG": str(ROOT / "config")}
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, text=True, check=True)
    assert done.stderr.splitlines()[-1] == "loaded [] code 0"


def test_the_installed_command_tells_its_version() -> None:
    command = Path(sys.executable).with_name("strandline")
    done = subprocess.run([command, "--version"], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("strandline 0.")


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_every_help_has_an_example_of_its_command(project: Project, command: list[str]) -> None:
    result = project.run(*command, "--help")
    assert result.exit_code == 0
    assert "Examples" in result.stdout
    assert f"strandline {' '.join(command)}" in result.stdout.partition("Examples")[2]


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_an_unknown_option_is_a_usage_error(project: Project, command: list[str]) -> None:
    assert project.run(*command, "--no-such-option").exit_code == 2


def test_a_mistyped_command_is_a_usage_error_with_the_closest(project: Project) -> None:
    result = project.run("valdate")
    assert result.exit_code == 2
    assert "validate" in result.stderr


@pytest.mark.parametrize("command", [["run", "ingest"], ["run", "all"], ["query", "SELECT 1"], ["status"]], ids=" ".join)
def test_without_a_lake_it_says_how_to_name_one(project: Project, command: list[str]) -> None:
    result = project.run(*command, STRANDLINE_LAKE="")
    assert result.exit_code == 2
    assert "--lake" in result.stderr
    assert "STRANDLINE_LAKE" in result.stderr
    assert "Traceback" not in result.output


@pytest.mark.parametrize("command", [["query", "SELECT 1"], ["status"]], ids=" ".join)
def test_reading_a_lake_that_is_not_there_is_a_usage_error(project: Project, command: list[str]) -> None:
    result = project.run(*command, "--lake", str(project.folder / "nowhere"))
    assert result.exit_code == 2
    assert "does not exist" in result.stderr


def test_a_lake_of_another_kind_is_refused(project: Project) -> None:
    result = project.run("status", "--lake", "ftp://host/lake")
    assert result.exit_code == 2
    assert "s3://bucket" in result.stderr


def test_a_size_without_a_unit_is_a_usage_error(project: Project) -> None:
    for given in ("lots", "1000", "-1GB"):
        result = project.run("run", "merge", "--memory", given)
        assert result.exit_code == 2
        assert "500MB or 2GB" in result.stderr


def test_a_missing_configuration_is_named(project: Project) -> None:
    result = project.run("run", "ingest", "--config", str(project.folder / "nowhere"))
    assert result.exit_code == 2
    assert "--config" in result.stderr
