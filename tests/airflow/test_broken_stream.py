"""A broken stream in a running Airflow: it is seen where users look, in the words of `validate`, and the others go on."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from strandline.lake.lake import Lake
from strandline.lake.paths import realtime
from tests.airflow.broken_stream import BROKEN, GOOD, Site, site
from tests.publish.test_browser import CHROMIUM

pytestmark = [pytest.mark.airflow, pytest.mark.slow]


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with site(tmp_path_factory.mktemp("broken")) as found:
        yield found


def test_good_streams_run_while_another_is_broken(running: Site) -> None:
    run = running.ingest()
    assert (run.dag_id, run.state) == (GOOD, "success")
    landed = Lake.open(str(running.config.parent / "lake")).table(realtime("api_logs")).snapshot()
    assert landed is not None
    with running.airflow.api() as api:
        assert BROKEN not in api.dags()
        assert len(api.dags()) == 7


def test_the_import_error_is_what_validate_says(running: Site) -> None:
    with running.airflow.api() as api:
        until = time.monotonic() + 120
        while not (errors := api.import_errors()) and time.monotonic() < until:
            time.sleep(1)
    (error,) = errors
    assert error.startswith("config_errors.py: ")
    assert running.told() in error


@pytest.mark.browser
@pytest.mark.skipif(not CHROMIUM.exists(), reason="there is no Chromium")
def test_the_ui_shows_the_error_and_a_streams_page(running: Site) -> None:
    with running.page() as page:
        shown = " ".join(running.open_import_error(page).split())
        assert " ".join(running.told().split()) in shown
        documentation = running.open_documentation(page)
    for text in ("api_logs", "Access log of the public REST API", "no_cached_failure", "response_time_ms"):
        assert text in documentation
