"""A real Airflow over a configuration with a typo in one stream, and its UI in a real browser.

`python -m tests.airflow.broken_stream docs/images` takes the two pictures of the UI that the documents show.
"""

from __future__ import annotations

import re
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from strandline.errors import ConfigError
from strandline.local.airflow import Airflow
from strandline.local.airflow_api import DagRun
from strandline.local.airflow_settings import USER
from strandline.local.credentials import Credentials
from strandline.local.tour import start_run
from strandline.spec.load import load_streams
from tests.airflow.environment import ROOT
from tests.publish.test_browser import ARGUMENTS, CHROMIUM

if TYPE_CHECKING:
    from playwright.sync_api import Page

BROKEN = "2-iot_sensors_realtime_ingest"
GOOD = "2-api_logs_realtime_ingest"
PATIENCE = 120_000
"""Milliseconds that a page may take on a busy machine."""


@dataclass(frozen=True)
class Site:
    """The running Airflow and the configuration it was given."""

    airflow: Airflow
    config: Path

    def told(self) -> str:
        """What is wrong with the configuration, as `strandline validate` and every other reader says it."""
        try:
            load_streams(self.config)
        except ConfigError as error:
            return str(error)
        raise AssertionError("the configuration was meant to be broken")

    def ingest(self) -> DagRun:
        """A whole run of the good stream."""
        with self.airflow.api() as api:
            api.wait_for_dags([GOOD])
            return api.wait(start_run(api, GOOD), timeout=300)

    @contextmanager
    def page(self) -> Iterator[Page]:
        """The UI, logged in."""
        from playwright.sync_api import sync_playwright

        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=ARGUMENTS)
            page = browser.new_page(viewport={"width": 1280, "height": 640})
            page.set_default_timeout(PATIENCE)
            page.goto(f"{self.airflow.url}/")
            page.fill("input[name=username]", USER)
            page.fill("input[name=password]", self.airflow.secrets.admin_password)
            page.click("button[type=submit]")
            yield page
            browser.close()

    def open_import_error(self, page: Page) -> str:
        """Opens the import error from the home page; returns its text."""
        page.get_by_role("button", name=re.compile("import error", re.IGNORECASE)).first.click()
        dialog = page.get_by_role("dialog")
        dialog.get_by_role("button").filter(has_text="config_errors.py").first.click()
        dialog.get_by_text("ConfigError").wait_for()
        page.wait_for_timeout(500)  # it unfolds
        return dialog.inner_text()

    def open_documentation(self, page: Page) -> str:
        """Opens the documentation of the good stream's DAG; returns its text."""
        page.goto(f"{self.airflow.url}/dags/{GOOD}")
        page.get_by_role("button", name=re.compile("dag docs", re.IGNORECASE)).click()
        dialog = page.get_by_role("dialog")
        dialog.get_by_role("heading", name="Fields").wait_for()
        page.wait_for_timeout(500)
        return dialog.inner_text()


@contextmanager
def site(folder: Path) -> Iterator[Site]:
    """Airflow over a copy of `config/` with one typo, its lake in the same folder; stopped at the end."""
    config = folder / "config"
    shutil.copytree(ROOT / "config", config)
    file = config / "streams" / "iot_sensors.yaml"
    file.write_text(file.read_text(encoding="utf-8").replace("event_time:", "event_tme:", 1), encoding="utf-8")
    airflow = Airflow(
        ROOT, lake=str(folder / "lake"), s3_endpoint="http://127.0.0.1:9", secrets=Credentials.generate(), port=0,
        home=folder / "airflow", extra={"STRANDLINE_CONFIG": str(config)},
    )  # fmt: skip
    try:
        yield Site(airflow.start(), config)
    finally:
        airflow.stop()


def take_pictures(folder: Path) -> None:
    """`import-error.png` and `dag-docs.png`."""
    with tempfile.TemporaryDirectory(prefix="strandline-") as temporary, site(Path(temporary)) as running:
        running.ingest()
        with running.page() as page:
            running.open_import_error(page)
            page.screenshot(path=folder / "import-error.png")
            running.open_documentation(page)
            page.screenshot(path=folder / "dag-docs.png")


if __name__ == "__main__":
    take_pictures(Path(sys.argv[1]))
