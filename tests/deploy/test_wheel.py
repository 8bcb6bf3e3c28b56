"""The wheel has all that is needed outside of this repository: it is built, unpacked elsewhere and used there."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.airflow.environment import airflow_environment

ROOT = Path(__file__).parents[2]
UV = shutil.which("uv") or shutil.which("uv", path=str(ROOT / ".local" / "uv" / "bin"))

pytestmark = pytest.mark.skipif(UV is None, reason="uv is not there to build with: run make install")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    done = subprocess.run(
        [str(UV), "build", "--quiet", "--wheel", "--out-dir", str(folder)],
        cwd=ROOT, capture_output=True, text=True, timeout=120, check=False, env={"UV_SYSTEM_CERTS": "1", **os.environ},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that has nothing but the wheel."""
    site = tmp_path_factory.mktemp("site")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(site)
    return site


def run(site: Path, code: str, *arguments: str, env: dict[str, str] | None = None) -> str:
    """What the code prints, with the wheel in place of the repository."""
    own = {name: value for name, value in os.environ.items() if not name.startswith(("STRANDLINE_", "AWS_"))}
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        cwd=site, env=(env or own) | {"PYTHONPATH": str(site)}, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_it_has_every_module_schema_and_template_and_nothing_else(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        held = {name for name in archive.namelist() if ".dist-info/" not in name}
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "strandline", "operators"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    ours = {name for name in listed.stdout.split() if (ROOT / name).exists()}
    schemas = {f"strandline/schemas/{path.name}" for path in (ROOT / "schemas").glob("*.json")}
    assert schemas
    assert held == ours | schemas


def test_its_command_checks_a_configuration(installed: Path) -> None:
    call = "import strandline.cli; print(strandline.__file__); strandline.cli.app()"
    told = run(installed, call, "validate", "--config", str(ROOT / "config"))
    assert told.startswith(str(installed))
    assert "api_logs" in told


def test_it_names_its_command(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        (entry_points,) = (name for name in archive.namelist() if name.endswith(".dist-info/entry_points.txt"))
        assert "strandline = strandline.cli:app" in archive.read(entry_points).decode()


def test_its_operators_and_the_plugin_load_in_airflow(installed: Path, tmp_path: Path) -> None:
    code = """
import pkgutil, importlib, operators
from airflow import plugins_manager
for module in pkgutil.iter_modules(operators.__path__):
    importlib.import_module(f"operators.{module.name}")
plugins, errors = plugins_manager._get_plugins()
assert not errors, errors
print(operators.__file__, *(plugin.name for plugin in plugins))
"""
    told = run(installed, code, env=airflow_environment(tmp_path))
    assert str(installed) in told
    assert "strandline_preload" in told
