"""Publishing from a lake: pages, data, index and alerts of the published versions, and nothing changes when it is done
twice.
"""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import date
from pathlib import Path

import pyarrow as pa
import pytest

from strandline.lake import paths
from strandline.lake.lake import Lake
from strandline.lake.snapshot import Snapshot
from strandline.lake.tables import Commit, Table
from strandline.lines.keys import KeyRing
from strandline.publish.alert_tables import AlertStore
from strandline.publish.alerts import Notification
from strandline.publish.publish import publish
from strandline.runtime import Runtime
from tests.conftest import S3Lake
from tests.publish import samples


def write(table: Table, rows: pa.Table) -> int:
    dates: set[date] = set(rows["event_date"].to_pylist())

    def decide(snapshot: Snapshot) -> Commit:
        writer = table.writer(snapshot, rows.schema)
        writer.write(rows)
        return Commit(writer.close(), snapshot.files_of(dates))

    table.commit(rows.schema, decide, "event_date")
    found = table.snapshot()
    assert found is not None
    return found.version


def land(lake: Lake, rows: pa.Table) -> None:
    """Serve the rows and point at them."""
    stream = samples.stream()
    moments = pa.schema([f.with_type(pa.timestamp("us", "UTC")) if pa.types.is_timestamp(f.type) else f for f in rows.schema])
    served = rows.cast(moments)
    version = write(lake.table(paths.analytics(stream.name, "api_hourly")), served)
    unified = write(lake.table(paths.unified(stream.name)), served.select(["event_date", "endpoint", "_as_of", "_status"]))
    pointer = {
        "unified": unified,
        "analytics": {"api_hourly": version},
        "watermark": samples.WATERMARK.isoformat(),
        "as_of": samples.AS_OF.isoformat(),
    }
    lake.objects.put(paths.published(stream.name), json.dumps(pointer).encode())


@pytest.fixture
def runtime(tmp_path: Path) -> Runtime:
    return Runtime(Lake.open(str(tmp_path)), keys=KeyRing({}), memory_limit="512MB", threads=1)


def files(folder: Path) -> dict[str, tuple[bytes, int]]:
    found = (folder / "serving").rglob("*")
    return {str(p.relative_to(folder)): (p.read_bytes(), p.stat().st_mtime_ns) for p in found if p.is_file()}


def test_publishing_writes_pages_data_and_alerts_and_doing_it_again_writes_nothing(runtime: Runtime, tmp_path: Path) -> None:
    land(runtime.lake, samples.rows())
    told: list[Notification] = []
    counts = publish(runtime, samples.stream(), told.append)
    assert counts["pages"] == 2
    assert counts["files"] == 2 * len(samples.PANELS)
    assert counts["notified"] == len(told)
    page = (tmp_path / "serving/dashboards/api_logs/index.html").read_text()
    assert "api_hourly@" in page
    assert "2026-11-26 05:40" in page
    assert json.loads((tmp_path / "serving/dashboards/api_logs/data/error-rate.json").read_text())["rows"]
    before = files(tmp_path)
    again = publish(runtime, samples.stream(), told.append)
    assert (again["pages"], again["files"], again["notified"], again["days"]) == (0, 0, 0, 0)
    assert files(tmp_path) == before


def test_the_pages_made_again_from_the_same_versions_have_the_same_bytes(runtime: Runtime, tmp_path: Path) -> None:
    land(runtime.lake, samples.rows())
    publish(runtime, samples.stream(), lambda notification: None)
    folder = tmp_path / "serving/dashboards"
    before = {p: p.read_bytes() for p in folder.rglob("*") if p.is_file()}
    (folder / "api_logs/summary.json").unlink()
    (folder / "api_logs/index.html").unlink()
    publish(runtime, samples.stream(), lambda notification: None)
    assert {p: p.read_bytes() for p in folder.rglob("*") if p.is_file()} == before


def test_rows_that_come_later_change_the_page_and_open_an_episode(runtime: Runtime, tmp_path: Path) -> None:
    land(runtime.lake, samples.rows())
    publish(runtime, samples.stream(), lambda notification: None)
    page = (tmp_path / "serving/dashboards/api_logs/index.html").read_bytes()
    worse = samples.rows().to_pylist()
    for record in worse[-len(samples.ENDPOINTS) :]:
        record["error_rate"] = 0.5
    land(runtime.lake, pa.Table.from_pylist(worse))
    told: list[Notification] = []
    counts = publish(runtime, samples.stream(), told.append)
    assert counts["episodes"] == len(samples.ENDPOINTS)
    assert {n.event for n in told} == {"opened"}
    assert (tmp_path / "serving/dashboards/api_logs/index.html").read_bytes() != page
    assert "10 open" in (tmp_path / "serving/dashboards/index.html").read_text()


def test_a_stream_that_was_never_merged_gets_a_page_that_says_so(runtime: Runtime, tmp_path: Path) -> None:
    counts = publish(runtime, samples.stream(), lambda notification: None)
    assert counts["pages"] == 2
    assert "Nothing has been published" in (tmp_path / "serving/dashboards/api_logs/index.html").read_text()


def test_pages_are_written_even_when_the_notifier_fails(runtime: Runtime, tmp_path: Path) -> None:
    worse = samples.rows().to_pylist()
    worse[-1]["error_rate"] = 0.9
    land(runtime.lake, pa.Table.from_pylist(worse))

    def fail(notification: Notification) -> None:
        raise ConnectionError("no route to the pager")

    with pytest.raises(ConnectionError, match="no route"):
        publish(runtime, samples.stream(), fail)
    assert (tmp_path / "serving/dashboards/api_logs/index.html").exists()
    told: list[Notification] = []
    publish(runtime, samples.stream(), told.append)
    assert [n.event for n in told] == ["opened"]


def test_two_publishes_at_once_leave_what_one_leaves(runtime: Runtime, tmp_path: Path) -> None:
    worse = samples.rows().to_pylist()
    worse[-1]["error_rate"] = 0.9
    land(runtime.lake, pa.Table.from_pylist(worse))
    with ThreadPoolExecutor(2) as pool:
        runs = [pool.submit(publish, runtime, samples.stream(), lambda notification: None) for _ in range(2)]
        for run in runs:
            run.result()
    store = AlertStore(runtime.lake, "api_logs")
    episodes, firings = store.episodes.snapshot(), store.firings.snapshot()
    assert episodes is not None
    assert firings is not None
    assert (episodes.rows, firings.rows) == (1, 1)
    assert publish(runtime, samples.stream(), lambda notification: None)["notified"] == 0


def test_on_a_real_s3_server_publishing_twice_leaves_every_object_as_it_was(s3_lake: S3Lake) -> None:
    runtime = Runtime(Lake.open(s3_lake.url), keys=KeyRing({}), memory_limit="512MB", threads=1)
    land(runtime.lake, samples.rows())
    publish(runtime, samples.stream(), lambda notification: None)
    before = {o.key: o.etag for o in runtime.lake.objects.list("serving/")}
    assert "serving/dashboards/api_logs/data/error-rate.parquet" in before
    publish(runtime, samples.stream(), lambda notification: None)
    assert {o.key: o.etag for o in runtime.lake.objects.list("serving/")} == before


def test_a_metric_declared_after_the_last_merge_leaves_the_rest_of_the_page_and_the_alerts_alone(
    runtime: Runtime, tmp_path: Path
) -> None:
    land(runtime.lake, samples.rows().drop_columns(["p95_ms", "error_rate"]))
    counts = publish(runtime, samples.stream(), lambda notification: None)
    assert counts["pages"] == 2
    page = (tmp_path / "serving/dashboards/api_logs/index.html").read_text()
    assert "error_rate is not in the served table yet" in page
    assert page.count("data-chart=") == 3
    worse = samples.rows().to_pylist()
    worse[-1]["error_rate"] = 0.9
    land(runtime.lake, pa.Table.from_pylist(worse))
    assert publish(runtime, samples.stream(), lambda notification: None)["firings"] == 1


def test_an_alert_taken_out_of_the_stream_takes_its_episodes_with_it(runtime: Runtime) -> None:
    worse = samples.rows().to_pylist()
    worse[-1]["error_rate"] = 0.9
    land(runtime.lake, pa.Table.from_pylist(worse))
    assert publish(runtime, samples.stream(), lambda notification: None)["episodes"] == 1
    assert publish(runtime, replace(samples.stream(), alerts=()), lambda notification: None)["episodes"] == 0
