"""The examples in the YAML of every stream hold, one test an example: what `strandline test` runs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from strandline.engines.duckdb import DuckEngine, DuckSession
from strandline.spec.load import load_streams
from strandline.spec.model import Stream, StreamTest
from strandline.stream_tests import explained, run_case

STREAMS = load_streams(Path(__file__).parents[2] / "config")
CASES = [pytest.param(stream, case, id=f"{stream.name}: {case.name}") for stream in STREAMS.values() for case in stream.tests]


@pytest.fixture(scope="module")
def engine() -> DuckEngine:
    return DuckEngine("512MB", 1)


@pytest.fixture(scope="module")
def session(engine: DuckEngine) -> Iterator[DuckSession]:
    with engine.session() as opened:
        yield opened


@pytest.mark.parametrize(("stream", "case"), CASES)
def test_an_example_of_the_yaml_holds(engine: DuckEngine, session: DuckSession, stream: Stream, case: StreamTest) -> None:
    result = run_case(engine, session, stream, case)
    assert result.passed, "\n".join(["", *explained(result)])


def test_every_stream_has_an_example() -> None:
    assert [name for name, stream in STREAMS.items() if not stream.tests] == []
