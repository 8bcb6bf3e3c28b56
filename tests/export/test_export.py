"""`strandline export` as it is typed."""

from __future__ import annotations

import json
from pathlib import Path

import yaml
from typer.testing import CliRunner, Result

from strandline.cli import app

ROOT = Path(__file__).parents[2]


def run(*arguments: str) -> Result:
    result = CliRunner().invoke(app, ["export", *arguments], env={"STRANDLINE_CONFIG": str(ROOT / "config"), "COLUMNS": "200"})
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def test_odcs_is_yaml_on_stdout() -> None:
    document = yaml.safe_load(run("api_logs").stdout)
    assert (document["kind"], document["apiVersion"], document["name"]) == ("DataContract", "v3.1.0", "api_logs")


def test_json_schema_goes_to_a_file(tmp_path: Path) -> None:
    path = tmp_path / "made" / "api_logs.schema.json"
    result = run("api_logs", "--format", "jsonschema", "--output", str(path))
    assert result.exit_code == 0
    assert result.stdout == ""
    assert f"api_logs: jsonschema written to {path}" in result.stderr
    assert json.loads(path.read_text(encoding="utf-8"))["title"] == "api_logs"


def test_markdown_is_the_page_of_the_stream() -> None:
    page = run("iot_sensors", "--format", "markdown").stdout
    assert page.startswith("# iot_sensors\n")
    assert "| `device_id` | string | yes |" in page
    assert "## Gold tables" in page


def test_an_unknown_stream_is_a_usage_error_with_the_closest() -> None:
    result = run("api_log")
    assert result.exit_code == 2
    assert "did you mean api_logs?" in result.stderr


def test_what_cannot_be_written_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    result = run("api_logs", "--output", str(tmp_path / "file" / "below"))
    assert result.exit_code == 1
    assert "cannot write" in result.stderr
