"""The Open Data Contract Standard document of every stream is valid, by its JSON Schema and by `datacontract lint`.

`odcs-3.1.0.schema.json` is the standard's own schema (Bitol, bitol-io/open-data-contract-standard, Apache-2.0), as
datacontract-cli 1.2.8 ships it. The linter itself does not install beside this project, because it wants an older Typer: the
test that runs it looks for `datacontract` on the PATH or in the environment variable DATACONTRACT.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft201909Validator

from strandline.export.odcs import as_yaml, odcs
from strandline.spec.load import load_stream, load_streams
from strandline.spec.model import Stream

ROOT = Path(__file__).parents[2]
VALIDATOR = Draft201909Validator(json.loads(Path(__file__).with_name("odcs-3.1.0.schema.json").read_text(encoding="utf-8")))
FILES = sorted([*(ROOT / "config/streams").glob("*.yaml"), *(ROOT / "tests/fixtures/valid").glob("*.yaml")])
LINTER = os.environ.get("DATACONTRACT") or shutil.which("datacontract")


@pytest.fixture(params=FILES, ids=lambda path: path.stem)
def stream(request: pytest.FixtureRequest) -> Stream:
    return load_stream(Path(request.param))


@pytest.fixture
def api_logs() -> Stream:
    return load_streams(ROOT / "config")["api_logs"]


def problems(document: Any) -> list[str]:
    return [f"{error.json_path}: {error.message}" for error in VALIDATOR.iter_errors(document)]


def test_every_stream_is_a_valid_document(stream: Stream) -> None:
    assert problems(yaml.safe_load(as_yaml(odcs(stream)))) == []


@pytest.mark.parametrize("lake", ["s3://events/strandline", "./lake"])
def test_with_a_lake_it_says_where_the_tables_are(api_logs: Stream, lake: str) -> None:
    document = odcs(api_logs, lake)
    assert problems(document) == []
    assert document["servers"][0].get("location", document["servers"][0].get("path")) == f"{lake}/serving/"


def test_a_document_that_is_wrong_is_noticed(api_logs: Stream) -> None:
    assert problems(odcs(api_logs) | {"schema": [{"nme": "x"}]})


def test_equal_streams_give_equal_documents(api_logs: Stream) -> None:
    assert as_yaml(odcs(api_logs)) == as_yaml(odcs(load_streams(ROOT / "config")["api_logs"]))


def test_it_says_what_the_yaml_says(api_logs: Stream) -> None:
    document = odcs(api_logs)
    unified = document["schema"][0]
    fields = {found["name"]: found for found in unified["properties"]}
    assert (document["version"], document["name"]) == (api_logs.version, "api_logs")
    assert [part["name"] for part in document["schema"][1:]] == [f"api_logs__{table.name}" for table in api_logs.gold]
    assert fields["log_id"]["primaryKeyPosition"] == 1
    assert fields["status_code"]["logicalTypeOptions"] == {"minimum": 100, "maximum": 599}
    assert fields["client_ip"]["classification"] == "pii"
    assert fields["method"]["quality"][0]["arguments"] == {"validValues": ["GET", "POST", "PUT", "DELETE"]}
    assert fields["is_error"]["transformLogic"] == "status_code >= 400"
    rules = {check["name"]: check for check in unified["quality"] if check["type"] == "custom"}
    assert rules["timeout_is_504"]["implementation"]["expect"] == "response_time_ms <= 30000 or status_code = 504"
    assert set(rules) == {rule.name for rule in api_logs.rules} | {budget.name for budget in api_logs.budgets}


@pytest.mark.skipif(LINTER is None, reason="no `datacontract` on the PATH: it does not install beside this project, see above")
@pytest.mark.slow
@pytest.mark.parametrize("name", ["api_logs", "financial_transactions"])
def test_datacontract_lint_accepts_it(tmp_path: Path, name: str) -> None:
    path = tmp_path / f"{name}.yaml"
    path.write_text(as_yaml(odcs(load_streams(ROOT / "config")[name], "s3://events")), encoding="utf-8")
    done = subprocess.run([str(LINTER), "lint", str(path)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
