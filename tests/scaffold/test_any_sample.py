"""Whatever the sample holds, the YAML is valid, clean, simulated and right about its own example."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from yamllint import linter  # type: ignore[import-untyped]
from yamllint.config import YamlLintConfig  # type: ignore[import-untyped]

from strandline.engines.duckdb import DuckEngine
from strandline.errors import UsageError
from strandline.rehearsal import rehearse
from strandline.sample import take_sample
from strandline.scaffold.scaffold import scaffold
from strandline.spec.load import check_text
from strandline.spec.model import Stream
from strandline.stream_tests import explained, run_case

ROOT = Path(__file__).parents[2]
LINT = YamlLintConfig(file=str(ROOT / ".yamllint.yaml"))
START = datetime(2026, 3, 1, 8, tzinfo=UTC)

NAMES = st.one_of(
    st.text(min_size=1, max_size=12),
    st.sampled_from(
        ["id", "Id", "order id", "userName", "email", "end", "case", "now", "event_date", "status", "amount", "price", "lat",
         "é", "_x", "null", "true", "count", "events", "window_start", "password", "payload", "value", "a.b", "x" * 80, "2xx",
         "on", "note: x"]
    ),
)  # fmt: skip
TEXTS = st.one_of(
    st.text(max_size=12), st.sampled_from(["-", "", "N/A", "yes", "null", "007", "a: b", "# c", "{", "'", '"', "error"])
)
VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.integers(0, 20),
    st.floats(allow_nan=False, allow_infinity=False),
    st.floats(-1, 1),
    TEXTS,
    st.lists(st.integers(0, 3), max_size=2),
    st.dictionaries(st.text(max_size=3), st.integers(), max_size=2),
    st.datetimes(datetime(1970, 1, 1), datetime(2100, 1, 1)).map(str),  # noqa: DTZ001
    st.dates().map(str),
)
KINDS = st.sampled_from(
    [
        st.booleans(),
        st.integers(0, 5),
        st.integers(-(10**6), 10**6),
        st.floats(0, 1e6),
        st.floats(-1e-6, 1e-6),
        TEXTS,
        VALUES,
        st.sampled_from(["GET", "POST"]),
        st.integers(100, 599),
        st.sampled_from(["ok", "error", "failed"]),
        st.just(0),
        st.just(""),
    ]
)


@st.composite
def samples(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Rows with a time and some columns, each of one kind with now and then something else."""
    keys = draw(st.lists(NAMES, max_size=6, unique=True))
    kinds = [draw(KINDS) for _ in keys]
    rows = draw(st.integers(1, 40))
    found = []
    for number in range(rows):
        row: dict[str, Any] = {"at": (START + timedelta(minutes=draw(st.integers(0, 600)))).isoformat()}
        if draw(st.booleans()):
            row["n"] = number
        found.append(row | {key: draw(kind) for key, kind in zip(keys, kinds, strict=True) if draw(st.integers(0, 9))})
    return found


def written(rows: list[dict[str, Any]], folder: Path) -> Path:
    path = folder / "sample.ndjson"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8", errors="surrogatepass")
    return path


def loaded(text: str) -> Stream:
    stream, problems = check_text(text, Path("made.yaml"))
    assert stream is not None, problems
    return stream


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(samples())
def test_it_is_valid_lints_and_its_example_holds(rows: list[dict[str, Any]]) -> None:
    with TemporaryDirectory() as folder:
        path = written(rows, Path(folder))
        made = scaffold("made", path)
    assert [str(problem) for problem in linter.run(made.text, LINT)] == []
    stream = loaded(made.text)
    with DuckEngine().session() as session:
        for test in stream.tests:
            result = run_case(DuckEngine(), session, stream, test)
            assert result.passed, [explained(result), made.text]


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(samples())
def test_its_simulated_events_are_good(rows: list[dict[str, Any]]) -> None:
    with TemporaryDirectory() as folder:
        path = written(rows, Path(folder))
        made = scaffold("made", path, generator=True)
    stream = loaded(made.text)
    engine = DuckEngine()
    with engine.session() as session:
        sample = take_sample(engine, session, stream, file=None, rows=50, at=START, now=START)
        found = rehearse(engine, session, stream, sample.landed)
    refused = found.counts.quarantined
    assert refused <= 0.2 * found.counts.lines + 2, [found.counts, made.text]


def test_a_sample_without_a_time_says_what_a_time_looks_like(tmp_path: Path) -> None:
    path = written([{"id": 1, "ts": 1767225600}, {"id": 2, "ts": 1767225700}], tmp_path)
    with pytest.raises(UsageError, match=r"ts looks like seconds or milliseconds since 1970: write it as 2026-11-26T05:00:00Z"):
        scaffold("made", path)


def test_the_longest_names_still_fit(tmp_path: Path) -> None:
    a, b, c = ("a" * 63, "b" * 63, "c" * 63)
    rows = [
        {
            "at": (START + timedelta(minutes=n)).isoformat(),
            a: (START + timedelta(minutes=n + 1)).isoformat(),
            b: n * 1.37,
            c: ["north", "south"][n % 2],
            "d" * 200: n % 5,
        }
        for n in range(400)
    ]
    made = scaffold("made", written(rows, tmp_path))
    assert [str(problem) for problem in linter.run(made.text, LINT)] == []
    assert loaded(made.text).gold[0].dimensions == (c,)
