"""Bad input: refused with its exact bytes, its reason and its origin; its neighbours are unharmed and nothing is lost."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from strandline.errors import DataError, UsageError
from strandline.lake import paths
from strandline.lines.keys import KeyRing
from strandline.lines.protect import Protector
from strandline.runtime import Runtime
from strandline.spec.model import Stream
from strandline.stages.bronze import bronze
from strandline.stages.gold import gold
from strandline.stages.land import ingest
from strandline.stages.merge import merge
from strandline.stages.silver import silver
from tests.stages.streams import deliver, interval, readings, runtime_in

GOOD = {"reading_id": "r", "at": "2026-03-01T09:59:00Z", "value": 1.5, "site": "north"}


def line(**changes: Any) -> bytes:
    return json.dumps({**GOOD, **changes}).encode()


BAD: list[tuple[bytes, str, str | None]] = [
    (b"\xff\xfe\x00binary", "not_utf8", None),
    (b'{"reading_id": "r", "at": ', "not_json", None),
    (b"[1, 2]", "not_object", None),
    (b"", "empty_line", None),
    (b'{"reading_id": "a", "reading_id": "b", "at": "2026-03-01T09:00:00Z"}', "duplicate_key", "reading_id"),
    (b'{"reading_id": "a", "at": "2026-03-01T09:00:00Z", "value": NaN}', "number_range", "value"),
    (b'{"reading_id": "a", "at": "2026-03-01T09:00:00Z", "value": 1e999}', "number_range", "value"),
    (b'{"reading_id": "a\\ud800", "at": "2026-03-01T09:00:00Z"}', "lone_surrogate", "reading_id"),
    (b"[" * 100_000, "too_deep", None),
    (line(reading_id=None), "missing", "reading_id"),
    (b'{"at": "2026-03-01T09:00:00Z"}', "missing", "reading_id"),
    (line(at="2026-02-30T00:00:00Z"), "type", "at"),
    (line(at="yesterday"), "type", "at"),
    (line(value="much"), "type", "value"),
    (line(value=True), "type", "value"),
    (line(count=1.5), "type", "count"),
    (line(count=9_999_999_999_999_999_999), "type", "count"),
    (line(price="1.005"), "type", "price"),
    (line(day="2026-13-01"), "type", "day"),
    (line(ok="perhaps"), "type", "ok"),
    (line(value=51), "range", "value"),
    (line(value=-51), "range", "value"),
    (line(site="west"), "choice", "site"),
    (line(code="abc"), "pattern", "code"),
    (line(code="AB\n"), "pattern", "code"),
    (line(at="2026-02-20T00:00:00Z"), "late", "at"),
    (line(at="2026-03-01T11:30:00Z"), "future", "at"),
    (line(value=-45), "rule", None),
]
CONVERTED = {"value": "1.5", "count": "12", "price": "3.10", "ok": "true", "day": "2026-03-01"}


def take(runtime: Runtime, stream: Stream, number: int) -> dict[str, int]:
    ingest(runtime, stream, interval(number))
    bronze(runtime, stream, interval(number).end)
    counts = silver(runtime, stream)
    gold(runtime, stream)
    return counts


def rows(runtime: Runtime, path: str) -> list[dict[str, Any]]:
    snapshot = runtime.lake.table(path).snapshot()
    assert snapshot is not None
    found: list[dict[str, Any]] = snapshot.arrow().to_pylist()
    return found


def test_every_kind_of_bad_line_is_kept_with_reason_and_origin(tmp_path: Path, runtime: Runtime) -> None:
    stream = readings(tmp_path)
    good = [line(reading_id=f"g{n}") for n in range(len(BAD) + 1)]
    mixed = [good[0]]
    for (raw, _, _), neighbour in zip(BAD, good[1:], strict=True):
        mixed += [raw, neighbour]
    deliver(tmp_path, "mixed.ndjson", mixed)
    counts = take(runtime, stream, 0)
    assert counts["lines"] == len(mixed)
    assert counts["quarantined"] == len(BAD)
    assert {row["reading_id"] for row in rows(runtime, paths.silver("readings"))} == {f"g{n}" for n in range(len(good))}
    refused = sorted(rows(runtime, paths.quarantine("readings")), key=lambda row: row["_line"])
    assert [(row["_raw"], row["_reason"], row["_field"]) for row in refused] == BAD
    for number, row in enumerate(refused):
        assert (row["_source"], row["_source_line"], row["_line"]) == ("mixed.ndjson", 2 * number + 2, 2 * number + 2)
        assert (row["_landing_start"], row["_landing_end"]) == (interval(0).start, interval(0).end)
        assert row["_contract_version"] == "2.3.0"
        assert row["_digest"] is None
    assert refused[-1]["_rule"] == "not_freezing"


def test_what_converts_without_loss_is_good(tmp_path: Path, runtime: Runtime) -> None:
    deliver(tmp_path, "converted.ndjson", [line(**CONVERTED), line(reading_id="s", at="2026-03-01T11:59:00+02:00", count=3.0)])
    assert take(runtime, readings(tmp_path), 0)["good"] == 2
    by_id = {row["reading_id"]: row for row in rows(runtime, paths.silver("readings"))}
    assert (by_id["r"]["value"], by_id["r"]["count"], str(by_id["r"]["price"]), by_id["r"]["ok"]) == (1.5, 12, "3.10", True)
    assert by_id["s"]["count"] == 3
    assert by_id["s"]["at"].hour == 9


def test_identical_bad_lines_each_count(tmp_path: Path, runtime: Runtime) -> None:
    deliver(tmp_path, "same.ndjson", [b"{"] * 5)
    counts = take(runtime, readings(tmp_path), 0)
    assert (counts["lines"], counts["quarantined"], counts["duplicates"]) == (5, 5, 0)
    assert len(rows(runtime, paths.quarantine("readings"))) == 5


def test_an_empty_interval_succeeds_and_moves_on(tmp_path: Path, runtime: Runtime) -> None:
    stream = readings(tmp_path)
    assert ingest(runtime, stream, interval(0)) == {"intervals": 1, "lines": 0, "unparsed": 0}
    deliver(tmp_path, "late.ndjson", [line()])
    assert ingest(runtime, stream, interval(1))["lines"] == 1
    assert merge(runtime, stream)["added"] == 1


def test_a_warning_keeps_the_row_and_names_the_rule(tmp_path: Path, runtime: Runtime) -> None:
    deliver(tmp_path, "warm.ndjson", [line(value=35)])
    assert take(runtime, readings(tmp_path), 0)["good"] == 1
    assert rows(runtime, paths.silver("readings"))[0]["_warnings"] == "usual"
    assert json.loads(rows(runtime, paths.LEDGER)[0]["warnings"]) == {"usual": 1}


def test_a_fail_rule_stops_the_run_before_anything_is_visible(tmp_path: Path, runtime: Runtime) -> None:
    stream = readings(tmp_path, rules="- {name: never_49, expect: value <> 49, action: fail}")
    deliver(tmp_path, "a.ndjson", [line(), line(reading_id="s", value=49)])
    ingest(runtime, stream, interval(0))
    bronze(runtime, stream, interval(0).end)
    with pytest.raises(DataError, match=r"never_49: 1 line.*a\.ndjson line 2"):
        silver(runtime, stream)
    with pytest.raises(DataError, match="never_49"):
        merge(runtime, stream)
    for path in (paths.silver("readings"), paths.quarantine("readings"), paths.unified("readings")):
        snapshot = runtime.lake.table(path).snapshot()
        assert snapshot is None or snapshot.rows == 0


def test_a_broken_budget_stops_the_run_with_its_counts(tmp_path: Path, runtime: Runtime) -> None:
    stream = readings(tmp_path, rules="- {name: few_refused, expect: rejected_ratio < 0.5, per: run, action: fail}")
    deliver(tmp_path, "a.ndjson", [line(), b"{", b"["])
    ingest(runtime, stream, interval(0))
    bronze(runtime, stream, interval(0).end)
    with pytest.raises(DataError, match=r"few_refused.*rejected 2"):
        silver(runtime, stream)


def test_protected_values_never_reach_a_file_in_clear(tmp_path: Path, runtime: Runtime) -> None:
    more = "- {name: email, type: string, classification: pii, protect: hash}"
    stream = readings(tmp_path, more)
    secret = "someone.secret@example.com"
    broken = b'{"email": "' + secret.encode() + b'", '
    deliver(tmp_path, "pii.ndjson", [line(email=secret), line(reading_id="s", email=secret), broken])
    counts = take(runtime, stream, 0)
    merge(runtime, stream)
    assert (counts["good"], counts["quarantined"]) == (2, 1)
    for path in (tmp_path / "lake").rglob("*"):
        assert path.is_dir() or secret.encode() not in path.read_bytes()
    for layer in (paths.realtime("readings"), paths.silver("readings"), paths.quarantine("readings")):
        assert secret not in repr(rows(runtime, layer))
    hashes = {row["email"] for row in rows(runtime, paths.silver("readings"))}
    assert len(hashes) == 1
    [refused] = rows(runtime, paths.quarantine("readings"))
    assert refused["_sealed"]
    assert Protector(stream, runtime.keys).unseal(refused["_raw"]) == broken


def test_without_its_key_a_protected_stream_refuses_to_run(tmp_path: Path) -> None:
    stream = readings(tmp_path, "- {name: email, type: string, classification: pii, protect: hash}")
    deliver(tmp_path, "pii.ndjson", [line(email="x@example.com")])
    keyless = Runtime(runtime_in(tmp_path).lake, KeyRing({}))
    with pytest.raises(UsageError, match="STRANDLINE_KEY_READINGS"):
        ingest(keyless, stream, interval(0))


def test_lateness_and_skew_count_from_the_end_of_the_landing_interval(runtime: Runtime, tmp_path: Path) -> None:
    """The interval ends at 10:05; two days late is not too late, an hour early not too early."""
    stream = readings(tmp_path)
    moments = {"2026-02-27T10:05:00Z": None, "2026-02-27T10:04:59.999999Z": "late",
               "2026-03-01T11:05:00Z": None, "2026-03-01T11:05:00.000001Z": "future"}  # fmt: skip
    deliver(tmp_path, "0", [line(reading_id=f"r{n}", at=at) for n, at in enumerate(moments)])
    assert take(runtime, stream, 0)["quarantined"] == 2
    held = runtime.lake.table(paths.quarantine("readings")).snapshot()
    assert held is not None
    found = {row["_line"]: row["_reason"] for row in held.arrow(["_line", "_reason"]).to_pylist()}
    assert found == {2: "late", 4: "future"}
