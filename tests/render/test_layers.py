"""Files of `config/dags`: what is wrong with one is said with its place and a hint, and takes only that file's DAGs away."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from strandline.layers import check_layers

ROOT = Path(__file__).resolve().parents[2]
INVALID = sorted((Path(__file__).parent / "invalid").glob("*.yaml"))


def config_with(tmp_path: Path, *files: Path) -> Path:
    """A configuration folder whose `dags` holds copies of the files."""
    (tmp_path / "dags").mkdir()
    for file in files:
        shutil.copy(file, tmp_path / "dags")
    return tmp_path


@pytest.mark.parametrize("file", INVALID, ids=lambda file: file.stem)
def test_each_file_under_invalid_is_refused_at_the_place_and_in_the_words_of_its_first_line(file: Path, tmp_path: Path) -> None:
    expected = file.read_text(encoding="utf-8").splitlines()[0].removeprefix("# expect: ")
    place, _, words = expected.partition(" ")
    layers, problems = check_layers(config_with(tmp_path, file))
    said = [" ".join(str(problem).split()) for problem in problems]
    parts = [f"{file.name}:{place}:", *(part.strip() for part in words.split("…"))]
    assert layers == []
    assert [text for text in said if all(part in text for part in parts)], said


def test_the_files_of_the_project_have_no_problem() -> None:
    layers, problems = check_layers(ROOT / "config")
    assert problems == []
    assert [layer.path.stem for layer in layers] == ["batch", "infrastructure", "serving", "speed"]


def test_a_broken_file_leaves_the_others(tmp_path: Path) -> None:
    config = config_with(tmp_path, *(ROOT / "config/dags").glob("*.yaml"), INVALID[0])
    layers, problems = check_layers(config)
    assert {problem.path.name for problem in problems} == {INVALID[0].name}
    assert [layer.path.stem for layer in layers] == ["batch", "infrastructure", "serving", "speed"]


def test_a_dag_declared_in_two_files_is_refused_in_the_second(tmp_path: Path) -> None:
    config = config_with(tmp_path, ROOT / "config/dags/batch.yaml")
    shutil.copy(config / "dags/batch.yaml", config / "dags/nightly.yaml")
    layers, problems = check_layers(config)
    assert [layer.path.stem for layer in layers] == ["batch"]
    assert [(problem.path.name, problem.code) for problem in problems] == [("nightly.yaml", "SL612")]


def test_a_file_with_another_ending_is_said_and_not_passed_over(tmp_path: Path) -> None:
    config = config_with(tmp_path, ROOT / "config/dags/batch.yaml")
    (config / "dags/batch.yaml").rename(config / "dags/batch.yml")
    layers, problems = check_layers(config)
    assert layers == []
    assert [(problem.path.name, problem.code) for problem in problems] == [("batch.yml", "SL114")]


def test_a_folder_without_layers_is_a_problem_and_not_an_empty_airflow(tmp_path: Path) -> None:
    _, problems = check_layers(tmp_path)
    assert [problem.code for problem in problems] == ["SL600"]


def test_every_operator_of_the_schema_is_one_we_have_and_the_other_way_round() -> None:
    import json

    from strandline.layer_checks import OPERATORS

    schema = json.loads((ROOT / "schemas/dag.schema.json").read_text(encoding="utf-8"))
    assert schema["definitions"]["task"]["properties"]["operator"]["enum"] == list(OPERATORS)
