"""Pages are one file, the same bytes for the same values, and nothing in the data can run or load anything."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from html.parser import HTMLParser

from strandline.publish.dashboards import PageData, StreamSummary, render_index, render_stream_page, summary
from tests.publish import samples


class Elements(HTMLParser):
    """Every start tag with its attributes, and the text of script elements."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[tuple[dict[str, str | None], str]] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag == "script":
            self.scripts.append((dict(attrs), ""))

    def handle_data(self, data: str) -> None:
        if self.scripts and self.cdata_elem == "script":
            attrs, text = self.scripts[-1]
            self.scripts[-1] = (attrs, text + data)


HTML = render_stream_page(samples.page())


def test_a_page_loads_nothing_and_links_only_to_its_neighbours() -> None:
    for tag, attrs in Elements(HTML).tags:
        assert "src" not in attrs, tag
        if "href" in attrs:
            assert re.fullmatch(r"\.\./index\.html|data/[a-z0-9-]+\.(json|parquet)|data:,", attrs["href"] or ""), attrs


def test_the_policy_allows_exactly_the_scripts_of_the_page() -> None:
    found = Elements(HTML)
    policy = next(a["content"] or "" for t, a in found.tags if a.get("http-equiv") == "Content-Security-Policy")
    allowed = set(re.findall(r"'sha256-([^']+)'", policy))
    running = [text for attrs, text in found.scripts if attrs.get("type") != "application/json"]
    assert allowed == {base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in running}
    assert "default-src 'none'" in policy
    assert "unsafe-eval" not in policy
    assert "http" not in policy


def test_hostile_values_stay_text_wherever_they_appear() -> None:
    found = Elements(HTML)
    assert not [tag for tag, _ in found.tags if tag in ("img", "iframe", "object", "b") and tag != "b"]
    assert len(found.scripts) == 2 + sum(1 for a, _ in found.scripts if a.get("type") == "application/json")
    assert not [attrs for _, attrs in found.tags if any(name.startswith("on") for name in attrs)]
    specs = [json.loads(text) for attrs, text in found.scripts if attrs.get("type") == "application/json"]
    drawn = {row["n"] for row in specs[0]["data"]["values"]}
    assert samples.ATTACKS[0] in drawn


def test_the_same_values_give_the_same_bytes() -> None:
    assert render_stream_page(samples.page()) == HTML


def test_a_page_weighs_less_than_two_megabytes() -> None:
    assert len(HTML.encode()) < 2_000_000


def test_a_page_says_what_it_shows_in_words() -> None:
    for text in (
        "2026-11-26 05:40",
        "2026-11-26 02:00",
        "UTC",
        "unified@41",
        "Provisional",
        "error_spike",
        "oncall@example.com",
        "2.00",
    ):
        assert text in HTML, text
    assert re.search(r"Last 48 hours: .* UTC; the 8 greatest of 10 values of endpoint, the others added up", HTML)


def test_every_chart_has_a_text_for_those_who_do_not_see_it_and_a_table_with_a_caption() -> None:
    found = Elements(HTML)
    charts = [attrs for _, attrs in found.tags if "data-chart" in attrs]
    assert len(charts) == 5
    assert all(attrs["role"] == "img" and (attrs["aria-label"] or "").endswith("holds the numbers.") for attrs in charts)
    tables = sum(tag == "table" for tag, _ in found.tags)
    assert tables == sum(tag == "caption" for tag, _ in found.tags) >= 7


def test_a_stream_without_anything_published_has_a_page_that_says_so_without_the_charting_script() -> None:
    html = render_stream_page(PageData(samples.stream()))
    assert "Nothing has been published for this stream yet" in html
    assert len(html) < 60_000


def test_a_panel_without_rows_says_so() -> None:
    html = render_stream_page(samples.page(data=samples.rows().slice(0, 0)))
    assert "No windows to show yet" in html
    assert not [attrs for _, attrs in Elements(html).tags if "data-chart" in attrs]


def test_the_index_links_every_stream_and_counts_open_alerts() -> None:
    quiet = StreamSummary("quiet", "Nothing <here>")
    html = render_index([summary(samples.page(), 1, "high"), quiet])
    assert html.index("api_logs/index.html") < html.index("quiet/index.html")
    assert "1 open alert<" in html
    assert "Nothing &lt;here&gt;" in html
    assert "Nothing published yet." in html


def test_a_summary_survives_being_stored() -> None:
    told = summary(samples.page(), 2, "critical", "abc")
    assert StreamSummary.from_json(told.to_json()) == told
