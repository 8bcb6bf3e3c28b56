"""`make spark-up` says what is missing before it starts anything."""

from __future__ import annotations

from pathlib import Path

import pytest

from strandline.local import spark_up


@pytest.fixture
def bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory of a machine with PySpark, and with no other program on its PATH."""
    pytest.importorskip("pyspark")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setenv("STRANDLINE_SPARK_JARS", str(tmp_path / "jars"))
    monkeypatch.delenv("JAVA_HOME", raising=False)
    return tmp_path


def test_without_java_nothing_starts_and_the_message_says_what_to_install(
    bare: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert spark_up.main([]) == 2
    told = " ".join("".join(capsys.readouterr()).split())
    assert "there is no Java on the PATH: Spark needs version 17 or 21 (Debian: apt install openjdk-17-jre-headless)" in told
    assert list(bare.iterdir()) == []


def test_without_maven_nothing_starts_and_the_message_says_what_it_is_needed_for(
    bare: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JAVA_HOME", "/usr")
    assert spark_up.main([]) == 2
    told = " ".join("".join(capsys.readouterr()).split())
    assert "Maven (`mvn`) is needed once to fetch the jars of Delta Lake and S3" in told
    assert "apt install maven" in told
    assert list(bare.iterdir()) == []
