"""The script, the style and the templates of the pages, and the policy that lets nothing else run."""

from __future__ import annotations

import base64
import functools
import hashlib
from importlib.metadata import version
from pathlib import Path

import jinja2
from markupsafe import Markup

from strandline.publish.numbers import moment

VEGA_LITE = "6.4"
_FOLDER = Path(__file__).parent / "templates"


@functools.cache
def environment() -> jinja2.Environment:
    """The templates, with everything escaped that is not marked as markup by this package."""
    found = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_FOLDER),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    found.filters["moment"] = moment
    return found


@functools.cache
def chart_script() -> str:
    """Vega, Vega-Lite and Vega-Embed as one classic script (about 0.9 MB), as `vl-convert-python` ships them; takes seconds."""
    import vl_convert

    bundle: str = vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;", VEGA_LITE)
    return bundle.replace("</script", "<\\/script").replace("<!--", "<\\!--")


def chart_script_name() -> str:
    """A name for the chart script that changes with what it holds: `vega-lite-6.4-1.9.0.js`."""
    return f"vega-lite-{VEGA_LITE}-{version('vl-convert-python')}.js"


def page_script() -> str:
    """The page's own few lines: ages, and drawing the charts."""
    return (_FOLDER / "page.js").read_text(encoding="utf-8")


def style() -> str:
    """The style sheet."""
    return (_FOLDER / "page.css").read_text(encoding="utf-8")


@functools.cache
def fingerprint() -> str:
    """A digest of everything of this package that a page is made with, so that a new release renders anew."""
    digest = hashlib.sha256(chart_script_name().encode())
    for path in sorted([*_FOLDER.iterdir(), *_FOLDER.parent.glob("*.py")]):
        if path.is_file():
            digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def policy(scripts: list[str]) -> str:
    """A content security policy under which exactly these inline scripts run and nothing is loaded from anywhere."""
    hashes = [f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'" for text in scripts]
    sources = " ".join(hashes) or "'none'"
    rules = [
        "default-src 'none'",
        f"script-src {sources}",
        "style-src 'unsafe-inline'",
        "img-src data:",
        "base-uri 'none'",
        "form-action 'none'",
    ]
    return "; ".join(rules)


def render(template: str, scripts: list[str], **values: object) -> str:
    """The page of a template; only the given scripts may run on it."""
    trusted = {"css": Markup(style()), "scripts": [Markup(text) for text in scripts]}  # noqa: S704 - this package's own files
    return environment().get_template(template).render(policy=policy(scripts), **trusted, **values)
