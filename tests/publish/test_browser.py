"""The pages in a real browser: charts are drawn, nothing is loaded, nothing runs over, phones and the dark are served."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from strandline.publish.dashboards import StreamSummary, render_index, render_stream_page, summary
from tests.publish import samples

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.browser
CHROMIUM = Path("/usr/bin/chromium")
ARGUMENTS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]
SIZES = {"desktop": (1280, 900), "phone": (360, 740)}

CONTRAST = """() => {
    const channel = v => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
    const light = text => {
        const [r, g, b] = text.match(/[0-9.]+/g).slice(0, 3).map(v => channel(v / 255));
        return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    const card = light(getComputedStyle(document.querySelector('.card')).backgroundColor);
    const ratio = colour => {
        const text = light(colour);
        return (Math.max(text, card) + 0.05) / (Math.min(text, card) + 0.05);
    };
    const texts = [...document.querySelectorAll('.card p, .card h3, .card td, .card th, .card .sub, .card li')];
    const axis = [...document.querySelectorAll('.chart svg .role-axis-label text')];
    return {
        card,
        text: Math.min(...texts.map(e => ratio(getComputedStyle(e).color))),
        axis: Math.min(...axis.map(e => ratio(getComputedStyle(e).fill))),
    };
}"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    if not CHROMIUM.exists():
        pytest.skip(f"no browser: {CHROMIUM} is not there")
    with playwright.sync_playwright() as running:
        opened = running.chromium.launch(executable_path=str(CHROMIUM), args=ARGUMENTS)
        yield opened
        opened.close()


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    (folder / "api_logs").mkdir()
    (folder / "api_logs" / "index.html").write_text(render_stream_page(samples.page()), encoding="utf-8")
    streams = [summary(samples.page(), 1, "high"), StreamSummary("quiet", "Nothing published yet")]
    (folder / "index.html").write_text(render_index(streams), encoding="utf-8")
    return folder


@dataclass
class Visit:
    """One page as it was opened: what it asked for and what it complained about."""

    page: Page
    requests: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)


def visit(browser: Browser, file: Path, size: str = "desktop", scheme: str = "light") -> Visit:
    width, height = SIZES[size]
    page = browser.new_page(viewport={"width": width, "height": height}, color_scheme=scheme)  # type: ignore[arg-type]
    seen = Visit(page)
    page.on("request", lambda request: seen.requests.append(request.url))
    page.on("console", lambda message: seen.complaints.append(f"{message.type}: {message.text}"))
    page.on("pageerror", lambda error: seen.complaints.append(str(error)))
    page.goto(file.as_uri())
    for chart in page.locator("[data-chart]").all():
        chart.and_(page.locator("[data-drawn]")).wait_for(state="attached", timeout=10_000)
    return seen


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", SIZES)
def test_charts_are_drawn_without_a_complaint_a_request_or_a_sideways_scroll(
    browser: Browser, site: Path, size: str, scheme: str
) -> None:
    file = site / "api_logs" / "index.html"
    seen = visit(browser, file, size, scheme)
    marks = seen.page.evaluate(
        "[...document.querySelectorAll('.chart')].map(c => c.querySelectorAll('svg [class*=mark-] path').length)"
    )
    assert len(marks) == 5
    assert min(marks) > 2
    assert seen.requests == [file.as_uri()]
    assert seen.complaints == []
    assert seen.page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    seen.page.close()


def test_hostile_values_neither_run_nor_load(browser: Browser, site: Path) -> None:
    seen = visit(browser, site / "api_logs" / "index.html")
    assert seen.page.title() == "api_logs · Strandline"
    assert seen.page.evaluate("document.querySelectorAll('img, iframe').length") == 0
    legend = seen.page.locator(".legend").first.inner_text()
    assert samples.ATTACKS[0] in legend
    seen.page.close()


def test_what_a_page_would_load_is_refused_by_its_policy(browser: Browser, site: Path) -> None:
    seen = visit(browser, site / "api_logs" / "index.html")
    refused = seen.page.evaluate(
        """() => new Promise(done => {
            document.addEventListener('securitypolicyviolation', event => done(event.effectiveDirective));
            const image = new Image(); image.src = 'http://127.0.0.1:9/x.png'; document.body.append(image);
            setTimeout(() => done('nothing'), 2000);
        })"""
    )
    assert refused == "img-src"
    seen.page.close()


def test_the_dark_page_is_dark_and_its_texts_stand_out(browser: Browser, site: Path) -> None:
    for scheme in ("light", "dark"):
        seen = visit(browser, site / "api_logs" / "index.html", scheme=scheme)
        found = seen.page.evaluate(CONTRAST)
        assert (found["card"] < 0.05) == (scheme == "dark")
        assert min(found["text"], found["axis"]) >= 4.5, found
        seen.page.close()


def test_the_pointer_shows_the_value_of_a_window(browser: Browser, site: Path) -> None:
    seen = visit(browser, site / "api_logs" / "index.html")
    chart = seen.page.locator(".chart").nth(2)
    chart.scroll_into_view_if_needed()
    box = chart.bounding_box()
    assert box is not None
    seen.page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    seen.page.mouse.move(box["x"] + box["width"] / 2 + 3, box["y"] + box["height"] / 2)
    tip = seen.page.locator("#vg-tooltip-element.visible")
    tip.wait_for(timeout=3000)
    assert "Window (UTC)" in tip.inner_text()
    assert "final" in tip.inner_text()
    seen.page.close()


@pytest.mark.parametrize("size", SIZES)
def test_the_index_shows_every_stream_and_how_old_it_is(browser: Browser, site: Path, size: str) -> None:
    seen = visit(browser, site / "index.html", size)
    assert seen.page.locator("a.stream").count() == 2
    assert (
        seen.page.locator("[data-age]").first.inner_text().endswith("ago")
        or seen.page.locator("[data-age]").first.inner_text() == "just now"
    )
    assert seen.complaints == []
    assert len(seen.requests) == 1
    assert seen.page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    seen.page.close()
