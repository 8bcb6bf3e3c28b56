"""`strandline new` as it is typed."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from strandline.cli import app
from strandline.spec.load import load_streams
from strandline.spec.model import FilesSource, GeneratorSource, HttpSource
from tests.scaffold.samples import rows_of, written


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("STRANDLINE_CONFIG", raising=False)
    monkeypatch.chdir(tmp_path)


def run(*arguments: str, given: str | None = None) -> Result:
    result = CliRunner().invoke(app, ["new", *arguments], input=given, env={"COLUMNS": "200"})
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def sample(folder: Path) -> str:
    return str(written(folder / "sample.ndjson", rows_of(60, lambda n, _: {"depot": "AB"[n % 2], "client_ip": f"10.0.0.{n}"})))


def test_a_sample_becomes_a_valid_file_and_the_next_steps_are_told(tmp_path: Path) -> None:
    result = run("scans", "--from", sample(tmp_path))
    assert result.exit_code == 0
    assert result.stdout == ""
    assert "60 lines read\nwritten config/streams/scans.yaml\n" in result.stderr
    assert "client_ip: protected, so the stream needs a key: export STRANDLINE_KEY=" in result.stderr
    assert result.stderr.endswith("next: strandline validate scans\n")
    stream = load_streams(tmp_path / "config")["scans"]
    assert isinstance(stream.source, FilesSource)
    assert stream.source.location == str(tmp_path)


def test_with_generator_the_events_are_simulated(tmp_path: Path) -> None:
    assert run("scans", "--from", sample(tmp_path), "--generator", "--config", "other").exit_code == 0
    assert isinstance(load_streams(tmp_path / "other")["scans"].source, GeneratorSource)


def test_a_file_that_is_there_is_kept_unless_forced(tmp_path: Path) -> None:
    path = tmp_path / "config/streams/scans.yaml"
    path.parent.mkdir(parents=True)
    path.write_text("mine", encoding="utf-8")
    refused = run("scans", "--from", sample(tmp_path))
    assert refused.exit_code == 2
    assert "is there already: --force replaces it" in refused.stderr
    assert path.read_text(encoding="utf-8") == "mine"
    assert run("scans", "--from", sample(tmp_path), "--force").exit_code == 0
    assert path.read_text(encoding="utf-8") != "mine"


def test_stdout_prints_and_writes_nothing(tmp_path: Path) -> None:
    result = run("scans", "--from", sample(tmp_path), "--stdout")
    assert result.stdout.startswith("# yaml-language-server: ")
    assert not (tmp_path / "config").exists()


def test_the_same_sample_gives_the_same_text(tmp_path: Path) -> None:
    assert (
        run("scans", "--from", sample(tmp_path), "--stdout").stdout
        == run("scans", "--from", sample(tmp_path), "--stdout").stdout
    )


def test_yes_takes_the_defaults(tmp_path: Path) -> None:
    assert run("orders", "--yes").exit_code == 0
    stream = load_streams(tmp_path / "config")["orders"]
    assert isinstance(stream.source, GeneratorSource)
    assert stream.primary_key == ("event_id",)


def test_without_a_sample_it_asks(tmp_path: Path) -> None:
    answers = [
        "Orders of the shop",
        "shop",
        "shop@example.com",
        "http",
        "https://shop.example.com/orders",
        "orderId",
        "placed at",
    ]
    result = run("orders", given="\n".join([*answers, "city", "net total"]) + "\n")
    assert result.exit_code == 0, result.output
    stream = load_streams(tmp_path / "config")["orders"]
    assert (stream.purpose, stream.team.owner) == ("Orders of the shop", "shop@example.com")
    assert isinstance(stream.source, HttpSource)
    assert [(f.name, f.source_name) for f in stream.fields] == [
        ("order_id", "orderId"), ("placed_at", "placed at"), ("city", "city"), ("net_total", "net total")
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("arguments", "given", "message"),
    [
        (["Orders", "--yes"], None, "is no name for a stream: lower-case letters"),
        (["orders", "--from", "nowhere.csv"], None, "there is no sample nowhere.csv"),
        (["orders"], "p\nt\no\nkafka\n", "a source is generator, files, http (saw kafka)"),
        (["orders"], "p\nt\no\ngenerator\na\nA\nb\nc\n", "four different fields are needed"),
    ],
)
def test_what_cannot_be_is_a_usage_error(arguments: list[str], given: str | None, message: str) -> None:
    result = run(*arguments, given=given)
    assert result.exit_code == 2
    assert message in result.stderr
