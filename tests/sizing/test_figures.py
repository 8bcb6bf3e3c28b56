"""The figures are complete, each names its source, and a file of one's own takes their place."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from strandline.errors import UsageError
from strandline.sizing.figures import NEEDED, OWN, PRICES, REQUESTS, STEPS, figures

ROOT = Path(__file__).parents[2]


def test_every_figure_of_the_model_is_there_with_unit_and_source() -> None:
    found = figures()
    assert set(found.figures) == NEEDED
    for name, figure in found.figures.items():
        assert figure.unit, name
        assert figure.source.how, name
        assert figure.source.machine, name
        assert figure.source.date, name


def test_every_step_has_its_requests_and_every_kind_its_price() -> None:
    found = figures()
    assert set(found.requests) == set(STEPS)
    assert all(set(kinds) == set(REQUESTS) for kinds in found.requests.values())
    assert set(found.prices) == set(PRICES)
    assert found.prices_source.machine == "us-east-1"


def test_every_source_is_used_and_every_command_of_a_source_exists() -> None:
    told = yaml.safe_load(OWN.read_text(encoding="utf-8"))["sources"]
    found = figures().sources()
    assert {source.name for source in found} == set(told)
    for source in found:
        for module in [word for word in source.how.replace("`", " ").split() if word.startswith("benchmarks.")]:
            assert (ROOT / f"{module.replace('.', '/')}.py").is_file(), source.how


def test_figures_of_one_s_own_take_the_place_of_ours(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(
        "sources:\n  mine: {how: our list, machine: eu-central-1, date: 2026-05-01}\n"
        "figures:\n  cpu.land.run: {value: 9, unit: CPU s a run, source: mine}\n"
        "prices: {source: mine, storage: 0.0245}\n",
        encoding="utf-8",
    )
    found = figures(path)
    assert found("cpu.land.run") == 9
    assert found("cpu.land.million") == figures()("cpu.land.million")
    assert found.prices["storage"] == 0.0245
    assert found.prices["put"] == figures().prices["put"]
    assert found.prices_source.machine == "eu-central-1"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("figure: {}", r"there is no part figure; did you mean figures\?"),
        ("figures: {cpu.lnd.run: {value: 1, unit: s, source: steps}}", r"no cpu\.lnd\.run; did you mean cpu\.land\.run"),
        ("figures: {cpu.land.run: 3}", r"figures\.cpu\.land\.run: a figure has value, unit and source"),
        ("figures: {cpu.land.run: {value: -1, unit: s, source: steps}}", r"is a number of 0 or more \(saw -1\)"),
        ("figures: {cpu.land.run: {value: .inf, unit: s, source: steps}}", r"is a number of 0 or more \(saw inf\)"),
        ("figures: {cpu.land.run: {value: true, unit: s, source: steps}}", r"is a number of 0 or more \(saw True\)"),
        ("figures: {cpu.land.run: {value: 1, unit: s, source: stps}}", r"no source stps; did you mean steps\?"),
        ("sources: {mine: {how: '', machine: none, date: 2026-01-01}}", r"sources\.mine: a source has how, machine, date"),
        ("requests: {land: {put: 1}}", r"requests\.land: missing: get, head, list"),
        ("requests: {land: 3}", r"requests\.land: requests are put, list, get, head"),
        ("requests: {lands: {put: 1}}", r"requests: there is no lands; did you mean land\?"),
        ("prices: {put: free}", r"prices\.put is a number of 0 or more \(saw 'free'\)"),
        ("- 1", r"figures are a mapping of sources, figures, requests, prices"),
        ("figures: [", r"cannot be read as YAML"),
    ],
)
def test_what_is_wrong_with_a_file_is_told(tmp_path: Path, text: str, told: str) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(UsageError, match=told):
        figures(path)


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"there is no file .*none\.yaml with figures"):
        figures(tmp_path / "none.yaml")
